"""One captured frame to the TCP segment in it. Sans-IO.

Sources: IEEE 802.3 and 802.1Q, RFC 791 (IPv4), RFC 8200 (IPv6), RFC 9293 (TCP), RFC 2675
(jumbograms, as large offloads show them), RFC 5722 (overlapping IPv6 fragments), and the link-layer
types of tcpdump.org/linktypes.html.

Rules this module keeps:

1. Bytes come from anybody: whatever a frame holds, `parse` answers and never raises.
2. Checksums are not verified: frames captured on the sending machine do not have theirs yet.
3. Lengths come from the IP header, so that Ethernet padding is no payload; a total length of 0
   (segmentation offload) means the rest of the frame. A segment whose `length` exceeds
   `len(payload)` was cut by the snap length.
4. Fragments are kept within `MAX_FRAGMENT_BYTES` and `FRAGMENT_US`; the oldest go first, counted.
5. VLAN tags do not tell connections apart: a mirror port shows the two directions, or two copies,
   under different tags.

`parse` leaves what it found in attributes instead of returning an object: it runs once a packet.
"""

from __future__ import annotations

import struct
from typing import Final

NULL: Final = 0
ETHERNET: Final = 1
RAW_OPENBSD: Final = 14
RAW_BSD: Final = 12
RAW: Final = 101
LOOP: Final = 108
SLL: Final = 113
IPV4: Final = 228
IPV6: Final = 229
SLL2: Final = 276
LINKS: Final = frozenset((NULL, ETHERNET, RAW_BSD, RAW_OPENBSD, RAW, LOOP, SLL, IPV4, IPV6, SLL2))

SEGMENT: Final = 0
"""A TCP segment; the attributes describe it."""
OTHER: Final = 1
"""Not TCP over IP."""
KEPT: Final = 2
"""A fragment, kept until the others of its datagram are there."""
MALFORMED: Final = 3
"""Its headers contradict themselves, or were cut off."""

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
ACK: Final = 0x10

MAX_FRAGMENT_BYTES: Final = 8 * 1024 * 1024
FRAGMENT_US: Final = 30_000_000
_MAX_DATAGRAM: Final = 65_535

_TCP_PROTOCOL: Final = 6
_VLAN_TAGS: Final = frozenset((0x8100, 0x88A8, 0x9100))
_FRAGMENT_HEADER: Final = 44
_AUTHENTICATION_HEADER: Final = 51
_IPV6_EXTENSIONS: Final = frozenset((0, 43, 44, 51, 60, 135, 139, 140))
_IPV6_FAMILIES: Final = frozenset((10, 24, 28, 30))

_TCP: Final = struct.Struct("!HHIIBB")
_IPV4: Final = struct.Struct("!BxHHHxB")


class _Datagram:
    """The fragments of one datagram, in order of offset and disjoint."""

    def __init__(self, at_us: int) -> None:
        self.at_us = at_us
        self.parts: list[tuple[int, bytes]] = []
        self.size = 0
        self.whole = -1
        self.spoilt = False


class Packets:
    """Parses frames one after another; `parse` says what a frame is.

    After `SEGMENT`: `key` (source address, target address, source port, target port, as on the
    wire: 12 bytes for IPv4, 36 for IPv6), `source_port`, `target_port`, `seq`, `ack`, `flags`,
    `payload`, `length` (of the payload on the wire) and `vlan` (outermost tag, -1 without one).

    Counters: `fragments` seen, `fragments_lost` (datagrams given up), `fragments_conflicting`
    (datagrams whose overlapping fragments differ).
    """

    def __init__(self) -> None:
        self.key = b""
        self.source_port = 0
        self.target_port = 0
        self.seq = 0
        self.ack = 0
        self.flags = 0
        self.payload = b""
        self.length = 0
        self.vlan = -1
        self.fragments = 0
        self.fragments_lost = 0
        self.fragments_conflicting = 0
        self._datagrams: dict[bytes, _Datagram] = {}
        self._fragment_bytes = 0

    def parse(self, link: int, frame: bytes, wire: int, at_us: int) -> int:
        """What `frame` (of `wire` bytes before it was cut) is: SEGMENT, OTHER, KEPT, MALFORMED."""
        # IPv4 without options and TCP stand at fixed places.
        if (
            link == ETHERNET
            and len(frame) >= 54
            and frame[12] == 0x08
            and frame[13] == 0x00
            and frame[14] == 0x45
            and frame[23] == _TCP_PROTOCOL
            and frame[21] == 0
            and frame[20] & 0x3F == 0
        ):
            total = (frame[16] << 8) | frame[17]
            start = 34 + (frame[46] >> 4) * 4
            end = 14 + total if total else max(wire, len(frame))
            if start < 54 or end < start:
                return MALFORMED
            self.vlan = -1
            self.key = frame[26:38]
            self.source_port = (frame[34] << 8) | frame[35]
            self.target_port = (frame[36] << 8) | frame[37]
            self.seq = (frame[38] << 24) | (frame[39] << 16) | (frame[40] << 8) | frame[41]
            self.ack = (frame[42] << 24) | (frame[43] << 16) | (frame[44] << 8) | frame[45]
            self.flags = frame[47]
            self.length = end - start
            self.payload = frame[start:end] if end > start else b""
            return SEGMENT
        return self._any(link, frame, wire, at_us)

    def _any(self, link: int, frame: bytes, wire: int, at_us: int) -> int:
        size = len(frame)
        wire = max(wire, size)
        self.vlan = -1
        start = 0
        kind = 0
        if link == ETHERNET:
            if size < 14:
                return MALFORMED
            start, kind = 14, (frame[12] << 8) | frame[13]
        elif link == SLL:
            if size < 16:
                return MALFORMED
            start, kind = 16, (frame[14] << 8) | frame[15]
        elif link == SLL2:
            if size < 20:
                return MALFORMED
            start, kind = 20, (frame[0] << 8) | frame[1]
        elif link in (NULL, LOOP):
            if size < 4:
                return MALFORMED
            # The address family stands in the byte order of the machine that captured.
            family = max(frame[0], frame[3])
            start = 4
            kind = 0x0800 if family == 2 else 0x86DD if family in _IPV6_FAMILIES else 0
        elif link in LINKS:
            if size < 1:
                return MALFORMED
            kind = 0x0800 if frame[0] >> 4 == 4 else 0x86DD if frame[0] >> 4 == 6 else 0
        while kind in _VLAN_TAGS:
            if size < start + 4:
                return MALFORMED
            if self.vlan < 0:
                self.vlan = ((frame[start] << 8) | frame[start + 1]) & 0x0FFF
            kind = (frame[start + 2] << 8) | frame[start + 3]
            start += 4
        if kind == 0x0800:
            return self._ipv4(frame, start, wire, at_us)
        if kind == 0x86DD:
            return self._ipv6(frame, start, wire, at_us)
        return OTHER

    def _ipv4(self, frame: bytes, start: int, wire: int, at_us: int) -> int:
        if len(frame) < start + 20:
            return MALFORMED
        version, total, number, fragment, protocol = _IPV4.unpack_from(frame, start)
        header: int = (version & 0x0F) * 4
        if version >> 4 != 4 or header < 20 or (total and total < header):
            return MALFORMED
        if protocol != _TCP_PROTOCOL:
            return OTHER
        end: int = start + total if total else wire
        addresses = frame[start + 12 : start + 20]
        if fragment & 0x3FFF:
            return self._fragment(
                b"4" + addresses + number.to_bytes(2, "big"),
                addresses,
                protocol,
                (fragment & 0x1FFF) * 8,
                bool(fragment & 0x2000),
                frame[start + header : end],
                end - start - header,
                at_us,
            )
        return self._tcp(addresses, frame, start + header, end)

    def _ipv6(self, frame: bytes, start: int, wire: int, at_us: int) -> int:
        if len(frame) < start + 40 or frame[start] >> 4 != 6:
            return MALFORMED
        length = (frame[start + 4] << 8) | frame[start + 5]
        end = start + 40 + length if length else wire
        following = frame[start + 6]
        addresses = frame[start + 8 : start + 40]
        return self._ipv6_rest(addresses, following, frame, start + 40, end, at_us, False)

    def _ipv6_rest(
        self,
        addresses: bytes,
        following: int,
        frame: bytes,
        position: int,
        end: int,
        at_us: int,
        reassembled: bool,
    ) -> int:
        """Walks the extension headers; `following` says what stands at `position`."""
        while following != _TCP_PROTOCOL:
            if following not in _IPV6_EXTENSIONS:
                return OTHER
            if len(frame) < position + 8 or position + 8 > end:
                return MALFORMED
            if following == _FRAGMENT_HEADER:
                following = frame[position]
                offset = (frame[position + 2] << 8) | frame[position + 3]
                if not offset & 0xFFF9:  # an atomic fragment (RFC 6946)
                    position += 8
                    continue
                if following != _TCP_PROTOCOL and following not in _IPV6_EXTENSIONS:
                    return OTHER
                if reassembled:
                    return MALFORMED
                return self._fragment(
                    b"6" + addresses + frame[position + 4 : position + 8],
                    addresses,
                    following,
                    offset & 0xFFF8,
                    bool(offset & 1),
                    frame[position + 8 : end],
                    end - position - 8,
                    at_us,
                )
            size = frame[position + 1]
            step = (size + 2) * 4 if following == _AUTHENTICATION_HEADER else (size + 1) * 8
            following = frame[position]
            position += step
        return self._tcp(addresses, frame, position, end)

    def _tcp(self, addresses: bytes, frame: bytes, start: int, end: int) -> int:
        if len(frame) < start + 20:
            return MALFORMED
        source, target, seq, ack, offset, flags = _TCP.unpack_from(frame, start)
        data: int = start + (offset >> 4) * 4
        if data < start + 20 or end < data:
            return MALFORMED
        self.key = addresses + frame[start : start + 4]
        self.source_port = source
        self.target_port = target
        self.seq = seq
        self.ack = ack
        self.flags = flags
        self.length = end - data
        self.payload = frame[data:end]
        return SEGMENT

    # -------------------------------------------------------------- fragments

    def _fragment(
        self,
        key: bytes,
        addresses: bytes,
        following: int,
        offset: int,
        more: bool,
        data: bytes,
        length: int,
        at_us: int,
    ) -> int:
        self.fragments += 1
        if (
            len(data) < length  # cut by the snap length: what is missing will not come
            or length <= 0
            or offset + length > _MAX_DATAGRAM
            or (more and length % 8)
        ):
            return MALFORMED
        self._expire(at_us)
        datagram = self._datagrams.get(key)
        if datagram is None:
            datagram = self._datagrams[key] = _Datagram(at_us)
        if not more:
            datagram.whole = offset + length
        before = datagram.size
        if self._insert(datagram, offset, data) and not datagram.spoilt:
            datagram.spoilt = True
            self.fragments_conflicting += 1
        self._fragment_bytes += datagram.size - before
        if datagram.whole < 0 or datagram.size < datagram.whole:
            return KEPT
        del self._datagrams[key]
        self._fragment_bytes -= datagram.size
        if datagram.spoilt and len(addresses) == 32:  # RFC 5722: the receiver drops all of it
            return KEPT
        whole = b"".join([part for _offset, part in datagram.parts])
        last, part = datagram.parts[-1]
        if len(whole) != datagram.whole or last + len(part) != datagram.whole:
            return MALFORMED
        if len(addresses) == 32:
            return self._ipv6_rest(addresses, following, whole, 0, len(whole), at_us, True)
        return self._tcp(addresses, whole, 0, len(whole))

    def _insert(self, datagram: _Datagram, offset: int, data: bytes) -> bool:
        """Adds the parts of `data` that are new; True when a part known before differs."""
        differs = False
        merged: list[tuple[int, bytes]] = []
        for start, part in datagram.parts:
            if data and offset < start:
                fresh = data[: start - offset]
                merged.append((offset, fresh))
                datagram.size += len(fresh)
                data = data[len(fresh) :]
                offset += len(fresh)
            if data and offset < start + len(part):
                known = part[offset - start :]
                shared = min(len(known), len(data))
                if known[:shared] != data[:shared]:
                    differs = True
                data = data[shared:]
                offset += shared
            merged.append((start, part))
        if data:
            merged.append((offset, data))
            datagram.size += len(data)
        datagram.parts = merged
        return differs

    def _expire(self, at_us: int) -> None:
        while self._datagrams:
            key = next(iter(self._datagrams))
            oldest = self._datagrams[key]
            if (
                self._fragment_bytes + len(self._datagrams) * 256 <= MAX_FRAGMENT_BYTES
                and at_us - oldest.at_us <= FRAGMENT_US
            ):
                return
            del self._datagrams[key]
            self._fragment_bytes -= oldest.size
            self.fragments_lost += 1
