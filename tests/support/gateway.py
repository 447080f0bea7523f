"""A gateway in a thread of its own, so that tests can be clients as clients are: blocking."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import msgspec
import uvloop

from qingfang.config import Database, Route
from qingfang.decode.pgwire import Inline
from qingfang.events import Connection, Verdict
from qingfang.sense.gateway import Decider, Gateway, Leg, Unjudged
from qingfang.statement import Outcome, Statement

PASS = Verdict("pass")
Rule = Callable[[Statement], "Verdict | Awaitable[Verdict]"]


class Notes(Decider):
    """A decider that decides by `rule` and notes everything it is told."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.done: list[tuple[Statement, Verdict | None, Outcome]] = []
        self.connections: dict[str, Connection] = {}
        self.legs: dict[str, Leg] = {}
        self.refusals: list[tuple[str, str]] = []
        self.intervals: list[Unjudged] = []
        self.gone: set[str] = set()
        self.late: list[str] = []
        self.changed = threading.Condition()

    def opened(self, connection: Connection, leg: Leg) -> None:
        with self.changed:
            self.connections[connection.id] = connection
            self.legs[connection.id] = leg
            self.changed.notify_all()

    def refused(self, connection: Connection, sqlstate: str, error: str) -> None:
        self.refusals.append((connection.account, sqlstate))

    def decide(self, connection: Connection, statement: Statement) -> Verdict | Awaitable[Verdict]:
        return self.rule(statement)

    def given_up(self, connection: Connection, statement: Statement) -> None:
        self.late.append(statement.sql)

    def completed(
        self,
        connection: Connection,
        statement: Statement,
        verdict: Verdict | None,
        outcome: Outcome,
    ) -> None:
        with self.changed:
            self.done.append((statement, verdict, outcome))
            self.changed.notify_all()

    def unjudged(self, interval: Unjudged) -> None:
        self.intervals.append(interval)

    def closed(self, connection: Connection) -> None:
        with self.changed:
            self.gone.add(connection.id)
            self.changed.notify_all()

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Until `condition` holds; what it gave."""
        with self.changed:
            assert self.changed.wait_for(condition, timeout=20), "it never came"
            return condition()

    def of(self, sql: str) -> tuple[Statement, Verdict | None, Outcome]:
        """The finished statement whose text begins so."""
        return self.wait(lambda: next((d for d in self.done if d[0].sql.startswith(sql)), None))


class Running:
    """A gateway that runs; `port` is where, `notes` what it told."""

    def __init__(
        self,
        gateway: Gateway,
        database: Database,
        notes: Notes,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.database = database
        self.gateway, self.notes, self._loop = gateway, notes, loop
        self.route: Route = gateway.settings.route
        self.port = gateway.port

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something on the gateway's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _do(self, work: Callable[[], Any]) -> Any:
        return work()

    def do(self, work: Callable[[], Any]) -> Any:
        return self.call(self._do(work))


@contextlib.contextmanager
def running(
    backend: str,
    rule: Rule = lambda statement: PASS,
    factory: Callable[[], Inline] = Inline,
    **route: Any,
) -> Iterator[Running]:
    """A gateway before `backend` (address:port), on a free port."""
    settings = msgspec.convert(
        {"name": "his", "database": "his", "listen": "127.0.0.1:0", **route}, Route
    )
    database = msgspec.convert({"name": "his", "address": backend, "catalogue": "c.json"}, Database)
    notes = Notes(rule)
    decoders: list[Inline] = []

    def decoder() -> Inline:
        decoders.append(factory())
        return decoders[-1]

    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def begin() -> Gateway:
        gateway = Gateway(settings, database, decoder, notes, site="s", node="n")
        await gateway.listen()
        return gateway

    async def rest() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    try:
        gateway = asyncio.run_coroutine_threadsafe(begin(), loop).result(20)
        try:
            yield Running(gateway, database, notes, loop)
        finally:
            asyncio.run_coroutine_threadsafe(gateway.drain(0), loop).result(20)
            asyncio.run_coroutine_threadsafe(rest(), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
    assert [d.mismatches for d in decoders if d.mismatches] == [], "the decoder lost its place"
