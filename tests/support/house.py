"""The house at its smallest: its real processes in front of a real database with one telling table.

Everything runs but the console. The supervisor has a thread of its own, so that tests are clients as
clients are: blocking.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from qingfang import config as configuration
from qingfang import crypto, ipc
from qingfang.engine import house
from qingfang.events import Coverage, Event
from qingfang.judge import snapshot as snapshots
from qingfang.judge.snapshot import RouteMode, Snapshot
from qingfang.postgres import free_port
from qingfang.record import reading
from qingfang.record.client import now_us
from qingfang.record.entries import Act, Entry, Loss

CATALOGUE = {
    "name": "小医院",
    "dialect": "postgres",
    "tables": {
        "public.rx": {
            "kind": "usage",
            "columns": {
                "no": "prescription_id",
                "doctor": "prescriber_id",
                "item": "item_id",
                "qty": "quantity",
            },
        },
        "public.ward": {"kind": "other", "columns": {"no": None, "name": None}},
    },
}
TABLES = """
CREATE TABLE rx (no text, doctor text, item text, qty int);
INSERT INTO rx SELECT 'R' || n, 'D' || n % 7, 'Y' || n % 5, n FROM generate_series(1, 200) n;
CREATE TABLE ward (no int, name text);
INSERT INTO ward VALUES (1, '内科');
"""
USAGE = "SELECT doctor, sum(qty) FROM rx WHERE item = 'Y{}' GROUP BY doctor"
WORK = "SELECT name FROM ward WHERE no = {}"
PATIENCE_S = 30.0

T = TypeVar("T")


def until(found: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """What `found` gives as soon as it is true of it."""
    end = time.monotonic() + patience_s
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def _ended(process: psutil.Process) -> bool:
    """Gone, or dead and not yet waited for; it may go between two questions."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class House:
    """`dsn` is the database's, `port` where it listens; `more` is added to the configuration file.
    The route `main` is clinical and fails open, `desk` fails closed. Use as a context manager."""

    def __init__(
        self,
        place: Path,
        dsn: str,
        port: int,
        *,
        more: str = "",
    ) -> None:
        self.place, self.port = place, port
        self.state, self.run = place / "state", place / "run"
        self.ports = {"main": free_port(), "desk": free_port()}
        self._dsn = make_conninfo(dsn, host="127.0.0.1")
        self.key = crypto.create_key(place / "signing.key")
        (self.state / "keys").mkdir(parents=True)
        crypto.save_public(self.state / "keys" / "snapshot.pub", self.key)
        self.catalogue = self.state / "catalogue.json"
        self.catalogue.write_text(json.dumps(CATALOGUE), encoding="utf-8")
        self.file = place / "qingfang.toml"
        self.file.write_text(
            f"""
[site]
id = "h"
[paths]
state = "{self.state}"
run = "{self.run}"
[console]
listen = "127.0.0.1:{free_port()}"
[[database]]
name = "his"
address = "127.0.0.1:{port}"
catalogue = "state/catalogue.json"
[[route]]
name = "main"
database = "his"
listen = "127.0.0.1:{self.ports["main"]}"
kind = "clinical"
budget_ms = 5000
[[route]]
name = "desk"
database = "his"
listen = "127.0.0.1:{self.ports["desk"]}"
kind = "report"
budget_ms = 10000
{more}
""",
            encoding="utf-8",
        )
        self.config = configuration.read(self.file)

    def __enter__(self) -> House:
        self.set_up()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        try:
            self._do(self._start())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_what: object) -> None:
        self._end()

    def set_up(self) -> None:
        """The database's tables."""
        with self.client("direct") as connection:
            connection.execute(TABLES)

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    async def _start(self) -> None:
        self._standing = house.standing(self.config, self.file, console=False)
        self._boss = await self._standing.__aenter__()

    async def _stop(self) -> None:
        await self._standing.__aexit__(None, None, None)

    def _end(self) -> None:
        try:
            self._do(self._stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    # -------------------------------------------------------------- clients

    def client(self, route: str = "main", **more: Any) -> psycopg.Connection[Any]:
        """Through `route`, or around all of them (`direct`)."""
        port = self.port if route == "direct" else self.ports[route]
        options = {"autocommit": True, "sslmode": "disable", **more}
        return psycopg.connect(self._dsn, port=port, **options)

    # -------------------------------------------------------------- processes

    def pid(self, name: str) -> int:
        service = next(s for s in self._boss.services if s.name == name)
        assert service.process is not None
        return service.process.pid

    def kill(self, name: str) -> None:
        """kill -9, and it is dead when this returns; the supervisor starts it again."""
        process = psutil.Process(self.pid(name))
        process.kill()
        until(lambda: _ended(process))

    def pause(self, name: str) -> None:
        """It is there and does nothing any more, until it is killed."""
        os.kill(self.pid(name), signal.SIGSTOP)

    # -------------------------------------------------------------- what it says

    def hand_down(self, version: int, *, key: crypto.Signer | None = None, **more: Any) -> None:
        """A snapshot in which `desk` enforces."""
        told = Snapshot(
            site="h",
            version=version,
            made_at_us=now_us(),
            expires_at_us=now_us() + 3600_000_000,
            routes=(RouteMode(route="desk", mode="enforce"),),
            **more,
        )
        fresh = self.state / "snapshot.new"
        fresh.write_bytes(snapshots.seal(told, (key or self.key).sign))
        fresh.replace(self.state / "snapshot.json")

    def entries(self) -> Iterator[Entry]:
        return reading.records(self.state / "ledger")

    def events(self, *, verdict: str = "", kind: str = "", about: str = "") -> list[Event]:
        return [
            e.value
            for e in self.entries()
            if isinstance(e.value, Event)
            and (not verdict or e.value.verdict == verdict)
            and (not kind or e.value.kind == kind)
            and about.lower() in e.value.sql.lower()
        ]

    def acts(self, what: str) -> list[Act]:
        return [
            e.value for e in self.entries() if isinstance(e.value, Act) and e.value.what == what
        ]

    def losses(self) -> list[Loss]:
        return [e.value for e in self.entries() if isinstance(e.value, Loss)]

    def coverage(self, kind: str) -> Coverage:
        client = ipc.BlockingClient(self.run / "status.sock")
        try:
            import msgspec

            answer = client.call("coverage")
            return next(
                c for c in msgspec.json.decode(answer, type=list[Coverage]) if c.kind == kind
            )
        finally:
            client.close()
