"""From the ledger to alert rows: what the tailing worker does with each event.

Rules this module keeps:

1. Idempotent: an event is known by (log, seq); reading a stretch again changes nothing.
2. The rows of a batch and the position after it are committed together, so that after any crash
   reading resumes exactly where the tables end.
3. After a start the last `CONTEXT` records before the position are read once more, only to know
   what a session did before an alert.
4. Bounded memory: sessions and statements remembered are capped, the least recent forgotten.
5. The NOTIFY goes out with the commit: whoever is told can see the row.
6. What the queue of unread templates and the share of known operators count is stored in the same
   transaction (`queue.Tally`), so nothing is counted twice.
7. A template that cannot be read and is only for review is one row until somebody has ruled on it,
   however often it is sent: the row counts (`Repeats`). Who sent it how often is in the queue, each
   statement in the ledger. What one person may see of the row, they may see of all it counts.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections import OrderedDict, deque
from typing import Any

import msgspec
from django.db import connection, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest

from qingfang.events import Event
from qingfang.people import policy
from qingfang.people.models import Person, Terminal
from qingfang.record.entries import Completed
from qingfang.review import groups, queue
from qingfang.review.models import Alert, Position, Statement
from qingfang.review.names import codes_of

CHANNEL = "qingfang_alert"
CONTEXT = 20_000
BEFORE, AFTER = 30, 30
SESSIONS = 5_000
SQL_KEPT = 4_000

ALARMING = frozenset({"alert", "mask", "deny", "review"})
STOPPING = frozenset({"mask", "deny"})
TOLD = ALARMING - {"review"}


class Session:
    """What a connection did lately, and how many of its next statements are still wanted."""

    __slots__ = ("recent", "wanted")

    def __init__(self) -> None:
        self.recent: deque[Event] = deque(maxlen=BEFORE)
        self.wanted = 0


class Ingest:
    """Feeds events of one log. `feed` collects, `commit` stores; `position` is the next sequence
    number wanted."""

    def __init__(self, log: str) -> None:
        self.log = log
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._alerts: list[Event] = []
        self._statements: dict[int, Event] = {}
        self._ends: list[Completed] = []
        self._tally = queue.Tally()
        row = Position.objects.filter(log=log).first()
        self.position = row.seq if row else 0
        self.start = max(0, self.position - CONTEXT)

    def feed(self, event: Event) -> None:
        assert event.seq is not None
        session = self._sessions.get(event.connection)
        if session is None:
            session = self._sessions[event.connection] = Session()
            if len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)
        else:
            self._sessions.move_to_end(event.connection)
        # What enforcing would have stopped is kept too: the forecast counts it.
        alarming = event.verdict in ALARMING or event.would in STOPPING
        if event.seq >= self.position:
            self._tally.feed(event)
            if alarming:
                self._alerts.append(event)
                for earlier in session.recent:
                    assert earlier.seq is not None
                    self._statements[earlier.seq] = earlier
            if alarming or session.wanted:
                self._statements[event.seq] = event
            self.position = event.seq + 1
        if alarming:
            session.wanted = AFTER
        elif session.wanted:
            session.wanted -= 1
        session.recent.append(event)

    def completed(self, seq: int, end: Completed) -> None:
        """How a statement ended whose event came earlier, at `end.seq`."""
        if seq >= self.position:
            self._ends.append(end)
            self.position = seq + 1

    def passed(self, seq: int) -> None:
        """A record that is no statement."""
        self.position = max(self.position, seq + 1)

    @property
    def waiting(self) -> int:
        return len(self._alerts)

    def commit(self) -> int:
        """Store what was fed since the last commit; returns the number of new alerts."""
        known = _Known()
        made = (_alert(self.log, event, known) for event in self._alerts)
        alerts = [alert for alert in made if alert is not None]
        statements = [_statement(self.log, e) for e in self._statements.values()]
        ended = 0
        with transaction.atomic():
            for begin in range(0, len(statements), 500):
                Statement.objects.bulk_create(
                    statements[begin : begin + 500], ignore_conflicts=True
                )
            there = set(
                Alert.objects.filter(log=self.log, seq__in=[a.seq for a in alerts]).values_list(
                    "seq", flat=True
                )
            )
            fresh = [a for a in alerts if a.seq not in there]
            repeats = Repeats()
            fresh = [a for a in fresh if not repeats.counted(a)]
            grouping = groups.Grouping()
            for alert in fresh:
                grouping.put(alert)
            Alert.objects.bulk_create(fresh, ignore_conflicts=True, batch_size=500)
            repeats.store()
            for end in self._ends:
                Statement.objects.filter(log=self.log, seq=end.seq).update(
                    rows=end.rows, error=_clean(end.error or "")
                )
                for alert in Alert.objects.filter(log=self.log, seq=end.seq):
                    alert.rows, alert.bytes = end.rows, end.bytes
                    alert.event = {
                        **alert.event,
                        "rows": end.rows,
                        "bytes": end.bytes,
                        "error": _clean(end.error) if end.error else None,
                        "took_ms": end.took_ms,
                    }
                    if end.answered is not None:
                        alert.answered_as = alert.event["answered_as"] = end.answered
                    alert.save(update_fields=["rows", "bytes", "event", "answered_as"])
                    ended += 1
            self._tally.store(self.log)
            Position.objects.update_or_create(
                log=self.log, defaults={"seq": self.position, "at": dt.datetime.now(dt.UTC)}
            )
            changed = len(fresh) + ended + len(repeats)
            if changed:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(changed)])
        self._alerts.clear()
        self._statements.clear()
        self._ends.clear()
        return len(fresh)


class Repeats:
    """Counts what is one row already, for one commit: the same template on the same server, decided
    alike, for review only, by persons whose alerts the same people may see."""

    def __init__(self) -> None:
        self._first: dict[tuple[object, ...], Alert | None] = {}
        self._counted: dict[tuple[str, int], tuple[int, dt.datetime]] = {}

    def __len__(self) -> int:
        return len(self._counted)

    def counted(self, alert: Alert) -> bool:
        """Whether the alert is one more of a row that is there, and not to be stored itself. Call
        in the ledger's order."""
        if not alert.template:
            return False
        same = {
            name: getattr(alert, name)
            for name in ("template", "server", "would", "answered_as", "severity", "subject_kinds")
        }
        key = tuple(map(str, same.values()))
        if key not in self._first:
            there = Alert.objects.filter(disposition=Alert.Disposition.OPEN, **same)
            self._first[key] = there.order_by("pk").only("log", "seq", "at").first()
        first = self._first[key]
        if first is None:
            self._first[key] = alert
            return False
        if not alert.event.get("twin_of"):
            place = (first.log, first.seq)
            n, last = self._counted.get(place, (0, alert.at))
            self._counted[place] = (n + 1, max(last, alert.at))
        return True

    def store(self) -> None:
        """Within the transaction that stores the rows."""
        for (log, seq), (n, last) in self._counted.items():
            Alert.objects.filter(log=log, seq=seq).update(
                repeats=F("repeats") + n, repeated_at=Greatest("repeated_at", Value(last))
            )


def _attributed(event: Event, name: str) -> str:
    found = getattr(event, name)
    return found.value if found is not None else ""


def _severity(event: Event) -> int:
    """How urgent, when the event does not say: what was learned, and whether it got out."""
    meaning = event.meaning
    if meaning is None or event.verdict == "review":
        return 1
    grain = meaning.grain or meaning.session_grain or meaning.person_grain
    if grain in ("prescriber", "detail"):
        return 3
    return 2 if grain == "department" else 1


class _Known:
    """Persons and terminals looked up for one commit."""

    def __init__(self) -> None:
        self._persons: dict[str, Person | None] = {"": None}
        self._terminals: dict[tuple[str, str], Terminal | None] = {}

    def person(self, number: str) -> Person | None:
        if number not in self._persons:
            found = Person.objects.select_related("department__parent")
            self._persons[number] = found.filter(staff_number=number).first()
        return self._persons[number]

    def terminal(self, label: str, address: str) -> Terminal | None:
        """By its name when the engine told one, else by the client's address."""
        key = (label, address)
        if key not in self._terminals:
            rows = Terminal.objects.select_related("location", "department__parent")
            found = None
            if label:
                found = rows.filter(name=label).first()
            elif _is_address(address):
                known = Q(address=address) | Q(more_addresses__contains=[address])
                found = rows.filter(known).first()
            self._terminals[key] = found
        return self._terminals[key]


def _alert(log: str, event: Event, known: _Known) -> Alert | None:
    """None when the event is the twin of one that has its alert: one statement, one alert."""
    if event.twin_of:
        first = Alert.objects.filter(number=event.twin_of).first()
        if first is None and ":" in event.twin_of:
            other, _colon, seq = event.twin_of.rpartition(":")
            first = Alert.objects.filter(log=other, seq=int(seq) if seq.isdigit() else -1).first()
        if first is not None:
            place = f"{log}:{event.seq}"
            if place not in first.twins:
                first.twins = [*first.twins, place]
                first.save(update_fields=["twins"])
            return None
    number = _attributed(event, "operator")
    label = _attributed(event, "terminal")
    address = event.client.rsplit(":", 1)[0].strip("[]")
    person = known.person(number)
    terminal = known.terminal(label, address)
    kinds: set[str] = set()
    for department in (
        person.department if person else None,
        terminal.department if terminal else None,
    ):
        if department is not None:
            kinds |= policy.kinds_of(department)
    meaning = event.meaning
    place = _attributed(event, "place") or (
        str(terminal.location) if terminal and terminal.location else ""
    )
    told = _json(event)
    return Alert(
        log=log,
        seq=event.seq,
        number=event.alert or f"{log.rsplit('/', 1)[-1][:40]}-{event.seq}",
        at=dt.datetime.fromisoformat(event.at),
        verdict=event.verdict,
        would=event.would or "",
        answered_as=event.answered_as,
        severity=event.severity or _severity(event),
        grain=(meaning.grain if meaning else None) or "",
        disclosure=meaning.disclosure if meaning else "",
        operator=number[:64],
        operator_name=person.name if person else "",
        department=person.department.name if person else "",
        terminal=(terminal.name if terminal else label)[:64],
        place=place[:200],
        client=event.client[:64],
        program=_clean(event.program)[:200],
        account=_clean(event.account)[:128],
        database=_clean(event.database)[:128],
        server=event.server[:128],
        connection=event.connection[:128],
        rows=event.rows,
        bytes=event.bytes,
        event=told,
        items=sorted({code[:200] for code in codes_of(told, "item")}),
        prescribers=sorted({code[:200] for code in codes_of(told, "prescriber")}),
        subject_kinds=sorted(kinds),
        template=_template(event),
    )


def _template(event: Event) -> str:
    """The digest by which repetitions are known; empty when each is to have its row."""
    opaque = event.meaning is not None and event.meaning.disclosure == "opaque"
    return (event.fingerprint or "")[:64] if opaque and event.verdict == "review" else ""


def _statement(log: str, event: Event) -> Statement:
    return Statement(
        log=log,
        seq=event.seq,
        connection=event.connection[:128],
        at=dt.datetime.fromisoformat(event.at),
        verdict=event.verdict,
        sql=_clean(event.sql)[:SQL_KEPT],
        rows=event.rows,
        error=_clean(event.error or ""),
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _clean(text: str) -> str:
    """PostgreSQL's text has no NUL; a client can send one, and must not stop the worker by it."""
    return text.replace("\x00", "\ufffd")


def _json(event: Event) -> dict[str, Any]:
    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return _clean(value)
        if isinstance(value, dict):
            return {key: walk(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner) for inner in value]
        return value

    built: dict[str, Any] = walk(msgspec.json.decode(msgspec.json.encode(event)))
    return built
