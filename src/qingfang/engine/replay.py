"""A capture file through all stages: statements judged in the order of the wire.

Rules this module keeps:

1. Events come in the order in which the statements were sent, over all connections, so that what
   a person learned is added up as it happened. A statement waits for its outcome, and the later
   ones behind it; past `MAX_WAITING` the oldest goes on without.
2. The clock is the capture's.
3. What could not be seen (lost, undecodable, encrypted, cut) is in the summary, always.
4. A statement that failed or was skipped is judged as if it had run, as a gateway would have.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from qingfang.engine import definitions, happening
from qingfang.engine.judging import Judging, Told, doubted
from qingfang.engine.passive import Decoding
from qingfang.events import Connection, Event, Meaning, Verdict, Who
from qingfang.language import _
from qingfang.sense.tap.encryption import Blind
from qingfang.sense.tap.flows import Flows
from qingfang.sense.tap.pcapfile import CaptureFile
from qingfang.statement import Outcome, Statement
from qingfang.understand.analysis import Analyser, Analysis
from qingfang.understand.catalogue import Catalogue
from qingfang.understand.fingerprint import fingerprint
from qingfang.understand.state import SessionState, Shared
from qingfang.understand.templates import Templates

MAX_WAITING: Final = 100_000
MAX_SESSIONS: Final = 20_000
_PROGRESS: Final = 10_000


Decide = Callable[[Connection, Statement, Outcome], tuple[Told, str]]
"""The verdict and the fingerprint; called once a statement, in the order of the wire."""


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
    told = Told(Verdict("log", (_("只记录，未作判断：没有给出目录。"),)), Meaning("opaque"), Who())

    def decide(connection: Connection, statement: Statement, outcome: Outcome) -> tuple[Told, str]:
        return told, fingerprint(statement.sql, dialect).digest.hex()

    return decide


class Judged:
    """Decides with a catalogue, under the built-in policy: nobody is known, nothing is approved."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._dialect = catalogue.dialect
        self._analyser = Analyser(catalogue, definitions.built_in())
        self._judging = Judging("replay", None, self._is_service)
        self._services = catalogue.services
        self._templates = Templates()
        self._shared = Shared()
        self._print: tuple[object, ...] = self._shared.mark()
        self._sessions: OrderedDict[str, SessionState] = OrderedDict()

    def __call__(
        self, connection: Connection, statement: Statement, outcome: Outcome
    ) -> tuple[Told, str]:
        state = self._sessions.get(connection.id)
        found = None
        if state is None and not statement.doubt and not statement.cut_binds:
            found = self._templates.look(statement.sql, self._dialect, statement.binds)
        if found is None:
            analysis = self._analysed(connection.id, statement)
            found = self._templates.learn(statement.sql, self._dialect, analysis, statement.binds)
        meaning = doubted(found.meaning) if statement.doubt else found.meaning
        digest = found.template.digest
        told = self._judging.judge(
            connection, meaning, statement.at_us, digest, transaction=statement.transaction
        )
        return told, digest.hex()

    def _analysed(self, connection: str, statement: Statement) -> Analysis:
        state = self._sessions.get(connection) or SessionState(self._shared)
        analysis = self._analyser.analyse(statement.sql, binds=statement.binds, state=state)
        if state.has_own:
            self._sessions[connection] = state
            self._sessions.move_to_end(connection)
            if len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
        else:
            self._sessions.pop(connection, None)
        seen = self._shared.mark()
        if seen != self._print:  # a permanent object: what was cached may mean something else
            self._print, self._templates = seen, Templates()
        if statement.doubt or statement.cut_binds or state.has_own:
            analysis = replace(analysis, meaning=replace(analysis.meaning, volatile=True))
        return analysis

    def _is_service(self, connection: Connection, who: Who) -> bool:
        operator = who.operator.value if who.operator is not None else None
        terminal = connection.client.rpartition(":")[0].strip("[]")
        return any(
            service.program in {None, connection.program}
            and service.operator in {None, operator}
            and service.terminal in {None, terminal}
            for service in self._services
            if service.program or service.operator or service.terminal
        )


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

    def closed(self, connection: Connection) -> None:
        pass  # what was sent waits for its turn all the same

    def _drain(self) -> None:
        queue = self._queue
        while queue and queue[0].outcome is not None:
            waiting = queue.popleft()
            if waiting.outcome is not None:
                self._judge(waiting, waiting.outcome)

    def _judge(self, waiting: _Waiting, outcome: Outcome) -> None:
        connection, statement = waiting.connection, happening.written(waiting.statement)
        told, digest = self._decide(connection, statement, outcome)
        self.statements += 1
        self.rows += max(outcome.rows, 0)
        self.verdicts[told.verdict.decision] += 1
        if self._progress is not None and not self.statements % _PROGRESS:
            self._progress(self.statements)
        if self._write is not None:
            self._write(happening.event_of(connection, statement, told, digest, outcome))


def line(event: Event) -> bytes:
    """One line of NDJSON. `log` and `seq` are absent: a replay has no ledger."""
    return msgspec.json.encode(event).replace(b'"log":null,"seq":null,', b"", 1) + b"\n"


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
