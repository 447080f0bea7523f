"""The working calendar: set by the discipline office, handed down with the snapshot."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from qingfang.access import calendar, snapshot
from qingfang.people.models import Act
from tests.support.people import person

pytestmark = pytest.mark.django_db


def test_until_somebody_decides_the_defaults_hold() -> None:
    assert not calendar.standing().decided
    given = snapshot.build("test", timezone.now()).calendar
    assert given.weekdays == (1, 2, 3, 4, 5)
    assert given.hours[0] == ("08:00", "12:00")


def test_what_the_manager_sets_goes_down() -> None:
    client = Client()
    client.force_login(person("1", "discipline", "application_manager"))
    asked = {
        "weekdays": "1-6",
        "hours": "07:30-11:30 14:00-18:00",
        "days": "2026-10-01..2026-10-02 休 国庆节\n2026-10-10 班 调休",
    }
    assert client.post("/calendar", asked).status_code == 302
    given = snapshot.build("test", timezone.now()).calendar
    assert given.weekdays == (1, 2, 3, 4, 5, 6)
    assert given.hours == (("07:30", "11:30"), ("14:00", "18:00"))
    assert given.holidays == ("2026-10-01", "2026-10-02")
    assert given.workdays == ("2026-10-10",)
    assert Act.objects.get(kind="calendar.replaced").facts["days"] == 3
    page = client.get("/calendar").content.decode()
    assert "2026-10-01..2026-10-02 休 国庆节" in page
    assert calendar.covers(2026)
    assert not calendar.covers(2027)


def test_a_line_that_cannot_be_read_changes_nothing() -> None:
    calendar.replace([1], [["08:00", "12:00"]], [], by=None)
    client = Client()
    client.force_login(person("1", "discipline", "application_manager"))
    asked = {"weekdays": "1-5", "hours": "08:00-12:00", "days": "2026-10-01 休\n十月二日 休"}
    answer = client.post("/calendar", asked)
    assert "第 2 行：日期应写成 2026-10-01，现为：十月二日" in answer.content.decode()
    assert calendar.standing().weekdays == [1]
    assert calendar.standing().days == []


def test_days_of_the_calendar() -> None:
    day = calendar.Special(dt.date(2026, 10, 1), False, "国庆节")
    calendar.replace([1], [["08:00", "12:00"]], [day], by=None)
    assert calendar.standing().days == [day]


def test_days_that_are_over_stay_as_they_were() -> None:
    today = timezone.localdate()
    over = calendar.Special(today - dt.timedelta(days=3), False, "已过")
    ahead = calendar.Special(today + dt.timedelta(days=3), False, "将来")
    calendar.replace([1], [["08:00", "12:00"]], [over, ahead], by=None)
    changed = calendar.Special(over.day, True, "改写")
    calendar.replace([1], [["08:00", "12:00"]], [changed], by=None)
    assert calendar.standing().days == [over]
