"""What the sensors report, added up; and who reports nothing."""

import asyncio

import msgspec

from qingfang import ipc
from qingfang.config import Config, Database, Route, Tap
from qingfang.engine.status import Process, Status
from qingfang.engine.supervisor import Change
from qingfang.events import Coverage

CONFIG = Config(
    database=(Database(name="his", address="127.0.0.1:5432", catalogue="c.json"),),
    route=(Route(name="clinic", database="his", listen="127.0.0.1:6432"),),
    tap=(Tap(name="mirror", database="his", interface="lo", ports=(5432,)),),
)
SECOND = 1_000_000


def tell(status: Status, pid: int, at_us: int, **seen: int) -> None:
    row = Coverage("route", "clinic", "his", at_us, 0, **seen)
    asyncio.run(status.answer("report", msgspec.json.encode(row), ipc.Peer(pid, 0, 0)))


def test_processes_of_one_route_are_added_up_and_silence_shows() -> None:
    now = 100 * SECOND
    status = Status(CONFIG, lambda: now)
    tell(status, 1, now, statements=5, connections=2, last_us=7)
    tell(status, 2, now - SECOND, statements=3, connections=1, last_us=9)
    route, tap = status.coverage()
    assert (route.running, route.statements, route.connections, route.last_us) == (True, 8, 3, 9)
    assert (tap.kind, tap.name, tap.running, tap.last_us) == ("tap", "mirror", False, None)


def test_a_process_that_fell_silent_counts_no_connections() -> None:
    status = Status(CONFIG, lambda: 100 * SECOND)
    tell(status, 1, 80 * SECOND, statements=5, connections=2)
    route = status.coverage()[0]
    assert (route.running, route.statements, route.connections) == (False, 5, 0)


def test_processes_say_since_when_and_how_often() -> None:
    status = Status(CONFIG, lambda: 0)
    for change in (
        Change("judge", "up", 1),
        Change("judge", "down", 5, "被信号 9 结束"),
        Change("judge", "up", 8),
        Change("tap-mirror", "up", 2),
    ):
        status.changed(change)
    answer = asyncio.run(status.answer("processes", b"", ipc.Peer(1, 0, 0)))
    judge, tap = msgspec.json.decode(answer, type=list[Process])
    assert (judge.state, judge.since_us, judge.deaths, judge.died_us) == ("up", 8, 1, 5)
    assert (judge.why, judge.away_us) == ("被信号 9 结束", 3)
    assert (tap.name, tap.deaths, tap.died_us) == ("tap-mirror", 0, None)
