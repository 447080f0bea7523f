"""A real server and a real client on a captured interface: every statement, every row."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from qingfang.engine.passive import Decoding
from qingfang.events import Connection
from qingfang.postgres import Server
from qingfang.sense.tap.capture import Capture
from qingfang.sense.tap.encryption import Blind
from qingfang.sense.tap.flows import Flows
from qingfang.statement import Outcome, Statement
from tests.support.raw import needs_raw

CLONE_NEWNET = 0x40000000


class Heard:
    """A listener that keeps everything."""

    def __init__(self) -> None:
        self.statements: list[tuple[Connection, Statement, Outcome]] = []
        self.lost_bytes = 0
        self.blinds: list[Blind] = []
        self.gone: list[str] = []

    def sent(self, connection: Connection, statement: Statement) -> None:
        pass

    def completed(self, connection: Connection, statement: Statement, outcome: Outcome) -> None:
        self.statements.append((connection, statement, outcome))

    def conflict(self, connection: Connection, from_client: bool, size: int, at_us: int) -> None:
        raise AssertionError

    def lost(self, connection: Connection, from_client: bool, size: int, at_us: int) -> None:
        self.lost_bytes += size

    def blind(self, connection: Connection, blind: Blind, at_us: int) -> None:
        self.blinds.append(blind)

    def closed(self, connection: Connection) -> None:
        self.gone.append(connection.account)


class Ear:
    """Captures in a thread until `stop`, then all that was captured has been heard."""

    def __init__(self, interface: str, port: int) -> None:
        self.heard = Heard()
        self._capture = Capture(interface, [port])
        self._decoding = Decoding(self.heard)
        self._flows = Flows({port: "pg"}, self._decoding, source="tap", node="node-1")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            frames = self._capture.read(100)
            for at_us, link, wire, data, vlan in frames:
                self._flows.frame(at_us, link, wire, data, vlan)
            if not frames and self._stopping.is_set():
                return

    def stop(self) -> Heard:
        self._stopping.set()
        self._thread.join()
        self._capture.update()
        assert self._capture.dropped == 0
        assert self._capture.received == self._flows.packets
        self._capture.close()
        counts = self._flows.counts()
        assert (counts.lost_bytes, counts.malformed, counts.cut) == (0, 0, 0)
        assert self._decoding.undecodable == self.heard.lost_bytes == 0
        return self.heard


def work(dsn: str, ear: Ear) -> Heard:
    """Statements of every kind, then the ear must have exactly these."""
    try:
        _talk(dsn)
    finally:
        heard = ear.stop()
    _check(heard)
    return heard


def _talk(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True, application_name="outpatient") as connection:
        connection.execute("CREATE TABLE drug (code text, price numeric)")
        with connection.cursor().copy("COPY drug FROM STDIN") as copy:
            for n in range(20_000):
                copy.write_row((f"Y{n:05}", n))
        for n in range(500):
            connection.execute(sql.SQL("SELECT {} AS n").format(n))
            connection.execute("SELECT price FROM drug WHERE code = %s", (f"Y{n:05}",))
        assert len(connection.execute("SELECT * FROM drug").fetchall()) == 20_000
        with connection.pipeline():
            for n in range(50):
                connection.execute("SELECT generate_series(1, %s)", (n,))
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM nowhere")


def _check(heard: Heard) -> None:
    assert heard.gone == ["postgres"]
    rows: dict[str, list[int]] = {}
    for seen, statement, outcome in heard.statements:
        assert seen.program == "outpatient"
        assert seen.account == "postgres"
        assert outcome.end == ("failed" if "nowhere" in statement.sql else "complete")
        rows.setdefault(statement.sql, []).append(outcome.rows)
    assert rows.pop("SELECT price FROM drug WHERE code = $1") == [1] * 500
    assert [rows.pop(f"SELECT {n} AS n") for n in range(500)] == [[1]] * 500
    assert rows.pop("SELECT * FROM drug") == [20_000]
    assert rows.pop("SELECT generate_series(1, $1)") == list(range(50))
    assert set(rows) == {
        "CREATE TABLE drug (code text, price numeric)",
        "COPY drug FROM STDIN",
        "SELECT * FROM nowhere",
    }


@needs_raw
def test_a_real_server_on_loopback(postgres: Server, database: str) -> None:
    assert postgres.port is not None
    ear = Ear("lo", postgres.port)
    heard = work(make_conninfo(database, host="127.0.0.1", port=postgres.port), ear)
    assert {c.server for c, _s, _o in heard.statements} == {f"127.0.0.1:{postgres.port}"}


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def other_room() -> Iterator[tuple[Path, str, str]]:
    """A network namespace joined to ours by a cable: its file, our end, our address."""
    number = os.getpid()
    name, ours, theirs = f"qf-{number}", f"qf{number}a", f"qf{number}b"
    prefix = f"198.18.{number % 250}"
    try:
        ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"网络命名空间不可用：{error}")
    try:
        ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        for device, end, where in ((ours, 1, ()), (theirs, 2, ("-n", name))):
            ip(*where, "addr", "add", f"{prefix}.{end}/24", "dev", device)
            ip(*where, "link", "set", device, "up")
        yield Path("/run/netns", name), ours, f"{prefix}.1"
    finally:
        ip("netns", "del", name)


class Door:
    """Passes connections at an address of ours on to the server, which listens on loopback."""

    def __init__(self, address: str, port: int) -> None:
        self._listener = socket.create_server((address, 0))
        self._port = port
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                outside, _address = self._listener.accept()
                inside = socket.create_connection(("127.0.0.1", self._port))
                for a, b in ((outside, inside), (inside, outside)):
                    threading.Thread(target=self._carry, args=(a, b), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()


@needs_raw
def test_a_client_on_another_machine(
    postgres: Server, database: str, other_room: tuple[Path, str, str]
) -> None:
    """Large offloaded frames, both directions on one interface."""
    assert postgres.port is not None
    room, cable, address = other_room
    door = Door(address, postgres.port)
    ear = Ear(cable, door.port)
    found: list[Heard | BaseException] = []

    def client() -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            with room.open("rb") as namespace:  # of this thread alone
                assert libc.setns(namespace.fileno(), CLONE_NEWNET) == 0
            found.append(work(make_conninfo(database, host=address, port=door.port), ear))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=client)
    thread.start()
    thread.join()
    door.close()
    (heard,) = found
    if isinstance(heard, BaseException):
        raise heard
    assert {c.server for c, _s, _o in heard.statements} == {f"{address}:{door.port}"}
