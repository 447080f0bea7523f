"""The ledger's own account, minute by minute: what does not add up is told, once."""

from __future__ import annotations

import msgspec

from qingfang.engine.evidence import MINUTE_US, Evidence
from qingfang.events import Event
from qingfang.record.client import Recordable
from qingfang.record.entries import Act
from qingfang.record.protocol import SourceCount, Stat

AT_US = 1_795_449_600_000_000
EMPTY = Stat("log", "ok", 1, 1, 1, 0, None, 0, {}, {}, 0)


class Scene:
    def __init__(self) -> None:
        self.told: list[Recordable] = []
        self.evidence = Evidence("node-1", self.told.append)
        self.at_us = AT_US

    def minute(self, count: SourceCount, why: str = "") -> list[str]:
        """A minute later the ledger answers this; what was recorded of it, by code."""
        self.told.clear()
        stat = msgspec.structs.replace(EMPTY, sources={"gateway/his": count}, unpublished=why)
        self.evidence.take(stat, self.at_us)
        self.at_us += MINUTE_US
        return [told.codes[0] for told in self.told if isinstance(told, Event)] + [
            told.what for told in self.told if isinstance(told, Act)
        ]


def test_what_the_ledger_never_stored_is_an_alert_and_again_when_it_grows() -> None:
    scene = Scene()
    assert scene.minute(SourceCount(seen=100, stored=90)) == []
    assert scene.minute(SourceCount(seen=200, stored=193, missing=7)) == ["ledger-unreconciled"]
    [alert] = scene.told
    assert isinstance(alert, Event)
    assert "有 7 条来源以为已入账" in alert.reasons[0]
    assert scene.minute(SourceCount(seen=300, stored=293, missing=7)) == []
    assert scene.minute(SourceCount(seen=300, stored=290, missing=10)) == ["ledger-unreconciled"]
    # A ledger started again counts anew.
    assert scene.minute(SourceCount(seen=5, stored=5)) == []
    assert scene.minute(SourceCount(seen=9, stored=8, missing=1)) == ["ledger-unreconciled"]


def test_it_is_looked_at_once_a_minute() -> None:
    scene = Scene()
    scene.minute(SourceCount(seen=100, stored=100))
    scene.at_us -= MINUTE_US - 1
    assert scene.minute(SourceCount(seen=100, stored=90, missing=10)) == []
    assert scene.minute(SourceCount(seen=100, stored=90, missing=10)) == ["ledger-unreconciled"]


def test_a_ledger_that_publishes_nothing_is_an_alert_once() -> None:
    scene = Scene()
    good = SourceCount(seen=1, stored=1)
    assert scene.minute(good) == []
    assert scene.minute(good, "账本与它自己的检查点不符") == ["ledger-unpublished"]
    [alert] = scene.told
    assert isinstance(alert, Event) and "检查点不符" in alert.reasons[0]
    assert scene.minute(good, "账本与它自己的检查点不符") == []
    assert scene.minute(good) == ["ledger.published"]
    assert all(isinstance(t, Act) for t in scene.told)


def test_a_machine_without_a_certificate_is_an_alert_until_it_has_one() -> None:
    scene = Scene()

    def look(why: str) -> list[str]:
        scene.told.clear()
        scene.evidence.take(msgspec.structs.replace(EMPTY, uncertified=why), scene.at_us)
        return [
            t.codes[0] if isinstance(t, Event) else t.what
            for t in scene.told
            if isinstance(t, Event | Act)
        ]

    assert look("") == []
    assert look("还没有证书") == ["ledger-uncertified"]
    assert look("还没有证书") == []
    assert look("") == ["ledger.certified"]


def test_a_witness_that_was_silent_for_a_day_is_an_alert_once() -> None:
    scene = Scene()

    def look(after_us: int, at: int) -> list[str]:
        scene.told.clear()
        stat = msgspec.structs.replace(EMPTY, witnessed={"jijian": at})
        scene.evidence.take(stat, AT_US + after_us)
        return [
            t.codes[0] if isinstance(t, Event) else t.what
            for t in scene.told
            if isinstance(t, Event | Act)
        ]

    day = 86_400_000_000
    assert look(0, 0) == []
    assert look(day, 0) == []
    assert look(day + 1, 0) == ["ledger-unwitnessed"]
    assert look(day + 2, 0) == []
    assert look(day + 3, (AT_US + day) // 1_000_000) == ["ledger.witnessed"]
