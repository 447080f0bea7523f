"""One connection through the gateway: two legs, a decoder between them, a verdict for each
statement.

How it works: bytes of either leg go into the decoder; `_pump` answers its questions and writes what
it hands on. When a verdict must be awaited, reading from the client pauses (the decoder holds what
came), and `_pump` runs again when it is there. The server is only called once the client has said
who it is.

Rules this module keeps:

1. Either leg that cannot write pauses reading of the other: nothing piles up here.
2. When one leg ends, so does the other: a client that dies in the middle of COPY takes its server
   connection with it.
3. Whatever goes wrong, the client is told in its own protocol, once, and only between two frames.
4. A verdict that does not come within the route's budget is replaced by the route's failure policy,
   and this is counted (failure.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from qingfang.events import (
    ASKS,
    TELLS,
    TO_CLIENT,
    TO_SERVER,
    UNSETTLED,
    Connection,
    SessionFact,
    Verdict,
)
from qingfang.language import _
from qingfang.sense.gateway.backend import call, cancel
from qingfang.sense.gateway.contract import Decider, Decoder, Leg
from qingfang.sense.gateway.failure import Failure
from qingfang.statement import Outcome, Statement

if TYPE_CHECKING:
    from qingfang.sense.gateway.server import Gateway

log = logging.getLogger(__name__)

SIGN_IN_SECONDS = 60  # as the server's own authentication_timeout
CONNECT_SECONDS = 10
_TLS_HANDSHAKE = 0x16
_TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x28"  # fatal, handshake_failure


_clock: Final = time.time_ns


def now_us() -> int:
    return _clock() // 1000


def address(pair: object) -> str:
    """`address:port` of a socket name, IPv6 in brackets."""
    if not isinstance(pair, tuple):
        return ""
    host, port = pair[0], pair[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """A peer that vanished is noticed within two minutes."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Relay:
    """The client's leg (an asyncio.Protocol in all but name: so it compiles to a native class), and
    the owner of the connection."""

    def __init__(self, gateway: Gateway, number: int) -> None:
        self._gateway = gateway
        self._settings = gateway.settings
        self._failure: Failure = gateway.failure
        self._decider: Decider = gateway.decider
        self._decoder: Decoder = gateway.decoder_factory()
        self._number = number
        self._client: asyncio.Transport | None = None
        self._server: asyncio.Transport | None = None
        # Statements without an outcome yet: mostly it is one at a time, which needs no dictionary.
        self._one: Statement | None = None
        self._verdict: Verdict | None = None
        self._open: dict[int, tuple[Statement, Verdict | None]] = {}
        self._connection: Connection | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._client_reading = True
        self._server_reading = True
        self._server_full = False
        self._deciding = False
        self._away = False  # the client's leg is being encrypted, or no longer listened to
        self._connecting = False
        self._admitted = False
        self._heard = False
        self._leaving = False
        self._ended = False

    # -------------------------------------------------------------- the client's leg

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client = cast("asyncio.Transport", transport)
        keep_alive(transport)
        settings = self._settings
        self._connection = Connection(
            id=f"{settings.prefix}-{self._number}",
            site=settings.site,
            node=settings.node,
            source="gateway",
            protocol=settings.protocol,
            server=settings.backend_name,
            client=address(transport.get_extra_info("peername")),
            opened_us=now_us(),
            route=settings.route.name,
        )
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(SIGN_IN_SECONDS, self._too_slow)

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        if not self._heard and data[0] == _TLS_HANDSHAKE:
            # TLS without asking first (sslnegotiation=direct) is not offered.
            assert self._client is not None
            self._client.write(_TLS_ALERT)
            self._end()
            return
        self._heard = True
        try:
            self._turn(self._decoder.client(data, now_us()))
        except Exception as error:
            self._broken(error)

    def eof_received(self) -> bool:
        return False  # close

    def pause_writing(self) -> None:
        self._read_server(False)

    def resume_writing(self) -> None:
        self._read_server(True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def _too_slow(self) -> None:
        self.refuse("57014", _("登录超时"))

    # -------------------------------------------------------------- the server's leg

    def server_made(self, transport: asyncio.Transport) -> None:
        self._server = transport

    def server_received(self, data: bytes) -> None:
        if self._ended:
            return
        try:
            self._turn(self._decoder.server(data, now_us()))
        except Exception as error:
            self._broken(error)

    def server_full(self, full: bool) -> None:
        self._server_full = full
        self._read_client()

    def server_lost(self) -> None:
        if self._ended:
            return
        if self._decoder.terminated or self._decoder.dismissed:
            self._end()
        else:
            self.refuse("08006", _("到数据库的连接中断了"))

    # -------------------------------------------------------------- relaying

    def _turn(self, to_do: int) -> None:
        """The decoder was given bytes. What most turns need, with few calls; else `_pump`."""
        decoder = self._decoder
        while to_do & ASKS and not self._deciding:
            asked = decoder.asked
            assert asked is not None
            to_do = self._ask(asked)
        server, client = self._server, self._client
        if (
            to_do & (ASKS | UNSETTLED)
            or server is None
            or client is None
            or self._away
            or self._leaving
            or not self._client_reading
        ):
            self._pump()
            return
        if to_do & TO_SERVER:
            one = decoder.piece_to_server()
            if one:
                server.write(one)
            else:
                for piece in decoder.take_to_server():
                    server.write(piece)
        if to_do & TO_CLIENT:
            one = decoder.piece_to_client()
            if one:
                client.write(one)
            else:
                for piece in decoder.take_to_client():
                    client.write(piece)
        if to_do & TELLS:
            outcome = decoder.take_outcome()
            if outcome is not None:
                self._outcome(outcome)
            else:
                self._tell(decoder.take_events())

    def _pump(self) -> None:
        """Answer the decoder's questions and write what it hands on."""
        decoder = self._decoder
        asked = decoder.asked
        while asked is not None and not self._deciding:
            self._ask(asked)
            asked = decoder.asked
        if self._away:
            return
        server, client = self._server, self._client
        if server is not None:
            for piece in decoder.take_to_server():
                server.write(piece)
        elif decoder.request:
            self._requested(decoder.request)
            return
        elif decoder.started and not self._connecting:
            self._connect()
            if self._ended:
                return
        if client is not None:
            for piece in decoder.take_to_client():
                client.write(piece)
        events = decoder.take_events()
        if events:
            self._tell(events)
        if server is None or not self._client_reading or decoder.waiting:
            self._read_client()
        if self._leaving and decoder.idle:
            self.shut()

    def _ask(self, statement: Statement) -> int:
        """Have the asked statement decided. Returns what there is to do."""
        assert self._connection is not None
        try:
            found = self._decider.decide(self._connection, statement)
        except Exception as error:
            return self._unjudged(statement, type(error).__name__)
        if isinstance(found, Verdict):
            return self._answer(statement, found)
        self._deciding = True
        self._start(self._await(statement, found))
        return ASKS

    async def _await(self, statement: Statement, coming: Awaitable[Verdict]) -> None:
        """Wait for a verdict within the budget. One that comes later is not cancelled: the decider
        may still record what it found."""
        task = asyncio.ensure_future(coming)
        cause = ""
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({task}, timeout=self._settings.route.budget_ms / 1000)
        self._deciding = False
        if not task.done():
            cause = "timeout"
            task.add_done_callback(_look_away)
            assert self._connection is not None
            self._decider.given_up(self._connection, statement)
        elif task.cancelled():
            cause = "cancelled"
        elif (error := task.exception()) is not None:
            cause = type(error).__name__
        if self._ended:
            return
        try:
            if cause:
                self._unjudged(statement, cause)
            else:
                self._answer(statement, task.result())
            self._pump()
        except Exception as error:
            self._broken(error)

    def _answer(self, statement: Statement, verdict: Verdict) -> int:
        self._failure.judged()
        self._begun(statement, verdict)
        if verdict.decision in {"deny", "mask"}:
            return self._decoder.deny(
                _("这条语句被防统方系统拒绝（编号 {}）。合法统计请先申请授权。").format(
                    self._name(statement)
                )
            )
        return self._decoder.allow()

    def _unjudged(self, statement: Statement, cause: str) -> int:
        """No verdict: the route's failure policy decides."""
        opens = self._settings.fails_open
        self._failure.failed(opens, cause)
        self._begun(statement, None)
        if opens:
            return self._decoder.allow()
        return self._decoder.deny(
            _("防统方系统暂时无法判断这条语句，已按本线路的规定拒绝（编号 {}）。").format(
                self._name(statement)
            )
        )

    def _begun(self, statement: Statement, verdict: Verdict | None) -> None:
        if self._one is None:
            self._one, self._verdict = statement, verdict
        else:
            self._open[statement.number] = (statement, verdict)

    def _name(self, statement: Statement) -> str:
        assert self._connection is not None
        return f"{self._connection.id}/{statement.number}"

    def _tell(self, events: list[Statement | Outcome | SessionFact]) -> None:
        for event in events:
            if isinstance(event, Outcome):
                self._outcome(event)
            elif isinstance(event, Statement):
                self._begun(event, None)
            else:
                self._facts(event)

    def _outcome(self, outcome: Outcome) -> None:
        connection = self._connection
        assert connection is not None
        statement, verdict = self._one, self._verdict
        if statement is not None and statement.number == outcome.number:
            self._one = None
        elif (found := self._open.pop(outcome.number, None)) is not None:
            statement, verdict = found
        else:
            return
        try:
            self._decider.completed(connection, statement, verdict, outcome)
        except Exception:
            self._failed()

    def _facts(self, fact: SessionFact) -> None:
        assert self._connection is not None
        connection = self._connection = msgspec.structs.replace(
            self._connection,
            account=fact.account,
            database=fact.database,
            program=fact.program,
            tls=fact.tls,
        )
        if fact.stage == "refused":
            self._guard(self._decider.refused, connection, fact.sqlstate, fact.error or "")
        else:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            local = ""
            if self._server is not None:
                local = address(self._server.get_extra_info("sockname"))
            self._guard(self._decider.opened, connection, Leg(local, fact.pid))

    def _guard(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            call(*arguments)
        except Exception:
            self._failed()

    def _failed(self) -> None:
        log.exception("the decider failed on route %s", self._settings.route.name)

    def _read_client(self) -> None:
        client = self._client
        if client is None or self._away or client.is_closing():
            return
        wanted = not (
            self._server_full
            or self._decoder.waiting
            or (self._decoder.started and self._server is None)
        )
        if wanted != self._client_reading:
            self._client_reading = wanted
            if wanted:
                client.resume_reading()
            else:
                client.pause_reading()

    def _read_server(self, wanted: bool) -> None:
        server = self._server
        if server is None or server.is_closing() or wanted == self._server_reading:
            return
        self._server_reading = wanted
        if wanted:
            server.resume_reading()
        else:
            server.pause_reading()

    # -------------------------------------------------------------- beginning

    def _requested(self, request: str) -> None:
        client = self._client
        assert client is not None
        if request == "cancel":
            self._away = True
            self._start(self._cancel(self._decoder.cancel_packet))
            return
        context = self._settings.front
        self._decoder.tls_answer(context is not None)
        if context is None:
            self._pump()
            return
        self._away = True
        client.pause_reading()
        for piece in self._decoder.take_to_client():
            client.write(piece)
        self._start(self._secure(client, context))

    async def _secure(self, client: asyncio.Transport, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(
                client,
                cast("asyncio.Protocol", self),
                context,
                server_side=True,
                ssl_handshake_timeout=CONNECT_SECONDS,
            )
        except (OSError, ssl.SSLError) as error:
            log.info("route %s: TLS handshake: %s", self._settings.route.name, error)
            self._end()
            return
        if self._ended or secured is None:
            self._end()
            return
        self._client = secured
        self._away = False
        try:
            self._pump()
        except Exception as error:
            self._broken(error)

    def _connect(self) -> None:
        self._connecting = True
        settings = self._settings
        if settings.route.require_tls and not self._decoder.fact().tls:
            self.refuse("28000", _("这条线路只接受加密连接（sslmode=require）"))
        elif self._gateway.draining:
            self.refuse("57P03", _("网关正在停止，请稍后重连"))
        elif not self._gateway.admit():
            self.refuse("53300", _("本线路的连接数已到上限"))
        else:
            self._admitted = True
            self._start(self._call_server())

    async def _call_server(self) -> None:
        settings = self._settings
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                transport = await call(
                    cast("asyncio.Protocol", ServerLeg(self)), settings, self._decoder.tls_request
                )
        except (OSError, TimeoutError, ssl.SSLError) as error:
            log.warning(
                "route %s: the database cannot be reached (%s)",
                settings.route.name,
                type(error).__name__,
            )
            self.refuse("08001", _("数据库 {} 连接不上").format(settings.route.database))
            return
        if self._ended:
            transport.abort()
            return
        self._server = transport
        try:
            self._pump()
        except Exception as error:
            self._broken(error)

    async def _cancel(self, packet: bytes) -> None:
        """Pass a cancel request on: it says whom it means by the server's own key."""
        with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
            async with asyncio.timeout(CONNECT_SECONDS):
                await cancel(self._settings, self._decoder.tls_request, packet)
        self._end()

    # -------------------------------------------------------------- ending

    def shut_when_idle(self) -> None:
        """The gateway stops: end now when nothing is open, else when the transaction is over."""
        self._leaving = True
        if self._decoder.idle:
            self.shut()

    def shut(self) -> None:
        """The gateway stops."""
        self.refuse("57P01", _("网关停止，连接结束，请重新连接"))

    def refuse(self, sqlstate: str, message: str) -> None:
        """Tell the client why, and end."""
        if self._ended:
            return
        self._say_last(self._decoder.refusal(sqlstate, message))

    def _say_last(self, response: bytes) -> None:
        if self._client is not None and not self._away and self._decoder.between_answers:
            self._client.write(response)
        self._end()

    def _broken(self, error: Exception) -> None:
        if self._ended:
            return
        response = getattr(error, "response", b"")
        if response:
            log.info("route %s: %s", self._settings.route.name, error)
        else:
            log.error(
                "route %s: a connection failed inside the gateway",
                self._settings.route.name,
                exc_info=error,
            )
            response = self._decoder.refusal("XX000", _("网关内部错误"))
        if self._client is not None:
            for piece in self._decoder.take_to_client():
                self._client.write(piece)
        self._say_last(response)

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self._client is not None:
            self._client.close()
        if self._server is not None:
            if self._decoder.terminated:
                self._server.close()
            else:
                self._server.abort()
        self._decoder.close(now_us())
        if self._connection is not None:
            self._tell(self._decoder.take_events())
            if self._admitted:
                self._guard(self._decider.closed, self._connection)
        self._gateway.left(self, self._admitted)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _look_away(task: asyncio.Future[Verdict]) -> None:
    """A verdict that came too late; its failure has been counted already."""
    if not task.cancelled():
        task.exception()


class ServerLeg:
    """The leg towards the server; an asyncio.Protocol as `Relay` is."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        keep_alive(transport)

    def data_received(self, data: bytes) -> None:
        self._relay.server_received(data)

    def eof_received(self) -> bool:
        return False  # close

    def pause_writing(self) -> None:
        self._relay.server_full(True)

    def resume_writing(self) -> None:
        self._relay.server_full(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.server_lost()
