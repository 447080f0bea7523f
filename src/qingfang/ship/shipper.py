"""The sensor's side: what the spool stores is shipped, in order, until the other ledger has it.

Rules this module keeps:

1. What the other ledger says it has is where shipping goes on; nothing is remembered here. So any
   crash on either side costs at most sending something again, which is then known there.
2. Nothing unacknowledged is ever deleted. What is acknowledged stays for `keep_us` microseconds
   and up to `keep_bytes`, and the two segments that reading needs stay always.
3. A spool that no longer holds what is expected, or holds less than was taken, is not shipped from:
   a person has to look. It is said in the log and by `status`, and tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from qingfang import ipc
from qingfang.language import _
from qingfang.record import codec, frame, segments
from qingfang.record.codec import Packer
from qingfang.record.entries import Opened
from qingfang.record.keys import Keys
from qingfang.record.protocol import Frames, Read, Stat
from qingfang.ship import outgoing, wire
from qingfang.ship.courier import Courier, Refused, Unreachable
from qingfang.ship.outgoing import Piece, Reader
from qingfang.ship.wire import Answer

log = logging.getLogger(__name__)

_WAIT_MS: Final = 20_000
_FIRST_PAUSE: Final = 0.1
_CLEAR_EVERY_US: Final = 3_600_000_000
_LONGEST_PAUSE: Final = 30.0


class Status(Struct, frozen=True):
    """`next`: the first record that the other ledger is not known to have; `waiting`: how many it
    lacks; `spool_bytes`: the size of the spool's segments; `shipped`: records since the start;
    `at_us`: the last answer (None: none yet); `problem` (zh): why nothing goes now."""

    log: str
    to: str
    next: int
    waiting: int
    spool_bytes: int
    shipped: int
    at_us: int | None
    problem: str


class Shipper:
    """`spool` is the spool's socket, `folder` its segments; `clock` gives microseconds."""

    def __init__(
        self,
        spool: Path,
        folder: Path,
        courier: Courier,
        *,
        to: str,
        keep_us: int,
        keep_bytes: int,
        clock: Callable[[], int],
        first_pause: float = _FIRST_PAUSE,
        longest_pause: float = _LONGEST_PAUSE,
    ) -> None:
        self._spool, self._folder, self._courier, self._to = ipc.Client(spool), folder, courier, to
        self._keep_us, self._keep_bytes, self._clock = keep_us, keep_bytes, clock
        self._first_pause, self._longest_pause = first_pause, longest_pause
        self._pause = first_pause
        self._packer = Packer()
        self._log = ""
        self._next = 1
        self._shipped = 0
        self._answered_us: int | None = None
        self._cleared_us = 0
        self._problem = _("还没有连上中心")

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    await self._ship()
                except (Unreachable, Refused, ipc.Unavailable, ipc.Refusal) as error:
                    await self._trouble(str(error))
                except (codec.Unreadable, OSError) as error:
                    await self._trouble(_("暂存读不出：{}").format(error))
        finally:
            self._courier.close()
            await self._spool.close()

    async def status(self) -> Status:
        """Raises `ipc.Unavailable` when the spool is away."""
        spool = await self._stat()
        return Status(
            log=spool.log,
            to=self._to,
            next=self._next,
            waiting=max(0, spool.next - self._next),
            spool_bytes=spool.bytes,
            shipped=self._shipped,
            at_us=self._answered_us,
            problem=self._problem,
        )

    async def _stat(self) -> Stat:
        return msgspec.json.decode(await self._spool.call("stat"), type=Stat)

    async def _trouble(self, problem: str) -> None:
        if problem != self._problem:
            log.error("shipping stops: %s", problem)
        self._problem = problem
        self._packer.tell_again()
        await asyncio.sleep(self._pause)
        self._pause = min(self._longest_pause, self._pause * 2)

    async def _ship(self) -> None:
        spool = await self._stat()
        if not spool.log:
            raise Refused(_("暂存写不了，还没有内容可送"))
        self._log = spool.log
        self._packer = Packer()
        self._heard(await asyncio.to_thread(self._courier.ask, self._log))
        if self._next > spool.next:
            raise Refused(
                _("中心已有到 {} 为止的记录，暂存只到 {}：暂存被换过或倒退了").format(
                    self._next - 1, spool.next - 1
                )
            )
        reader = Reader(self._log, self._next)
        request = Read(first=self._next, back=1, wait_ms=_WAIT_MS)
        while True:
            answer = await self._spool.call("read", msgspec.msgpack.encode(request))
            found = msgspec.msgpack.decode(answer, type=Frames)
            pieces = [piece for each in found.frames for piece in reader.feed(*each)]
            if pieces and pieces[0].sequence != self._next:
                raise Refused(
                    _("中心要从 {} 接着收，暂存里最早的是 {}").format(
                        self._next, pieces[0].sequence
                    )
                )
            await self._deliver(pieces)
            rolled = (
                request.cursor and found.cursor and request.cursor.segment < found.cursor.segment
            )
            if rolled or self._clock() - self._cleared_us > _CLEAR_EVERY_US:
                self._clear()
            request = msgspec.structs.replace(request, cursor=found.cursor)

    async def _deliver(self, pieces: Sequence[Piece]) -> None:
        while pieces:
            shipment, count = outgoing.take(pieces, self._log, self._packer)
            last = pieces[count - 1]
            before = self._next
            try:
                answer = await asyncio.to_thread(self._courier.send, self._log, shipment)
                self._heard(answer)
                if answer.next != last.sequence + last.count:
                    self._packer.tell_again()
                if answer.problem and answer.problem != wire.STALE:
                    await self._trouble(answer.problem)
            except Unreachable as error:
                await self._trouble(str(error))
                with contextlib.suppress(Unreachable):
                    self._heard(await asyncio.to_thread(self._courier.ask, self._log))
            if self._next < before:
                raise Refused(_("中心的记录退回到了 {} 之前").format(before))
            pieces = [piece for piece in pieces if piece.sequence >= self._next]

    def _heard(self, answer: Answer) -> None:
        if answer.next > self._next and self._answered_us is not None:
            self._shipped += answer.next - self._next
        self._next, self._answered_us = answer.next, self._clock()
        if not answer.problem:
            self._problem, self._pause = "", self._first_pause
        self._packer.at_segment(answer.segment)

    def _clear(self) -> None:
        self._cleared_us = self._clock()
        gone = clear(
            self._folder,
            self._next,
            older_than_us=self._clock() - self._keep_us,
            keep_bytes=self._keep_bytes,
        )
        if gone:
            log.info("cleared %d segments that the other ledger has", len(gone))


def clear(folder: Path, acknowledged: int, *, older_than_us: int, keep_bytes: int) -> list[int]:
    """Delete the spool's oldest segments, with their keys: those before the one that precedes the
    segment of the record `acknowledged` (expected next), while they ended before `older_than_us` or
    all segments together are over `keep_bytes`. Their numbers. Raises OSError."""
    numbers = segments.numbers(folder)
    sizes = {number: (folder / segments.name(number)).stat().st_size for number in numbers}
    total = sum(sizes.values())
    starts = [segments.first_of(folder / segments.name(number), number) for number in numbers]
    holding = 0
    for at, first in enumerate(starts):
        if first is not None and first.sequence <= acknowledged:
            holding = at
    keys = Keys(folder)
    gone: list[int] = []
    for at, number in enumerate(numbers[: max(0, holding - 1)]):
        following = starts[at + 1]
        opened = None if following is None else codec.unpack(frame.SEGMENT, following.content)
        ended = opened.at_us if isinstance(opened, Opened) else None
        if total <= keep_bytes and (ended is None or ended >= older_than_us):
            break
        (folder / segments.name(number)).unlink()
        keys.path(number).unlink(missing_ok=True)
        total -= sizes[number]
        gone.append(number)
    return gone
