"""Hostile frames: every one gets an answer, and a segment's sizes are those of its frame."""

import random
import struct

from qingfang.sense.tap import packets
from qingfang.sense.tap.packets import SEGMENT, Packets
from tests.support.frames import ACK, ethernet, ipv4, ipv6, tcp

_A, _B, _A6, _B6 = "192.0.2.10", "192.0.2.1", "2001:db8::10", "2001:db8::1"
_SEGMENT = tcp(40000, 5432, 7, 8, ACK, b"select 1" * 20, options=b"\1\1\1\1")
_IP4, _IP6 = ipv4(_A, _B, _SEGMENT), ipv6(_A6, _B6, _SEGMENT)
_PARTS4 = [
    ethernet(ipv4(_A, _B, _SEGMENT[n : n + 64], number=9, fragment=n, more=n < 128))
    for n in (0, 64, 128)
]
_PARTS6 = [
    ethernet(
        ipv6(
            _A6,
            _B6,
            struct.pack("!BBHI", 6, 0, n | (n < 128), 77) + _SEGMENT[n : n + 64],
            following=44,
        )
    )
    for n in (0, 64, 128)
]
_ORIGINALS = [
    (packets.ETHERNET, [ethernet(_IP4)]),
    (packets.ETHERNET, [ethernet(_IP6, 100, 42)]),
    (packets.ETHERNET, _PARTS4),
    (packets.ETHERNET, _PARTS6),
    (packets.SLL, [b"\0" * 14 + b"\x08\x00" + _IP4]),
    (packets.SLL2, [b"\x86\xdd" + b"\0" * 18 + _IP6]),
    (packets.NULL, [b"\x02\0\0\0" + _IP4]),
    (packets.RAW, [_IP6]),
]


def attack(seed: int) -> None:
    rng = random.Random(seed)
    parser = Packets()
    link, frames = rng.choice(_ORIGINALS)
    link = rng.choice((link, link, link, rng.randrange(300)))
    for n, frame in enumerate(rng.sample(frames, len(frames)) * rng.choice((1, 1, 2))):
        data = bytearray(frame)
        for _change in range(rng.randint(0, 3)):
            data[rng.randrange(min(len(data), 100))] = rng.getrandbits(8)
        cut = rng.choice((len(data), len(data), rng.randint(0, len(data))))
        if parser.parse(link, bytes(data[:cut]), len(data), n * 100) == SEGMENT:
            assert 0 <= len(parser.payload) <= parser.length <= 1 << 17
            assert len(parser.key) in {12, 36}
