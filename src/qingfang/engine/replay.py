"""A capture file through all stages: statements judged in the order of the wire.

Rules this module keeps:

1. Events come in the order in which the statements were sent, over all connections, so that what
   a person learned is added up as it happened. A statement waits for its outcome, and the later
   ones behind it; past `MAX_WAITING` the oldest goes on without.
2. The clock is the capture's.
3. What could not be seen (lost, undecodable, encrypted, cut) is in the summary, always.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from qingfang.engine.passive import Decoding
from qingfang.events import (
    Attributed,
    Connection,
    Event,
    Meaning,
    Outcome,
    Statement,
    Verdict,
)
from qingfang.language import _
from qingfang.sense.tap.encryption import Blind
from qingfang.sense.tap.flows import Flows
from qingfang.sense.tap.pcapfile import CaptureFile
from qingfang.understand.fingerprint import fingerprint

MAX_WAITING: Final = 100_000
_PROGRESS: Final = 10_000


class Judgement(Struct, frozen=True):
    """What is known of one statement beyond what was on the wire."""

    verdict: Verdict
    fingerprint: str = ""
    meaning: Meaning | None = None
    operator: Attributed | None = None
    terminal: Attributed | None = None
    place: Attributed | None = None


Decide = Callable[[Connection, Statement, Outcome], Judgement]
"""Called once a statement, in the order of the wire."""


class Summary(Struct, frozen=True):
    """docs/contracts/cli.md; the fields from `midstream_connections` on go beyond it."""

    packets: int
    connections: int
    statements: int
    lost_bytes: int
    undecodable: int
    encrypted_connections: int
    verdicts: dict[str, int]
    alerts: int
    midstream_connections: int
    rows: int
    reordered_segments: int
    retransmitted_bytes: int
    conflicting_bytes: int
    cut_packets: int
    malformed_packets: int
    other_ports: dict[str, int]
    problem: str
    """What is wrong with the file itself; empty when it was read to its end."""

    @property
    def complete(self) -> bool:
        """Whether everything in the file was seen and is beyond doubt."""
        return not shortcomings(self)


def shortcomings(summary: Summary) -> list[str]:
    """What was not seen, or is in doubt, in words."""
    found = [
        (summary.lost_bytes, _("丢失 {:,} 字节：其中的语句没有看到。")),
        (summary.undecodable, _("{:,} 字节无法解码。")),
        (summary.encrypted_connections, _("{:,} 个连接是加密的，看不到其中的语句。")),
        (
            summary.conflicting_bytes,
            _("{:,} 字节前后两次内容不同：可能有人在躲避监测。"),
        ),
    ]
    texts = [text.format(count) for count, text in found if count]
    if summary.problem:
        texts.append(summary.problem)
    if not summary.connections:
        ports = "、".join(_("{}（{:,} 个报文）").format(*p) for p in summary.other_ports.items())
        texts.append(
            _("指定的端口上没有连接。文件里的 TCP 端口：{}。用 --port 指定。").format(ports or "-")
        )
    return texts


def record_only(dialect: str) -> Decide:
    """Judges nothing: every statement is logged with its fingerprint."""

    def decide(connection: Connection, statement: Statement, outcome: Outcome) -> Judgement:
        template = fingerprint(statement.sql, dialect)
        return Judgement(
            Verdict("log", (_("只记录，未作判断：没有给出目录。"),)), template.digest.hex()
        )

    return decide


class _Waiting:
    """A statement that was sent, and its outcome once it is known."""

    __slots__ = ("connection", "outcome", "statement")

    def __init__(self, connection: Connection, statement: Statement) -> None:
        self.connection = connection
        self.statement = statement
        self.outcome: Outcome | None = None


class Replay:
    """The `Listener` that judges and writes; `write` gets each event, or None writes nothing."""

    def __init__(
        self,
        decide: Decide,
        write: Callable[[Event], None] | None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._decide = decide
        self._progress = progress
        self._write = write
        self._queue: deque[_Waiting] = deque()
        self._open: dict[tuple[str, int], _Waiting] = {}
        self.verdicts: Counter[str] = Counter()
        self.statements = 0
        self.rows = 0

    def sent(self, connection: Connection, statement: Statement) -> None:
        waiting = _Waiting(connection, statement)
        self._queue.append(waiting)
        self._open[connection.id, statement.number] = waiting
        if len(self._queue) > MAX_WAITING:
            oldest = self._queue.popleft()
            del self._open[oldest.connection.id, oldest.statement.number]
            number, at_us = oldest.statement.number, statement.at_us
            self._judge(oldest, Outcome(number, at_us, -1, -1, "lost"))
            self._drain()

    def completed(self, connection: Connection, statement: Statement, outcome: Outcome) -> None:
        waiting = self._open.pop((connection.id, statement.number), None)
        if waiting is not None:
            waiting.connection = connection
            waiting.outcome = outcome
            self._drain()

    def conflict(self, connection: Connection, from_client: bool, size: int, at_us: int) -> None:
        pass  # in the summary

    def lost(self, connection: Connection, from_client: bool, size: int, at_us: int) -> None:
        pass  # in the summary

    def blind(self, connection: Connection, blind: Blind, at_us: int) -> None:
        pass  # in the summary

    def _drain(self) -> None:
        queue = self._queue
        while queue and queue[0].outcome is not None:
            waiting = queue.popleft()
            if waiting.outcome is not None:
                self._judge(waiting, waiting.outcome)

    def _judge(self, waiting: _Waiting, outcome: Outcome) -> None:
        connection, statement = waiting.connection, waiting.statement
        judgement = self._decide(connection, statement, outcome)
        self.statements += 1
        self.rows += max(outcome.rows, 0)
        self.verdicts[judgement.verdict.decision] += 1
        if self._progress is not None and not self.statements % _PROGRESS:
            self._progress(self.statements)
        if self._write is not None:
            self._write(event_of(connection, statement, outcome, judgement))


def event_of(
    connection: Connection, statement: Statement, outcome: Outcome, judgement: Judgement
) -> Event:
    """The event of a statement that was forwarded, as it really happened."""
    known = outcome.end != "lost"
    return Event(
        connection=connection.id,
        at=iso(statement.at_us),
        source=connection.source,
        protocol=connection.protocol,
        server=connection.server,
        database=connection.database,
        account=connection.account,
        client=connection.client,
        sql=statement.sql,
        kind=statement.kind,
        verdict=judgement.verdict.decision,
        site=connection.site,
        node=connection.node,
        took_ms=(outcome.at_us - statement.at_us) / 1000 if known else None,
        program=connection.program,
        os_user=connection.os_user,
        host=connection.host,
        operator=judgement.operator,
        terminal=judgement.terminal,
        place=judgement.place,
        binds=statement.binds,
        rows=outcome.rows if outcome.rows >= 0 else None,
        bytes=outcome.bytes if outcome.bytes >= 0 else None,
        error=f"{outcome.sqlstate} {outcome.error or ''}".strip() or None,
        fingerprint=judgement.fingerprint,
        meaning=judgement.meaning,
        reasons=judgement.verdict.reasons,
        grant=judgement.verdict.grant,
    )


def iso(at_us: int) -> str:
    """ISO 8601 in UTC, with microseconds."""
    seconds, us = divmod(at_us, 1_000_000)
    at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=us)
    return at.isoformat(timespec="microseconds")


def line(event: Event) -> bytes:
    """One line of NDJSON. `log` and `seq` are absent: a replay has no ledger. Bytes that were no
    text in the client's encoding show as `\\xe9`."""
    try:
        text = msgspec.json.encode(event)
    except UnicodeEncodeError:
        binds = event.binds
        text = msgspec.json.encode(
            msgspec.structs.replace(
                event,
                sql=_readable(event.sql),
                error=_readable(event.error),
                binds=None if binds is None else tuple([_readable(b) for b in binds]),
                account=_readable(event.account),
                database=_readable(event.database),
                program=_readable(event.program),
            )
        )
    return text.replace(b'"log":null,"seq":null,', b"", 1) + b"\n"


def _readable(text: str | None) -> str | None:
    if text is None:
        return None
    raw = text.encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "backslashreplace")


def run(
    file: CaptureFile,
    ports: list[int],
    protocol: str,
    decide: Decide,
    write: Callable[[Event], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Summary:
    """Replays the whole file. `progress` is told the number of statements now and then."""
    replay = Replay(decide, write, progress)
    decoding = Decoding(replay)
    flows = Flows(dict.fromkeys(ports, protocol), decoding, source="replay", prefix="c")
    flows.read(file)
    counts = flows.counts()
    return Summary(
        packets=counts.packets,
        connections=counts.connections,
        statements=replay.statements,
        lost_bytes=counts.lost_bytes,
        undecodable=decoding.undecodable,
        encrypted_connections=counts.encrypted_connections,
        verdicts=dict(replay.verdicts),
        alerts=sum(replay.verdicts[v] for v in ("alert", "mask", "deny")),
        midstream_connections=counts.midstream_connections,
        rows=replay.rows,
        reordered_segments=counts.reordered_segments,
        retransmitted_bytes=counts.retransmitted_bytes,
        conflicting_bytes=counts.conflicting_bytes,
        cut_packets=counts.cut,
        malformed_packets=counts.malformed,
        other_ports={
            str(port): n
            for port, n in sorted(flows.other_ports.items(), key=lambda p: (-p[1], p[0]))[:5]
        },
        problem=file.problem,
    )
