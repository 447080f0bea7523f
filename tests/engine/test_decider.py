"""For whom a gateway notes its statements, and how it answers those that are too much to read, with
the real analyser, judge and ledger behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from qingfang import config as configuration
from qingfang import crypto
from qingfang.engine import closed, house
from qingfang.engine.decider import Decider
from qingfang.engine.supervisor import Supervisor
from qingfang.events import Connection, Event, Verdict
from qingfang.judge import snapshot as snapshots
from qingfang.judge.snapshot import RouteMode, Snapshot
from qingfang.record.client import Recordable, now_us
from qingfang.record.entries import Act
from qingfang.record.reading import records
from qingfang.record.recorder import Recorder
from qingfang.sense.gateway.contract import Leg
from qingfang.statement import Outcome, Statement

CATALOGUE = {
    "dialect": "postgres",
    "tables": {
        "users": {"kind": "other", "columns": {"id": None, "login": None}},
        "notes": {"kind": "other", "columns": {"id": None, "text": None, "czygh": "operator_id"}},
        "rx": {
            "kind": "usage",
            "columns": {
                "no": "prescription_id",
                "doctor": "prescriber_id",
                "item": "item_id",
                "qty": "quantity",
            },
        },
    },
    "operators": [{"table": "users", "column": "login", "on": "select", "scope": "session"}],
}
CONFIG = """\
[paths]
state = "{state}"
run = "{run}"

[[database]]
name = "his"
address = "127.0.0.1:5432"
catalogue = "catalogue.json"

[[route]]
name = "his"
database = "his"
listen = "127.0.0.1:5433"

[[route]]
name = "desk"
database = "his"
listen = "127.0.0.1:5434"
"""
AT_US = 1_795_000_000_000_000


def play(folder: Path, dialogue: list[tuple[str, int, str]]) -> list[str | None]:
    """(connection, transaction, SQL) one after the other; who the ledger says sent each."""
    file = folder / "qingfang.toml"
    file.write_text(CONFIG.format(state=folder, run=folder), encoding="utf-8")
    (folder / "catalogue.json").write_text(json.dumps(CATALOGUE), encoding="utf-8")
    config = configuration.read(file)
    closed.close(config)

    async def work() -> None:
        boss = Supervisor()
        try:
            for service in house.services(config, file, console=False)[:3]:
                await boss.start(service)
            recorder = Recorder(folder / "ledger.sock", "gateway/his")
            await recorder.start()
            decider = Decider(config, config.route[0], recorder)
            decider.start()
            for number, (name, transaction, sql) in enumerate(dialogue, 1):
                connection = Connection(
                    *(name, "site", "node-1", "gateway", "pg", "127.0.0.1:5432", "10.0.0.1:999"),
                    opened_us=AT_US,
                    account="app",
                )
                decider.opened(connection, Leg("127.0.0.1:1", 1))
                at_us = AT_US + number
                statement = Statement(number, at_us, "query", sql, transaction=transaction)
                verdict = decider.decide(connection, statement)
                if isinstance(verdict, Awaitable):
                    verdict = await verdict
                outcome = Outcome(number, at_us, 0, 0, "complete")
                decider.completed(connection, statement, verdict, outcome)
            await decider.close()
            await recorder.close()
        finally:
            await boss.stop()

    asyncio.run(work())
    entries = [entry.value for entry in records(folder / "ledger")]
    events = sorted((e for e in entries if isinstance(e, Event)), key=lambda e: e.at)
    assert len(events) == len(dialogue)
    return [e.operator.value if e.operator is not None else None for e in events]


def test_each_statement_is_noted_for_whoever_was_at_work_when_it_came(tmp_path: Path) -> None:
    def sign_in(name: str) -> str:
        return f"SELECT id FROM users WHERE login = '{name}'"

    def write(name: str) -> str:
        return f"INSERT INTO notes (text, czygh) VALUES ('x', '{name}')"

    look = "SELECT text FROM notes WHERE id = 1"
    dialogue = [
        ("c1", 1, look, None),
        # The same forms again and again: from the second time on they are looked up.
        *(("c1", 2, sign_in("A"), "A"), ("c1", 3, look, "A"), ("c1", 3, look, "A")),
        *(("c1", 4, sign_in("B"), "B"), ("c1", 5, look, "B"), ("c1", 5, sign_in("B"), "B")),
        # A row names its writer for the transaction, from then on.
        *(("c1", 6, look, "B"), ("c1", 6, write("C"), "C"), ("c1", 6, look, "C")),
        *(("c1", 7, look, "B"), ("c1", 8, write("C"), "C"), ("c1", 8, write("D"), "D")),
        # Whoever signs in meanwhile is at work when the transaction is over.
        *(("c1", 8, sign_in("A"), "D"), ("c1", 8, look, "D"), ("c1", 9, look, "A")),
        # Another connection is another matter.
        *(("c2", 1, look, None), ("c2", 2, write("D"), "D"), ("c2", 3, look, None)),
        ("c1", 10, look, "A"),
    ]
    noted = play(tmp_path, [step[:3] for step in dialogue])
    assert noted == [step[3] for step in dialogue]


FIGURES = "SELECT doctor, sum(qty) FROM rx WHERE item = 'Y1' GROUP BY doctor"
TOO_MUCH = {
    "a comment of 10 MB before the query": f"/*{' filler ' * 1_310_720}*/ {FIGURES}",
    "5,000 brackets in each other": f"SELECT {'(' * 5_000}1{')' * 5_000}, doctor, sum(qty) FROM rx"
    " WHERE item = 'Y1' GROUP BY doctor",
    "100,000 values of a list": "SELECT doctor, sum(qty) FROM rx WHERE item IN ("
    + ",".join(f"'Y{n}'" for n in range(100_000))
    + ") GROUP BY doctor",
    "2,000 arms of a UNION": " UNION ALL ".join(
        f"SELECT doctor, qty + {n} FROM rx WHERE item = 'Y{n}'" for n in range(2_000)
    ),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[Verdict, int]]:
    """(route, what) → the verdict on a statement of a client whom nobody registered, and the
    process id of the analyser that was asked. `his` observes, `desk` enforces."""
    folder = tmp_path_factory.mktemp("size")
    file = folder / "qingfang.toml"
    file.write_text(CONFIG.format(state=folder, run=folder), encoding="utf-8")
    (folder / "catalogue.json").write_text(json.dumps(CATALOGUE), encoding="utf-8")
    config = configuration.read(file)
    key = crypto.create_key(folder / "signing.key")
    (folder / "keys").mkdir()
    crypto.save_public(folder / "keys" / "snapshot.pub", key)
    told = Snapshot(
        site=config.site.id,
        version=1,
        made_at_us=now_us(),
        expires_at_us=now_us() + 3_600_000_000,
        routes=(RouteMode(route="desk", mode="enforce"),),
    )
    (folder / "snapshot.json").write_bytes(snapshots.seal(told, key.sign))
    closed.close(config)
    cut = Statement(1, AT_US, "query", "SELECT text FROM notes WHERE id = 1", doubt="cut")
    sent = {what: Statement(1, AT_US, "query", sql) for what, sql in TOO_MUCH.items()}
    found: dict[tuple[str, str], tuple[Verdict, int]] = {}

    async def work() -> None:
        boss = Supervisor()
        try:
            services = house.services(config, file, console=False)[:3]
            for service in services:
                await boss.start(service)
            recorder = Recorder(folder / "ledger.sock", "gateway")
            await recorder.start()
            deciders = {route.name: Decider(config, route, recorder) for route in config.route}
            for what, statement in {**sent, "cut": cut}.items():
                for route, decider in deciders.items():
                    connection = Connection(
                        *(f"{route}/{what}", "site", "node-1", "gateway", "pg", "127.0.0.1:5432"),
                        "10.0.0.1:999",
                        opened_us=AT_US,
                        account="app",
                        route=route,
                    )
                    decider.opened(connection, Leg("127.0.0.1:1", 1))
                    verdict = decider.decide(connection, statement)
                    if isinstance(verdict, Awaitable):
                        verdict = await verdict
                    process = next(s for s in services if s.name == "analyser").process
                    assert process is not None
                    found[route, what] = verdict, process.pid
            for decider in deciders.values():
                await decider.close()
            await recorder.close()
        finally:
            await boss.stop()

    asyncio.run(work())
    died = [
        entry.value.about
        for entry in records(folder / "ledger")
        if isinstance(entry.value, Act) and entry.value.what == "process.died"
    ]
    assert not died, "the analyser's memory was not enough"
    return found


@pytest.mark.parametrize("what", [*TOO_MUCH, "cut"])
def test_what_is_too_much_to_read_is_alerted_and_denied_to_strangers(
    answers: dict[tuple[str, str], tuple[Verdict, int]], what: str
) -> None:
    observed, enforced = answers["his", what][0], answers["desk", what][0]
    assert (observed.decision, observed.would) == ("alert", "deny")
    assert enforced.decision == "deny"
    assert observed.reasons
    # It answered every time, and is still the one that was started: within time and memory.
    assert len({pid for _verdict, pid in answers.values()}) == 1


class Hooked(Recorder):
    """Does something after an event has been recorded and before whoever asked knows it."""

    then: Callable[[], None] | None = None

    async def record(self, event: Recordable) -> int:
        seq = await super().record(event)
        if self.then is not None:
            self.then()
        return seq


def late(folder: Path, orders: list[list[str]]) -> list[Event]:
    """Play, for each order, one statement whose verdict comes late; the events of the ledger.
    Steps: `given up` (or so `while recording`), `outcome` (with how it ended after a colon),
    `verdict` (awaited to its end)."""
    file = folder / "qingfang.toml"
    file.write_text(CONFIG.format(state=folder, run=folder), encoding="utf-8")
    (folder / "catalogue.json").write_text(json.dumps(CATALOGUE), encoding="utf-8")
    config = configuration.read(file)
    closed.close(config)

    async def work() -> None:
        boss = Supervisor()
        try:
            for service in house.services(config, file, console=False)[:3]:
                await boss.start(service)
            recorder = Hooked(folder / "ledger.sock", "gateway/his")
            await recorder.start()
            decider = Decider(config, config.route[0], recorder)
            for number, steps in enumerate(orders, 1):
                connection = Connection(
                    *(f"c{number}", "site", "node-1", "gateway", "pg", "127.0.0.1:5432"),
                    "10.0.0.1:999",
                    opened_us=AT_US,
                    account="app",
                )
                decider.opened(connection, Leg("127.0.0.1:1", 1))
                statement = Statement(1, AT_US + number, "query", FIGURES)
                coming = decider.decide(connection, statement)
                assert isinstance(coming, Awaitable)
                task = asyncio.ensure_future(coming)
                for step in steps:
                    if step == "verdict":
                        await task
                    elif step == "given up":
                        decider.given_up(connection, statement)
                    elif step == "given up while recording":
                        recorder.then = partial(decider.given_up, connection, statement)
                    else:
                        end = step.partition(":")[2]
                        outcome = Outcome(1, AT_US + number, number, 0, end)
                        decider.completed(connection, statement, None, outcome)
                decider.closed(connection)
            await decider.close()
            await recorder.close()
        finally:
            await boss.stop()

    asyncio.run(work())
    entries = [entry.value for entry in records(folder / "ledger")]
    return [e for e in entries if isinstance(e, Event)]


def test_a_verdict_that_comes_late_is_recorded_once_with_what_was_done(tmp_path: Path) -> None:
    orders = [
        ["given up", "outcome:complete", "verdict"],
        ["given up", "verdict", "outcome:complete"],
        ["given up", "outcome:denied", "verdict"],
        # The verdict was being recorded when the budget was over.
        ["given up while recording", "verdict", "outcome:complete"],
    ]
    events = late(tmp_path, orders)
    assert [(e.connection, e.answered_as, e.rows) for e in sorted(events, key=lambda e: e.at)] == [
        ("c1", "forwarded", 1),
        ("c2", "forwarded", 2),
        ("c3", "denied", 3),
        ("c4", "forwarded", 4),
    ]
    assert {e.verdict for e in events} == {"alert"}
