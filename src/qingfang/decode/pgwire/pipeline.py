"""What the server still owes: one entry for each client message that is answered, in order.

Rules this module keeps:

1. The server answers in the order it was asked (chapter «Message Flow»), so an answer belongs to
   the first entry that is still open.
2. After an error in the extended protocol the server skips everything until Sync; entries up to
   the next Sync end as `skipped`, and what the client sends before its next Sync does too.
3. During COPY from the client the server swallows Sync, so such a Sync is owed nothing.
4. A prepared statement or portal counts as confirmed only when the server has said so. One whose
   message failed or was skipped is forgotten, or never confirmed: its name may still stand for an
   older text.
5. An answer that does not fit is passed over and counted in `mismatches`; a ReadyForQuery closes
   everything up to the Sync, Query or FunctionCall it answers. So a stream joined in its middle,
   or with losses, finds its feet again.
"""

from __future__ import annotations

from typing import Final, Literal

from mypy_extensions import i64

from qingfang.decode.pgwire.frames import (
    BIND,
    COPY_DONE,
    DESCRIBE,
    EXECUTE,
    FUNCTION_CALL,
    PARSE,
    QUERY,
    SYNC,
)
from qingfang.decode.pgwire.text import codec_of, decode, program_name
from qingfang.events import SessionFact
from qingfang.statement import Doubt, End, Outcome, Statement

# Where the conversation stands.
STARTING: Final = 0  # the next client packet has no kind byte
TLS_ASKED: Final = 1  # SSLRequest or GSSENCRequest sent, one byte is owed
SIGNING_IN: Final = 2
READY: Final = 3
BLIND: Final = 4  # encrypted: nothing can be read any more
CANCELLING: Final = 5

_TOLD: Final = frozenset(("application_name", "session_authorization", "client_encoding"))
MAX_OWED: Final = 10_000


class Prepared:
    """A prepared statement: its text, and the types of its parameters as far as known."""

    __slots__ = ("batch", "confirmed", "doubt", "name", "oids", "renames", "rereads", "sql")

    def __init__(
        self, name: str, sql: str, oids: tuple[int, ...], doubt: Doubt, batch: int
    ) -> None:
        self.name: str = name
        self.sql: str = sql
        self.oids: tuple[int, ...] = oids
        self.doubt: Doubt = doubt
        self.batch: int = batch
        self.confirmed: bool = False
        self.rereads: bool = False
        self.renames: bool = False


class Portal:
    """A prepared statement with values bound to it."""

    __slots__ = (
        "batch",
        "body",
        "confirmed",
        "cut",
        "doubt",
        "guessed",
        "name",
        "pos",
        "prepared",
        "read",
        "statement",
        "used",
        "values",
    )

    def __init__(
        self,
        name: str,
        statement: str,
        prepared: Prepared | None,
        body: bytes,
        pos: int,
        batch: int,
    ) -> None:
        self.name: str = name
        self.statement: str = statement
        self.prepared: Prepared | None = prepared
        self.body: bytes = body
        self.pos: int = pos
        self.batch: int = batch
        self.confirmed: bool = False
        self.doubt: Doubt = ""
        self.read: bool = False
        self.used: bool = False
        self.values: tuple[str | None, ...] | None = None
        self.guessed: tuple[int, ...] = ()
        self.cut: bool = False


class Entry:
    """One client message that the server will answer."""

    __slots__ = (
        "batched",
        "bytes",
        "copying",
        "error",
        "kind",
        "number",
        "part_rows",
        "parts",
        "portal",
        "prepared",
        "refusal",
        "rows",
        "sqlstate",
        "token",
    )

    def __init__(self, kind: i64, number: int) -> None:
        self.kind: i64 = kind
        self.number: int = number
        self.rows: int = 0
        self.part_rows: int = 0
        self.bytes: int = 0
        self.batched: bool = False
        self.copying: bool = False
        self.parts: list[int] | None = None
        self.prepared: Prepared | None = None
        self.portal: Portal | None = None
        self.token: bytes = b""
        self.refusal: bytes = b""
        self.error: str | None = None
        self.sqlstate: str = ""


class Conversation:
    """One connection's shared state: what both directions know, and what the server owes."""

    def __init__(self) -> None:
        self.phase: i64 = STARTING
        self.at_us: int = 0
        # What happened, in order: `outcome` first (mostly it is all), then `events`.
        self.outcome: Outcome | None = None
        self.events: list[Statement | Outcome | SessionFact] = []
        self.numbers: int = 0
        self.transactions: int = 0  # that have ended
        self.batch: int = 0  # Sync, Query and FunctionCall messages sent,
        self.done: int = 0  # and answered
        self.codec: str = "utf-8"
        self.standard_strings: bool = True
        self.start_up: dict[str, str] = {}
        self.parameters: dict[str, str] = {}
        self.pid: int = 0
        self.tls: bool = False
        self.status: int = 0x49
        self.statements: dict[str, Prepared] = {}
        self.portals: dict[str, Portal] = {}
        self.dismissed: bool = False  # the server has said that it ends the connection
        self.denials: int = 0
        self.mismatches: int = 0
        # Nothing is kept of these, so that one each is enough.
        self.sync: Entry = Entry(SYNC, 0)
        self.describe: Entry = Entry(DESCRIBE, 0)
        # While the server skips to Sync: what its error took away. Nothing of it can be executed any
        # more; it only says what the client meant.
        self.void_statements: dict[str, Prepared] = {}
        self.void_portals: dict[str, Portal] = {}
        self._owed: list[Entry] = []  # short: a list beats a deque when compiled
        self._skipping: bool = False
        self._copy_in: bool = False

    # -------------------------------------------------------------- the client's side

    @property
    def owed(self) -> int:
        return len(self._owed)

    @property
    def skipping(self) -> bool:
        """Whether the server discards all that the client sends now, until the next Sync."""
        return self._skipping

    def next_number(self) -> int:
        self.numbers += 1
        return self.numbers

    def sent(self, entry: Entry) -> None:
        """The client's message was passed on; `entry` waits for its answer."""
        kind = entry.kind
        if entry.token:
            self.denials += 1
        if kind == SYNC:
            self.batch += 1
            if self._copy_in:
                self.done += 1
                return
            self._skip_no_more()
        elif kind == COPY_DONE:
            self._copy_in = False
            if not self._owed or self._skipping:
                return
        elif self._skipping:
            if entry.number:
                self._finish(entry, "skipped")
            return
        elif kind == QUERY or kind == FUNCTION_CALL:
            self.batch += 1
            entry.batched = True
        self._owed.append(entry)

    def fact(self, stage: Literal["ready", "refused", "blind"]) -> SessionFact:
        account = self.start_up.get("user", "")
        program = self.parameters.get("application_name")
        return SessionFact(
            at_us=self.at_us,
            stage=stage,
            account=account,
            database=self.start_up.get("database", account),
            program=self.start_up.get("application_name", "")
            if program is None
            else program_name(program, self.codec),
            tls=self.tls,
            pid=self.pid,
            parameters=tuple(self.parameters.items()),
        )

    def take_events(self) -> list[Statement | Outcome | SessionFact]:
        """What happened since the last time, in order."""
        events = self.events
        if events:
            self.events = []
        if self.outcome is not None:
            events = [self.outcome, *events]
            self.outcome = None
        return events

    def blinded(self) -> None:
        self.phase = BLIND
        self.tls = True
        self.events.append(self.fact("blind"))

    # -------------------------------------------------------------- the server's side

    def rows(self, count: int, size: int) -> None:
        if self._owed:
            head = self._owed[0]
            head.part_rows += count
            head.bytes += size
        else:
            self.mismatches += 1

    def copy_data(self, size: int) -> None:
        if self._owed:
            head = self._owed[0]
            head.bytes += size
            if head.copying:
                head.part_rows += 1

    def copy_out(self) -> None:
        if self._owed:
            self._owed[0].copying = True

    def copy_in(self) -> None:
        if not self._owed:
            return
        self._copy_in = True
        kept: list[Entry] = []
        head = self._owed.pop(0)
        while self._owed:
            entry = self._owed.pop(0)
            if entry.kind == COPY_DONE:
                self._copy_in = False
                kept.append(entry)
                break
            if entry.kind == SYNC:
                self.done += 1
            else:
                kept.append(entry)
        self._owed[0:0] = [head, *kept]

    def answered(self, kind: i64) -> None:
        """ParseComplete, BindComplete, CloseComplete, or the end of a Describe."""
        if not self._owed or self._owed[0].kind != kind:
            self.mismatches += 1
            return
        entry = self._owed.pop(0)
        if kind == PARSE and entry.prepared is not None:
            entry.prepared.confirmed = True
        elif kind == BIND and entry.portal is not None:
            entry.portal.confirmed = True
        self._settle()

    def described_rows(self) -> None:
        """RowDescription or NoData: the end of a Describe, or the beginning of a query's rows."""
        if not self._owed:
            self.mismatches += 1
        elif self._owed[0].kind == DESCRIBE:
            self._owed.pop(0)
            self._settle()
        elif self._owed[0].kind != QUERY:
            self.mismatches += 1

    def described_parameters(self, oids: tuple[int, ...]) -> None:
        if self._owed and self._owed[0].kind == DESCRIBE:
            prepared = self._owed[0].prepared
            if prepared is not None:
                prepared.oids = oids
        else:
            self.mismatches += 1

    def completed(self, tag: bytes) -> None:
        """CommandComplete; an empty `tag` is EmptyQueryResponse."""
        if not self._owed:
            self.mismatches += 1
            return
        head = self._owed[0]
        if head.kind != QUERY and head.kind != EXECUTE:
            self.mismatches += 1
            return
        if head.copying:
            head.copying = False
            count = tag[5:].rstrip(b"\x00")
            if tag[:5] == b"COPY " and count.isdigit():
                head.part_rows = int(count)
        head.rows += head.part_rows
        if head.kind == QUERY:
            if head.parts is None:
                head.parts = [head.part_rows]
            else:
                head.parts.append(head.part_rows)
            head.part_rows = 0
            return
        self._owed.pop(0)
        self._finish(head, "complete")
        self._settle()

    def suspended(self) -> None:
        if self._owed and self._owed[0].kind == EXECUTE:
            head = self._owed.pop(0)
            head.rows += head.part_rows
            self._finish(head, "suspended")
            self._settle()
        else:
            self.mismatches += 1

    def failed(self, body: bytes, sqlstate: str, message: bytes) -> bytes:
        """ErrorResponse. Returns the frame to send in its place, empty to leave it as it is."""
        self._copy_in = False
        if self.phase != READY or b"\x00VFATAL\x00" in body or b"\x00VPANIC\x00" in body:
            self.dismissed = True
        if self.phase != READY:
            if self.phase != BLIND:
                self.events.append(self._refused(sqlstate, message))
            return b""
        if not self._owed:
            return b""
        head = self._owed[0]
        head.rows += head.part_rows
        head.part_rows = 0
        head.copying = False
        replacement = b""
        if head.token and head.token in body:
            replacement = head.refusal
            head.sqlstate = "42501"
        else:
            head.error = decode(message, self.codec)
            head.sqlstate = sqlstate
        if head.kind in {QUERY, FUNCTION_CALL, SYNC}:
            return replacement
        self._owed.pop(0)
        self._failed_entry(head, bool(replacement))
        gone = [head]
        while self._owed and self._owed[0].kind != SYNC:
            gone.append(self._owed.pop(0))
            self._unseen(gone[-1], "skipped")
        if not self._owed:
            self._skipping = True
            for entry in gone:
                if entry.kind == PARSE and entry.prepared is not None:
                    self.void_statements[entry.prepared.name] = entry.prepared
                elif entry.portal is not None:
                    self.void_portals[entry.portal.name] = entry.portal
        return replacement

    def ready(self, status: int) -> None:
        self.status = status
        if self.phase != READY:
            self.phase = READY
            self.events.append(self.fact("ready"))
            if not self._owed:
                return
        if status == 0x49:
            self.transactions += 1
            self._end_portals()
        if not self._owed:
            self.mismatches += 1
            return
        while self._owed:
            entry = self._owed.pop(0)
            kind = entry.kind
            if kind == SYNC or kind == QUERY or kind == FUNCTION_CALL:
                self.done += 1
                if entry.number:
                    self._ended(entry)
                break
            self.mismatches += 1
            self._unseen(entry, "lost")
        self._settle()
        if not self._owed:
            self.done = self.batch

    def reported(self, name: str, value: str) -> None:
        """ParameterStatus."""
        if len(self.parameters) > 1000:
            return
        before = self.parameters.get(name)
        self.parameters[name] = value
        if name == "client_encoding":
            self.codec = codec_of(value)
        elif name == "standard_conforming_strings":
            self.standard_strings = value == "on"
        if self.phase == READY and name in _TOLD and before != value:
            self.events.append(self.fact("ready"))

    def abandon(self) -> None:
        """Bytes were lost or the connection ended: nothing open can be told any more."""
        owed, self._owed = self._owed, []
        for entry in owed:
            self._unseen(entry, "lost")
        self._skip_no_more()
        self._copy_in = False
        self.done = self.batch

    def _skip_no_more(self) -> None:
        if self._skipping:
            self._skipping = False
            self.void_statements.clear()
            self.void_portals.clear()

    def forget(self) -> None:
        """Messages of the client were not seen: names may stand for other texts now."""
        self.statements.clear()
        self.portals.clear()

    # -------------------------------------------------------------- ends

    def _ended(self, entry: Entry) -> None:
        if entry.kind == QUERY and entry.sqlstate == "":
            self._finish(entry, "complete")
        elif entry.error is None and entry.sqlstate:
            self._finish(entry, "denied")
        else:
            self._finish(entry, "failed" if entry.sqlstate else "complete")

    def _failed_entry(self, entry: Entry, denied: bool) -> None:
        if entry.number:
            self._finish(entry, "denied" if denied else "failed")
        elif entry.kind == PARSE and entry.prepared is not None:
            prepared = entry.prepared
            self._drop(entry)
            entry.number = self.next_number()
            self.events.append(
                Statement(
                    number=entry.number,
                    at_us=self.at_us,
                    kind="prepare",
                    sql=prepared.sql,
                    name=prepared.name,
                    doubt=prepared.doubt,
                    transaction=self.transactions,
                )
            )
            self._finish(entry, "failed")
        else:
            self._drop(entry)

    def _unseen(self, entry: Entry, end: End) -> None:
        if entry.kind in {QUERY, FUNCTION_CALL} and entry.batched:
            self.done += 1
        if entry.number:
            self._finish(entry, end)
        else:
            self._drop(entry)

    def _drop(self, entry: Entry) -> None:
        prepared, portal = entry.prepared, entry.portal
        if entry.kind == PARSE and prepared is not None:
            if self.statements.get(prepared.name) is prepared:
                del self.statements[prepared.name]
        elif portal is not None and self.portals.get(portal.name) is portal:
            del self.portals[portal.name]

    def _finish(self, entry: Entry, end: End) -> None:
        if entry.token:
            self.denials -= 1
        unseen = end == "lost" or end == "skipped"
        outcome = Outcome(
            entry.number,
            self.at_us,
            (-1 if end == "lost" else 0) if unseen else entry.rows,
            -1 if end == "lost" else entry.bytes,
            end,
            entry.error,
            entry.sqlstate,
            () if entry.parts is None else tuple(entry.parts),
        )
        if self.outcome is None and not self.events:
            self.outcome = outcome
        else:
            self.events.append(outcome)

    def _settle(self) -> None:
        while self._owed and self._owed[0].kind == COPY_DONE:
            self._owed.pop(0)

    def _end_portals(self) -> None:
        """The transaction is over and its portals with it; those bound by messages that the server
        has not answered yet belong to the next one."""
        if not self.portals:
            return
        for name in [n for n, p in self.portals.items() if p.confirmed]:
            del self.portals[name]

    def _refused(self, sqlstate: str, message: bytes) -> SessionFact:
        fact = self.fact("refused")
        return SessionFact(
            at_us=fact.at_us,
            stage="refused",
            account=fact.account,
            database=fact.database,
            program=fact.program,
            tls=fact.tls,
            error=decode(message, self.codec),
            sqlstate=sqlstate,
        )
