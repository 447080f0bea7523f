"""Local days and hours, from microseconds."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.judge.hours import local, within, working
from qingfang.judge.snapshot import Calendar, Weekly

SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))


def at(text: str) -> int:
    moment = datetime.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
    return int(moment.timestamp()) * 1_000_000


@given(st.datetimes(datetime.datetime(1971, 1, 1), datetime.datetime(2200, 1, 1)))
def test_local_agrees_with_datetime(moment: datetime.datetime) -> None:
    found = local(at(moment.replace(microsecond=0).isoformat()), 480)
    assert found == (moment.date(), moment.hour * 60 + moment.minute)


CALENDAR = Calendar(holidays=("2026-02-17",), workdays=("2026-02-14",))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-01-20 08:00", True),
        ("2026-01-20 07:59", False),
        ("2026-01-20 12:40", False),  # noon
        ("2026-01-20 13:30", True),
        ("2026-01-20 17:30", False),
        ("2026-01-24 09:00", False),  # Saturday
        ("2026-02-14 09:00", True),  # a Saturday worked in exchange
        ("2026-02-17 09:00", False),  # a Tuesday off
    ],
)
def test_working_time(moment: str, expected: bool) -> None:
    assert working(CALENDAR, at(moment)) is expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-01-19 23:00", True),  # Monday night
        ("2026-01-20 01:59", True),  # which ends on Tuesday
        ("2026-01-20 02:00", False),
        ("2026-01-20 23:00", False),
        ("2026-01-19 01:00", False),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_it_starts_on(
    moment: str, expected: bool
) -> None:
    window = Weekly(weekdays=(1,), from_time="22:00", to_time="02:00")
    assert within((window,), at(moment), 480) is expected


def test_no_window_is_no_restriction_and_the_whole_day_can_be_one() -> None:
    assert within((), 0, 480)
    assert within((Weekly(),), at("2026-01-20 23:59"), 480)
