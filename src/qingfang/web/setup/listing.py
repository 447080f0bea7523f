"""Answers the terminal about a table of persons or terminals: what it would change, how far it is.

Whoever finds a confirmed import first writes it: the running console's worker, or this process a
batch at a time.
"""

from __future__ import annotations

import time
from typing import Final

from django.utils.translation import gettext as _

from qingfang.people import policy
from qingfang.people.importing import plan as planning
from qingfang.people.importing import work
from qingfang.people.importing.plan import Plan
from qingfang.people.models import Import, Person, Proposed
from qingfang.people.services import NotAllowed
from qingfang.web.setup.fill import Imported, Table

SHOWN: Final = 20
SLICE_S: Final = 2.0
PAUSE_S: Final = 0.2


class _Enough(Exception):
    """Time to say how far it is."""


def answer(table: Table | None, write: int | None, follow: int | None) -> Imported | None:
    """None when nothing of this is asked. Raises `NotAllowed`, `sheet.Unreadable`."""
    if table is not None:
        row = work.take(
            table.kind, table.name, table.data, whole=table.whole, by=_who(table.kind, table.by)
        )
        return _seen(row, work.plan_of(row))
    if write is not None:
        row = Import.objects.select_related("by").get(pk=write)
        row = work.confirm(row.pk, by=row.by, asked_at="terminal")
        return _far(row)
    return _followed(follow) if follow is not None else None


def _who(kind: str, number: str) -> Person:
    """Who answers for it. Raises `NotAllowed`."""
    act = work.MAY[Proposed.Kind(kind)]
    if number:
        person = Person.objects.filter(staff_number=number).first()
        if person is None:
            raise NotAllowed(_("没有工号为 %(number)s 的人员。") % {"number": number})
        return person
    holders = Person.objects.filter(is_active=True, assignments__taken_at__isnull=True).distinct()
    found = [person for person in holders if policy.may(person, act)]
    if len(found) != 1:
        numbers = _("、").join(person.staff_number for person in found) or "-"
        raise NotAllowed(_("请用 --by 写明算谁办的。有权的：%(who)s") % {"who": numbers})
    return found[0]


def _seen(row: Import, plan: Plan) -> Imported:
    alike = planning.alike(plan.problems)
    told = [
        _(
            "新登记 %(new)d，要改的 %(changed)d，没有变化 %(same)d，离开的 %(leaving)d，"
            "有误的行 %(wrong)d。"
        )
        % {
            "new": len(plan.new),
            "changed": len(plan.changed),
            "same": plan.same,
            "leaving": len(plan.missing),
            "wrong": plan.wrong,
        }
    ]
    if row.unknown:
        told.append(_("没有读的列：") + _("、").join(row.unknown))
    for problem in alike[:SHOWN]:
        more = _("（第 %(lines)s 行也是）") % {"lines": problem.shown} if problem.more else ""
        told.append(f"{problem}{more}")
    if len(alike) > SHOWN:
        told.append(_("另有 %(n)d 处有误。") % {"n": len(alike) - SHOWN})
    return Imported(
        id=row.pk,
        file=row.file_name,
        new=len(plan.new),
        changed=len(plan.changed),
        same=plan.same,
        leaving=len(plan.missing),
        wrong=plan.wrong,
        writes=len(plan.writes) + len(plan.missing),
        told=told,
    )


def _followed(pk: int) -> Imported:
    until = time.monotonic() + SLICE_S

    def progress(_done: int, _total: int) -> None:
        if time.monotonic() > until:
            raise _Enough

    row = Import.objects.get(pk=pk)
    while row.state != Import.State.DONE and time.monotonic() < until:
        try:
            # Nothing done: the console's own worker has it.
            if not work.work(progress):
                time.sleep(PAUSE_S)
        except _Enough:
            pass
        row.refresh_from_db()
    return _far(row)


def _far(row: Import) -> Imported:
    finished = row.state == Import.State.DONE
    told: list[str] = []
    if finished:
        told = [
            _("已完成：写入 %(written)s 条，待纪检确认 %(proposed)s 条，没能写入 %(refused)s 条。")
            % {
                "written": row.written,
                "proposed": row.proposed,
                "refused": len(row.refused),
            },
            *row.refused[:SHOWN],
        ]
    return Imported(
        id=row.pk,
        file=row.file_name,
        finished=finished,
        total=row.total,
        done=row.done,
        written=row.written,
        proposed=row.proposed,
        refused=len(row.refused),
        told=told,
    )
