"""What a sensor's process does with a statement: look up, else ask; record; answer.

A gateway is answered; a tap only listens, and asks in the same way.

Rules this module keeps:

1. A statement of a known template that tells nothing is answered at once, from this process's own
   cache. Everything else is asked: the analyser for its meaning, the judge for its verdict.
2. Alert and deny are synced in the ledger before the answer leaves. What passes is noted with its
   outcome, within milliseconds; the ledger's client counts what it cannot deliver.
3. What is only work (an INSERT) is forwarded at once and told to the judge afterwards; it can raise
   no verdict, but it explains later reading. Where it names another operator than the one in force,
   the judge is told first: the next statement, looked up or not, must not be noted as somebody
   else's. A transaction's operator is forgotten with the transaction.
4. The cache is thrown away when the analyser says that the world has changed. A session with objects
   of its own is never looked up.
5. What was answered without a verdict is judged afterwards and recorded as such.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Coroutine
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from qingfang import ipc
from qingfang.config import Config, Route, Tap
from qingfang.engine import analyser, happening, judge
from qingfang.engine.judging import Told, doubted
from qingfang.events import Answered, Brief, Connection, Coverage, Meaning, Source, Verdict
from qingfang.language import _
from qingfang.record.client import NotStored, now_us
from qingfang.record.entries import Act, Completed
from qingfang.record.recorder import Recorder
from qingfang.sense.gateway import contract
from qingfang.sense.gateway.contract import Leg, Unjudged
from qingfang.statement import Outcome, Statement
from qingfang.understand.templates import Found, Templates

log = logging.getLogger(__name__)

PASS: Final = Verdict("pass")
_DURABLE = frozenset({"alert", "mask", "deny"})
_NOTABLE = frozenset({"log", "review"})
_PAUSE_S: Final = 0.5


class _Pending:
    """A statement between its verdict and its outcome."""

    __slots__ = ("found", "number", "operator", "seq", "told")

    def __init__(self, number: int, found: Found, told: Told | None, operator: str | None) -> None:
        self.number: int = number
        self.found: Found = found
        self.told: Told | None = told
        self.operator: str | None = operator
        self.seq: int = 0


class _Late:
    """A statement that was answered by the failure policy while its verdict was awaited: whichever
    of judgement and outcome comes first waits here for the other."""

    __slots__ = ("outcome", "pending")

    def __init__(self) -> None:
        self.pending: _Pending | None = None
        self.outcome: Outcome | None = None


class _Session:
    __slots__ = (
        *("connection", "late", "leg", "one", "operator", "own", "others", "signed_in"),
        "signed_name",
        *("transaction", "written_name"),
    )

    def __init__(self, connection: Connection) -> None:
        self.connection: Connection = connection
        # Our own address towards the server, "" for a tap.
        self.leg: str = ""
        # Who is at work now, and what the statements called them: the one who signed in, and the
        # one whom the transaction under way names ("" when it names nobody).
        self.operator: str | None = None
        self.signed_in: str | None = None
        self.signed_name: str = ""
        self.written_name: str = ""
        self.transaction: int = 0
        self.own: bool = False
        # Statements under way: mostly it is one at a time, which needs no dictionary.
        self.one: _Pending | None = None
        self.others: dict[int, _Pending] = {}
        self.late: dict[int, _Late] = {}

    def begin(self, pending: _Pending) -> None:
        if self.one is None:
            self.one = pending
        else:
            self.others[pending.number] = pending

    def end(self, number: int) -> _Pending | None:
        one = self.one
        if one is not None and one.number == number:
            self.one = None
            return one
        return self.others.pop(number, None)

    def sends(self, transaction: int) -> None:
        """A statement of this transaction comes: whom an earlier one named no longer counts."""
        if transaction != self.transaction:
            self.transaction = transaction
            if self.written_name:
                self.written_name = ""
                self.operator = self.signed_in

    def renamed_by(self, meaning: Meaning) -> bool:
        """Whether the statement names another operator than the one it would be noted for."""
        name = meaning.operator.text if meaning.operator is not None else None
        if not name:
            return False
        signs_in = meaning.operator_scope == "session"
        return name != (self.signed_name if signs_in else self.written_name)

    def told(self, meaning: Meaning, transaction: int, operator: str | None) -> None:
        """The judge's word on who sent a statement of `transaction`, which may be over by now."""
        name = meaning.operator.text if meaning.operator is not None else None
        current = transaction == self.transaction
        if name and meaning.operator_scope == "session":
            self.signed_name = name
            # Inside a transaction that names its writer, the judge's word is about that one.
            self.signed_in = name if self.written_name else operator
            if not self.written_name:
                self.operator = operator
        elif current:
            if name:
                self.written_name = name
            elif not self.written_name:
                self.signed_in = operator
            self.operator = operator


class Decider(contract.Decider):
    """The `sense.gateway.Decider` of one process of a route; for a tap, whoever listens calls it
    as a gateway would."""

    def __init__(self, config: Config, sensor: Route | Tap, recorder: Recorder) -> None:
        run = Path(config.paths.run)
        database = next(d for d in config.database if d.name == sensor.database)
        self._source: Source = "gateway" if isinstance(sensor, Route) else "tap"
        self._route: str = sensor.name
        self._database: str = database.name
        self._dialect: str = database.dialect
        self._node: str = config.site.node
        self._recorder: Recorder = recorder
        self._analyser: ipc.Client = ipc.Client(run / "analyser.sock")
        self._judge: ipc.Client = ipc.Client(run / "judge.sock")
        self._templates: Templates = Templates()
        self._world: int = 0
        self._sessions: dict[str, _Session] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._since_us: int = now_us()
        self._statements: int = 0
        self._unjudged: int = 0
        self._last_us: int | None = None

    def start(self) -> None:
        self._go(self._follow_worlds())

    async def close(self) -> None:
        """Let what is under way end, for a moment."""
        _done, late = await asyncio.wait([*self._tasks, asyncio.create_task(_nothing())], timeout=1)
        for task in late:
            task.cancel()
        await self._analyser.close()
        await self._judge.close()

    def coverage(self) -> Coverage:
        """What this process has seen."""
        return Coverage(
            kind="route",
            name=self._route,
            database=self._database,
            at_us=now_us(),
            since_us=self._since_us,
            node=self._node,
            statements=self._statements,
            connections=len(self._sessions),
            unjudged=self._unjudged,
            last_us=self._last_us,
        )

    # -------------------------------------------------------------- connections

    def opened(self, connection: Connection, leg: Leg) -> None:
        session = self._sessions.get(connection.id)
        if session is not None:
            session.connection = connection
            return
        session = self._sessions[connection.id] = _Session(connection)
        session.leg = leg.local
        self._act(
            "session.opened",
            connection,
            {"server_side": leg.local, "server_pid": str(leg.pid), "account": connection.account},
        )

    def is_leg(self, address: str) -> bool:
        """Whether a connection that is open now reaches the server from this address:port."""
        return any(session.leg == address for session in self._sessions.values())

    def refused(self, connection: Connection, sqlstate: str, error: str) -> None:
        details = {"sqlstate": sqlstate, "error": happening.readable(error)}
        self._act("session.refused", connection, {**details, "account": connection.account})

    def closed(self, connection: Connection) -> None:
        session = self._sessions.pop(connection.id, None)
        if session is None:
            return
        name = connection.id.encode()
        if session.own:
            self._go(self._tell(self._analyser, name))
        self._go(self._tell(self._judge, name))

    def _act(self, what: str, connection: Connection, details: dict[str, str]) -> None:
        self._recorder.later(
            Act(now_us(), what, self._source, connection.id, connection.client, details)
        )

    async def _tell(self, client: ipc.Client, connection: bytes) -> None:
        # Memories of sessions are bounded; one that is not told of an end does no harm.
        with contextlib.suppress(ipc.Unavailable, ipc.Refusal):
            await client.call("closed", connection)

    # -------------------------------------------------------------- statements

    def decide(self, connection: Connection, statement: Statement) -> Verdict | Awaitable[Verdict]:
        session = self._sessions[connection.id]
        self._statements += 1
        self._last_us = statement.at_us
        session.sends(statement.transaction)
        if session.own or statement.doubt or statement.cut_binds:
            return self._decide(session, connection, statement, None)
        found = self._templates.look(statement.sql, self._dialect, statement.binds)
        if found is None:
            return self._decide(session, connection, statement, None)
        if found.quiet:
            session.begin(_Pending(statement.number, found, None, session.operator))
            return PASS
        return self._decided(session, connection, statement, found)

    def _decided(
        self, session: _Session, connection: Connection, statement: Statement, found: Found
    ) -> Verdict | Awaitable[Verdict]:
        meaning = found.meaning
        if _only_work(meaning):
            if session.renamed_by(meaning):
                return self._work(session, connection, statement, found)
            session.begin(_Pending(statement.number, found, None, session.operator))
            self._go(self._learn(session, connection, statement, found))
            return PASS
        return self._decide(session, connection, statement, found)

    async def _work(
        self, session: _Session, connection: Connection, statement: Statement, found: Found
    ) -> Verdict:
        await self._learn(session, connection, statement, found)
        session.begin(_Pending(statement.number, found, None, session.operator))
        return PASS

    async def _decide(
        self,
        session: _Session,
        connection: Connection,
        statement: Statement,
        found: Found | None,
    ) -> Verdict:
        try:
            pending = await self._judged(session, connection, statement, found)
        except BaseException:
            late = session.late.pop(statement.number, None)
            if late is not None and late.outcome is not None:
                self._go(self._late(session, connection, statement, late.outcome))
            raise
        late = session.late.get(statement.number)
        if late is None:
            session.begin(pending)
        elif late.outcome is None:
            late.pending = pending
        else:
            del session.late[statement.number]
            self._belated(connection, statement, pending, late.outcome)
        return PASS if pending.told is None else pending.told.verdict

    async def _judged(
        self,
        session: _Session,
        connection: Connection,
        statement: Statement,
        found: Found | None,
    ) -> _Pending:
        statement = happening.written(statement)
        if found is None:
            found = await self._analysed(session, connection, statement)
            if found.quiet and not statement.doubt:
                return _Pending(statement.number, found, None, session.operator)
            if _only_work(found.meaning) and not statement.doubt:
                await self._learn(session, connection, statement, found)
                return _Pending(statement.number, found, None, session.operator)
        told = await self._asked(session, connection, statement, found)
        pending = _Pending(statement.number, found, told, session.operator)
        if told.verdict.decision in _DURABLE and statement.number not in session.late:
            answered: Answered = "denied" if told.verdict.decision == "deny" else "forwarded"
            event = happening.event_of(
                connection, statement, told, found.template.digest.hex(), answered=answered
            )
            pending.seq = await self._recorder.record(event)
        return pending

    async def _analysed(
        self, session: _Session, connection: Connection, statement: Statement
    ) -> Found:
        ask = analyser.Ask(self._database, connection.id, statement.sql, statement.binds)
        raw = await self._analyser.call("analyse", msgspec.msgpack.encode(ask))
        answer = msgspec.msgpack.decode(raw, type=analyser.Answer)
        session.own = answer.own
        if answer.world != self._world:
            self._templates, self._world = Templates(), answer.world
        analysis = answer.analysis
        if statement.doubt or statement.cut_binds or answer.own:
            analysis = replace(analysis, meaning=replace(analysis.meaning, volatile=True))
        return self._templates.learn(statement.sql, self._dialect, analysis, statement.binds)

    async def _asked(
        self, session: _Session, connection: Connection, statement: Statement, found: Found
    ) -> Told:
        meaning = doubted(found.meaning) if statement.doubt else found.meaning
        ask = judge.Ask(
            connection,
            meaning,
            statement.at_us,
            found.template.digest,
            transaction=statement.transaction,
        )
        raw = await self._judge.call("judge", msgspec.msgpack.encode(ask))
        told = msgspec.msgpack.decode(raw, type=Told)
        operator = told.who.operator
        session.told(
            meaning, statement.transaction, operator.value if operator is not None else None
        )
        return told

    async def _learn(
        self, session: _Session, connection: Connection, statement: Statement, found: Found
    ) -> None:
        try:
            await self._asked(session, connection, statement, found)
        except (ipc.Unavailable, ipc.Refusal) as error:
            log.warning("work could not be told to the judge: %s", error)

    def given_up(self, connection: Connection, statement: Statement) -> None:
        session = self._sessions.get(connection.id)
        if session is not None:
            session.late[statement.number] = _Late()

    def completed(
        self,
        connection: Connection,
        statement: Statement,
        verdict: Verdict | None,
        outcome: Outcome,
    ) -> None:
        session = self._sessions.get(connection.id)
        late = session.late.get(statement.number) if session is not None and session.late else None
        if session is not None and late is not None:
            if late.pending is None:
                late.outcome = outcome
            else:
                del session.late[statement.number]
                self._belated(connection, statement, late.pending, outcome)
            return
        pending = session.end(statement.number) if session is not None else None
        if session is None or pending is None or verdict is None:
            self._go(self._late(session or _Session(connection), connection, statement, outcome))
            return
        told = pending.told
        decision = told.verdict.decision if told is not None else "pass"
        if decision in _DURABLE:
            self._recorder.later(
                Completed(
                    pending.seq,
                    outcome.rows if outcome.rows >= 0 else None,
                    outcome.bytes if outcome.bytes >= 0 else None,
                    happening.error_of(outcome),
                    happening.took_ms(statement, outcome),
                )
            )
        elif told is not None and decision in _NOTABLE:
            statement = happening.written(statement)
            digest = pending.found.template.digest.hex()
            self._recorder.later(happening.event_of(connection, statement, told, digest, outcome))
        else:
            self._note(connection, statement, pending, outcome)

    def _belated(
        self, connection: Connection, statement: Statement, pending: _Pending, outcome: Outcome
    ) -> None:
        """Record what was judged after the failure policy had answered: what was done with the
        statement is what the policy did, whatever the verdict."""
        told = pending.told
        if told is None or told.verdict.decision == "pass":
            self._note(connection, statement, pending, outcome)
            return
        answered: Answered = "denied" if outcome.end == "denied" else "forwarded"
        if pending.seq:
            self._recorder.later(
                Completed(
                    pending.seq,
                    outcome.rows if outcome.rows >= 0 else None,
                    outcome.bytes if outcome.bytes >= 0 else None,
                    happening.error_of(outcome),
                    happening.took_ms(statement, outcome),
                    answered,
                )
            )
            return
        digest = pending.found.template.digest.hex()
        statement = happening.written(statement)
        self._recorder.later(
            happening.event_of(connection, statement, told, digest, outcome, answered)
        )

    def _note(
        self,
        connection: Connection,
        statement: Statement,
        pending: _Pending,
        outcome: Outcome,
    ) -> None:
        found, at_us = pending.found, statement.at_us
        template = found.template
        brief = Brief(
            connection.id,
            at_us,
            template.digest,
            statement.kind,
            found.literals(),
            statement.binds,
            -1 if outcome.end == "lost" else outcome.at_us - at_us,
            outcome.rows,
            outcome.bytes,
            happening.error_of(outcome) if outcome.error is not None else None,
            pending.operator,
        )
        self._recorder.note(brief, connection, template)

    async def _late(
        self, session: _Session, connection: Connection, statement: Statement, outcome: Outcome
    ) -> None:
        """Judge what was answered (or refused by the server) before it could be judged."""
        statement = happening.written(statement)
        for _attempt in range(120):
            try:
                found = await self._analysed(session, connection, statement)
                told = await self._asked(session, connection, statement, found)
                break
            except (ipc.Unavailable, ipc.Refusal):
                await asyncio.sleep(_PAUSE_S)
        else:
            self._recorder.report_loss("event", 1, _("分析或判断进程长时间不可用"))
            return
        pending = _Pending(statement.number, found, told, session.operator)
        self._belated(connection, statement, pending, outcome)

    # -------------------------------------------------------------- blindness

    def unjudged(self, interval: Unjudged) -> None:
        """Begin and end of a time without verdicts: an alert when it begins, the counts when it
        is over."""
        if interval.until_us is None:
            text = _("线路 {} 暂时不能判断语句，按线路的失败策略处理（原因：{}）").format(
                interval.route, interval.cause
            )
            self._recorder.later(
                happening.blindness(
                    self._source,
                    self._node,
                    self._database,
                    interval.since_us,
                    "route-unjudged",
                    text,
                )
            )
            return
        count = interval.forwarded + interval.refused
        self._unjudged += count
        details = {
            "from": happening.iso(interval.since_us),
            "to": happening.iso(interval.until_us),
            "forwarded": str(interval.forwarded),
            "refused": str(interval.refused),
            "cause": interval.cause,
        }
        self._recorder.later(
            Act(now_us(), "route.unjudged", "gateway", interval.route, details=details)
        )

    # -------------------------------------------------------------- in the background

    async def _follow_worlds(self) -> None:
        while True:
            with contextlib.suppress(ipc.Unavailable, ipc.Refusal):
                async for world in self._analyser.stream("worlds"):
                    if int(world) != self._world:
                        self._templates, self._world = Templates(), int(world)
            await asyncio.sleep(_PAUSE_S)

    def _go(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, NotStored):
            log.error("background work failed", exc_info=error)


def _only_work(meaning: Meaning) -> bool:
    """Nothing is read that counts; keys are written, or a person signs in."""
    return meaning.disclosure == "none" and not meaning.yields and not meaning.pins


async def _nothing() -> None:
    pass
