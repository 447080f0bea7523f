"""Frames and capture files built by hand, for the tests of the tap.

`Talk` writes both sides of a TCP connection as Ethernet frames with right numbers; `pcap` and
`pcapng` make files of frames.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable

ACK, FIN, SYN, RST = 0x10, 0x01, 0x02, 0x04
T0 = 1_790_000_000_000_000


def tcp(
    source: int,
    target: int,
    seq: int,
    ack: int,
    flags: int = ACK,
    payload: bytes = b"",
    options: bytes = b"",
) -> bytes:
    offset = (5 + len(options) // 4) << 4
    head = struct.pack(
        "!HHIIBBHHH", source, target, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset, flags, 65535, 0, 0
    )
    return head + options + payload


def ipv4(
    source: str,
    target: str,
    payload: bytes,
    *,
    options: bytes = b"",
    number: int = 1,
    fragment: int = 0,
    more: bool = False,
    total: int | None = None,
    protocol: int = 6,
) -> bytes:
    size = 20 + len(options) + len(payload) if total is None else total
    return (
        struct.pack(
            "!BBHHHBBH4s4s",
            0x40 | (5 + len(options) // 4),
            0,
            size,
            number,
            (0x2000 if more else 0) | fragment // 8,
            64,
            protocol,
            0,
            ipaddress.ip_address(source).packed,
            ipaddress.ip_address(target).packed,
        )
        + options
        + payload
    )


def ipv6(
    source: str,
    target: str,
    payload: bytes,
    *,
    following: int = 6,
    length: int | None = None,
) -> bytes:
    return (
        struct.pack(
            "!IHBB16s16s",
            0x60000000,
            len(payload) if length is None else length,
            following,
            64,
            ipaddress.ip_address(source).packed,
            ipaddress.ip_address(target).packed,
        )
        + payload
    )


def ethernet(packet: bytes, *tags: int) -> bytes:
    """`tags` are VLAN identifiers, the outermost first (802.1ad outside when there are two)."""
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    head = bytes.fromhex("0200000000010200000000020000")[:12]
    for n, tag in enumerate(tags):
        head += struct.pack("!HH", 0x88A8 if len(tags) > n + 1 else 0x8100, tag)
    return head + struct.pack("!H", kind) + packet


class Talk:
    """One connection: `client(b"…")` and `server(b"…")` give the next frame of each side."""

    def __init__(
        self,
        client: tuple[str, int] = ("192.0.2.10", 40000),
        server: tuple[str, int] = ("192.0.2.1", 5432),
        isn: tuple[int, int] = (1000, 9000),
        tags: tuple[int, ...] = (),
    ) -> None:
        self.ends = (client, server)
        self.seq = list(isn)
        self.tags = tags

    def frame(self, side: int, flags: int = ACK, payload: bytes = b"") -> bytes:
        """The next frame of side 0 (client) or 1 (server)."""
        (source, sport), (target, dport) = self.ends[side], self.ends[1 - side]
        ack = self.seq[1 - side] if flags & ACK else 0
        segment = tcp(sport, dport, self.seq[side], ack, flags, payload)
        self.seq[side] += len(payload) + bool(flags & (SYN | FIN))
        ip = ipv6 if ":" in source else ipv4
        return ethernet(ip(source, target, segment), *self.tags)

    def handshake(self) -> list[bytes]:
        return [self.frame(0, SYN), self.frame(1, SYN | ACK), self.frame(0)]

    def client(self, payload: bytes) -> bytes:
        return self.frame(0, ACK, payload)

    def server(self, payload: bytes) -> bytes:
        return self.frame(1, ACK, payload)

    def goodbye(self) -> list[bytes]:
        return [self.frame(0, FIN | ACK), self.frame(1, FIN | ACK), self.frame(0)]


def pcap(
    frames: Iterable[bytes],
    *,
    order: str = "<",
    nanoseconds: bool = False,
    link: int = 1,
    snap: int = 262_144,
    step_us: int = 1000,
) -> bytes:
    """A classic file; frame n at T0 + n × `step_us`."""
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, link)]
    for n, frame in enumerate(frames):
        seconds, us = divmod(T0 + n * step_us, 1_000_000)
        kept = frame[:snap]
        parts.append(
            struct.pack(
                order + "IIII", seconds, us * 1000 if nanoseconds else us, len(kept), len(frame)
            )
            + kept
        )
    return b"".join(parts)


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(order: str = "<", link: int = 1, snap: int = 0, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(order + "HHI", link, 0, snap) + options)


def packet(order: str, number: int, ticks: int, frame: bytes, wire: int | None = None) -> bytes:
    head = struct.pack(
        order + "IIIII",
        number,
        ticks >> 32,
        ticks & 0xFFFFFFFF,
        len(frame),
        len(frame) if wire is None else wire,
    )
    return block(order, 6, head + frame + bytes(-len(frame) % 4))
