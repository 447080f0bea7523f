"""Both ends of shipping for tests: certificates, a door in this loop, a wire that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator
from pathlib import Path

from qingfang import ipc
from qingfang.record.client import now_us
from qingfang.ship import certificates
from qingfang.ship.courier import Courier
from qingfang.ship.door import Door, Peer, serve
from qingfang.ship.intake import Intake
from qingfang.ship.shipper import Shipper, Status

NAMES = ("center", "node-1", "node-2", "office")


def fingerprints(place: Path) -> dict[str, str]:
    """A certificate for everybody, in `place`."""
    now = datetime.datetime.now(datetime.UTC)
    return {
        name: certificates.create(name, place / f"{name}.pem", place / f"{name}.key", now)
        for name in NAMES
    }


def courier(place: Path, name: str, port: int, fingerprint: str) -> Courier:
    tls = certificates.client(place / f"{name}.pem", place / f"{name}.key")
    return Courier(f"127.0.0.1:{port}", fingerprint, tls, seconds=20)


@contextlib.asynccontextmanager
async def a_door(place: Path, prints: dict[str, str]) -> AsyncIterator[int]:
    """In front of the ledger in `place`; its port. node-2's certificate is not registered."""
    peers = [Peer("node-1", prints["node-1"], "ship"), Peer("office", prints["office"], "cosign")]
    tls = certificates.server(
        place / "center.pem",
        place / "center.key",
        [(place / f"{peer.name}.pem", peer.fingerprint) for peer in peers],
    )
    intake = Intake(place / "ledger.sock", place / "door.sqlite", now_us)
    stopping = asyncio.Event()
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    door = Door(place / "ledger", intake, peers)
    serving = asyncio.create_task(serve(door, "127.0.0.1:0", tls, stopping, port.set_result))
    try:
        yield await port
    finally:
        stopping.set()
        await serving
        await intake.close()


def a_shipper(spool: Path, sent_by: Courier, **options: int) -> Shipper:
    """From the spool in `spool`, with short pauses."""
    keep = {"keep_us": 10**15, "keep_bytes": 1 << 40} | options
    return Shipper(
        spool / "ledger.sock",
        spool / "ledger",
        sent_by,
        to="center",
        clock=now_us,
        first_pause=0.01,
        longest_pause=0.1,
        **keep,
    )


@contextlib.asynccontextmanager
async def running(shipper: Shipper) -> AsyncIterator[None]:
    task = asyncio.create_task(shipper.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def caught_up(shipper: Shipper) -> Status:
    """When nothing waits any more."""
    while True:
        with contextlib.suppress(ipc.Unavailable):
            status = await shipper.status()
            if not status.waiting and not status.problem:
                return status
        await asyncio.sleep(0.005)


class Wire:
    """A TCP proxy to `port`. The next connection is cut after `up` bytes to the server, or after
    `down` bytes to the client; the ones after it are whole."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.up: int | None = None
        self.down: int | None = None
        self.carried = [0, 0]
        self.port = 0

    async def __aenter__(self) -> Wire:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_what: object) -> None:
        self._server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up, down, self.up, self.down = self.up, self.down, None, None
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self.carried = [0, 0]

        async def one(
            source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: int, limit: int | None
        ) -> None:
            while data := await source.read(65536):
                if limit is not None:
                    data, limit = data[:limit], limit - len(data[:limit])
                self.carried[way] += len(data)
                sink.write(data)
                await sink.drain()
                if limit == 0:
                    return

        ways = {
            asyncio.create_task(one(reader, back, 0, up)),
            asyncio.create_task(one(there, writer, 1, down)),
        }
        if up == 0 or down == 0:
            ways.add(asyncio.create_task(asyncio.sleep(0)))
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ways:
                task.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            writer.transport.abort()
            back.transport.abort()
