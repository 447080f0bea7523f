"""The workers as processes: killed, cut off from the ledger, and nothing lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from qingfang.postgres import Server
from qingfang.record.client import follow_blocking
from qingfang.record.entries import Act
from qingfang.review.ingest import CHANNEL
from tests.support.alerts import event
from tests.support.browser import Console, Visitor

PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def console(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    made = Console(tmp_path_factory.mktemp("workers"), postgres, "workers")
    try:
        made.start()
        yield made
    finally:
        made.stop()


class Watcher:
    """Waits for the database to say that there are alerts; counts them."""

    def __init__(self, console: Console) -> None:
        self._connection = psycopg.connect(console.dsn, autocommit=True)
        self._connection.execute(f"LISTEN {CHANNEL}")

    def numbers(self, expected: int) -> list[str]:
        """The alerts' numbers once there are as many as expected."""
        while True:
            rows = self._connection.execute("SELECT number FROM review_alert ORDER BY seq")
            found = [row[0] for row in rows]
            if len(found) >= expected:
                return found
            if not list(self._connection.notifies(timeout=PATIENCE_S, stop_after=1)):
                return found

    def close(self) -> None:
        self._connection.close()


def test_killed_and_cut_off(console: Console) -> None:
    watcher = Watcher(console)
    numbered = iter(range(1, 1000))

    def record(count: int) -> None:
        made = [next(numbered) for _n in range(count)]
        console.record([event(n, alert_number=f"A-{n}") for n in made])

    record(5)
    assert len(watcher.numbers(5)) == 5
    console.kill()
    record(5)
    console.serve()
    assert len(watcher.numbers(10)) == 10
    console.ledger.kill()
    console.ledger.start()
    record(5)
    console.kill()  # perhaps in the middle of storing them
    console.serve()
    assert watcher.numbers(15) == [f"A-{n}" for n in range(1, 16)]
    watcher.close()


def test_acts_are_in_the_ledger(console: Console) -> None:
    """The first snapshot is an act: it is waited for in the ledger itself."""
    found: list[Act] = []
    for entry in follow_blocking(console.ledger.socket, live=True):
        if isinstance(entry.value, Act) and entry.value.what == "snapshot.made":
            found.append(entry.value)
            break
    assert found[0].about == "1"
    assert len(found[0].details["digest"]) == 64


def test_those_who_look_on_keep_no_connection_from_those_who_work(console: Console) -> None:
    """More live lists than the pool has connections, all told of the same alert."""
    visitor = Visitor(console.port, "9001")
    streams = [visitor.open("/alerts/stream") for _n in range(24)]
    for stream in streams:
        while b"data: start" not in stream.readline():
            pass
    with psycopg.connect(console.dsn) as connection:
        listening = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND query LIKE 'LISTEN \"qingfang%'"
        ).fetchone()
    assert listening == (1,)
    assert "告警" in visitor.ask("/alerts/")
    console.record([event(900, alert_number="A-900")])
    for stream in streams:
        while b"data: new" not in stream.readline():
            pass
        stream.close()
    assert "2026-03-01 09:45:00" in visitor.ask("/alerts/?q=A-900")
