"""Blindness is said in words."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import pytest
from django.test import Client
from django.utils import timezone
from msgspec.structs import replace

from qingfang import config as configuration
from qingfang.engine.status import Process
from qingfang.events import Coverage
from qingfang.review import coverage
from tests.support.people import person

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)
NOW_US = int(NOW.timestamp() * 1_000_000)

CONFIG = """
[[database]]
name = "his"
address = "10.0.0.5:5432"
catalogue = "c.json"
[[database]]
name = "lis"
address = "10.0.0.6:5432"
catalogue = "c.json"
[[route]]
name = "clinical"
database = "his"
listen = "127.0.0.1:25432"
[[tap]]
name = "switch"
database = "his"
interface = "eth1"
ports = [5432]
"""


def report(tmp_path: Path, *rows: Coverage, at: dt.datetime = NOW) -> coverage.Report:
    file = tmp_path / "qingfang.toml"
    file.write_text(CONFIG)
    coverage.receive(rows)
    return coverage.report(configuration.read(file), at)


def row(kind: str, name: str, **more: object) -> Coverage:
    known = {"statements": 10, "last_us": NOW_US, **more}
    return Coverage(
        kind=kind,  # type: ignore[arg-type]
        name=name,
        database="his",
        at_us=NOW_US,
        since_us=NOW_US - 1,
        **known,  # type: ignore[arg-type]
    )


WELL = (row("route", "clinical"), row("tap", "switch"))


def problems(found: coverage.Report, way: int) -> str:
    return " ".join(found.databases[0].ways[way].problems)


def test_all_well_and_a_database_nobody_looks_at(tmp_path: Path) -> None:
    found = report(tmp_path, *WELL)
    assert [(d.name, d.blind) for d in found.databases] == [("his", False), ("lis", True)]
    assert found.blind == 1


def test_never_heard_of(tmp_path: Path) -> None:
    assert "从未收到" in problems(report(tmp_path, WELL[0]), 1)


def test_silent(tmp_path: Path) -> None:
    later = NOW + coverage.SILENT + dt.timedelta(seconds=1)
    assert "失去联系" in problems(report(tmp_path, *WELL, at=later), 0)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"running": False}, "已停止"),
        ({"encrypted": 3}, "3 个加密连接"),
        ({"lost_packets": 7, "lost_bytes": 900}, "丢失 7 个报文、900 字节"),
        ({"undecodable": 2}, "2 处无法解码"),
        ({"unjudged": 5}, "5 条语句未经判断"),
        ({"statements": 0, "last_us": None}, "还没有见到任何语句"),
    ],
)
def test_faults_are_named(tmp_path: Path, fault: dict[str, object], said: str) -> None:
    assert said in problems(report(tmp_path, WELL[0], row("tap", "switch", **fault)), 1)


def test_a_restart_does_not_forget_the_last_statement(tmp_path: Path) -> None:
    report(tmp_path, *WELL)
    again = row("route", "clinical", statements=0, last_us=None)
    for _twice in range(2):
        found = report(tmp_path, again)
        assert found.databases[0].ways[0].last == NOW
        assert "本次启动以来还没有见到语句" in problems(found, 0)
    found = report(tmp_path, row("route", "clinical", last_us=NOW_US + 5_000_000))
    assert found.databases[0].ways[0].last == NOW + dt.timedelta(seconds=5)


def test_one_of_two_nodes_that_is_lost_is_blindness(tmp_path: Path) -> None:
    late = row("route", "clinical", node="b")
    early = Coverage(
        kind="route",
        name="clinical",
        node="a",
        database="his",
        at_us=NOW_US - 120_000_000,
        since_us=0,
        statements=1,
    )
    found = report(tmp_path, late, early)
    assert "失去联系" in problems(found, 0)
    assert found.databases[0].ways[0].statements == 11


def test_unregistered_servers_are_blind_spots(tmp_path: Path) -> None:
    found = report(tmp_path, WELL[0], row("tap", "switch", unregistered=("10.0.0.9:1521",)))
    assert found.unregistered == ["10.0.0.9:1521"]
    assert found.blind == 2


def process(state: str = "up", **more: object) -> Process:
    return Process("tap-mirror", state, 1_795_440_000_000_000, "node-1", **more)  # type: ignore[arg-type]


def test_a_process_that_is_away_or_silent_is_blindness(tmp_path: Path) -> None:
    coverage.receive_processes([process(), replace(process(), name="judge")], NOW)
    before = report(tmp_path).blind
    assert [p.problem for p in report(tmp_path).processes] == ["", ""]
    coverage.receive_processes([process("down", deaths=1, why="被信号 9 结束")], NOW)
    (part,) = report(tmp_path).processes
    assert part.problem == "已停止，正在重新启动：被信号 9 结束。"
    assert report(tmp_path).blind == before + 1
    coverage.receive_processes([process(deaths=1)], NOW)
    later = report(tmp_path, at=NOW + dt.timedelta(seconds=61))
    assert "失去联系" in later.processes[0].problem


def test_the_page_lists_the_processes(client: Client) -> None:
    back = process(deaths=2, died_us=1_795_440_000_000_000, why="被信号 9 结束", away_us=2_250_000)
    coverage.receive_processes([back], timezone.now())
    client.force_login(person("1", "discipline", "application_manager"))
    page = client.get("/coverage/").content.decode()
    assert "tap-mirror" in page and "2.3 秒后恢复" in page


def seen(*counts: tuple[int, int, int]) -> list[int]:
    """Statements in each of the last three hours, told (hour, since, count so far) one by one."""
    for hour, since, count in counts:
        at = NOW_US + hour * 3_600_000_000
        made = row("route", "clinical", statements=count)
        coverage.receive([msgspec.structs.replace(made, at_us=at, since_us=since)])
    return [n for _at, n in coverage.volume(NOW + dt.timedelta(hours=2), 3, "his")]


def test_statements_are_counted_by_the_hour() -> None:
    assert seen((0, 1, 10), (0, 1, 25), (1, 1, 25), (2, 1, 60)) == [25, 0, 35]


def test_a_count_that_begins_anew_is_not_taken_away() -> None:
    assert seen((0, 1, 100), (1, 2, 7), (2, 2, 8)) == [100, 7, 1]


def test_other_databases_are_not_counted() -> None:
    seen((0, 1, 100))
    assert [n for _at, n in coverage.volume(NOW, 1, "lis")] == [0]
    assert [n for _at, n in coverage.volume(NOW, 1)] == [100]
