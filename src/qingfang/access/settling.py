"""What the discipline office finds of templates that could not be read: proposed, then confirmed.

Rules this module keeps:

1. Nobody confirms what they have proposed themselves.
2. «No usage» needs a reason, holds for one template of one server and for the tables it was seen to
   touch, lapses after `LIFE`, and cannot be said of a statement whose text does not tell what runs.
   That it never lets usage through is the judge's rule, not a promise of this page.
3. A procedure's source goes into the catalogue as it was confirmed, whole: what the catalogue
   refuses stays proposed. The ledger has the digest of the text.
4. What counts as statistics of use is the last definition that was confirmed; a text that the
   engine would refuse is never proposed.
5. Taking a finding back works at once and needs nobody else: it gives no right.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import zlib
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from qingfang.access.models import Registered, Settlement
from qingfang.engine import catalogues, definitions
from qingfang.engine.definitions import Definition
from qingfang.people import acts
from qingfang.people.models import Person
from qingfang.people.services import NotAllowed

LIFE = dt.timedelta(days=366)
_OF_DEFINITION = {
    "settlement.proposed": "definition.proposed",
    "settlement.confirmed": "definition.confirmed",
    "settlement.refused": "definition.refused",
}
LONGEST_SOURCE = 200_000


def in_force(now: dt.datetime) -> list[tuple[str, str]]:
    """Servers and digests of the templates that are held to be no usage."""
    rows = Settlement.objects.filter(
        kind=Settlement.Kind.NO_USAGE, state=Settlement.State.CONFIRMED, until__gt=now
    )
    return list(rows.values_list("server", "digest"))


def definition_row() -> Settlement | None:
    """The confirmed definition that is in force; None: the stricter one, as nobody chose."""
    rows = Settlement.objects.filter(
        kind=Settlement.Kind.DEFINITION, state=Settlement.State.CONFIRMED
    )
    return rows.select_related("by", "decided_by").order_by("-decided_at", "-pk").first()


def definition() -> Definition:
    """What counts as statistics of use now."""
    row = definition_row()
    if row is None:
        return definitions.built_in()
    try:
        return definitions.read(row.source, "definition")
    except definitions.DefinitionError:
        # Confirmed under another version: the engine does not take it either.
        return definitions.built_in()


def registered() -> frozenset[str]:
    """Digests of the templates that a report or program in use is registered for."""
    found: set[str] = set()
    for body in Registered.objects.filter(active=True).values_list("body", flat=True):
        found.update((body.get("digest", ""), *body.get("further", ()), *body.get("digests", ())))
    return frozenset(found - {""})


def catalogue_file(database: str) -> Path:
    """Raises `NotAllowed` when the configuration has no such database."""
    for one in settings.QINGFANG.database:
        if one.name == database:
            return Path(one.catalogue)
    raise NotAllowed(_("配置里没有这个数据库，目录无处可写。"))


def propose(row: Settlement, *, fixed: bool, by: Person, request: HttpRequest | None) -> Settlement:
    """Hand in a filled-in, unsaved finding. `fixed`: the template's text tells what runs."""
    if row.kind == Settlement.Kind.NO_USAGE and not fixed:
        raise NotAllowed(_("这条语句执行什么，要看传进去的文字，不能按模板认定。"))
    if not row.reason.strip():
        raise NotAllowed(_("要写明理由。"))
    if row.kind == Settlement.Kind.SOURCE:
        _tried(row)
    if row.kind == Settlement.Kind.DEFINITION:
        try:
            row.text = definitions.read(row.source, "definition").title
        except definitions.DefinitionError as error:
            raise NotAllowed(str(error)) from None
    row.by = by
    try:
        with transaction.atomic():
            row.save()
            _record("settlement.proposed", row, request, by)
    except IntegrityError:
        raise NotAllowed(_("同样的认定已经提出，正等第二人确认。")) from None
    return row


def _tried(row: Settlement) -> None:
    if len(row.source) > LONGEST_SOURCE:
        raise NotAllowed(_("源代码太长。"))
    try:
        catalogues.with_procedure(catalogue_file(row.database), row.name, row.source)
    except catalogues.Unusable as problem:
        raise NotAllowed(
            _("目录不收：%(why)s") % {"why": f"{problem.key} {problem.problem}"}
        ) from None


def decide(
    pk: int, confirm: bool, *, by: Person, request: HttpRequest | None, note: str = ""
) -> Settlement:
    """Confirm what another one proposed, which then takes effect, or refuse it."""
    with transaction.atomic():
        row = Settlement.objects.select_for_update(of=("self",)).get(pk=pk)
        if row.state != Settlement.State.PENDING:
            raise NotAllowed(_("这项认定已经处理过了。"))
        if row.by_id == by.pk:  # pyright: ignore[reportAttributeAccessIssue]
            raise NotAllowed(_("不能确认自己提出的认定。"))
        row.state = Settlement.State.CONFIRMED if confirm else Settlement.State.REFUSED
        now = timezone.now()
        row.decided_by, row.decided_at, row.note = by, now, note
        if confirm and row.kind == Settlement.Kind.NO_USAGE:
            row.until = now + LIFE
        row.save()
        _record("settlement.confirmed" if confirm else "settlement.refused", row, request, by)
        if confirm and row.kind == Settlement.Kind.SOURCE:
            # Last: what fails here undoes the rest, and writing the same again changes nothing.
            _put(row)
    return row


def _put(row: Settlement) -> None:
    file = catalogue_file(row.database)
    with connection.cursor() as cursor:
        # Whoever confirms what its tables mean writes the same file under the same lock.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [zlib.crc32(str(file).encode())])
    try:
        catalogues.put_procedure(file, row.name, row.source)
    except catalogues.Unusable as problem:
        raise NotAllowed(
            _("目录不收：%(why)s") % {"why": f"{problem.key} {problem.problem}"}
        ) from None
    except OSError as problem:
        raise NotAllowed(
            _("目录文件写不了：%(why)s。请系统管理员检查权限。") % {"why": problem.strerror}
        ) from None


def end(pk: int, *, by: Person, request: HttpRequest | None) -> Settlement:
    """Take a confirmed «no usage» back."""
    with transaction.atomic():
        row = Settlement.objects.select_for_update(of=("self",)).get(pk=pk)
        if (row.kind, row.state) != (Settlement.Kind.NO_USAGE, Settlement.State.CONFIRMED):
            raise NotAllowed(_("这项认定不在生效，不用撤销。"))
        row.state = Settlement.State.ENDED
        row.save(update_fields=["state"])
        _record("settlement.ended", row, request, by)
    return row


def _record(what: str, row: Settlement, request: HttpRequest | None, by: Person) -> None:
    if row.kind == Settlement.Kind.DEFINITION:
        what = _OF_DEFINITION[what]
    acts.record(
        what,
        request=request,
        person=by,
        target=str(row),
        what=row.kind,
        database=row.database,
        digests=[row.digest],
        tables=row.tables,
        procedure=row.name,
        digest=hashlib.sha256(row.source.encode()).hexdigest() if row.source else "",
        reason=row.reason,
        note=row.note,
        until=row.until.isoformat() if row.until else None,
    )
