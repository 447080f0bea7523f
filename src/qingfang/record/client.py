"""The ledger as code without an event loop sees it (the console), and as readers that follow see it.

Whoever records from an event loop uses `record.recorder`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import msgspec

from qingfang import ipc
from qingfang.events import Event
from qingfang.record import codec, frame, protocol
from qingfang.record.entries import Act, Completed, Entry
from qingfang.record.protocol import Append, Frames, Read, Stat

Recordable = Event | Act | Completed

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0
_WAIT_MS: Final = 20_000


class NotStored(Exception):
    """The record is not in the ledger and will not be; it has been counted as lost."""


def now_us() -> int:
    return time.time_ns() // 1000


class BlockingRecorder:
    """One record at a time, durable on return."""

    def __init__(self, socket: Path, source: str, *, timeout: float = 10.0) -> None:
        self._ledger = ipc.BlockingClient(socket, timeout)
        self._source = source
        self._origin = os.urandom(8)
        self._batch = 0
        self._seen = self._lost = 0

    def record(self, value: Recordable, mark: bytes | None = None) -> int:
        """The record's sequence number. `mark`: a token of the caller's own (`codec.token`), to
        send the same record again after a crash without storing it twice. Raises `NotStored`, or
        `ipc.Unavailable` (it may or may not be stored: send it again under the same mark)."""
        self._batch += 1
        seen = 0
        if mark is None:
            seen = self._seen = self._seen + 1
        content = codec.pack(value, mark or codec.token(self._origin, self._batch))
        request = Append(codec.kind_of(value), 1, 0, seen, self._lost, 1, self._source, content)
        while True:
            try:
                answer = self._ledger.call("append", protocol.encode_append(request))
            except ipc.Refusal as no:
                if str(no).startswith(protocol.STALE):
                    continue
                self._lost += seen > 0
                raise NotStored(str(no)) from None
            except ipc.Unavailable:
                # It may be stored; we do not believe so.
                self._lost += seen > 0
                raise
            return protocol.decode_stored(answer)[0]

    def close(self) -> None:
        self._ledger.close()


# ------------------------------------------------------------------ reading


class _Follower:
    """What to ask next and what the answer says; no input or output."""

    def __init__(self, first: int, *, live: bool, briefs: bool) -> None:
        self._live = live
        self._decoder = codec.Decoder("", first, briefs=briefs)
        kinds = () if briefs else tuple(k for k in frame.KINDS if k != frame.BLOCK)
        self._read = Read(
            first=first, back=int(briefs), kinds=kinds, wait_ms=_WAIT_MS if live else 0
        )
        self.done = False

    def request(self) -> bytes:
        return msgspec.msgpack.encode(self._read)

    def entries(self, answer: bytes) -> Iterator[Entry]:
        frames = msgspec.msgpack.decode(answer, type=Frames)
        for kind, sequence, content in frames.frames:
            yield from self._decoder.feed(kind, sequence, content)
        self._read = msgspec.structs.replace(self._read, cursor=frames.cursor)
        self.done = frames.end and not self._live


async def follow(
    socket: Path, first: int = 1, *, live: bool = True, briefs: bool = True
) -> AsyncIterator[Entry]:
    """Records from `first` on; with `live` for ever, and across restarts of the ledger. Without
    `live`, up to what is stored when the end is reached, and `ipc.Unavailable` is raised."""
    ledger = ipc.Client(socket)
    reader = _Follower(first, live=live, briefs=briefs)
    pause = _FIRST_PAUSE
    try:
        while not reader.done:
            try:
                answer = await ledger.call("read", reader.request())
            except ipc.Unavailable:
                if not live:
                    raise
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
                continue
            pause = _FIRST_PAUSE
            for entry in reader.entries(answer):
                yield entry
    finally:
        await ledger.close()


async def end(socket: Path) -> int:
    """The sequence number that the next record gets; waits for a ledger that is away."""
    ledger = ipc.Client(socket)
    try:
        while True:
            with contextlib.suppress(ipc.Unavailable):
                return msgspec.json.decode(await ledger.call("stat"), type=Stat).next
            await asyncio.sleep(_LONGEST_PAUSE / 2)
    finally:
        await ledger.close()


def follow_blocking(
    socket: Path, first: int = 1, *, live: bool = False, briefs: bool = True
) -> Iterator[Entry]:
    """The same without an event loop. Raises `ipc.Unavailable` when the ledger goes away."""
    ledger = ipc.BlockingClient(socket, timeout=_WAIT_MS / 1000 + 10)
    reader = _Follower(first, live=live, briefs=briefs)
    with contextlib.closing(ledger):
        while not reader.done:
            yield from reader.entries(ledger.call("read", reader.request()))


def stat(socket: Path) -> Stat:
    """Raises `ipc.Unavailable` or `ipc.Refusal`."""
    with contextlib.closing(ipc.BlockingClient(socket)) as ledger:
        return msgspec.json.decode(ledger.call("stat"), type=Stat)
