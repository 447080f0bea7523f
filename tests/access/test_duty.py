"""The duty roster over time: gaps, months, lines that repeat."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from qingfang.access import duty
from qingfang.access.models import Duty
from qingfang.people.models import Person

ZONE = timezone.get_default_timezone()
REACHED = Person(staff_number="1", name="某人", mail="someone@example.org")
UNREACHED = Person(staff_number="2", name="某人")


def at(day: int, hour: int = 0) -> dt.datetime:
    return dt.datetime(2026, 3, day, hour, tzinfo=ZONE)


def line(start: dt.datetime, end: dt.datetime, **more: object) -> Duty:
    given = {"person": REACHED, "channel": "mail", **more}
    return Duty(valid_from=start, valid_to=end, **given)


def test_no_line_is_one_gap() -> None:
    assert duty.gaps([], at(1), at(2)) == [(at(1), at(2))]


def test_between_and_around_lines() -> None:
    lines = [line(at(1, 18), at(2, 6)), line(at(1, 6), at(1, 12)), line(at(1, 8), at(1, 10))]
    assert duty.gaps(lines, at(1), at(3)) == [
        (at(1), at(1, 6)),
        (at(1, 12), at(1, 18)),
        (at(2, 6), at(3)),
    ]


def test_lines_that_meet_leave_none() -> None:
    assert duty.gaps([line(at(1), at(2)), line(at(2), at(3))], at(1), at(3)) == []


@pytest.mark.parametrize(
    "more", [{"after_minutes": 15}, {"min_severity": 3}, {"person": UNREACHED}]
)
def test_a_line_that_is_not_told_of_every_alert_at_once_does_not_count(
    more: dict[str, object],
) -> None:
    assert duty.gaps([line(at(1), at(2), **more)], at(1), at(2)) == [(at(1), at(2))]


def test_a_channel_without_an_address_of_its_own_counts() -> None:
    syslog = line(at(1), at(2), person=UNREACHED, channel="syslog")
    assert duty.gaps([syslog], at(1), at(2)) == []


def test_a_month_in_whole_weeks() -> None:
    weeks = duty.month([line(at(1), at(2, 8))], dt.date(2026, 3, 1), ZONE, at(1))
    days = [day for week in weeks for day in week]
    assert (days[0].day, days[-1].day) == (dt.date(2026, 2, 23), dt.date(2026, 4, 5))
    inside = [day for day in days if day.inside]
    assert len(inside) == 31
    assert inside[0].empty == []
    assert inside[1].empty == [(at(2, 8), at(3))]
    assert [len(day.lines) for day in inside[:3]] == [1, 1, 0]


def test_the_hours_of_a_line_are_told_day_by_day() -> None:
    weeks = duty.month([line(at(2, 20), at(4, 8))], dt.date(2026, 3, 1), ZONE, at(1))
    days = {day.day.day: day for week in weeks for day in week if day.inside}
    assert [hours for n in (2, 3, 4) for _line, hours in days[n].shifts] == [
        "20:00–24:00",
        "",
        "00:00–08:00",
    ]


def test_what_nobody_did_in_the_past_is_not_told() -> None:
    weeks = duty.month([line(at(3), at(4))], dt.date(2026, 3, 1), ZONE, at(2, 15))
    days = {day.day.day: day for week in weeks for day in week if day.inside}
    assert [days[n].empty for n in (1, 2, 3)] == [[], [(at(2, 15), at(3))], []]


def test_repeated_until_a_day() -> None:
    spans = duty.repeated(at(1, 18), at(2, 6), 1, dt.date(2026, 3, 3))
    assert spans == [(at(n, 18), at(n + 1, 6)) for n in (1, 2, 3)]
    assert duty.repeated(at(1), at(2), 0, dt.date(2026, 3, 9)) == [(at(1), at(2))]
    assert len(duty.repeated(at(1), at(2), 7, dt.date(2026, 3, 29))) == 5
