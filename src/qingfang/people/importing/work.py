"""Taking a table in and writing it, line by line, with its progress in the database.

Who writes is whoever finds a confirmed import first (the console's worker, or the command); an
advisory lock keeps it to one. Rules: see the folder.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from qingfang.people import acts, changes, policy, services
from qingfang.people.importing import plan as planning
from qingfang.people.importing import sheet
from qingfang.people.importing.plan import MODELS, Line, Plan
from qingfang.people.models import Import, Person, Proposed, Terminal
from qingfang.people.services import NotAllowed

BATCH: Final = 100
KEPT: Final = dt.timedelta(days=1)
REFUSED_KEPT: Final = 500
_LOCK: Final = 0x71666970
MAY: Final = {
    Proposed.Kind.PERSON: policy.MANAGE_PERSONS,
    Proposed.Kind.TERMINAL: policy.MANAGE_TERMINALS,
}
"""Who may hand in, see and confirm which kind."""


def take(kind: str, name: str, data: bytes, *, whole: bool, by: Person) -> Import:
    """A table handed in, to be looked at. Raises `sheet.Unreadable`, `NotAllowed`."""
    if not policy.may(by, MAY[Proposed.Kind(kind)]):
        raise NotAllowed(_("%(person)s 无权导入这类名单。") % {"person": by.staff_number})
    table = planning.table(sheet.read(data), kind)
    if not table.rows:
        raise sheet.Unreadable(_("表头下面没有内容。"))
    return Import.objects.create(
        kind=kind,
        file_name=name[-200:],
        digest=hashlib.sha256(data).hexdigest(),
        whole=whole,
        rows=[[number, row] for number, row in table.rows],
        unknown=table.unknown[:50],
        by=by,
    )


def plan_of(row: Import) -> Plan:
    """What it would change now."""
    made = planning.plan(row.kind, [(number, cells) for number, cells in row.rows])
    if not row.whole:
        made.missing = []
    return made


def confirm(
    pk: int, *, by: Person, request: HttpRequest | None = None, asked_at: str = ""
) -> Import:
    """From now on it is written. Raises `NotAllowed`."""
    with transaction.atomic():
        row = Import.objects.select_for_update(of=("self",)).get(pk=pk)
        if row.by_id != by.pk:  # pyright: ignore[reportAttributeAccessIssue]
            raise NotAllowed(_("只有交来这份名单的人能确认写入。"))
        if row.state != Import.State.SHOWN:
            raise NotAllowed(_("这份名单已经处理过了。"))
        if not row.rows:
            raise NotAllowed(_("这份名单放得太久，已经删去，请重新交来。"))
        row.state = Import.State.RUNNING
        row.save(update_fields=["state"])
        acts.record(
            "directory.loaded",
            request=request,
            person=by,
            target=row.file_name[:100],
            what=row.kind,
            digest=row.digest,
            rows=len(row.rows),
            whole=row.whole,
            asked_at=asked_at,
        )
    return row


def work(progress: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Write every confirmed import to its end; how many there were. What was looked at and never
    confirmed is forgotten after a day."""
    Import.objects.filter(state=Import.State.SHOWN, at__lt=timezone.now() - KEPT).delete()
    finished = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
            locked = cursor.fetchone()[0]  # pyright: ignore[reportOptionalSubscript]
        if not locked:
            return finished
        try:
            row = Import.objects.filter(state=Import.State.RUNNING).order_by("pk").first()
            if row is None:
                return finished
            _write(row, progress)
            finished += 1
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _write(row: Import, progress: Callable[[int, int], None]) -> None:
    # What was refused is read later, in whichever language; what is kept is Chinese.
    with translation.override("zh-hans"):
        made = plan_of(row)
    todo: list[Line | Person | Terminal] = [*made.writes, *made.missing]
    # Begun again after a stop, what was written then is not in the plan any more.
    row.total = max(row.total, row.done + len(todo))
    for start in range(0, len(todo), BATCH):
        with transaction.atomic():
            for one in todo[start : start + BATCH]:
                _one(row, one)
                row.done += 1
            row.save(update_fields=["total", "done", "written", "proposed", "refused"])
        progress(row.done, row.total)
    row.state, row.rows = Import.State.DONE, []
    row.save()


def _one(row: Import, one: Line | Person | Terminal) -> None:
    try:
        with transaction.atomic():
            proposed = _put(row, one) if isinstance(one, Line) else _leave(one, row.by)
    except (NotAllowed, ValidationError, IntegrityError) as problem:
        if len(row.refused) < REFUSED_KEPT:
            row.refused.append(_told(one, problem))
        return
    row.proposed += proposed
    row.written += not proposed


def _told(one: Line | Person | Terminal, problem: Exception) -> str:
    if isinstance(problem, ValidationError):
        why = " ".join(problem.messages)
    elif isinstance(problem, IntegrityError):
        why = _("与别的登记冲突（同样的地址或编号）")
    else:
        why = str(problem)
    if isinstance(one, Line):
        return str(planning.Problem(one.number, "", f"{one.key} {why}"))
    return f"{one}：{why}"


def _put(row: Import, line: Line) -> bool:
    """Whether it was proposed only."""
    model = MODELS[Proposed.Kind(row.kind)]
    record = model() if line.before is None else model.objects.get(pk=line.before.pk)
    values = dict(line.values)
    leaving = isinstance(record, Person) and record.pk and values.get("is_active") is False
    if leaving:
        values.pop("is_active")
    for field, value in values.items():
        setattr(record, field, value)
    # What a line points at was found in the database by the plan, and is held by foreign keys.
    record.full_clean(exclude=["password", *(values.keys() & planning.RELATIONS)])
    proposed = changes.put(record, by=row.by) is not None
    if leaving and isinstance(record, Person) and record.is_active:
        services.set_active(Person.objects.get(pk=record.pk), False, by=row.by)
    return proposed


def _leave(record: Person | Terminal, by: Person) -> bool:
    if isinstance(record, Person):
        services.set_active(record, False, by=by)
        return False
    fresh = Terminal.objects.get(pk=record.pk)
    fresh.active = False
    return changes.put(fresh, by=by) is not None
