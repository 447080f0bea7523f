"""The ledger as its users see it: stages that record, the console that acts, readers that follow.

Rules this module keeps:

1. `Recorder.record` returns when the record is synced. Whoever stops waiting (a budget, a
   cancelled task) gives up the answer, not the record: it is delivered all the same.
2. Nothing handed in is dropped silently: what a full queue, a refusing ledger or the end of this
   process keeps out is counted by kind, and the count becomes a record when the ledger takes it.
3. Everything is sent again until answered, under one token: stored once, whatever was lost
   underway.
4. Briefs wait up to 5 ms for company. One block is under way at a time, so that what a block tells
   of connections and templates is known to be stored before the next one relies on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from qingfang import ipc
from qingfang.events import Brief, Connection, Event, Template
from qingfang.language import _
from qingfang.record import codec, frame, protocol
from qingfang.record.codec import Noted, Packer
from qingfang.record.entries import Act, Completed, Entry, Loss
from qingfang.record.protocol import Append, Frames, Read, Stat

log = logging.getLogger(__name__)

Recordable = Event | Act | Completed

_GATHER_SECONDS: Final = 0.005
_BLOCK_RECORDS: Final = 512
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0
_WAIT_MS: Final = 20_000


class NotStored(Exception):
    """The record is not in the ledger and will not be; it has been counted as lost."""


def now_us() -> int:
    return time.time_ns() // 1000


class Recorder:
    """One source's way into the ledger; used within one event loop. `source` names it in counts
    (`gateway/route`, `tap/name`, …). At most `queue` briefs and a tenth as many other records
    wait while the ledger is away.

    `seen`, `stored`, `lost` count records since the start; `lost` includes what the ledger refused
    and counted itself.
    """

    def __init__(self, socket: Path, source: str, *, queue: int = 50_000) -> None:
        self._ledger = ipc.Client(socket)
        self._source, self._limit = source, queue
        self._origin = os.urandom(8)
        self._batch = 0
        self._packer = Packer()
        self._notes: deque[Noted] = deque()
        self._noted = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sender: asyncio.Task[None] | None = None
        self._losses: dict[str, Loss] = {}
        self._telling = False
        self._back: asyncio.Task[None] | None = None
        self.seen = self.stored = self.lost = 0

    async def start(self) -> None:
        self._sender = asyncio.create_task(self._send_notes())

    async def close(self, patience: float = 2.0) -> None:
        """Deliver what is waiting, for at most `patience` seconds; the rest is counted, and said
        in the log because no ledger can be told."""
        try:
            async with asyncio.timeout(patience):
                while self.stored + self.lost < self.seen or self._tasks or self._losses:
                    self._noted.set()
                    self._tell_losses()
                    await asyncio.sleep(_GATHER_SECONDS)
        except TimeoutError:
            waiting = self.seen - self.stored - self.lost
            log.critical("%s ends with %d records not stored", self._source, waiting)
            self.lost += waiting
        ending = [*self._tasks, *(t for t in (self._sender, self._back) if t is not None)]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self._ledger.close()

    async def record(self, value: Recordable) -> int:
        """Store durably; the record's sequence number. Raises `NotStored`. While the ledger is
        away this waits: bound it by `asyncio.timeout`."""
        return await asyncio.shield(self._deliver_later(value))

    def later(self, value: Recordable) -> None:
        """Store without waiting for it."""
        self._deliver_later(value)

    def note(self, brief: Brief, connection: Connection, template: Template) -> None:
        """Store a statement that passed, within some milliseconds, in a block with others."""
        self.seen += 1
        if len(self._notes) >= self._limit:
            self.lost += 1
            self.report_loss("brief", 1, _("等待入账的太多"))
            return
        self._notes.append((brief, connection, template))
        self._noted.set()

    def report_loss(self, kind: str, count: int, why: str) -> None:
        """Something seen and not recorded: counted in the ledger as soon as it takes records."""
        now = now_us()
        old = self._losses.get(why)
        kinds = dict(old.kinds) if old else {}
        kinds[kind] = kinds.get(kind, 0) + count
        since = old.from_us if old else now
        self._losses[why] = Loss(self._source, kinds, since, now, why)
        self._noted.set()

    # ------------------------------------------------------------------ delivering

    def _deliver_later(self, value: Recordable) -> asyncio.Task[int]:
        self.seen += 1
        kind = codec.kind_of(value)
        if len(self._tasks) >= max(16, self._limit // 10):
            self.lost += 1
            self.report_loss(frame.KINDS[kind], 1, _("等待入账的太多"))
            return self._keep(_not_stored(_("等待入账的太多")))
        return self._keep(self._deliver(kind, codec.pack(value, self._next_token())))

    def _keep(self, work: Coroutine[Any, Any, int]) -> asyncio.Task[int]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._delivered)
        return task

    def _delivered(self, task: asyncio.Task[int]) -> None:
        self._tasks.discard(task)
        # What went wrong is counted where it happened; nobody may be waiting for the outcome.
        if not task.cancelled():
            task.exception()

    def _next_token(self) -> bytes:
        self._batch += 1
        return codec.token(self._origin, self._batch)

    async def _deliver(self, kind: int, content: bytes) -> int:
        while True:
            try:
                sequence = await self._append(kind, 1, content)
            except ipc.Unavailable:
                await self._until_back()
            except ipc.Refusal as no:
                if str(no).startswith(protocol.STALE):
                    continue
                self.lost += 1
                if str(no) != protocol.FULL:
                    self.report_loss(frame.KINDS[kind], 1, str(no))
                raise NotStored(str(no)) from None
            else:
                self.stored += 1
                return sequence

    async def _append(self, kind: int, count: int, content: bytes) -> int:
        request = Append(
            kind, count, self._packer.segment, self.seen, self.lost, self._source, content
        )
        answer = await self._ledger.call("append", protocol.encode_append(request))
        sequence, segment = protocol.decode_stored(answer)
        self._packer.at_segment(segment)
        return sequence

    async def _until_back(self) -> None:
        """Until the ledger answers. All that wait go on in the same moment: what was under way
        when it went is sent again before it is too far back to be known."""
        if self._back is None or self._back.done():
            self._back = asyncio.create_task(self._knock())
        await asyncio.shield(self._back)

    async def _knock(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            await asyncio.sleep(pause)
            with contextlib.suppress(ipc.Unavailable):
                await self._ledger.call("ping")
                return
            pause = min(_LONGEST_PAUSE, pause * 2)

    async def _send_notes(self) -> None:
        while True:
            await self._noted.wait()
            if len(self._notes) < _BLOCK_RECORDS:
                await asyncio.sleep(_GATHER_SECONDS)
            self._noted.clear()
            while self._notes:
                size = min(len(self._notes), _BLOCK_RECORDS)
                await self._send_block([self._notes.popleft() for _n in range(size)])
            self._tell_losses()

    async def _send_block(self, noted: list[Noted]) -> None:
        mark = self._next_token()
        again = False
        while True:
            try:
                await self._append(frame.BLOCK, len(noted), self._packer.pack(noted, mark))
            except ipc.Unavailable:
                self._packer.tell_again()
                again = True
                await self._until_back()
            except ipc.Refusal as no:
                self._packer.tell_again()
                code, _sep, segment = str(no).partition(": ")
                if code == protocol.STALE:
                    self._packer.at_segment(int(segment))
                    continue
                self.lost += len(noted)
                if code != protocol.FULL:
                    self.report_loss("brief", len(noted), str(no))
                return
            else:
                self.stored += len(noted)
                if again:
                    # What is stored may be the block as it was first packed, which told less.
                    self._packer.tell_again()
                return

    def _tell_losses(self) -> None:
        if self._losses and not self._telling:
            self._telling = True
            self._keep(self._send_losses())

    async def _send_losses(self) -> int:
        """Losses keep gathering until the ledger takes the first of them."""
        try:
            while self._losses:
                why, loss = next(iter(self._losses.items()))
                mark = self._next_token()
                while True:
                    try:
                        await self._append(frame.LOSS, 1, codec.pack(loss, mark))
                    except ipc.Unavailable:
                        await self._until_back()
                    except ipc.Refusal as no:
                        if str(no) == protocol.FULL:
                            break
                        log.warning("a loss could not be told: %s", no)
                        await asyncio.sleep(_LONGEST_PAUSE)
                    else:
                        break
                self._settle(why, loss)
            return 0
        finally:
            self._telling = False

    def _settle(self, why: str, told: Loss) -> None:
        """Take away what has been told; what came in meanwhile stays."""
        kept = self._losses.pop(why)
        kinds = {k: n - told.kinds.get(k, 0) for k, n in kept.kinds.items()}
        kinds = {k: n for k, n in kinds.items() if n}
        if kinds:
            self._losses[why] = Loss(kept.source, kinds, told.to_us, kept.to_us, why)


async def _not_stored(why: str) -> int:
    raise NotStored(why)


class BlockingRecorder:
    """For code without an event loop (the console): one record at a time, durable on return."""

    def __init__(self, socket: Path, source: str, *, timeout: float = 10.0) -> None:
        self._ledger = ipc.BlockingClient(socket, timeout)
        self._source = source
        self._origin = os.urandom(8)
        self._batch = 0
        self._seen = 0

    def record(self, value: Recordable, mark: bytes | None = None) -> int:
        """The record's sequence number. `mark`: a token of the caller's own (`codec.token`), to
        send the same record again after a crash without storing it twice. Raises `NotStored`, or
        `ipc.Unavailable` (it may or may not be stored: send it again under the same mark)."""
        self._batch += 1
        self._seen += 1
        content = codec.pack(value, mark or codec.token(self._origin, self._batch))
        request = Append(codec.kind_of(value), 1, 0, self._seen, 0, self._source, content)
        while True:
            try:
                answer = self._ledger.call("append", protocol.encode_append(request))
            except ipc.Refusal as no:
                if str(no).startswith(protocol.STALE):
                    continue
                raise NotStored(str(no)) from None
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
