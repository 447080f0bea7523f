"""The gateway beside haproxy and pgbouncer: CPU, added latency, throughput, large results.

Twice: the relaying process alone, where everything passes (`_relay.py`), and all on: ledger,
analyser, judge, notifier and gateway as the house starts them, every statement judged and recorded,
with the CPU of all of them and all their threads. pgbench's tables are in the catalogue as `other`.

Every figure is the best of the rounds of its relay: on a shared machine noise only ever adds. The
rounds of the relays alternate.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psycopg

from qingfang import config as configuration
from qingfang.bench import Progress, Row, missing, ratio
from qingfang.engine import closed, house
from qingfang.engine.process import READY
from qingfang.postgres import Server, free_port

_SCALE = 5
_SECONDS = 3
_ROUNDS = 3
_ROWS = 1_000_000
_SELECT = "SELECT n, n * 7 AS amount, 'item-' || n AS item FROM generate_series(1, 1000000) n"
_END = b"Z\x00\x00\x00\x05I"


_CATALOGUE = {
    "dialect": "postgres",
    "tables": {
        "pgbench_accounts": {
            "kind": "other",
            "columns": {"aid": None, "bid": None, "abalance": None, "filler": None},
        },
        "pgbench_branches": {
            "kind": "other",
            "columns": {"bid": None, "bbalance": None, "filler": None},
        },
    },
}
_CONFIG = """\
[paths]
state = "{folder}/state"
run = "{folder}/run"

[[database]]
name = "pgbench"
address = "127.0.0.1:{backend}"
catalogue = "{folder}/catalogue.json"

[[route]]
name = "pgbench"
database = "pgbench"
listen = "127.0.0.1:{port}"
"""


class _Relay:
    """Processes that relay; `cpu` is their processor time so far in seconds, all threads."""

    def __init__(self, name: str, port: int, *processes: subprocess.Popen[str]) -> None:
        self.name = name
        self.port = port
        self.processes = processes

    def cpu(self) -> float:
        used = 0
        for process in self.processes:
            for stat in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
                used += int(stat.read_text(encoding="ascii").split()[0])
        return used / 1e9


def run(progress: Progress) -> list[Row]:
    pgbench = shutil.which("pgbench") or _newest("/usr/lib/postgresql/*/bin/pgbench")
    if pgbench is None:
        return [missing("CPU per transaction, latency, throughput, large results", "pgbench")]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qf-bench-")))
        folder.chmod(0o755)
        server = stack.enter_context(
            Server(Path(tempfile.mkdtemp(prefix="qf-bench-pg-")), port=0, settings={"fsync": "off"})
        )
        stack.callback(shutil.rmtree, server.folder, True)
        assert server.port is not None
        bench = _Bench(pgbench, server, progress)
        bench.prepare()
        direct = _Relay("direct", server.port)
        ours = stack.enter_context(_ours(server.port))
        whole = stack.enter_context(_house(folder, server.port))
        peers = [
            relay
            for relay in (
                stack.enter_context(_haproxy(folder, server.port)),
                stack.enter_context(_pgbouncer(folder, server)),
            )
            if relay is not None
        ]
        return bench.rows(direct, ours, whole, peers)


class _Bench:
    def __init__(self, pgbench: str, server: Server, progress: Progress) -> None:
        self._pgbench = pgbench
        self._server = server
        self._progress = progress
        self._environment = {**os.environ, "PGPASSWORD": server.password(), "PGSSLMODE": "disable"}

    def prepare(self) -> None:
        self._progress(f"pgbench -i -s {_SCALE}")
        assert self._server.port is not None
        self._call(self._server.port, "-i", "-q", "-s", str(_SCALE))

    def _call(self, port: int, *arguments: str) -> str:
        command = [self._pgbench, "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
        return subprocess.run(
            [*command, *arguments, "postgres"],
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def _select_only(self, relay: _Relay, clients: int, mode: str) -> tuple[float, float, float]:
        """(CPU µs of the relay, latency µs, transactions a second) of one round."""
        before = relay.cpu()
        arguments = ("-n", "-S", "-c", str(clients), "-T", str(_SECONDS), "-M", mode)
        text = self._call(relay.port, *arguments)
        used = relay.cpu() - before
        done = int(_found(r"actually processed: (\d+)", text))
        latency = float(_found(r"latency average = ([\d.]+) ms", text)) * 1000
        return used / done * 1e6, latency, float(_found(r"tps = ([\d.]+)", text))

    def rows(self, direct: _Relay, ours: _Relay, whole: _Relay, peers: list[_Relay]) -> list[Row]:
        by_name = {r.name: r for r in peers}
        rows: list[Row] = []
        haproxy = by_name.get("haproxy")
        for mode, bound, all_on in (("prepared", 1.3, 1.6), ("simple", 1.5, 1.9)):
            figures = self._rounds([ours, whole, *peers], 8, mode)
            what = f"relaying process, CPU µs per transaction, 8 clients, {mode}"
            if haproxy is None:
                rows.append(missing(what, "haproxy"))
                continue
            mine, theirs = figures["qingfang"], figures["haproxy"]
            rows.append(ratio(what, mine[0], theirs[0], "haproxy", at_most=bound))
            all_of_it = figures["all on"]
            what = f"all processes, all on, CPU µs per transaction, 8 clients, {mode}"
            rows.append(ratio(what, all_of_it[0], theirs[0], "haproxy", at_most=all_on))
            what = f"relay alone, transactions per second, 8 clients, {mode}"
            rows.append(ratio(what, mine[2], theirs[2], "haproxy", at_least=0.75))
            what = f"all on, transactions per second, 8 clients, {mode}"
            rows.append(ratio(what, all_of_it[2], theirs[2], "haproxy", at_least=0.75))
        figures = self._rounds([direct, ours, whole, *peers], 1, "prepared")
        if peers:
            added = {name: figure[1] - figures["direct"][1] for name, figure in figures.items()}
            slowest = max((r.name for r in peers), key=lambda name: added[name])
            for name, words in (("qingfang", "relay alone"), ("all on", "all on")):
                what = f"added mean latency µs, one client, prepared, {words}"
                rows.append(ratio(what, added[name], added[slowest], slowest, at_most=1.5))
        rows += [missing(what, name) for name in ("haproxy", "pgbouncer") if name not in by_name]
        for kind, sql, bound in (
            ("COPY", f"COPY ({_SELECT}) TO STDOUT", 0.9),
            ("SELECT", _SELECT, 0.65),
        ):
            what = f"{kind} of {_ROWS:,} rows, MB per second"
            if haproxy is None:
                rows.append(missing(what, "haproxy"))
                continue
            speed = self._large(kind, sql, [ours, haproxy])
            rows.append(ratio(what, speed["qingfang"], speed["haproxy"], "haproxy", at_least=bound))
        return rows

    def _rounds(
        self, relays: list[_Relay], clients: int, mode: str
    ) -> dict[str, tuple[float, float, float]]:
        best: dict[str, tuple[float, float, float]] = {}
        for turn in range(_ROUNDS):
            for relay in relays:
                self._progress(f"{mode}, {clients} clients, {relay.name}, {turn + 1}/{_ROUNDS}")
                cpu, latency, rate = self._select_only(relay, clients, mode)
                old = best.get(relay.name, (cpu, latency, rate))
                best[relay.name] = (
                    min(old[0], cpu),
                    min(old[1], latency),
                    max(old[2], rate),
                )
        return best

    def _large(self, kind: str, sql: str, relays: list[_Relay]) -> dict[str, float]:
        best: dict[str, float] = {}
        for turn in range(_ROUNDS):
            for relay in relays:
                self._progress(f"{kind}, {relay.name}, {turn + 1}/{_ROUNDS}")
                size, seconds = self._drain(relay.port, sql)
                best[relay.name] = max(best.get(relay.name, 0.0), size / seconds / 1e6)
                if relay.name == "qingfang":
                    counted = int(_line(relay.processes[0].stdout))
                    if counted != _ROWS:
                        raise RuntimeError(f"{counted} of {_ROWS} rows were counted")
        return best

    def _drain(self, port: int, sql: str) -> tuple[int, float]:
        """Send `sql` and read its answer to the end: (bytes, seconds)."""
        with (
            psycopg.connect(
                host="127.0.0.1",
                port=port,
                user="postgres",
                dbname="postgres",
                password=self._server.password(),
                sslmode="disable",
            ) as client,
            socket.socket(fileno=os.dup(client.fileno())) as raw,
        ):
            raw.setblocking(True)
            text = sql.encode() + b"\x00"
            room = bytearray(1 << 20)
            view = memoryview(room)
            size = 0
            tail = b""
            begin = time.perf_counter()
            raw.sendall(b"Q" + (len(text) + 4).to_bytes(4, "big") + text)
            while tail != _END:
                got = raw.recv_into(view)
                if not got:
                    raise RuntimeError("the connection ended within the result")
                size += got
                tail = (tail + room[max(0, got - 6) : got])[-6:]
            return size, time.perf_counter() - begin


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"pgbench said nothing like {pattern!r}")
    return found[1]


def _newest(pattern: str) -> str | None:
    found = sorted(Path("/").glob(pattern.lstrip("/")))
    return str(found[-1]) if found else None


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


@contextlib.contextmanager
def _process(name: str, port: int, command: list[str]) -> Iterator[_Relay]:
    """A peer that listens on `port`, once it does."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )
    try:
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > end or process.poll() is not None:
                    raise RuntimeError(f"{name} does not listen") from None
                time.sleep(0.05)
        yield _Relay(name, port, process)
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def _ours(backend: int) -> Iterator[_Relay]:
    command = [sys.executable, "-m", "qingfang.bench._relay", f"127.0.0.1:{backend}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _Relay("qingfang", int(_line(process.stdout)), process)
        finally:
            process.terminate()


@contextlib.contextmanager
def _house(folder: Path, backend: int) -> Iterator[_Relay]:
    """Everything but the console, as the supervisor would start it."""
    port = free_port()
    file = folder / "qingfang.toml"
    text = _CONFIG.format(folder=folder, backend=backend, port=port)
    file.write_text(text, encoding="utf-8")
    (folder / "catalogue.json").write_text(json.dumps(_CATALOGUE), encoding="utf-8")
    config = configuration.read(file)
    closed.close(config)
    with contextlib.ExitStack() as stack:
        processes: list[subprocess.Popen[str]] = []
        for service in house.services(config, file, console=False):
            assert service.log is not None
            log = stack.enter_context(service.log.open("wb"))
            process = subprocess.Popen(service.argv, stdout=subprocess.PIPE, stderr=log, text=True)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            if _line(process.stdout).strip() != READY:
                raise RuntimeError(f"{service.name}: {service.log.read_text(encoding='utf-8')}")
            processes.append(process)
        yield _Relay("all on", port, *processes)


@contextlib.contextmanager
def _haproxy(folder: Path, backend: int) -> Iterator[_Relay | None]:
    binary = shutil.which("haproxy") or _newest("/usr/sbin/haproxy")
    if binary is None:
        yield None
        return
    port = free_port()
    file = folder / "haproxy.cfg"
    file.write_text(
        "global\n  nbthread 1\n  maxconn 1000\n"
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n"
        f"listen pg\n  bind 127.0.0.1:{port}\n  server pg 127.0.0.1:{backend}\n",
        encoding="ascii",
    )
    with _process("haproxy", port, [binary, "-db", "-f", str(file)]) as relay:
        yield relay


@contextlib.contextmanager
def _pgbouncer(folder: Path, server: Server) -> Iterator[_Relay | None]:
    binary = shutil.which("pgbouncer") or _newest("/usr/sbin/pgbouncer")
    if binary is None:
        yield None
        return
    port = free_port()
    file = folder / "pgbouncer.ini"
    file.touch(0o600)
    file.write_text(
        "[databases]\n"
        f"postgres = host=127.0.0.1 port={server.port} user=postgres password={server.password()}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
        "pool_mode = session\nunix_socket_dir =\nmax_client_conn = 200\ndefault_pool_size = 100\n",
        encoding="ascii",
    )
    command = [binary, str(file)]
    if os.geteuid() == 0:
        shutil.chown(file, "nobody")
        command = [binary, "-u", "nobody", str(file)]
    with _process("pgbouncer", port, command) as relay:
        yield relay
