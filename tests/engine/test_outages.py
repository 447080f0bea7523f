"""What becomes of deaths: acts with exact times, an alert when it lasts or happens again and again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qingfang.engine import supervisor
from qingfang.engine.outages import Alive, Outages, Part
from qingfang.engine.supervisor import Change
from qingfang.events import Event
from qingfang.postgres import Server
from qingfang.record.codec import moment
from qingfang.record.entries import Act
from tests.support.house import House, until

SECOND = 1_000_000
T = 1_795_440_000_000_000
PARTS = {
    "tap-m": Part("旁路 m", "看不见数据库 his 的语句", "tap", "his"),
    "console": Part("控制台", "页面打不开", after_s=60),
}


class Scene:
    def __init__(self) -> None:
        self.said: list[Event | Act] = []
        self.watch = Outages("node-1", PARTS, self.said.append)  # type: ignore[arg-type]

    def go(self, name: str, state: str, at_s: float) -> None:
        at = T + int(at_s * SECOND)
        why = "被信号 9 结束" if state == "down" else ""
        self.watch.changed(Change(name, state, at, why))  # type: ignore[arg-type]

    def look(self, at_s: float) -> None:
        self.watch.look(T + int(at_s * SECOND))

    @property
    def alerts(self) -> list[Event]:
        return [e for e in self.said if isinstance(e, Event)]


def test_a_death_and_the_return_are_acts_with_exact_times() -> None:
    scene = Scene()
    scene.go("tap-m", "up", 0)
    assert scene.said == []
    scene.go("tap-m", "down", 5)
    scene.look(6)
    scene.go("tap-m", "up", 7.25)
    died, back = scene.said
    assert isinstance(died, Act) and isinstance(back, Act)
    assert (died.what, died.who, died.about) == ("process.died", "supervisor", "tap-m")
    assert died.details == {"at": moment(T + 5 * SECOND), "why": "被信号 9 结束"}
    assert back.what == "process.back"
    assert back.details["from"] == moment(T + 5 * SECOND)
    assert back.details["to"] == moment(T + 7_250_000)
    assert back.details["seconds"] == "2.250"


def test_what_is_away_for_long_is_one_alert_while_it_lasts() -> None:
    scene = Scene()
    scene.go("tap-m", "down", 0)
    scene.look(10)
    assert scene.alerts == []
    for second in (11, 12, 90):
        scene.look(second)
    (alert,) = scene.alerts
    assert (alert.verdict, alert.codes, alert.kind) == ("alert", ("process-down",), "coverage")
    assert (alert.source, alert.database, alert.at) == ("tap", "his", moment(T))
    assert "旁路 m自 " in alert.reasons[0] and "看不见数据库 his 的语句" in alert.reasons[0]
    scene.go("tap-m", "up", 100)
    scene.go("tap-m", "down", 200)
    scene.look(211)
    assert len(scene.alerts) == 2


def test_a_console_is_given_longer() -> None:
    scene = Scene()
    scene.go("console", "down", 0)
    scene.look(59)
    assert scene.alerts == []
    scene.look(61)
    assert scene.alerts[0].source == "engine"


def test_one_that_dies_again_and_again_is_one_alert_until_it_is_calm() -> None:
    scene = Scene()
    for second in (0, 10, 20, 30, 40):
        scene.go("tap-m", "down", second)
        scene.go("tap-m", "up", second + 1)
    assert [a.codes for a in scene.alerts] == [("process-unstable",)]
    for second in (1000, 1001):
        scene.go("tap-m", "down", second)
        scene.go("tap-m", "up", second)
    assert len(scene.alerts) == 1
    scene.go("tap-m", "down", 1002)
    assert len(scene.alerts) == 2


@pytest.mark.parametrize(("orderly", "said"), [(True, "正常停止"), (False, "断电、死机或被杀")])
def test_a_house_that_was_off_says_so_at_its_next_start(
    tmp_path: Path, orderly: bool, said: str
) -> None:
    alive = Alive(tmp_path / "alive")
    (first,) = alive.begin("node-1", T)
    assert isinstance(first, Act) and first.what == "house.started"
    assert first.details["why"] == "第一次启动"
    if orderly:
        assert [r.what for r in alive.end("node-1", T) if isinstance(r, Act)] == ["house.stopped"]
    os.utime(tmp_path / "alive", (T // SECOND, T // SECOND))
    assert len(Alive(tmp_path / "alive").begin("node-1", T + 59 * SECOND)) == 1
    if orderly:
        alive.end("node-1", T)
    os.utime(tmp_path / "alive", (T // SECOND, T // SECOND))
    _started, alert = Alive(tmp_path / "alive").begin("node-1", T + 3600 * SECOND)
    assert isinstance(alert, Event)
    assert (alert.codes, alert.at) == (("house-down",), moment(T))
    assert said in alert.reasons[0]


KINDS = (
    "ledger",
    "analyser",
    "judge",
    "notifier",
    "gateway-main-0",
    "gateway-desk-0",
    "tap-mirror",
)
TAP = """
[[tap]]
name = "mirror"
database = "his"
interface = "lo"
ports = [5432]
"""


def test_each_process_that_is_killed_is_in_the_ledger(
    tmp_path: Path, postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 of each kind in turn; the ledger's own death is written after it is back."""
    monkeypatch.setattr(supervisor, "PAUSES_S", (0.0,))
    assert postgres.port is not None
    with House(tmp_path, database, postgres.port, more=TAP) as house:
        for name in KINDS:
            house.kill(name)
            for what in ("process.died", "process.back"):
                until(lambda: any(a.about == name for a in house.acts(what)))  # noqa: B023
        died = {a.about: a for a in house.acts("process.died")}
        back = {a.about: a for a in house.acts("process.back")}
    assert sorted(died) == sorted(back) == sorted(KINDS)
    for name in KINDS:
        assert died[name].details["why"] == "被信号 9 结束"
        assert back[name].details["from"] == died[name].details["at"] < back[name].details["to"]
        kept = [p for folder in (house.state, house.run) for p in [folder, *folder.rglob("*")]]
        open_to_others = [p for p in kept if p.lstat().st_mode & 0o006]
    assert open_to_others == []
    assert [a.what for a in house.acts("house.stopped")] == ["house.stopped"]
