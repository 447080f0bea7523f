"""Builds the snapshot of all that people decided, signs it, and writes it for the engine.

Rules this module keeps:

1. Only grants that are filed and not over go into it; the engine never sees an application.
2. A new version is made when what people decided has changed, or when half of the present one's
   life is over; nothing else makes one.
3. Versions are numbered in the database inside one lock; each names the digest of the one before
   and those of the last hundred.
4. The file is replaced in one step; whoever reads sees the old one or the new one.
5. Building it from 5,000 persons is work for a processor, every second: `mark` tells in some
   milliseconds whether any row it could rest on has been written since.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from django.apps import apps
from django.db import connection, transaction
from django.utils import timezone

from qingfang.access import settling
from qingfang.access.models import (
    Designation,
    Duty,
    Grant,
    HandedDown,
    PolicyText,
    Registered,
    RouteMode,
    Settlement,
    SpecialDay,
    WorkingWeek,
)
from qingfang.judge import snapshot as form
from qingfang.people.models import Act, Person, RecoveryCode, SignInGuard, Terminal

LIFE = dt.timedelta(days=7)
ANCESTORS = 100
_LOCK = 0x51494E47  # any number, the same for all console processes


def micros(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def _allowed(codes: list[str], kind: str = "list", members: Iterable[str] = ()) -> form.Allowed:
    if not codes:
        return form.Allowed()
    if kind == "class":
        return form.Allowed(kind="class", values=tuple(codes), members=tuple(members))
    return form.Allowed(kind="list", values=tuple(codes))


def _grants(now: dt.datetime) -> tuple[form.Grant, ...]:
    rows = Grant.objects.filter(status=Grant.Status.FILED, valid_to__gt=now)
    rows = rows.select_related("person").prefetch_related("terminals").order_by("number")
    made = []
    for grant in rows:
        terminals = tuple(sorted(t.name for t in grant.terminals.all() if t.active))
        if not terminals or not grant.person.is_active:
            continue  # it can be used nowhere or by nobody, and must not hold up the others
        scope = {
            "grain": grant.grain,
            "items": msgspec.to_builtins(
                _allowed(grant.items, grant.item_kind, grant.item_members)
            ),
            "prescribers": msgspec.to_builtins(_allowed(grant.prescribers)),
            "departments": msgspec.to_builtins(_allowed(grant.departments)),
            "period": {
                "from_day": grant.period_from.isoformat() if grant.period_from else None,
                "to_day": grant.period_to.isoformat() if grant.period_to else None,
            },
            "stored": grant.stored,
        }
        made.append(
            form.Grant(
                id=grant.number,
                person=grant.person.staff_number,
                terminals=terminals,
                scope=msgspec.convert(scope, form.Scope),
                valid=form.Span(from_us=micros(grant.valid_from), to_us=micros(grant.valid_to)),
                windows=msgspec.convert(grant.windows, tuple[form.Weekly, ...]),
                max_runs=grant.max_runs,
                filed_number=grant.filed_number,
                filed_us=micros(grant.filed_at) if grant.filed_at else None,
            )
        )
    return tuple(made)


def _persons(now: dt.datetime) -> tuple[form.Person, ...]:
    rows = Person.objects.select_related("department__parent", "post").prefetch_related(
        "assignments"
    )
    today = timezone.localdate(now)
    return tuple(
        form.Person(
            number=person.staff_number,
            name=person.name,
            department=person.department.code,
            department_kind=person.department.kind,
            roles=tuple(
                sorted(a.role for a in person.assignments.all() if a.taken_at is None)  # pyright: ignore
            )
            if person.is_active
            else (),
            posts=(person.post.code,) if person.post else (),
            codes=tuple(code.rpartition("=")[2] for code in person.codes),
            away=tuple(_days(*span) for span in person.away),
            active=person.is_active and not (person.left_on and person.left_on < today),
        )
        for person in rows.order_by("staff_number")
    )


def _days(first: str, last: str) -> form.Span:
    """Whole days of the console's zone, both inclusive."""
    zone = timezone.get_default_timezone()
    start = dt.datetime.combine(dt.date.fromisoformat(first), dt.time(), zone)
    after = dt.date.fromisoformat(last) + dt.timedelta(days=1)
    end = dt.datetime.combine(after, dt.time(), zone)
    return form.Span(from_us=micros(start), to_us=micros(end))


def _terminals() -> tuple[form.Terminal, ...]:
    rows = Terminal.objects.filter(active=True).select_related(
        "location", "custodian", "department"
    )
    return tuple(
        msgspec.convert(
            {
                "id": terminal.name,
                "addresses": [terminal.address, *terminal.more_addresses],
                "mac": terminal.mac,
                "host": terminal.host,
                "name": terminal.label or terminal.name,
                "room": str(terminal.location) if terminal.location else "",
                "unit": terminal.department.code if terminal.department else "",
                "role": terminal.role,
                "custodian": terminal.custodian.staff_number if terminal.custodian else "",
            },
            form.Terminal,
        )
        for terminal in rows.order_by("name")
    )


def _designations() -> tuple[form.Designation, ...]:
    """One a function and set of terminals, so that nobody is designated for another's terminal. A
    person whose terminals are all out of use is designated nowhere, not everywhere; a function that
    is left with nobody stays, since none at all would mean that nothing is restricted."""
    held: dict[tuple[str, str], set[str | None]] = {}
    used: dict[str, bool] = {}
    for row in Designation.objects.select_related("person", "terminal"):
        at = held.setdefault((row.function, row.person.staff_number), set())
        if row.terminal is None:
            at.add(None)
        else:
            used[row.terminal.name] = row.terminal.active
            at.add(row.terminal.name)
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (function, person), at in held.items():
        terminals = () if None in at else tuple(sorted(t for t in at if t and used[t]))
        persons = found.setdefault((function, terminals), [])
        if terminals or None in at:
            persons.append(person)
    return tuple(
        form.Designation(function=function, persons=tuple(sorted(persons)), terminals=terminals)
        for (function, terminals), persons in sorted(found.items())
    )


def _duties(now: dt.datetime) -> tuple[tuple[form.Contact, ...], tuple[form.Duty, ...]]:
    contacts: dict[tuple[str, str], form.Contact] = {}
    duties = []
    rows = Duty.objects.filter(valid_to__gt=now, person__is_active=True).select_related("person")
    for row in rows.order_by("valid_from", "after_minutes", "pk"):
        if not row.reachable:
            continue  # as if nobody were on duty: then everybody is told
        number = row.person.staff_number
        address = row.person.mail if row.channel == "mail" else row.person.phone
        contacts[number, row.channel] = form.Contact(
            person=number, channel=row.channel, address=address
        )
        duties.append(
            form.Duty(
                span=form.Span(from_us=micros(row.valid_from), to_us=micros(row.valid_to)),
                persons=(number,),
                after_minutes=row.after_minutes,
                min_severity=row.min_severity,
            )
        )
    return tuple(contacts.values()), tuple(duties)


def _settled(now: dt.datetime) -> tuple[form.Settled, ...]:
    rows = Settlement.objects.filter(
        kind=Settlement.Kind.NO_USAGE, state=Settlement.State.CONFIRMED, until__gt=now
    )
    return tuple(
        form.Settled(
            id=str(row),
            digest=row.digest,
            server=row.server,
            tables=tuple(row.tables),
            until_us=micros(row.until),
        )
        for row in rows.order_by("pk")
        if row.until is not None
    )


def _calendar() -> form.Calendar:
    days = list(SpecialDay.objects.order_by("day"))
    week = WorkingWeek.objects.order_by("-pk").first()
    kept = {} if week is None else {"weekdays": week.weekdays, "hours": week.hours}
    return msgspec.structs.replace(
        msgspec.convert(kept, form.Calendar),
        holidays=tuple(d.day.isoformat() for d in days if not d.working),
        workdays=tuple(d.day.isoformat() for d in days if d.working),
    )


# Rows that people's decisions do not rest on: logs, and what this module writes itself.
_ASIDE = (Act, HandedDown, RecoveryCode, SignInGuard)


def mark() -> tuple[int, ...]:
    """Another value after any row was written, added or taken away in the tables that a snapshot
    can rest on: their rows' places and the transactions that wrote them."""
    tables = [
        model._meta.db_table
        for name in ("people", "access")
        for model in apps.get_app_config(name).get_models(include_auto_created=True)
        if model not in _ASIDE
    ]
    # Table names are Django's own, and quoted.
    each = " UNION ALL ".join(
        "SELECT count(*), bit_xor(hashtextextended(ctid::text || ' ' || xmin::text, 0)) "  # noqa: S608
        f"FROM {connection.ops.quote_name(table)}"
        for table in sorted(tables)
    )
    with connection.cursor() as cursor:
        cursor.execute(each)
        return tuple(number or 0 for row in cursor.fetchall() for number in row)


def build(site: str, now: dt.datetime) -> form.Snapshot:
    """What people decided, as version 1 of nothing: `hand_down` gives it its place."""
    terminals = _terminals()
    there = {terminal.id for terminal in terminals}
    # One that lost a terminal is left out whole: fewer terminals could read as «any terminal».
    registered = [
        row
        for row in Registered.objects.filter(active=True).order_by("code")
        if there.issuperset(row.body.get("terminals", ()))
    ]
    contacts, duties = _duties(now)
    text = PolicyText.objects.order_by("-pk").first()
    chosen = settling.definition_row()
    return form.Snapshot(
        site=site,
        version=1,
        made_at_us=0,
        expires_at_us=0,
        persons=_persons(now),
        terminals=terminals,
        designations=_designations(),
        services=tuple(
            msgspec.convert(r.body, form.Service) for r in registered if r.kind == "service"
        ),
        reports=tuple(
            msgspec.convert(r.body, form.Report) for r in registered if r.kind == "report"
        ),
        settled=_settled(now),
        grants=_grants(now),
        routes=tuple(
            form.RouteMode(route=r.route, mode="enforce" if r.enforce else "observe")
            for r in RouteMode.objects.order_by("route")
        ),
        calendar=_calendar(),
        contacts=contacts,
        duties=duties,
        policy=text.text if text else "",
        definition=chosen.source if chosen else "",
    )


def hand_down(
    site: str, sign: Callable[[bytes], bytes], file: Path, now: dt.datetime, *, key: str = ""
) -> HandedDown | None:
    """Make and write a new version if one is due; returns it, or None when the present one holds.
    Writes the present one again when the file is not it. Raises `judge.snapshot.Rejected` when
    what people decided does not hold together; the present file then stays."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        decided = build(site, now)
        content = hashlib.sha256(form.encode(decided)).hexdigest()
        last = HandedDown.objects.order_by("-version").first()
        if last and last.content == content and now < last.expires_at - LIFE / 2:
            # Also after a crash between the commit below and its write.
            if not file.exists() or file.read_bytes() != bytes(last.envelope):
                _write(file, bytes(last.envelope))
            return None
        past = list(HandedDown.objects.order_by("-version")[:ANCESTORS])
        expires = now + LIFE
        made = msgspec.structs.replace(
            decided,
            version=last.version + 1 if last else 1,
            made_at_us=micros(now),
            expires_at_us=micros(expires),
            previous=last.digest if last else "",
            ancestors={str(h.version): h.digest for h in past},
        )
        envelope = form.seal(made, sign, key)
        row = HandedDown.objects.create(
            version=made.version,
            digest=form.digest(form.encode(made)),
            content=content,
            made_at=now,
            expires_at=expires,
            envelope=envelope,
        )
    # After the commit: a version that reached the engine is never given to other content.
    _write(file, envelope)
    return row


def _write(file: Path, data: bytes) -> None:
    fresh = file.with_name(f"{file.name}.new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    with os.fdopen(descriptor, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)
