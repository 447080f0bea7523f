"""The house under faults: its real processes killed, stopped and misled while clients work."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import psycopg
import pytest

from qingfang import crypto, ipc
from qingfang.judge.snapshot import Envelope, digest
from qingfang.postgres import Server
from qingfang.record.client import stat
from tests.support.house import CATALOGUE, USAGE, WORK, House, until

# A shape of its own for each test, so that nobody knows it yet.
SHAPE = "SELECT doctor AS {0}, sum(qty) FROM rx GROUP BY doctor"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, postgres: Server) -> Iterator[House]:
    """Shared by the tests of this file; each leaves it whole."""
    assert postgres.port is not None
    postgres.database("faults", template="template0")
    with House(
        tmp_path_factory.mktemp("faults"), postgres.dsn(database="faults"), postgres.port
    ) as running:
        yield running
    postgres.drop("faults")


class Load:
    """Clients at work through the gateway until the end of the block; what went wrong for them."""

    def __init__(self, house: House, clients: int = 2) -> None:
        self._house = house
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(clients)]
        self.done = 0
        self.errors: list[psycopg.Error] = []

    def _work(self, number: int) -> None:
        try:
            with self._house.client(application_name=f"ward{number}") as connection:
                while not self._over.is_set():
                    connection.execute(WORK.format(self.done))
                    self.done += 1
        except psycopg.Error as error:
            self.errors.append(error)

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        until(lambda: self.done > 20)
        return self

    def go_on(self) -> None:
        """Some more statements are done."""
        more = self.done + 20
        until(lambda: self.done > more or self.errors)

    def __exit__(self, *_what: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("name", ["analyser", "judge"])
def test_nobody_who_judges(house: House, name: str) -> None:
    """A clinical route goes on; the interval is recorded and alerted, the judgement comes late."""
    sql = SHAPE.format(f"without_{name}")
    before = len(house.acts("route.unjudged"))
    with Load(house) as load, house.client() as client:
        client.execute(WORK.format(0))
        house.kill(name)
        assert len(client.execute(sql).fetchall()) == 7
        load.go_on()
        (late,) = until(lambda: house.events(about=f"without_{name}"))
        assert (late.verdict, late.rows) == ("alert", 7)
        assert len(client.execute(sql).fetchall()) == 7
        until(lambda: len(house.acts("route.unjudged")) > before)
    assert load.errors == []
    interval = house.acts("route.unjudged")[before]
    assert (interval.about, interval.details["forwarded"]) == ("main", "1")
    assert interval.details["from"] < interval.details["to"]
    told = [e for e in house.events(kind="coverage") if e.codes == ("route-unjudged",)]
    assert [e.verdict for e in told] == ["alert"] * (before + 1)
    assert not house.losses()


def test_a_route_that_fails_closed_refuses_what_nobody_judges(house: House) -> None:
    with house.client("desk") as client:
        client.execute(WORK.format(0))
        house.kill("analyser")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="暂时无法判断"):
            client.execute(SHAPE.format("closed"))
        # A statement whose meaning is known goes on.
        assert client.execute(WORK.format(1)).fetchall() == [("内科",)]
    (late,) = until(lambda: house.events(about="AS closed"))
    assert late.answered_as == "denied"


def test_no_ledger(house: House) -> None:
    """What alarms is not answered before it is durable; what passes comes later, to the last one."""
    answered: list[object] = []

    def ask() -> None:
        with house.client("desk") as client:
            try:
                answered.append(client.execute(SHAPE.format("no_ledger")).fetchall())
            except psycopg.Error as error:
                answered.append(error)

    with house.client(application_name="steady") as steady:
        steady.execute(WORK.format(0))
        house.pause("ledger")
        asking = threading.Thread(target=ask)
        asking.start()
        for n in range(1, 200):
            steady.execute(WORK.format(n))
        assert not answered
        house.kill("ledger")
        asking.join()
        assert answered
        assert len(house.events(about="no_ledger")) == 1
    until(lambda: sum(e.program == "steady" for e in house.events(about="ward")) == 200)
    assert not house.losses()


def test_a_database_that_is_restarted(house: House, postgres: Server) -> None:
    gateway = house.pid("gateway-main-0")
    waiting: list[psycopg.Error] = []

    def wait() -> None:
        with house.client() as client:
            try:
                client.execute("SELECT pg_sleep(60)")
            except psycopg.Error as error:
                waiting.append(error)

    with Load(house) as load, house.client("direct") as other:
        waiter = threading.Thread(target=wait)
        waiter.start()
        asleep = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        until(lambda: other.execute(asleep).fetchall())
        postgres.stop()
        try:
            until(lambda: len(load.errors) == 2)
            with pytest.raises(psycopg.OperationalError, match="连接不上"):
                house.client()
        finally:
            postgres.start()
        waiter.join()
    assert [e.sqlstate for e in waiting] == ["57P01"]
    with house.client() as again:
        assert again.execute(WORK.format(1)).fetchall() == [("内科",)]
    assert house.pid("gateway-main-0") == gateway


def test_a_client_that_dies_in_the_middle_of_a_copy(house: House) -> None:
    gateway = house.pid("gateway-main-0")
    with house.client(application_name="dying") as client:
        copying = client.cursor().copy("COPY ward FROM STDIN")
        copy = copying.__enter__()
        for n in range(2000):
            copy.write_row((n, "外科"))
        line = socket.socket(fileno=os.dup(client.fileno()))
        line.shutdown(socket.SHUT_RDWR)
        line.close()
        with contextlib.suppress(psycopg.Error):
            client.close()
    (died,) = until(lambda: house.events(about="COPY ward"))
    assert (died.program, died.took_ms, died.error) == ("dying", None, None)
    with house.client() as client:
        assert client.execute("SELECT count(*) FROM ward").fetchall() == [(1,)]
    assert house.pid("gateway-main-0") == gateway


def test_a_broken_catalogue_is_named_and_the_old_one_stays(house: House) -> None:
    tables = dict(CATALOGUE["tables"])
    tables["public.rx"] = {"kind": "usage", "columns": {"doctor": "doktor"}}
    before = len(house.acts("catalogue.refused"))
    whole = json.dumps(CATALOGUE, indent=1)
    broken = (
        json.dumps({**CATALOGUE, "tables": tables}, indent=1),
        whole[: len(whole) // 2],
        json.dumps({**CATALOGUE, "tables": []}),
    )
    for text in broken:
        house.catalogue.write_text(text, encoding="utf-8")
        wanted = before = before + 1
        until(lambda: len(house.acts("catalogue.refused")) == wanted)  # noqa: B023
    role, torn, kind = (a.about for a in house.acts("catalogue.refused")[-3:])
    line = next(n for n, text in enumerate(broken[0].splitlines(), 1) if "doktor" in text)
    assert f"{house.catalogue}:{line}: tables.public.rx.columns.doctor: " in role
    assert torn.startswith(f"{house.catalogue}:{broken[1].count(chr(10)) + 1}: 不是完整的 JSON")
    assert f"{house.catalogue}:1: tables: " in kind
    # Killed while it is broken, the analyser comes back with the one that was in force.
    house.kill("analyser")
    until(lambda: any("catalogue.json" in a.about for a in house.acts("catalogue.in-force")[1:]))
    with house.client() as client:
        client.execute(SHAPE.format("old_catalogue"))
    assert until(lambda: house.events(about="old_catalogue"))[0].verdict == "alert"
    house.catalogue.write_text(json.dumps(CATALOGUE), encoding="utf-8")


def test_a_snapshot_that_is_torn_forged_or_old_changes_nothing(house: House) -> None:
    house.hand_down(7)
    until(lambda: [a.about for a in house.acts("snapshot.in-force")] == ["7"])
    held = msgspec.json.decode((house.state / "snapshot.json").read_bytes(), type=Envelope)
    previous = digest(held.payload)
    count = len(house.acts("snapshot.refused"))

    def refused() -> str:
        nonlocal count
        count += 1
        until(lambda: len(house.acts("snapshot.refused")) == count)
        return house.acts("snapshot.refused")[-1].about

    (house.state / "snapshot.json").write_bytes(b'{"payload"')
    assert refused()
    house.hand_down(8, key=crypto.Ed25519Signer.generate())
    assert refused()
    house.hand_down(8, previous=previous, policy="[thresholds]\nno_such_key = 1\n")
    assert "snapshot:1: thresholds: 没有这个键" in refused()
    house.hand_down(8, previous=previous, policy="[thresholds\n")
    assert "snapshot:1" in refused()
    house.hand_down(6)
    assert "6" in refused()
    with house.client("desk") as client, pytest.raises(psycopg.errors.InsufficientPrivilege):
        client.execute(USAGE.format(4))
    # Nor does a kill bring the old one back, or leave nothing in force.
    house.kill("judge")
    assert "6" in refused()
    with house.client("desk") as client, pytest.raises(psycopg.errors.InsufficientPrivilege):
        client.execute(USAGE.format(4))
    assert [a.about for a in house.acts("snapshot.in-force")] == ["7"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own for the ledger."""
    folder = tmp_path / "state" / "ledger"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("需要 root 才能挂载 tmpfs / needs root to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(tmp_path: Path, small_disk: Path, postgres: Server, database: str) -> None:
    """Clinical work goes on; what could not be stored is counted to the last one."""
    assert postgres.port is not None
    more = "[ledger]\nsegment_mib = 1"
    with (
        House(tmp_path, database, postgres.port, more=more) as house,
        house.client() as client,
    ):
        client.execute(WORK.format(1))
        until(lambda: house.events(about="ward"))
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        free = shutil.disk_usage(small_disk).free
        assert free < 4096
        for n in range(50):
            client.execute(WORK.format(n))
        assert len(client.execute(SHAPE.format("full")).fetchall()) == 7
        with house.client("desk") as desk, pytest.raises(psycopg.errors.InsufficientPrivilege):
            desk.execute(SHAPE.format("full"))
        filler.unlink()

        def accounted() -> bool:
            lost = sum(loss.kinds.get("brief", 0) for loss in house.losses())
            return lost + len(house.events(about="ward")) == 51

        until(accounted)
        # The ledger looks for room once a second; what comes before that is counted as lost.
        until(lambda: stat(house.run / "ledger.sock").state == "ok")
        client.execute(SHAPE.format("room"))
        assert until(lambda: house.events(about="AS room"))[0].verdict == "alert"
        assert house.losses()


@pytest.fixture
def running(tmp_path: Path, postgres: Server, database: str) -> Iterator[Running]:
    assert postgres.port is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{receiver.getsockname()[1]}"
        more = f'[channels.syslog]\naddress = "{address}"\ntransport = "udp"'
        one = Running(House(tmp_path, database, postgres.port, more=more))
        try:
            yield one
        finally:
            one.process.kill()
            one.process.wait()
            one.close()


class Running:
    """`qingfang run` with everything, the console too."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._log = (house.place / "run.log").open("wb")
        self.process: subprocess.Popen[bytes]
        self.start()

    def close(self) -> None:
        self._log.close()

    def start(self) -> None:
        argv = [sys.executable, "-m", "qingfang.cli", "run", "--config", str(self.house.file)]
        self.process = subprocess.Popen(argv, stdout=self._log, stderr=self._log)
        until(lambda: self._state("console") == "up", 60)

    def _state(self, name: str) -> str:
        assert self.process.poll() is None, (self.house.place / "run.log").read_text()
        client = ipc.BlockingClient(self.house.run / "status.sock")
        try:
            told = json.loads(client.call("processes"))
            return next((p["state"] for p in told if p["name"] == name), "")
        except ipc.Unavailable:
            return ""
        finally:
            client.close()

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def console(self) -> psutil.Process:
        """The process itself, not its database's."""
        return next(c for c in self.children() if "qingfang.web.server" in " ".join(c.cmdline()))


def test_with_the_console_killed_alerts_are_told_and_an_end_leaves_nothing(
    running: Running,
) -> None:
    house = running.house
    house.set_up()
    running.console().kill()
    with house.client() as client:
        client.execute(SHAPE.format("no_console"))
    until(lambda: [a for a in house.acts("notice.sent") if a.details["channel"] == "syslog"])
    until(lambda: any(a.about == "console" for a in house.acts("process.died")))
    children = running.children()
    assert len(children) >= 6
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(40) == 0
    assert psutil.wait_procs(children, timeout=1)[1] == []
    running.start()
    children = running.children()
    running.process.kill()
    running.process.wait()
    assert psutil.wait_procs(children, timeout=15)[1] == []
