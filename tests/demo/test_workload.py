"""The hospital's day: real clients against a real server, without one error of their own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from typing import Any

import msgspec
import psycopg
import pytest

from qingfang.demo.client import Target, filled
from qingfang.demo.workload import JOBS, Order
from qingfang.postgres import Server
from tests.demo.conftest import SEED, TODAY


class Day:
    """A workload process, as its parent sees it."""

    def __init__(self, target: Target, **wanted: Any) -> None:
        self.order = Order(target=target, seed=SEED, today=TODAY, **wanted)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "qingfang.demo.workload"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdin
        self.process.stdin.write(msgspec.json.encode(self.order) + b"\n")
        self.process.stdin.flush()

    def next(self) -> dict[str, Any]:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def rest(self) -> list[dict[str, Any]]:
        """Everything it still tells, to its end."""
        assert self.process.stdout
        assert self.process.stderr
        told = [json.loads(line) for line in self.process.stdout]
        problems = self.process.stderr.read().decode()
        assert self.process.wait() == 0, problems
        assert problems == ""
        return told


def test_a_day_without_one_error(his: Target, postgres: Server) -> None:
    """Unpaced for some seconds: every kind of desk works, everything planted is played."""
    day = Day(his, plan=11, seconds=8.0, rate=0.0)
    told = day.rest()
    assert [r for r in told if r["kind"] == "error"] == []
    assert told[0]["kind"] == "started"
    assert told[-1] == {"kind": "end", "statements": told[-1]["statements"], "errors": 0}
    assert told[-1]["statements"] > 2000
    played = [r for r in told if r["kind"] in ("attempt", "granted")]
    assert len({r["technique"] for r in played}) == len(played) >= 20
    for record in played:
        assert record["problem"] is None
        assert record["refused"] == 0
        assert record["client"].startswith("127.")
        assert record["sql"]
    assert len({r["client"] for r in played}) == len(played)
    with psycopg.connect(postgres.dsn(database="his")) as connection:
        programs = connection.execute(
            "SELECT program, count(DISTINCT ygdm) FROM his.sys_login_log WHERE id >= 500000001 GROUP BY 1"
        ).fetchall()
        assert {job.program for job in JOBS if job.weight >= 1} <= {p for p, _n in programs}
        assert sum(n for _p, n in programs) > 40
        left = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'hisuser'"
        ).fetchone()
        assert left == (0,)


def test_what_the_day_adds_still_adds_up(his: Target, postgres: Server) -> None:
    """After work, what was handed out today was prescribed, charged and taken from stock."""
    Day(his, seconds=3.0, rate=0.0).rest()
    with psycopg.connect(postgres.dsn(database="his")) as connection:
        row = connection.execute(
            """SELECT (SELECT sum(fy_sl) FROM his.yf_fyrec WHERE fyid > 500000000),
                (SELECT -sum(sl) FROM his.yf_crk WHERE biz_type = '020' AND lsh > 500000000),
                (SELECT sum(m.sl) FROM his.mz_cf c JOIN his.mz_cfmx m ON m.cfh = c.cfh
                    WHERE c.fy_zt = 1 AND c.cfh > 500000000)"""
        ).fetchone()
        assert row
        assert row[0] == row[1] == row[2] > 0


def test_clients_come_from_their_terminals_addresses(his: Target, postgres: Server) -> None:
    """While work goes on, the server sees many addresses, one account, and programs by name."""
    day = Day(his, plan=1, seconds=0.0, rate=60.0)
    try:
        assert day.next()["kind"] == "started"
        seen: set[tuple[str, str]] = set()
        with psycopg.connect(postgres.dsn(database="his"), autocommit=True) as connection:
            while len(seen) < 12:
                day.next()
                seen |= {
                    (str(address), program)
                    for address, program in connection.execute(
                        "SELECT host(client_addr), application_name FROM pg_stat_activity"
                        " WHERE usename = 'hisuser'"
                    )
                }
        assert all(address.startswith("127.") for address, _program in seen)
        assert len({address for address, _program in seen}) > 5
        assert all(program for _address, program in seen)
    finally:
        day.process.terminate()
    told = day.rest()
    assert told[-1]["kind"] == "end"


def test_it_ends_when_its_parent_goes(his: Target) -> None:
    """End of file on standard input is all a killed parent leaves behind."""
    day = Day(his, seconds=0.0, rate=20.0)
    assert day.next()["kind"] == "started"
    assert day.process.stdin
    day.process.stdin.close()
    assert day.rest()[-1]["kind"] == "end"


def test_kill_nine_of_the_parent_leaves_nothing(his: Target) -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys\n"
            "p = subprocess.Popen([sys.executable, '-m', 'qingfang.demo.workload'],"
            " stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
            "p.stdin.write(sys.stdin.buffer.readline()); p.stdin.flush()\n"
            "print(p.pid, p.stdout.readline().decode(), flush=True)\n"
            "p.wait()\n",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    order = Order(target=his, seed=SEED, today=TODAY, seconds=0.0, rate=20.0)
    assert parent.stdin
    assert parent.stdout
    parent.stdin.write(msgspec.json.encode(order) + b"\n")
    parent.stdin.flush()
    child = os.pidfd_open(int(parent.stdout.readline().split()[0]))
    try:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert select.select([child], [], [], 20)[0], "the workload outlived its parent"
    finally:
        os.close(child)


def test_a_database_that_is_away_is_told_as_an_error(his: Target) -> None:
    """The day does not begin, and the reason is on standard error; no attempt is made up."""
    nowhere = Target("127.0.0.1", 1, his.database, his.user, his.password)
    day = Day(nowhere, plan=1, seconds=2.0)
    assert day.process.stdout
    assert day.process.stderr
    out, problems = day.process.stdout.read(), day.process.stderr.read()
    assert day.process.wait() == 1
    assert b"attempt" not in out
    assert his.password.encode() not in problems


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "NULL"), (3, "3"), ("O'Neil", "'O''Neil'"), (TODAY, "'2026-11-23'"), (True, "true")],
)
def test_values_are_written_into_the_text_as_literals(value: object, text: str) -> None:
    assert filled("SELECT $1, $2", ("x", value)) == f"SELECT 'x', {text}"
