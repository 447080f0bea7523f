"""From the ledger's events to alert rows: once each, whatever is interrupted."""

from __future__ import annotations

import random

import pytest

from qingfang.events import Event
from qingfang.people.models import Terminal
from qingfang.record.entries import Completed
from qingfang.review import ingest
from qingfang.review.ingest import Ingest
from qingfang.review.models import Alert, Position, Statement
from tests.support.alerts import event
from tests.support.people import department, person

pytestmark = pytest.mark.django_db


def stream(count: int, seed: int = 1) -> list[Event]:
    """A day of work with an alarm now and then."""
    rnd = random.Random(seed)
    return [
        event(
            seq,
            verdict=rnd.choices(["pass", "alert", "deny"], [20, 1, 1])[0],
            connection=f"c{rnd.randrange(6)}",
        )
        for seq in range(1, count + 1)
    ]


def tables() -> tuple[list[tuple[str, int, str]], list[tuple[int, str]]]:
    alerts = list(Alert.objects.order_by("seq").values_list("log", "seq", "verdict"))
    return alerts, list(Statement.objects.order_by("seq").values_list("seq", "sql"))


def test_each_alarm_once() -> None:
    events = stream(300)
    worker = Ingest("test")
    for each in events:
        worker.feed(each)
    worker.commit()
    assert [seq for _log, seq, _v in tables()[0]] == [
        e.seq for e in events if e.verdict in ("alert", "deny")
    ]
    assert Position.objects.get().seq == 301


@pytest.mark.parametrize("seed", range(4))
def test_interrupted_anywhere_gives_the_same(seed: int) -> None:
    """Killed between commits, started again: as if it had never stopped."""
    events = stream(200, seed)
    whole = Ingest("test")
    for each in events:
        whole.feed(each)
    whole.commit()
    expected = tables()
    for model in (Alert, Statement, Position):
        model.objects.all().delete()

    rnd = random.Random(seed)
    done = False
    while not done:
        worker = Ingest("test")  # starts where the tables end
        for each in events:
            assert each.seq is not None
            if each.seq < worker.start:
                continue
            worker.feed(each)
            if rnd.random() < 0.05:
                worker.commit()
            if rnd.random() < 0.01:
                break  # what was fed since the commit is lost
        else:
            worker.commit()
            done = True
    assert tables() == expected


def test_reading_again_changes_nothing() -> None:
    events = stream(100)
    for _time in range(2):
        worker = Ingest("test")
        worker.position = 0
        for each in events:
            worker.feed(each)
        worker.commit()
    assert Alert.objects.count() == sum(e.verdict in ("alert", "deny") for e in events)


def test_the_timeline_has_what_came_before_and_after() -> None:
    worker = Ingest("test")
    for seq in range(1, 101):
        worker.feed(event(seq, verdict="alert" if seq == 50 else "pass"))
    worker.commit()
    kept = list(Statement.objects.order_by("seq").values_list("seq", flat=True))
    assert kept == list(range(50 - ingest.BEFORE, 50 + ingest.AFTER + 1))


def test_other_sessions_are_not_in_the_timeline() -> None:
    worker = Ingest("test")
    worker.feed(event(1, verdict="pass", connection="other"))
    worker.feed(event(2, connection="mine"))
    worker.commit()
    assert list(Statement.objects.values_list("connection", flat=True)) == ["mine"]


def test_memory_is_bounded() -> None:
    worker = Ingest("test")
    for seq in range(1, ingest.SESSIONS + 500):
        worker.feed(event(seq, verdict="pass", connection=f"c{seq}"))
    assert len(worker._sessions) == ingest.SESSIONS


def test_rows_that_came_later_are_filled_in() -> None:
    worker = Ingest("test")
    worker.feed(event(1, rows=None))
    worker.commit()
    worker.completed(2, Completed(seq=1, rows=4711, bytes=9000))
    worker.commit()
    alert = Alert.objects.get()
    assert (alert.rows, alert.bytes, alert.event["rows"]) == (4711, 9000, 4711)
    assert Statement.objects.get().rows == 4711
    assert Position.objects.get().seq == 3


def test_one_statement_seen_twice_is_one_alert() -> None:
    worker = Ingest("test")
    worker.feed(event(1))
    worker.commit()
    worker.feed(event(2, twin_of="test:1"))
    worker.commit()
    assert Alert.objects.get().twins == ["test:2"]


def test_who_and_where_are_looked_up() -> None:
    someone = person("1001", "pharmacy", name="某药师")
    Terminal.objects.create(name="PC-3", address="10.1.2.3", department=department("it"))
    worker = Ingest("test")
    worker.feed(event(1))
    worker.commit()
    alert = Alert.objects.get()
    assert (alert.operator_name, alert.terminal) == (someone.name, "PC-3")
    assert alert.subject_kinds == ["it", "pharmacy"]


@pytest.mark.parametrize("hostile", ["a\x00b", "\ud7ff", "x" * 100_000, "';DROP TABLE x;--"])
def test_hostile_text_does_not_stop_the_worker(hostile: str) -> None:
    worker = Ingest("test")
    worker.feed(event(1, sql=hostile, program=hostile, error=hostile))
    assert worker.commit() == 1


def test_a_client_that_is_no_address() -> None:
    worker = Ingest("test")
    worker.feed(event(1, client="[local]"))
    worker.feed(event(2, client="[fe80::1]:5000"))
    assert worker.commit() == 2
