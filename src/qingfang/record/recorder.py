"""One stage's way into the ledger, from its event loop.

Rules this module keeps:

1. `Recorder.record` returns when the record is synced. Whoever stops waiting (a budget, a
   cancelled task) gives up the answer, not the record: it is delivered all the same.
2. Nothing handed in is dropped silently: what a full queue, a refusing ledger or the end of this
   process keeps out is counted by kind, and the count becomes a record when the ledger takes it.
3. Everything is sent again until answered, under one token: stored once, whatever was lost
   underway.
4. Briefs wait for company, a quarter of a second or until a block is full: every frame costs some
   190 bytes beside its content, which a quiet hour would pay for each statement. What a process
   that was killed had not sent is counted (`protocol.Append.waiting`). One block is under way at a
   time, so that what a block tells of connections and templates is known to be stored before the
   next one relies on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from qingfang import ipc
from qingfang.events import Brief, Connection, Template
from qingfang.language import _
from qingfang.record import codec, frame, protocol
from qingfang.record.client import NotStored, Recordable, now_us
from qingfang.record.codec import Noted, Packer
from qingfang.record.entries import Loss
from qingfang.record.protocol import Append

log = logging.getLogger(__name__)

_GATHER_SECONDS: Final = 0.25
_LOOK_SECONDS: Final = 0.005
_BLOCK_RECORDS: Final = 1024
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0


class Recorder:
    """One source's way into the ledger; used within one event loop. `source` names it in counts
    (`gateway/route`, `tap/name`, …). At most `queue` briefs and a tenth as many other records
    wait while the ledger is away.

    `seen`, `stored`, `lost` count records since the start; `lost` includes what the ledger refused
    and counted itself.
    """

    def __init__(self, socket: Path, source: str, *, queue: int = 50_000) -> None:
        self._ledger: ipc.Client = ipc.Client(socket)
        self._source: str = source
        self._limit: int = queue
        self._origin: bytes = os.urandom(8)
        self._batch: int = 0
        self._packer: Packer = Packer()
        self._notes: list[Noted] = []
        self._noted: asyncio.Event = asyncio.Event()
        self._enough: asyncio.Event = asyncio.Event()
        self._awake: bool = False
        # Records handed in, with no answer, and in no list any more.
        self._under_way: int = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sender: asyncio.Task[None] | None = None
        self._losses: dict[str, Loss] = {}
        self._telling: bool = False
        self._back: asyncio.Task[None] | None = None
        self.seen: int = 0
        self.stored: int = 0
        self.lost: int = 0

    async def start(self) -> None:
        self._sender = asyncio.create_task(self._send_notes())

    async def close(self, patience: float = 2.0) -> None:
        """Deliver what is waiting, for at most `patience` seconds; the rest is counted, and said
        in the log because no ledger can be told."""
        try:
            async with asyncio.timeout(patience):
                while self.stored + self.lost < self.seen or self._tasks or self._losses:
                    self._wake()
                    self._enough.set()
                    self._tell_losses()
                    await asyncio.sleep(_LOOK_SECONDS)
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
        if not self._awake:
            self._wake()
        if len(self._notes) == _BLOCK_RECORDS:
            self._enough.set()

    def report_loss(self, kind: str, count: int, why: str) -> None:
        """Something seen and not recorded: counted in the ledger as soon as it takes records."""
        now = now_us()
        old = self._losses.get(why)
        kinds = dict(old.kinds) if old else {}
        kinds[kind] = kinds.get(kind, 0) + count
        since = old.from_us if old else now
        self._losses[why] = Loss(self._source, kinds, since, now, why)
        self._wake()

    def _wake(self) -> None:
        self._awake = True
        self._noted.set()

    # ------------------------------------------------------------------ delivering

    def _deliver_later(self, value: Recordable) -> asyncio.Task[int]:
        self.seen += 1
        kind = codec.kind_of(value)
        if len(self._tasks) >= max(16, self._limit // 10):
            self.lost += 1
            self.report_loss(frame.KINDS[kind], 1, _("等待入账的太多"))
            return self._keep(_not_stored(_("等待入账的太多")))
        self._under_way += 1
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
                self._under_way -= 1
                if str(no) != protocol.FULL:
                    self.report_loss(frame.KINDS[kind], 1, str(no))
                raise NotStored(str(no)) from None
            else:
                self.stored += 1
                self._under_way -= 1
                return sequence

    async def _append(self, kind: int, count: int, content: bytes) -> int:
        request = Append(
            kind,
            count,
            self._packer.segment,
            self.seen,
            self.lost,
            len(self._notes) + self._under_way,
            self._source,
            content,
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
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GATHER_SECONDS):
                    await self._enough.wait()
            self._enough.clear()
            self._noted.clear()
            self._awake = False
            while True:
                block = self._notes[:_BLOCK_RECORDS]
                del self._notes[: len(block)]
                if block:
                    self._under_way += len(block)
                    await self._send_block(block)
                    self._under_way -= len(block)
                # What came meanwhile waits for company as the first did.
                if len(self._notes) < _BLOCK_RECORDS:
                    break
            if self._notes:
                self._wake()
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
