"""Packets to statements: our capture files' reader, reassembly and decoder against tshark's.

The traffic is synthetic, in the shape of `pgbench -S` over 32 connections: a simple query with its
own literal, its answer of one row, and the acknowledgements. Both read the same file; what is
compared is CPU time on one core, so that what else the machine does counts for neither.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from qingfang.bench import Progress, Row, absolute, machine, missing, ratio
from qingfang.engine.passive import Decoding
from qingfang.events import Connection
from qingfang.language import _
from qingfang.sense.tap.encryption import Blind
from qingfang.sense.tap.flows import Flows
from qingfang.sense.tap.pcapfile import CaptureFile
from qingfang.statement import Outcome, Statement

STATEMENTS = 100_000
CONNECTIONS = 32
PORT = 5432

_ACK, _SYN = 0x10, 0x02
_STARTUP = b"\0\0\0\x23\0\3\0\0user\0bench\0database\0bench\0\0"
_READY = b"Z\0\0\0\5I"
_SIGNED_IN = b"R\0\0\0\x08\0\0\0\0" + _READY
_COLUMN = struct.pack("!H9sIHIhIh", 1, b"abalance\0", 16384, 3, 23, 4, 0xFFFFFFFF, 0)
_DESCRIPTION = b"T" + struct.pack("!I", len(_COLUMN) + 4) + _COLUMN
_COMPLETE = b"C\0\0\0\x0dSELECT 1\0"


class _Side:
    def __init__(self, address: bytes, port: int, seq: int) -> None:
        self.address, self.port, self.seq = address, port, seq


def _frame(source: _Side, target: _Side, flags: int, payload: bytes) -> bytes:
    ip = struct.pack(
        "!BBHIBBH4s4s",
        0x45,
        0,
        40 + len(payload),
        0x4000,
        64,
        6,
        0,
        source.address,
        target.address,
    )
    ack = target.seq if flags & _ACK else 0
    tcp = struct.pack(
        "!HHIIBBHHH", source.port, target.port, source.seq, ack, 0x50, flags, 512, 0, 0
    )
    source.seq = (source.seq + len(payload) + (1 if flags & _SYN else 0)) & 0xFFFFFFFF
    return b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + ip + tcp + payload


def traffic(statements: int) -> Iterator[bytes]:
    """The frames, connections taking turns."""
    rng = random.Random(1)
    pairs: list[tuple[_Side, _Side]] = []
    for n in range(CONNECTIONS):
        client = _Side(bytes([192, 0, 2, 10 + n]), 40_000 + n, rng.getrandbits(32))
        server = _Side(bytes([192, 0, 2, 1]), PORT, rng.getrandbits(32))
        pairs.append((client, server))
        yield _frame(client, server, _SYN, b"")
        yield _frame(server, client, _SYN | _ACK, b"")
        yield _frame(client, server, _ACK, _STARTUP)
        yield _frame(server, client, _ACK, _SIGNED_IN)
    for n in range(statements):
        client, server = pairs[n % CONNECTIONS]
        sql = b"SELECT abalance FROM pgbench_accounts WHERE aid = %d;" % rng.randrange(100_000)
        yield _frame(client, server, _ACK, b"Q" + struct.pack("!I", len(sql) + 5) + sql + b"\0")
        yield _frame(server, client, _ACK, b"")
        value = b"%d" % rng.randrange(-5000, 5000)
        row = b"D" + struct.pack("!IHI", len(value) + 10, 1, len(value)) + value
        yield _frame(server, client, _ACK, _DESCRIPTION + row + _COMPLETE + _READY)
        yield _frame(client, server, _ACK, b"")


def write(file: Path, statements: int) -> None:
    """A classic capture file, a frame each 5 µs."""
    with file.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1))
        for n, frame in enumerate(traffic(statements)):
            seconds, us = divmod(n * 5, 1_000_000)
            head = struct.pack("<IIII", 1_790_000_000 + seconds, us, len(frame), len(frame))
            out.write(head + frame)


class _Counter:
    """A listener that counts."""

    def __init__(self) -> None:
        self.statements = 0
        self.rows = 0

    def sent(self, connection: Connection, statement: Statement) -> None:
        pass

    def completed(self, connection: Connection, statement: Statement, outcome: Outcome) -> None:
        self.statements += 1
        self.rows += outcome.rows

    def conflict(self, connection: Connection, from_client: bool, size: int, at_us: int) -> None:
        pass

    def lost(self, connection: Connection, from_client: bool, size: int, at_us: int) -> None:
        pass

    def blind(self, connection: Connection, blind: Blind, at_us: int) -> None:
        pass

    def closed(self, connection: Connection) -> None:
        pass


def _ours(file: Path) -> tuple[float, int, int]:
    """CPU seconds, statements with exactly their row, bytes lost."""
    counter = _Counter()
    decoding = Decoding(counter)
    flows = Flows({PORT: "pg"}, decoding, source="replay")
    begin = time.process_time()
    with file.open("rb") as stream:
        flows.read(CaptureFile(stream, file.name))
    seconds = time.process_time() - begin
    counts = flows.counts()
    assert counter.rows == counter.statements
    return seconds, counter.statements, counts.lost_bytes + decoding.undecodable


def _theirs(file: Path) -> float:
    """tshark's CPU seconds on the same file, for the texts of the same statements."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with Path(os.devnull).open("wb") as nowhere:
        subprocess.run(
            ["tshark", "-n", "-r", file, "-Y", "pgsql.query", "-T", "fields", "-e", "pgsql.query"],
            stdout=nowhere,
            stderr=nowhere,
            check=True,
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(progress: Progress) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "bench.pcap")
        progress(_("生成 {:,} 条语句的抓包文件（合成数据）").format(STATEMENTS))
        write(file, STATEMENTS)
        progress(_("清方"))
        seconds, statements, lost = min(_ours(file) for _n in range(3))
        rate = statements / seconds
        least = 50_000 if machine()["compiled"] else 20_000
        rows = [
            absolute(_("旁路解码，条/秒（单核 CPU 时间）"), rate, at_least=least),
            Row(
                _("少看到的语句与丢失的字节"),
                float(STATEMENTS - statements + lost),
                goal="0",
                met=statements == STATEMENTS and not lost,
            ),
        ]
        what = _("旁路解码，条/秒，与 tshark 相比")
        if not shutil.which("tshark"):
            return [*rows, missing(what, "tshark")]
        progress("tshark")
        theirs = STATEMENTS / _theirs(file)
        if machine()["compiled"]:
            return [*rows, ratio(what, rate, theirs, "tshark", at_least=10)]
        # Plain Python has a goal of its own above, and none beside a program in C.
        return [
            *rows,
            Row(what, round(rate, 3), round(theirs, 3), "tshark", round(rate / theirs, 3)),
        ]
