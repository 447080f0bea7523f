"""Whether the evidence is whole: what was seen against what is stored, and whether it is published.

Rules this module keeps:

1. seen = stored + summarised + lost, for each source, once a minute: what a source believes to be
   stored and the ledger never stored is an alert with its number, and again when the number grows.
2. A ledger that publishes no checkpoints any more is an alert, with its reason, once until it does.
3. A machine whose keys the office certifies no longer, or not for long, is an alert; so is a witness
   that was silent for a day.
4. No clock and no socket: the ledger's own account (`record.protocol.Stat`) comes in, with the time
   it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from qingfang.engine import happening
from qingfang.language import _
from qingfang.record.client import Recordable
from qingfang.record.entries import Act
from qingfang.record.protocol import Stat

MINUTE_US: Final = 60_000_000
DAY_US: Final = 86_400_000_000


class Evidence:
    """`record` hands one record on without waiting."""

    def __init__(self, node: str, record: Callable[[Recordable], None]) -> None:
        self._node, self._record = node, record
        self._at_us: int | None = None
        self._missing: dict[str, int] = {}
        self._unpublished = self._uncertified = ""
        self._since_us: int | None = None
        self._unwitnessed: set[str] = set()

    def take(self, stat: Stat, now_us: int) -> None:
        """To be called every few seconds with what the ledger answered."""
        self._published(stat.unpublished, now_us)
        self._certified(stat.uncertified, now_us)
        self._witnessed(stat.witnessed, now_us)
        # A clock set back begins a new minute.
        if self._at_us is not None and 0 <= now_us - self._at_us < MINUTE_US:
            return
        self._at_us = now_us
        for source, count in stat.sources.items():
            told = self._missing.get(source, 0)
            self._missing[source] = count.missing
            if count.missing > told:
                text = _(
                    "{} 看见 {} 条，账本存入 {} 条、记为丢失 {} 条：有 {} 条来源以为已入账，账本里却没有"
                ).format(
                    source, count.seen, count.stored, count.lost + count.refused, count.missing
                )
                self._alert(now_us, "ledger-unreconciled", text)

    def _published(self, why: str, now_us: int) -> None:
        if why == self._unpublished:
            return
        self._unpublished = why
        if why:
            text = _("账本不再发布检查点：{}").format(why)
            self._alert(now_us, "ledger-unpublished", text)
        else:
            self._record(Act(now_us, "ledger.published", "supervisor"))

    def _certified(self, why: str, now_us: int) -> None:
        if why == self._uncertified:
            return
        self._uncertified = why
        if why:
            text = _("账本机器的签名密钥没有有效的证书：{}").format(why)
            self._alert(now_us, "ledger-uncertified", text)
        else:
            self._record(Act(now_us, "ledger.certified", "supervisor"))

    def _witnessed(self, by: dict[str, int], now_us: int) -> None:
        if self._since_us is None:
            self._since_us = now_us
        for name, at in by.items():
            if now_us - max(at * 1_000_000, self._since_us) <= DAY_US:
                if name in self._unwitnessed:
                    self._unwitnessed.discard(name)
                    self._record(Act(now_us, "ledger.witnessed", "supervisor", about=name))
            elif name not in self._unwitnessed:
                self._unwitnessed.add(name)
                text = _("见证者 {} 一天没有见证账本").format(name)
                self._alert(now_us, "ledger-unwitnessed", text)

    def _alert(self, at_us: int, code: str, text: str) -> None:
        self._record(happening.blindness("engine", self._node, "", at_us, code, text))
