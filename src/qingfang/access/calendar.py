"""The working calendar: what stands, and how it is replaced, with its record."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from qingfang.access.days import Special, Unreadable
from qingfang.access.models import SpecialDay, WorkingWeek
from qingfang.judge.snapshot import Calendar
from qingfang.people import acts
from qingfang.people.models import Person


class Working:
    """`weekdays` 1 (Monday) to 7, `hours` stretches of a working day, `days` the exceptions."""

    def __init__(
        self, weekdays: list[int], hours: list[list[str]], days: list[Special], *, decided: bool
    ) -> None:
        self.weekdays, self.hours, self.days, self.decided = weekdays, hours, days, decided


def standing() -> Working:
    """The calendar in force; `decided` is False while nobody has set one."""
    week = WorkingWeek.objects.order_by("-pk").first()
    usual = Calendar()
    rows = SpecialDay.objects.order_by("day")
    return Working(
        week.weekdays if week else list(usual.weekdays),
        week.hours if week else [list(stretch) for stretch in usual.hours],
        [Special(row.day, row.working, row.note) for row in rows],
        decided=week is not None,
    )


def replace(
    weekdays: list[int],
    hours: list[list[str]],
    days: list[Special],
    *,
    by: Person | None,
    request: HttpRequest | None = None,
) -> None:
    """Take this calendar instead of the one in force. `by` is None only at the first run. Days that
    are over stay as they were: what was judged by them can be understood later."""
    with transaction.atomic():
        WorkingWeek.objects.create(weekdays=weekdays, hours=hours, by=by)
        SpecialDay.objects.filter(day__gte=timezone.localdate()).delete()
        SpecialDay.objects.bulk_create(
            (SpecialDay(day=d.day, working=d.working, note=d.note) for d in days),
            ignore_conflicts=True,
        )
        acts.record(
            "calendar.replaced", request=request, person=by, weekdays=weekdays, days=len(days)
        )


def covers(year: int) -> bool:
    """Whether the year's holidays have been entered at all."""
    return SpecialDay.objects.filter(
        day__gte=dt.date(year, 1, 1), day__lt=dt.date(year + 1, 1, 1)
    ).exists()


def sentence(error: Unreadable) -> str:
    """What is wrong, for the person who wrote it."""
    told = {
        "form": _("要写成“日期 休|班 说明”，现为：%(text)s"),
        "date": _("日期应写成 2026-10-01，现为：%(text)s"),
        "kind": _("日期后应写“休”或“班”，现为：%(text)s"),
        "span": _("止日不能早于起日，一段最长 31 天：%(text)s"),
        "twice": _("这一天写了两次：%(text)s"),
        "hours": _("时段应写成 08:00-12:00，现为：%(text)s"),
        "overlap": _("时段重叠：%(text)s"),
        "weekdays": _("工作日应写成 1-5 或 1,2,3,6（1 为星期一），现为：%(text)s"),
    }[error.fault] % {"text": error.text}
    return (
        _("第 %(line)s 行：%(told)s") % {"line": error.line, "told": told} if error.line else told
    )
