"""Frames of every kind to segments."""

from __future__ import annotations

import struct

import pytest

from qingfang.sense.tap import packets
from qingfang.sense.tap.packets import KEPT, MALFORMED, OTHER, SEGMENT, Packets
from tests.support.frames import ACK, ethernet, ipv4, ipv6, tcp

A, B = "192.0.2.10", "192.0.2.1"
A6, B6 = "2001:db8::10", "2001:db8::1"
KEY = bytes([192, 0, 2, 10, 192, 0, 2, 1]) + struct.pack("!HH", 40000, 5432)
SEGMENT_BYTES = tcp(40000, 5432, 7, 8, ACK, b"select 1", options=b"\1\1\1\1")


def seen(link: int, frame: bytes, wire: int = 0) -> tuple[object, ...]:
    parser = Packets()
    if parser.parse(link, frame, wire or len(frame), 0) != SEGMENT:
        return ()
    return parser.seq, parser.ack, parser.flags, parser.payload, parser.length, parser.vlan


SEEN = (7, 8, ACK, b"select 1", 8, -1)
IP4, IP6 = ipv4(A, B, SEGMENT_BYTES), ipv6(A6, B6, SEGMENT_BYTES)


@pytest.mark.parametrize(
    ("link", "frame"),
    {
        "Ethernet, IPv4": (packets.ETHERNET, ethernet(IP4)),
        "Ethernet, IPv6": (packets.ETHERNET, ethernet(IP6)),
        "IPv4 options": (packets.ETHERNET, ethernet(ipv4(A, B, SEGMENT_BYTES, options=b"\1" * 8))),
        "Ethernet padding": (packets.ETHERNET, ethernet(IP4) + b"\0" * 20),
        "offload, IPv4 length 0": (packets.ETHERNET, ethernet(ipv4(A, B, SEGMENT_BYTES, total=0))),
        "jumbo, IPv6 length 0": (packets.ETHERNET, ethernet(ipv6(A6, B6, SEGMENT_BYTES, length=0))),
        "raw IPv4": (packets.RAW, IP4),
        "raw IPv6": (packets.RAW, IP6),
        "raw, as BSD says it": (packets.RAW_BSD, IP4),
        "raw, as OpenBSD says it": (packets.RAW_OPENBSD, IP6),
        "link type IPv4": (packets.IPV4, IP4),
        "link type IPv6": (packets.IPV6, IP6),
        "Linux cooked": (packets.SLL, b"\0" * 14 + b"\x08\x00" + IP4),
        "Linux cooked v2": (packets.SLL2, b"\x86\xdd" + b"\0" * 18 + IP6),
        "BSD loopback, little endian": (packets.NULL, b"\x02\0\0\0" + IP4),
        "BSD loopback, big endian": (packets.NULL, b"\0\0\0\x1e" + IP6),
        "OpenBSD loopback": (packets.LOOP, b"\0\0\0\x02" + IP4),
        "hop-by-hop and destination options": (
            packets.ETHERNET,
            ethernet(
                ipv6(
                    A6,
                    B6,
                    b"\x3c\0" + b"\0" * 6 + b"\x06\x01" + b"\0" * 14 + SEGMENT_BYTES,
                    following=0,
                )
            ),
        ),
        "atomic fragment": (
            packets.ETHERNET,
            ethernet(ipv6(A6, B6, b"\x06\0\0\0\0\0\0\1" + SEGMENT_BYTES, following=44)),
        ),
        "authentication header": (
            packets.ETHERNET,
            ethernet(ipv6(A6, B6, b"\x06\x01" + b"\0" * 10 + SEGMENT_BYTES, following=51)),
        ),
    }.values(),
)
def test_finds_the_segment(link: int, frame: bytes) -> None:
    assert seen(link, frame) == SEEN


def test_vlan_tags() -> None:
    assert seen(packets.ETHERNET, ethernet(IP4, 42)) == (*SEEN[:-1], 42)
    assert seen(packets.ETHERNET, ethernet(IP6, 100, 42)) == (*SEEN[:-1], 100)


def test_key_names_both_ends_as_on_the_wire() -> None:
    parser = Packets()
    parser.parse(packets.ETHERNET, ethernet(IP4), 0, 0)
    assert parser.key == KEY
    parser.parse(packets.ETHERNET, ethernet(IP6), 0, 0)
    assert len(parser.key) == 36


def test_cut_by_the_snap_length() -> None:
    frame = ethernet(IP4)
    assert seen(packets.ETHERNET, frame[:-3], len(frame)) == (7, 8, ACK, b"selec", 8, -1)
    huge = ethernet(ipv4(A, B, tcp(1, 2, 3, 4, ACK, b"x" * 70_000), total=0))
    assert seen(packets.ETHERNET, huge[:100], len(huge))[4] == 70_000


@pytest.mark.parametrize(
    ("what", "frame"),
    [
        (OTHER, ethernet(ipv4(A, B, b"\0" * 20, protocol=17))),
        (OTHER, ethernet(ipv6(A6, B6, b"\0" * 20, following=58))),
        (OTHER, b"\0" * 12 + b"\x08\x06" + b"\0" * 28),
        (MALFORMED, b""),
        (MALFORMED, ethernet(IP4)[:40]),
        (MALFORMED, ethernet(IP6)[:60]),
        (MALFORMED, ethernet(ipv4(A, B, SEGMENT_BYTES, total=30))),
        (MALFORMED, ethernet(ipv4(A, B, SEGMENT_BYTES[:12] + b"\xf0" + SEGMENT_BYTES[13:]))),
        (MALFORMED, ethernet(ipv4(A, B, SEGMENT_BYTES[:12] + b"\x10" + SEGMENT_BYTES[13:]))),
        (MALFORMED, ethernet(IP4, 42)[:15]),
    ],
)
def test_other_and_malformed(what: int, frame: bytes) -> None:
    assert Packets().parse(packets.ETHERNET, frame, len(frame), 0) == what


# ------------------------------------------------------------------ fragments

PAYLOAD = bytes(range(256)) * 12
WHOLE = tcp(40000, 5432, 7, 8, ACK, PAYLOAD)


def fragments4(sizes: tuple[int, ...] = (1480, 800, 10_000), number: int = 9) -> list[bytes]:
    frames, at = [], 0
    for size in sizes:
        part = WHOLE[at : at + size]
        more = at + size < len(WHOLE)
        frames.append(ethernet(ipv4(A, B, part, number=number, fragment=at, more=more)))
        at += size
    return frames


def fragments6(sizes: tuple[int, ...] = (1480, 800, 10_000), head: bytes = b"") -> list[bytes]:
    frames, at = [], 0
    whole = head + WHOLE
    following = 60 if head else 6
    for size in sizes:
        part = whole[at : at + size]
        more = at + size < len(whole)
        header = struct.pack("!BBHI", following, 0, at | more, 77)
        frames.append(ethernet(ipv6(A6, B6, header + part, following=44)))
        at += size
    return frames


def parse_all(frames: list[bytes], step_us: int = 1) -> tuple[list[int], Packets]:
    parser = Packets()
    return [
        parser.parse(packets.ETHERNET, f, len(f), n * step_us) for n, f in enumerate(frames)
    ], parser


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 1, 2, 2, 0), (2, 0, 1)])
@pytest.mark.parametrize(
    "frames", [fragments4(), fragments6(), fragments6(head=b"\x06\0" + b"\0" * 6)]
)
def test_fragments_in_any_order(order: tuple[int, ...], frames: list[bytes]) -> None:
    found, parser = parse_all([frames[n] for n in order])
    assert found == [KEPT] * (len(order) - 1) + [SEGMENT]
    assert parser.payload == PAYLOAD
    assert parser.fragments == len(order)


def test_overlapping_fragments_that_differ() -> None:
    first, second, last = fragments4()
    lie = ethernet(ipv4(A, B, b"\xff" * 800, number=9, fragment=1480, more=True))
    found, parser = parse_all([first, second, lie, last])
    assert found[-1] == SEGMENT
    assert parser.payload == PAYLOAD
    assert parser.fragments_conflicting == 1

    first, second, last = fragments6()
    header = struct.pack("!BBHI", 6, 0, 1480 | 1, 77)
    lie = ethernet(ipv6(A6, B6, header + b"\xff" * 800, following=44))
    found, parser = parse_all([first, second, lie, last])
    assert SEGMENT not in found
    assert parser.fragments_conflicting == 1


def test_fragments_that_never_complete_are_given_up_and_counted() -> None:
    found, parser = parse_all([fragments4(number=n)[0] for n in range(100)], step_us=1_000_000)
    assert SEGMENT not in found
    assert parser.fragments_lost == 100 - 31
    found, parser = parse_all([fragments4(number=n)[0] for n in range(20_000)])
    assert len(parser._datagrams) * 1480 < packets.MAX_FRAGMENT_BYTES
    assert parser.fragments_lost + len(parser._datagrams) == 20_000


@pytest.mark.parametrize(
    ("offset", "more", "size"), [(65_528, False, 100), (0, True, 1001), (8, True, 0)]
)
def test_impossible_fragments(offset: int, more: bool, size: int) -> None:
    frame = ethernet(ipv4(A, B, b"x" * size, fragment=offset, more=more))
    assert Packets().parse(packets.ETHERNET, frame, len(frame), 0) == MALFORMED


def test_a_gap_at_the_end_of_a_datagram_is_not_filled_by_what_lies_behind() -> None:
    frames = [
        ethernet(ipv4(A, B, WHOLE[:1480], number=5, fragment=0, more=True)),
        ethernet(ipv4(A, B, b"x" * 160, number=5, fragment=4000, more=True)),
        ethernet(ipv4(A, B, WHOLE[1600:1640], number=5, fragment=1600)),
    ]
    assert parse_all(frames)[0] == [KEPT, KEPT, MALFORMED]
