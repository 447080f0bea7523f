"""The queue of what could not be read: one row a template, counted from the ledger's events.

Rules this module keeps:

1. A template is one row however often it is sent; memory holds one tally a template and commit, and
   a statement costs a look into a dictionary.
2. A row waits until it can be read, is registered (a report's or a program's), or two people have
   found it to be no usage; whichever of these ends brings it back.
3. It counts as read when a statement of it was understood and none was opaque for `QUIET`, or when
   reading its sample again shows it. Readable in one session and not in another, it waits.
4. No literal is shown: the template's text has none, names are those of tables and procedures.
5. The queue's length is written down once a day, as it was, for the chart; it is not worked out
   afterwards.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet, Sum
from django.utils import timezone

from qingfang import ipc
from qingfang.access import settling
from qingfang.engine.analyser import Trial
from qingfang.events import Event, Meaning
from qingfang.judge.judge import UNFIXED, touching
from qingfang.review.models import OpaqueTemplate, OperatorDay, QueueDay
from qingfang.understand.fingerprint import fingerprint

TEXT_KEPT: Final = 20_000
NAMES_KEPT: Final = 20
QUIET: Final = dt.timedelta(hours=1)
LOOK_AGAIN: Final = dt.timedelta(minutes=1)
TRY_TIMEOUT_S: Final = 5.0
RISKS: Final = {
    "figures": OpaqueTemplate.Risk.FIGURES,
    "usage": OpaqueTemplate.Risk.USAGE,
    "server": OpaqueTemplate.Risk.SERVER,
    "other": OpaqueTemplate.Risk.OTHER,
}
SOURCES: Final = frozenset({"opaque.unknown_procedure", "opaque.unknown_function"})
TABLES: Final = frozenset({"opaque.unknown_object", "opaque.unknown_name"})
"""Reasons that a procedure's source, or a table's roles in the catalogue, would settle."""
_NAMED = SOURCES | TABLES

Key = tuple[str, str]
"""(server, digest)"""

_LEADING = re.compile(r"\A\s*(?:call|execute|exec|select|perform)\s+", re.IGNORECASE)
_NAME = re.compile(r"""[\w"`\[][\w$#"`\[\]]*(?:\.[\w"`\[][\w$#"`\[\]]*){0,3}""")


# ------------------------------------------------------------------ counting


class _Count:
    """What came in of one opaque template since the last commit."""

    def __init__(self, first: Event) -> None:
        self.first, self.last_at, self.count = first, first.at, 0
        self.names: dict[str, dict[str, int]] = {
            "programs": {},
            "terminals": {},
            "accounts": {},
            "operators": {},
        }

    def add(self, event: Event) -> None:
        self.count += 1
        self.last_at = max(self.last_at, event.at)
        terminal = event.terminal.value if event.terminal is not None else ""
        for kind, name in (
            ("programs", event.program),
            ("terminals", terminal or event.client.rsplit(":", 1)[0].strip("[]")),
            ("accounts", event.account),
            ("operators", event.operator.value if event.operator is not None else ""),
        ):
            _add(self.names[kind], name.replace("\x00", "\ufffd")[:100], 1)


def _add(counted: dict[str, int], name: str, n: int) -> None:
    if name and (name in counted or len(counted) < NAMES_KEPT):
        counted[name] = counted.get(name, 0) + n


class Tally:
    """Collects from events (`feed`); `store` writes within the caller's transaction."""

    def __init__(self) -> None:
        self._opaque: dict[Key, _Count] = {}
        self._readable: dict[Key, str] = {}
        self._operators: dict[tuple[str, str], list[int]] = {}
        self._waiting: set[Key] = {
            (server, digest)
            for server, digest in OpaqueTemplate.objects.filter(read_at=None).values_list(
                "server", "digest"
            )
        }
        self._looked: dt.datetime | None = None

    def feed(self, event: Event) -> None:
        if event.kind == "coverage" or event.twin_of:
            return
        if event.source == "gateway":
            counts = self._operators.setdefault((event.server, event.at[:10]), [0, 0])
            counts[0] += 1
            counts[1] += event.operator is None
        if not event.fingerprint:
            return
        key = (event.server, event.fingerprint)
        meaning = event.meaning
        if meaning is not None and meaning.disclosure == "opaque":
            count = self._opaque.get(key)
            if count is None:
                count = self._opaque[key] = _Count(event)
            count.add(event)
            self._readable.pop(key, None)
        elif key in self._waiting:
            self._readable[key] = event.at

    def store(self, log: str) -> None:
        for (server, day), (statements, unknown) in self._operators.items():
            row, _new = OperatorDay.objects.get_or_create(
                server=server[:128], day=dt.date.fromisoformat(day)
            )
            OperatorDay.objects.filter(pk=row.pk).update(
                statements=F("statements") + statements, unknown=F("unknown") + unknown
            )
        for key, count in self._opaque.items():
            self._put(log, key, count)
        for (server, digest), at in self._readable.items():
            moment = dt.datetime.fromisoformat(at)
            quiet = OpaqueTemplate.objects.filter(
                server=server, digest=digest, read_at=None, last_at__lt=moment - QUIET
            )
            if quiet.update(read_at=moment):
                self._waiting.discard((server, digest))
        now = timezone.now()
        if self._opaque or self._looked is None or now - self._looked >= LOOK_AGAIN:
            note_length(now)
            self._looked = now
        self._opaque, self._readable, self._operators = {}, {}, {}

    def _put(self, log: str, key: Key, count: _Count) -> None:
        self._waiting.add(key)
        last = dt.datetime.fromisoformat(count.last_at)
        row = (
            OpaqueTemplate.objects.select_for_update().filter(server=key[0], digest=key[1]).first()
        )
        if row is None:
            row = _template(log, key, count.first)
        row.count += count.count
        row.last_at = max(row.last_at, last)
        row.read_at = None
        for kind, counted in count.names.items():
            for name, n in counted.items():
                _add(getattr(row, kind), name, n)
        _widen(row, count.first)
        row.save()


def _template(log: str, key: Key, event: Event) -> OpaqueTemplate:
    known = {d.address: d for d in settings.QINGFANG.database}.get(event.server)
    dialect = known.dialect if known else "postgres"
    sql = event.sql.replace("\x00", "\ufffd")
    at = dt.datetime.fromisoformat(event.at)
    assert event.seq is not None
    return OpaqueTemplate(
        server=key[0][:128],
        digest=key[1],
        database=(known.name if known else event.database)[:128],
        dialect=dialect,
        text=fingerprint(sql, dialect).text[:TEXT_KEPT],
        sample=sql if len(sql) <= TEXT_KEPT else "",
        risk=OpaqueTemplate.Risk.OTHER,
        first_at=at,
        last_at=at,
        log=log,
        seq=event.seq,
    )


def _widen(row: OpaqueTemplate, event: Event) -> None:
    """What this one touches and why it is opaque, as it is now; the risk is the highest there was."""
    meaning = event.meaning
    assert meaning is not None
    row.touches = [{"table": t.table, "roles": list(t.roles)} for t in meaning.touches]
    row.causes = causes(meaning, event.sql, row.dialect)
    row.risk = max(row.risk, RISKS[touching(meaning)])
    row.fixed = (
        not meaning.volatile
        and UNFIXED.isdisjoint(r.code for r in meaning.reasons)
        and all(t.table != "*" for t in meaning.touches)
    )


def causes(meaning: Meaning, sql: str, dialect: str) -> list[dict[str, str]]:
    """Why it is opaque: each reason's code, and the name of the table or procedure, if it is one."""
    found = []
    for reason in meaning.reasons:
        name = ""
        if reason.code in _NAMED:
            text = fingerprint(sql[reason.start : reason.end].replace("\x00", ""), dialect).text
            match = _NAME.search(_LEADING.sub("", text, count=1))
            name = match[0][:100] if match else ""
        found.append({"code": reason.code, "name": name})
    return found


# ------------------------------------------------------------------ asking


def waiting() -> QuerySet[OpaqueTemplate]:
    """The templates that still have to be settled."""
    rows = OpaqueTemplate.objects.filter(read_at=None).exclude(digest__in=settling.registered())
    found = Q()
    for server, digest in settling.in_force(timezone.now()):
        found |= Q(server=server, digest=digest)
    return rows.exclude(found) if found else rows


def note_length(now: dt.datetime) -> None:
    QueueDay.objects.update_or_create(
        day=timezone.localdate(now), defaults={"waiting": waiting().count()}
    )


def lengths(days: int, today: dt.date) -> list[tuple[dt.date, int]]:
    """The queue's length on each of the last days, today as it is now; a day on which nothing was
    written down has that of the day before."""
    first = today - dt.timedelta(days=days - 1)
    rows = dict(QueueDay.objects.filter(day__lte=today).values_list("day", "waiting"))
    before = max((day for day in rows if day < first), default=None)
    length = rows[before] if before is not None else 0
    found = []
    for n in range(days):
        day = first + dt.timedelta(days=n)
        length = rows.get(day, length)
        found.append((day, length))
    return [*found[:-1], (today, waiting().count())]


def operators(server: str, span: dt.timedelta) -> tuple[int, int]:
    """Statements that went to this server by inline routes lately, and those of unknown operators."""
    since = timezone.localdate() - span
    sums = OperatorDay.objects.filter(server=server, day__gt=since).aggregate(
        Sum("statements"), Sum("unknown")
    )
    return sums["statements__sum"] or 0, sums["unknown__sum"] or 0


# ------------------------------------------------------------------ reading again


def tried(row: OpaqueTemplate, procedures: dict[str, str] | None = None) -> Meaning:
    """What the sample means by the catalogue in force, with these procedures besides. Raises
    `ipc.Unavailable`, `ipc.Refusal`."""
    file = Path(settings.QINGFANG.paths.run) / "analyser.sock"
    trial = Trial(row.database, row.sample, procedures or {})
    with closing(ipc.BlockingClient(file, TRY_TIMEOUT_S)) as client:
        return msgspec.msgpack.decode(
            client.call("try", msgspec.msgpack.encode(trial)), type=Meaning
        )


def again(rows: Iterable[OpaqueTemplate]) -> int:
    """Read samples again; those that are understood by now leave the queue. Returns how many. Raises
    `ipc.Unavailable`, `ipc.Refusal`."""
    done = 0
    for row in rows:
        if not row.sample:
            continue
        meaning = tried(row)
        with transaction.atomic():
            kept = OpaqueTemplate.objects.select_for_update().get(pk=row.pk)
            if meaning.disclosure != "opaque":
                kept.read_at = timezone.now()
                done += 1
            else:
                kept.causes = causes(meaning, kept.sample, kept.dialect)
                kept.touches = msgspec.to_builtins(meaning.touches)
            kept.save(update_fields=["read_at", "causes", "touches"])
    return done
