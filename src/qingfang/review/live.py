"""New alerts to the browsers that look on: one LISTEN connection a process, fanned out.

Rules this module keeps:

1. What goes out says only «something new»; what is new is fetched through the page's own gate.
2. One database connection listens however many browsers look on; it closes with the last of them
   and is made again when it breaks.
3. A browser that does not take its messages holds one of them, never a queue: many changes are one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
from django.db import connections
from psycopg import sql
from psycopg.conninfo import make_conninfo

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 15.0
AGAIN_S = 1.0


def _dsn() -> str:
    """How Django's own connections reach the database, for a connection of ours."""
    settings = connections["default"].settings_dict
    given: dict[str, Any] = {k: v for k, v in settings["OPTIONS"].items() if k != "pool"}
    for name, key in (("dbname", "NAME"), ("user", "USER"), ("password", "PASSWORD")):
        given[name] = settings[key]
    for name, key in (("host", "HOST"), ("port", "PORT")):
        if settings[key]:
            given[name] = settings[key]
    return make_conninfo(**given)


class Fan:
    """Listens on one channel while somebody looks on."""

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self._waiting: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None
        self._listening = False

    @contextlib.contextmanager
    def watch(self) -> Iterator[asyncio.Event]:
        """An event that is set once when nothing can be missed any more, then at each notice;
        cleared by whoever waits for it."""
        event = asyncio.Event()
        self._waiting.add(event)
        if self._listening:
            event.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen())
        try:
            yield event
        finally:
            self._waiting.discard(event)
            if not self._waiting and self._task is not None:
                self._task.cancel()
                self._task, self._listening = None, False

    async def _listen(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    _dsn(), autocommit=True
                ) as connection:
                    await connection.execute(
                        sql.SQL("LISTEN {}").format(sql.Identifier(self._channel))
                    )
                    # Something may have happened while nobody listened.
                    self._listening = True
                    self._tell()
                    async for _notice in connection.notifies():
                        self._tell()
            except psycopg.Error as error:
                log.warning("listening for alerts: %s; trying again", type(error).__name__)
            self._listening = False
            await asyncio.sleep(AGAIN_S)

    def _tell(self) -> None:
        for event in self._waiting:
            event.set()


_fans: dict[tuple[int, str], Fan] = {}


def fan(channel: str) -> Fan:
    """The one fan of this event loop and channel."""
    return _fans.setdefault((id(asyncio.get_running_loop()), channel), Fan(channel))


async def messages(channel: str) -> AsyncIterator[bytes]:
    """Server-sent events: `alert` when there may be something new (data `start` for the first one,
    of having begun to listen), a comment to keep the line open."""
    with fan(channel).watch() as event:
        yield b"retry: 2000\n\n"
        first = True
        while True:
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):
                    await event.wait()
            except TimeoutError:
                yield b": still here\n\n"
                continue
            event.clear()
            yield b"event: alert\ndata: start\n\n" if first else b"event: alert\ndata: new\n\n"
            first = False
