"""Capture files of every kind, whole, broken off, and damaged."""

from __future__ import annotations

import gzip
import io
import os
import random
import struct
from pathlib import Path

import pytest

from qingfang.sense.tap.pcapfile import CaptureFile, Frame, NotACapture
from tests.support.frames import (
    T0,
    Talk,
    block,
    interface,
    option,
    packet,
    pcap,
    section,
)

TALK = Talk()
FRAMES = [*TALK.handshake(), TALK.client(b"select 1"), *TALK.goodbye()]


def read(data: bytes) -> tuple[list[Frame], str]:
    file = CaptureFile(io.BytesIO(data), "x.pcap")  # type: ignore[arg-type]
    return list(file), file.problem


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_classic_in_every_byte_order_and_resolution(order: str, nanoseconds: bool) -> None:
    found, problem = read(pcap(FRAMES, order=order, nanoseconds=nanoseconds))
    assert problem == ""
    assert found == [(T0 + n * 1000, 1, len(f), f) for n, f in enumerate(FRAMES)]


def test_gzip_is_recognised_by_its_content() -> None:
    assert read(gzip.compress(pcap(FRAMES))) == read(pcap(FRAMES))


def test_snap_length_leaves_the_length_on_the_wire() -> None:
    found, _problem = read(pcap(FRAMES, snap=60))
    assert [(wire, len(data)) for _at, _link, wire, data in found][3] == (62, 60)


@pytest.mark.parametrize("order", "<>")
def test_next_generation_with_interfaces_and_sections(order: str) -> None:
    nanoseconds = option(order, 9, b"\x09") + option(order, 0, b"")
    binary = option(order, 9, b"\x8a")  # 2^-10 s
    moved = option(order, 14, struct.pack(order + "q", 3600))
    other = ">" if order == "<" else "<"
    data = b"".join(
        [
            section(order),
            interface(order, 1, 0, nanoseconds),
            interface(order, 101, 0, binary),
            interface(order, 113, 0, moved),
            block(order, 5, b"statistics"),
            packet(order, 0, T0 * 1000 + 999, b"first", 1500),
            packet(order, 1, 2048 + 512, b"second"),
            packet(order, 2, 5_000_000, b"third"),
            section(other),
            interface(other, 276),
            packet(other, 0, T0, b"fourth"),
            block(other, 3, struct.pack(other + "I", 5) + b"fifth"),
        ]
    )
    assert read(data) == (
        [
            (T0, 1, 1500, b"first"),
            (2_500_000, 101, 6, b"second"),
            (3_605_000_000, 113, 5, b"third"),
            (T0, 276, 6, b"fourth"),
            (T0, 276, 5, b"fifth"),
        ],
        "",
    )


@pytest.mark.parametrize(
    "make", [pcap, lambda f: section() + interface() + packet("<", 0, 9, f[0])]
)
def test_broken_off_anywhere_gives_what_was_before_and_says_where(make) -> None:
    data = make(FRAMES[:2])
    whole, problem = read(data)
    assert problem == ""
    ends = {len(make(FRAMES[:n])) for n in range(1, 3)} | {24, 28, 48}
    for cut in range(24, len(data)):
        found, problem = read(data[:cut])
        assert found == whole[: len(found)]
        if cut not in ends:
            assert "文件在这里中断" in problem, cut
            assert "x.pcap" in problem


def test_broken_compression_is_named() -> None:
    frames = [random.Random(n).randbytes(2000) for n in range(300)]
    data = gzip.compress(pcap(frames))
    found, problem = read(data[: len(data) // 2])
    assert 100 < len(found) < 200
    assert "压缩数据不完整" in problem


def test_a_length_that_cannot_be_true_ends_the_reading() -> None:
    good = pcap(FRAMES[:1])
    found, problem = read(good + struct.pack("<IIII", 1, 0, 1 << 31, 1 << 31) + b"x" * 100)
    assert len(found) == 1
    assert "长度 2147483648 不可信" in problem
    assert str(len(good) + 16) in problem


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"SELECT 1;\n" * 10, gzip.compress(b"text", mtime=0)]
)
def test_what_is_no_capture_is_refused(data: bytes) -> None:
    with pytest.raises(NotACapture, match=r"x\.pcap"):
        read(data)


def test_reads_a_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as out:
        out.write(gzip.compress(pcap(FRAMES)))
    with os.fdopen(reading, "rb") as stream:
        assert len(list(CaptureFile(stream, "-"))) == len(FRAMES)
