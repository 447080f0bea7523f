"""A terminal's network line: real clients reach the database from the terminal's own address.

Rules this module keeps:

1. A driver connects to a port of this process on 127.0.0.1; the line passes every byte on over a
   connection that is bound to the terminal's address (127.x.y.z), in both directions, unchanged.
   libpq has no way to choose its own source address; this way every driver can have one.
2. When one side closes, the other is closed; nothing is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Line:
    """`port` is where the driver connects to; `client` is the address:port that the other end saw
    of the latest connection, "" before there was one."""

    def __init__(self, address: str, target: tuple[str, int]) -> None:
        self.port = 0
        self.client = ""
        self._address = address
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection(
                *self._target, local_addr=(self._address, 0)
            )
        except (OSError, asyncio.CancelledError):
            # Cancelled by `close`: asyncio would report a handler that ends so as a failure.
            writer.close()
            return
        finally:
            self._tasks.discard(task)
        host, port = far_writer.get_extra_info("sockname")[:2]
        self.client = f"{host}:{port}"
        there = asyncio.create_task(_pump(reader, far_writer))
        back = asyncio.create_task(_pump(far_reader, writer))
        self._tasks |= {there, back}

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        with contextlib.suppress(ConnectionError):
            writer.close()


@contextlib.asynccontextmanager
async def line(address: str, target: tuple[str, int]) -> AsyncIterator[Line]:
    """A line from the terminal at `address` to `target`, for as long as the context lasts."""
    made = Line(address, target)
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.close()
