"""The ledger: appending against a bare loop that only hashes and syncs; what a passed statement
costs; verification."""

from __future__ import annotations

import os
import random
import tempfile
import time
from pathlib import Path

from qingfang.bench import Progress, Row, absolute, ratio
from qingfang.crypto import sm3
from qingfang.events import Brief, Connection, Template
from qingfang.record import codec, frame
from qingfang.record.batch import Draft
from qingfang.record.client import now_us
from qingfang.record.codec import Packer
from qingfang.record.keys import Cipher
from qingfang.record.verify import verify
from qingfang.record.writer import Writer

CIPHERS: tuple[Cipher, ...] = ("aes-256-gcm", "sm4-gcm")
_RECORD = 600
_SLICES = 10
_SLICE_S = 0.3


def run(progress: Progress) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="qingfang-bench-") as name:
        place = Path(name)
        for cipher in CIPHERS:
            for batch in (64, 1000):
                progress(f"ledger: append, {batch} a batch, {cipher}")
                ours, bare = _append(place / f"{cipher}-{batch}", batch, cipher)
                what = f"records/s appended and synced, {cipher}, {batch} a batch, {_RECORD} bytes"
                rows.append(ratio(what, ours, bare, "bare SM3 + fdatasync loop", at_least=0.7))
        progress("ledger: passed statements")
        rows += _briefs(place / "briefs")
    return rows


def _append(place: Path, batch: int, cipher: Cipher) -> tuple[float, float]:
    """Records a second: (ours, a loop of SM3 and fdatasync over the same bytes), in turns."""
    place.mkdir()
    content = codec.token(b"benchmrk", 1) + os.urandom(_RECORD)
    writer = _writer(place / "ledger", cipher)
    drafts = [Draft(frame.EVENT, 1, codec.NO_TOKEN + content) for _n in range(batch)]
    bare = os.open(place / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    done = [0, 0]
    spent = [0.0, 0.0]
    data = b"".join(d.content for d in drafts)
    for _slice in range(_SLICES):
        start = time.perf_counter()
        while (now := time.perf_counter()) - start < _SLICE_S:
            writer.append(drafts)
            done[0] += batch
        spent[0] += now - start
        start = time.perf_counter()
        while (now := time.perf_counter()) - start < _SLICE_S:
            for draft in drafts:
                sm3(draft.content)
            os.write(bare, data)
            os.fdatasync(bare)
            done[1] += batch
        spent[1] += now - start
    writer.close()
    os.close(bare)
    return done[0] / spent[0], done[1] / spent[1]


def _briefs(place: Path) -> list[Row]:
    """Statements like a hospital's: 50 connections, 60 templates, two literals each."""
    chance = random.Random(1)
    connections = [
        Connection(f"node-1-{n:x}", "h", "node-1", "gateway", "pg", "db:5432", f"10.1.0.{n}:5", 1)
        for n in range(50)
    ]
    templates = [
        Template(chance.randbytes(32), "postgres", f"select c{n} where a = ? and b = ?")
        for n in range(60)
    ]
    noted = []
    at = now_us()
    for _n in range(256 * 200):
        at += chance.randrange(2000)
        connection, template = chance.choice(connections), chance.choice(templates)
        literals = (str(chance.randrange(10**7)), f"'2026-11-{chance.randrange(1, 31):02}'")
        operator = str(1000 + chance.randrange(300))
        took, rows, size = chance.randrange(5000), chance.randrange(20), chance.randrange(4000)
        brief = Brief(
            connection.id, at, template.digest, "query", literals, None, took, rows, size, None,
            operator,
        )  # fmt: skip
        noted.append((brief, connection, template))
    writer = _writer(place)
    packer = Packer()
    start = time.process_time()
    contents = [
        packer.pack(noted[n : n + 256], codec.token(b"benchmrk", n + 1))
        for n in range(0, len(noted), 256)
    ]
    packing = time.process_time() - start
    for content in contents:
        writer.append([Draft(frame.BLOCK, 256, content)])
    writing = time.process_time() - start
    writer.close()
    size = sum(f.stat().st_size for f in place.glob("*.seg"))
    start = time.perf_counter()
    report = verify(place)
    checking = time.perf_counter() - start
    assert report.ok and report.records == len(noted)
    count = len(noted)
    return [
        absolute("µs of processor a passed statement, packing", packing / count * 1e6, at_most=3.0),
        absolute("µs of processor a passed statement, all told", writing / count * 1e6, at_most=3),
        absolute("bytes a passed statement on disk", size / count, at_most=200),
        absolute("records/s verified, one core", report.records / checking, at_least=100_000),
    ]


def _writer(folder: Path, cipher: Cipher = "sm4-gcm") -> Writer:
    return Writer(
        folder,
        site="bench",
        node="n",
        segment_bytes=64 * 1024 * 1024,
        clock=now_us,
        cipher=cipher,
    )
