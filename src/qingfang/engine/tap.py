"""A tap's process: packets of one `[[tap]]`, statements judged as a gateway's are, nothing denied.

Rules this module keeps:

1. The statements of a connection are judged in the order in which they were sent; an alert is
   recorded when the statement is seen, and completed with its outcome.
2. A gateway's own connection to the database is left to the gateway: one statement, one alert, and
   one person who learned from it. It is known by the gateway's word (its address as the database
   sees it), which must be no older than the connection: in the ledger (`session.opened`), or, for a
   connection older than this process, in the answer to our question. A connection is held for
   `HOLD_S` until that word can have come; without it, it is judged here.
3. What is not seen is an alert (once a day for each client and server) and a count: encrypted
   connections, bytes that came twice and differed, an interface that cannot be captured. Losses are
   counted in the ledger too.
4. An analyser or judge that is away is waited for, for `PATIENCE_S` a statement; at most
   `MOST_WAITING` statements wait. What is given up then is counted as unjudged and as a loss.
5. An interface that cannot be captured does not end the process: it is tried again, and until then
   no coverage is reported.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections import OrderedDict, deque
from collections.abc import Awaitable, Coroutine
from pathlib import Path
from typing import Any, Final, Protocol

from qingfang import ipc
from qingfang.config import Config, Database, Tap
from qingfang.engine import gateway, happening, process, status
from qingfang.engine.decider import Decider
from qingfang.engine.passive import DECODERS, Decoding
from qingfang.events import Connection, Coverage, Verdict
from qingfang.language import _
from qingfang.record.client import NotStored, Recordable, end, follow, now_us
from qingfang.record.entries import Act
from qingfang.record.recorder import Recorder
from qingfang.sense.gateway import contract
from qingfang.sense.gateway.contract import Leg
from qingfang.sense.tap.capture import RETIRE_MS, Capture, CaptureRefused
from qingfang.sense.tap.encryption import Blind
from qingfang.sense.tap.flows import Flows
from qingfang.statement import Outcome, Statement

log = logging.getLogger(__name__)

HOLD_S: Final = 2.0
ASK_AFTER_S: Final = 0.25
PATIENCE_S: Final = 60.0
MOST_WAITING: Final = 50_000
RETRY_S: Final = 5.0
_PAUSE_S: Final = 0.5
_MOST_LEGS: Final = 50_000
_DAY_US: Final = 86_400_000_000


class _Heard:
    """A statement until it is judged and its outcome is known."""

    __slots__ = ("coming", "connection", "outcome", "statement", "verdict")

    def __init__(self, connection: Connection, statement: Statement) -> None:
        self.connection: Connection = connection
        self.statement: Statement = statement
        self.coming: Awaitable[Verdict] | None = None
        self.verdict: Verdict | None = None
        self.outcome: Outcome | None = None


class _Hearing:
    """One connection. `settled`: it is known (or assumed) whether it is a gateway's own (`leg`)."""

    __slots__ = ("connection", "leg", "open", "over", "queue", "settled", "told", "working")

    def __init__(self, connection: Connection, settled: bool) -> None:
        self.connection: Connection = connection
        self.leg: bool = False
        self.settled: bool = settled
        self.over: bool = False
        self.working: bool = False
        self.told: asyncio.Event = asyncio.Event()
        self.open: dict[int, _Heard] = {}
        self.queue: deque[_Heard] = deque()


class Teller(Protocol):
    """Where alerts about blindness and losses go (`record.recorder.Recorder`)."""

    def later(self, value: Recordable) -> None: ...

    def report_loss(self, kind: str, count: int, why: str) -> None: ...


class Listening:
    """The listener of a tap's connections. `gateways`: whether some route leads to the same
    database, so that gateways' own connections may be among them. `addresses` are the database's,
    as address:port; another server on the wire is judged too, and reported as unregistered.
    `decider` is asked about every statement; whoever made it starts and closes it."""

    def __init__(
        self,
        config: Config,
        tap: Tap,
        recorder: Teller,
        addresses: frozenset[str],
        decider: contract.Decider,
        *,
        hold_s: float = HOLD_S,
    ) -> None:
        self._tap, self._node = tap, config.site.node
        self._recorder = recorder
        self._addresses = addresses
        self._gateways = [
            ipc.Client(gateway.socket(config, route.name, worker))
            for route in config.route
            if route.database == tap.database
            for worker in range(route.workers)
        ]
        self._hold_s = hold_s
        self._decider = decider
        self._hearings: dict[str, _Hearing] = {}
        self._by_client: dict[str, _Hearing] = {}
        self._legs: OrderedDict[str, int] = OrderedDict()
        self._waiting = 0
        self._said: set[tuple[str, str, str]] = set()
        self._said_on = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.statements = self.encrypted = self.unjudged = 0
        self.last_us: int | None = None
        self.unregistered: set[str] = set()

    async def close(self) -> None:
        """Judge what waits, for a moment; what is left is counted as lost."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._hold_s + 1)
        if self._waiting:
            self._give_up(self._waiting, _("旁路结束时还没有判断"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in self._gateways:
            await client.close()

    def gateway_opened(self, address: str, at_us: int) -> None:
        """A gateway's word: at that time this was its own address towards the database."""
        self._legs[address] = at_us
        self._legs.move_to_end(address)
        if len(self._legs) > _MOST_LEGS:
            self._legs.popitem(last=False)
        hearing = self._by_client.get(address)
        if hearing is not None and self._is_leg(hearing.connection):
            hearing.told.set()

    async def _ask_gateways(self, address: str) -> None:
        """Whether the connection from this address is one of theirs, opened before we listened."""
        asked_us = now_us()
        for client in self._gateways:
            # One that is away has no connections; one that is elsewhere cannot be asked.
            with contextlib.suppress(ipc.Unavailable, ipc.Refusal):
                if await client.call("leg", address.encode()):
                    self.gateway_opened(address, asked_us)
                    return

    async def _gateway_said(self, hearing: _Hearing) -> None:
        """Until a gateway has said that the connection is its own."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(ASK_AFTER_S, self._hold_s / 2)):
                await hearing.told.wait()
                return
        await self._ask_gateways(hearing.connection.client)
        await hearing.told.wait()

    def _is_leg(self, connection: Connection) -> bool:
        return self._legs.get(connection.client, -1) >= connection.opened_us

    # -------------------------------------------------------------- statements

    def sent(self, connection: Connection, statement: Statement) -> None:
        self.statements += 1
        self.last_us = statement.at_us
        hearing = self._hearings.get(connection.id) or self._hear(connection)
        if hearing.settled and hearing.leg:
            return
        if self._waiting >= MOST_WAITING:
            self._give_up(1, _("等待判断的语句太多"))
            return
        heard = _Heard(connection, statement)
        hearing.open[statement.number] = heard
        if hearing.settled and not hearing.working:
            answer = self._decider.decide(connection, statement)
            if isinstance(answer, Verdict):
                heard.verdict = answer
                return
            heard.coming = answer
        hearing.queue.append(heard)
        self._waiting += 1
        if not hearing.working:
            hearing.working = True
            self._go(self._work(hearing))

    def completed(self, connection: Connection, statement: Statement, outcome: Outcome) -> None:
        hearing = self._hearings.get(connection.id)
        heard = hearing.open.get(statement.number) if hearing is not None else None
        if hearing is None or heard is None:
            return
        heard.outcome = outcome
        if heard.verdict is not None:
            self._complete(hearing, heard, heard.verdict, outcome)

    def closed(self, connection: Connection) -> None:
        hearing = self._hearings.get(connection.id)
        if hearing is not None:
            hearing.over = True
            if not hearing.working:
                self._forget(hearing)

    def _hear(self, connection: Connection) -> _Hearing:
        self._notice(connection)
        hearing = _Hearing(connection, settled=False)
        self._hearings[connection.id] = hearing
        self._by_client[connection.client] = hearing
        if not self._gateways:
            self._settle(hearing)
        elif self._is_leg(connection):
            hearing.told.set()
            self._settle(hearing)
        return hearing

    def _settle(self, hearing: _Hearing) -> None:
        hearing.settled = True
        hearing.leg = hearing.told.is_set()
        if not hearing.leg:
            self._decider.opened(hearing.connection, Leg("", 0))

    async def _work(self, hearing: _Hearing) -> None:
        """Judge what waits, in order, until nothing does."""
        try:
            if not hearing.settled:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._hold_s):
                        await self._gateway_said(hearing)
                hearing.connection = hearing.queue[0].connection
                self._settle(hearing)
            while hearing.queue:
                heard = hearing.queue.popleft()
                if not hearing.leg:
                    await self._judge(hearing, heard)
                self._waiting -= 1
        finally:
            hearing.working = False
            if hearing.over:
                self._forget(hearing)

    async def _judge(self, hearing: _Hearing, heard: _Heard) -> None:
        for _attempt in range(int(PATIENCE_S / _PAUSE_S)):
            try:
                coming = heard.coming or self._decider.decide(heard.connection, heard.statement)
                heard.coming = None
                heard.verdict = coming if isinstance(coming, Verdict) else await coming
                break
            except (ipc.Unavailable, ipc.Refusal):
                await asyncio.sleep(_PAUSE_S)
            except NotStored:
                # Counted where it happened.
                del hearing.open[heard.statement.number]
                return
            except Exception as error:
                # A fault of ours in one statement must not end the hearing of the others.
                log.error("a statement could not be judged: %s", type(error).__name__)
                del hearing.open[heard.statement.number]
                self._give_up(1, _("内部错误"))
                return
        else:
            del hearing.open[heard.statement.number]
            self._give_up(1, _("分析或判断进程长时间不可用"))
            return
        if heard.outcome is not None:
            self._complete(hearing, heard, heard.verdict, heard.outcome)

    def _complete(
        self, hearing: _Hearing, heard: _Heard, verdict: Verdict, outcome: Outcome
    ) -> None:
        del hearing.open[heard.statement.number]
        self._decider.completed(heard.connection, heard.statement, verdict, outcome)

    def _forget(self, hearing: _Hearing) -> None:
        connection = hearing.connection
        self._hearings.pop(connection.id, None)
        if self._by_client.get(connection.client) is hearing:
            del self._by_client[connection.client]
        if not hearing.leg:
            self._decider.closed(connection)

    def _give_up(self, count: int, why: str) -> None:
        self.unjudged += count
        self._recorder.report_loss("event", count, why)

    # -------------------------------------------------------------- blindness

    def lost(self, connection: Connection, from_client: bool, size: int, at_us: int) -> None:
        self._recorder.report_loss("byte", size, _("报文没有到达旁路"))

    def conflict(self, connection: Connection, from_client: bool, size: int, at_us: int) -> None:
        text = _(
            "客户端 {} 发往数据库的数据前后两次内容不同：可能有人在躲避监测，旁路看到的未必是执行了的"
        )
        self._alarm(connection, "tap-conflict", text.format(_host(connection.client)), at_us)

    def blind(self, connection: Connection, blind: Blind, at_us: int) -> None:
        self._notice(connection)
        self._go(self._blinded(connection, blind, at_us))

    async def _blinded(self, connection: Connection, blind: Blind, at_us: int) -> None:
        if self._gateways:
            await asyncio.sleep(self._hold_s)
            if not self._is_leg(connection):
                await self._ask_gateways(connection.client)
            if self._is_leg(connection):
                return
        self.encrypted += 1
        kind = " ".join(word for word in (blind.kind.upper(), blind.version) if word)
        text = _("客户端 {} 与数据库之间的连接是加密的（{}），旁路看不到其中的语句")
        self._alarm(connection, "tap-blind", text.format(_host(connection.client), kind), at_us)

    def down(self, why: str) -> None:
        """Nothing can be captured from now on."""
        text = _("旁路 {} 抓不到报文，数据库 {} 的语句看不见：{}")
        self._recorder.later(
            self._alert("tap-down", text.format(self._tap.name, self._tap.database, why), now_us())
        )

    def _alarm(self, connection: Connection, code: str, text: str, at_us: int) -> None:
        day = at_us // _DAY_US
        if day != self._said_on:
            self._said_on = day
            self._said.clear()
        key = (code, _host(connection.client), connection.server)
        if key not in self._said:
            self._said.add(key)
            self._recorder.later(self._alert(code, text, at_us, connection))

    def _alert(self, code: str, text: str, at_us: int, connection: Connection | None = None) -> Any:
        return happening.blindness(
            "tap", self._node, self._tap.database, at_us, code, text, connection
        )

    def _notice(self, connection: Connection) -> None:
        if connection.server not in self._addresses and len(self.unregistered) < 1000:
            self.unregistered.add(connection.server)

    # -------------------------------------------------------------- in the background

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("background work failed", exc_info=error)


class _Ear:
    """Everything of one tap but the process: captures, and counts what it cannot see."""

    def __init__(self, config: Config, tap: Tap, protocol: str, listening: Listening) -> None:
        self._tap, self._node, self._listening = tap, config.site.node, listening
        self._decoding = Decoding(listening)
        self._flows = Flows(
            dict.fromkeys(tap.ports, protocol),
            self._decoding,
            source="tap",
            site=config.site.id,
            node=config.site.node,
            prefix=f"{config.site.node}-{secrets.token_hex(4)}-",
        )
        self._since_us = now_us()
        self._dropped_before = 0
        self._capture: Capture | None = None

    def coverage(self) -> Coverage:
        """What has been seen so far, and what has not."""
        counts = self._flows.counts()
        heard = self._listening
        return Coverage(
            kind="tap",
            name=self._tap.name,
            database=self._tap.database,
            at_us=now_us(),
            since_us=self._since_us,
            node=self._node,
            statements=heard.statements,
            connections=self._decoding.connections,
            encrypted=heard.encrypted,
            lost_packets=self._dropped(),
            lost_bytes=counts.lost_bytes,
            undecodable=self._decoding.undecodable,
            unjudged=heard.unjudged,
            last_us=heard.last_us,
            unregistered=tuple(sorted(heard.unregistered)),
        )

    def _dropped(self) -> int:
        if self._capture is None:
            return self._dropped_before
        self._capture.update()
        return self._dropped_before + self._capture.dropped

    async def listen(self, recorder: Recorder) -> None:
        """Until cancelled. Raises `CaptureRefused` when the interface cannot be captured (any
        longer)."""
        tap = self._tap
        told = self._dropped_before
        # On a mirror port the packets are not addressed to us; loopback has no others.
        with Capture(tap.interface, tap.ports, promiscuous=tap.interface != "lo") as capture:
            self._capture = capture
            try:
                while True:
                    frames = capture.read(0)
                    for frame in frames:
                        self._flows.frame(*frame)
                    if frames:
                        await asyncio.sleep(0)
                        continue
                    self._flows.tick(now_us() - 2000 * RETIRE_MS)
                    if (dropped := self._dropped()) > told:
                        recorder.report_loss("packet", dropped - told, _("内核来不及交出报文"))
                        told = dropped
                    await asyncio.sleep(RETIRE_MS / 1000)
            finally:
                self._dropped_before = self._dropped()
                self._capture = None

    def finish(self) -> None:
        """Ends every connection."""
        self._flows.finish(now_us())


async def run(config: Config, stopping: asyncio.Event, *, name: str, worker: int) -> None:
    """Listen for the tap `name` until `stopping` is set. Raises `CaptureRefused` for a protocol
    that cannot be decoded."""
    tap = next(t for t in config.tap if t.name == name)
    database = next(d for d in config.database if d.name == tap.database)
    if database.protocol not in DECODERS:
        raise CaptureRefused(
            _("旁路 {}：还不能解码协议 {}；能解码：{}").format(
                name, database.protocol, "、".join(DECODERS)
            )
        )
    folder = Path(config.paths.run)
    recorder = Recorder(folder / "ledger.sock", f"tap/{name}")
    await recorder.start()
    decider = Decider(config, tap, recorder)
    decider.start()
    listening = Listening(config, tap, recorder, await _addresses(database), decider)
    ear = _Ear(config, tap, database.protocol, listening)
    tasks = [
        asyncio.create_task(_keep_listening(ear, listening, recorder, folder)),
        asyncio.create_task(_follow_gateways(folder / "ledger.sock", listening)),
    ]
    ending = asyncio.create_task(stopping.wait())
    await asyncio.wait((*tasks, ending), return_when=asyncio.FIRST_COMPLETED)
    for task in (*tasks, ending):
        task.cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    ear.finish()
    await listening.close()
    await decider.close()
    await recorder.close()
    for result in found:
        if isinstance(result, Exception):
            raise result


async def _keep_listening(
    ear: _Ear, listening: Listening, recorder: Recorder, folder: Path
) -> None:
    """For ever, over interfaces that go and come."""
    said = ""
    asyncio.get_running_loop().call_soon(process.say_ready)  # when listening has begun
    while True:
        reporting = asyncio.create_task(status.report(folder / "status.sock", ear.coverage))
        try:
            await ear.listen(recorder)
        except CaptureRefused as refused:
            if str(refused) != said:
                said = str(refused)
                log.error("%s", said)
                listening.down(said)
        finally:
            reporting.cancel()
        await asyncio.sleep(RETRY_S)


async def _follow_gateways(ledger: Path, listening: Listening) -> None:
    """For ever."""
    async for entry in follow(ledger, await end(ledger), briefs=False):
        act = entry.value
        if isinstance(act, Act) and act.what == "session.opened" and act.who == "gateway":
            listening.gateway_opened(act.details.get("server_side", ""), act.at_us)


async def _addresses(database: Database) -> frozenset[str]:
    """The database's address as the wire has it; empty names resolve to nothing."""
    host, _colon, port = database.address.rpartition(":")
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except OSError as error:
        log.warning("the address of database %s cannot be found: %s", database.name, error)
        return frozenset()
    return frozenset(
        f"[{at[0]}]:{port}" if family == socket.AF_INET6 else f"{at[0]}:{port}"
        for family, _type, _protocol, _name, at in found
    )


def _host(address: str) -> str:
    return address.rpartition(":")[0]
