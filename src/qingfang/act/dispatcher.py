"""Takes letters from the outbox to the channels, and their ends to whoever keeps the record.

Rules this module keeps:

1. A channel that hangs holds up its own letters only: each channel has one task.
2. A letter whose channel is not configured is dead at once, visibly.
3. The record of an end is awaited before it counts as told; a ledger that is away holds up
   nothing but that.
4. Whoever stops it waits, for at most `GRACE_S`, until letters that are being handed over have
   their receipt and ends that are being recorded are told: cut off in between, both would be done
   again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from qingfang.act.channels import Channel, NotSent
from qingfang.act.notice import Notice
from qingfang.act.outbox import Letter, Outbox, Result
from qingfang.act.roster import Call, Roster, Way, calls
from qingfang.language import _

log = logging.getLogger(__name__)

# Everything the house is configured with that has no personal address is told of every notice.
SHARED: Final = ("syslog", "webhook")
_LOOK_EVERY_S: Final = 1.0
GRACE_S: Final = 5.0


class Dispatcher:
    """`clock`: microseconds since the epoch. `tell` records an end durably, or raises."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Mapping[str, Channel],
        clock: Callable[[], int],
        tell: Callable[[Result], Awaitable[None]],
    ) -> None:
        self._outbox, self._channels, self._clock, self._tell = outbox, channels, clock, tell
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._stopping = self._all_sent = False
        self.roster = Roster()

    def notify(self, notice: Notice, raised_us: int) -> int:
        """Put letters for everyone to be told; how many are new. They are on the disk on return."""
        now = self._clock()
        told = calls(self.roster, raised_us, notice.severity)
        shared = [Call("", now, (Way(n, ""),)) for n in SHARED if n in self._channels]
        new = self._outbox.put(notice, [*shared, *told], now)
        if not shared and not told:
            log.critical("nobody can be told of an alert: no channel and no roster")
        self._wake.set()
        return new

    def acknowledge(self, notice_id: str) -> int:
        count = self._outbox.acknowledge(notice_id, self._clock())
        self._ended.set()
        return count

    async def run(self) -> None:
        """Until cancelled; then what is under way ends first."""
        telling = asyncio.create_task(self._tell_ends())
        try:
            while True:
                self._start_due()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY_S):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            self._stopping = True
            await _let_end(self._busy.values())
            self._all_sent = True
            self._ended.set()
            await _let_end((telling,))

    def _start_due(self) -> None:
        letters: dict[str, list[Letter]] = {}
        for letter in self._outbox.due(self._clock()):
            letters.setdefault(letter.channel, []).append(letter)
        for channel, waiting in letters.items():
            task = self._busy.get(channel)
            if task is None or task.done():
                self._busy[channel] = asyncio.create_task(self._send_all(channel, waiting))

    async def _send_all(self, name: str, letters: list[Letter]) -> None:
        channel = self._channels.get(name)
        for letter in letters:
            if self._stopping:
                return
            if channel is None:
                why = _("没有配置这个通道")
                self._outbox.failed(letter, why, permanent=True, now_us=self._clock())
            else:
                await self._send(channel, letter)
            self._ended.set()
        self._wake.set()

    async def _send(self, channel: Channel, letter: Letter) -> None:
        try:
            receipt = await channel.send(letter.notice, letter.address)
        except NotSent as error:
            log.warning("notice %s not sent by %s: %s", letter.notice.id, letter.channel, error)
            self._outbox.failed(letter, str(error), permanent=error.permanent, now_us=self._clock())
        except Exception:
            # A fault of ours in one channel must not end the watch over the others.
            log.exception("notice %s not sent by %s", letter.notice.id, letter.channel)
            self._outbox.failed(letter, _("内部错误"), permanent=False, now_us=self._clock())
        else:
            self._outbox.sent(letter, receipt, self._clock())

    async def _tell_ends(self) -> None:
        while True:
            self._ended.clear()
            for result in self._outbox.results():
                try:
                    await self._tell(result)
                except Exception as error:
                    log.warning("the end of a notice is not recorded yet: %s", error)
                    await asyncio.sleep(_LOOK_EVERY_S)
                    self._ended.set()
                    break
                self._outbox.told(result)
            if self._all_sent:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S * 5):
                    await self._ended.wait()


async def _let_end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Wait for them for at most `GRACE_S`, then cut them off."""
    running = list(tasks)
    if running:
        _done, late = await asyncio.wait(running, timeout=GRACE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
