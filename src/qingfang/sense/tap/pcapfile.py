"""Capture files: pcap and pcapng, plain or gzip, read as a stream.

Sources: draft-ietf-opsawg-pcap (classic), draft-ietf-opsawg-pcapng, and the link-layer types of
tcpdump.org/linktypes.html.

Rules this module keeps:

1. Reads forward only, so a pipe serves as well as a file, and holds one block at a time.
2. Both byte orders, microsecond and nanosecond files, several interfaces and sections.
3. A file that is not a capture raises `NotACapture`. One that breaks off or is damaged later gives
   all packets before that place, and then `problem` says what is wrong at which byte.
4. No length in the file is believed above `MAX_BLOCK`.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from qingfang.language import _

MAX_BLOCK = 16 * 1024 * 1024
_CHUNK = 1 << 18

_GZIP = b"\x1f\x8b"
_PCAPNG = b"\x0a\x0d\x0d\x0a"
# magic as it stands in the file → (byte order, ticks in a microsecond × 1000)
_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 1),
    b"\xa1\xb2\xc3\xd4": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1000),
}
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_OPTION_RESOLUTION, _OPTION_OFFSET = 9, 14

Frame = tuple[int, int, int, bytes]
"""Time in µs since the epoch, link-layer type, length on the wire, bytes captured."""


class NotACapture(Exception):
    """The file is neither pcap nor pcapng; the text says what was found."""


class _Interface:
    __slots__ = ("link", "offset_us", "resolution", "snap")

    def __init__(self, link: int, snap: int) -> None:
        self.link = link
        self.snap = snap
        self.resolution = 1_000_000
        self.offset_us = 0


class CaptureFile:
    """Iterate over it once for the frames; afterwards `problem` is empty, or says what is wrong."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name = name
        self.problem = ""
        self._damaged = ""
        self._buffer = b""
        self._next = 0
        self._before = 0
        buffered: io.BufferedReader[Any]
        if isinstance(stream, io.BufferedReader):
            buffered = stream
        else:
            buffered = io.BufferedReader(stream)  # type: ignore[type-var]
        if buffered.peek(2)[:2] == _GZIP:
            unzipped = gzip.GzipFile(fileobj=buffered, mode="rb")
            self._stream: io.BufferedReader[Any] = io.BufferedReader(unzipped, _CHUNK)  # type: ignore[type-var]
        else:
            self._stream = buffered
        self._magic = self._take(4)
        if self._magic not in _PCAP and self._magic != _PCAPNG:
            found = self._magic.hex(" ") or _("空文件")
            raise NotACapture(
                _("{}：不是 pcap 或 pcapng 抓包文件（开头是 {}）。").format(name, found)
            )

    def __iter__(self) -> Iterator[Frame]:
        return self._pcapng() if self._magic == _PCAPNG else self._pcap()

    @property
    def offset(self) -> int:
        """How many (uncompressed) bytes were taken so far."""
        return self._before + self._next

    def _has(self, size: int) -> bool:
        """Whether `size` bytes lie in the buffer from `_next` on; reads until they do. Takes what a
        pipe has to give, so that packets do not wait for later ones."""
        have = len(self._buffer) - self._next
        if have >= size:
            return True
        parts = [self._buffer[self._next :]]
        while have < size:
            try:
                part = self._stream.read1(_CHUNK)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                self._damaged = str(error)
                break
            if not part:
                break
            parts.append(part)
            have += len(part)
        self._before += self._next
        self._next = 0
        self._buffer = b"".join(parts)
        return have >= size

    def _take(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end or when the compressed data is damaged."""
        self._has(size)
        data = self._buffer[self._next : self._next + size]
        self._next += len(data)
        return data

    def _at(self, problem: str) -> str:
        return _("{}：第 {} 字节：{}；此前的报文已读出。").format(self.name, self.offset, problem)

    def _broken_off(self) -> None:
        self._next = len(self._buffer)
        if self._damaged:
            what = _("压缩数据不完整或已损坏（{}）").format(self._damaged)
        else:
            what = _("文件在这里中断，最后一个报文不完整")
        self.problem = self._at(what)

    def _too_long(self, size: int) -> None:
        self.problem = self._at(_("长度 {} 不可信，文件已损坏").format(size))

    # -------------------------------------------------------------- classic

    def _pcap(self) -> Iterator[Frame]:
        order, per_us = _PCAP[self._magic]
        header = self._take(20)
        if len(header) < 20:
            self._broken_off()
            return
        # The upper bits of the link type carry the frame check sequence's length.
        link = struct.unpack(order + "I", header[16:20])[0] & 0xFFFF
        little = order == "<"
        while self._has(16):
            at = self._next
            at_us = (
                _u32(self._buffer, at, little) * 1_000_000
                + _u32(self._buffer, at + 4, little) // per_us
            )
            kept = _u32(self._buffer, at + 8, little)
            wire = _u32(self._buffer, at + 12, little)
            self._next = at + 16
            if kept > MAX_BLOCK:
                self._too_long(kept)
                return
            if not self._has(kept):
                self._broken_off()
                return
            start = self._next
            self._next = start + kept
            yield at_us, link, wire, self._buffer[start : start + kept]
        if self._damaged or len(self._buffer) > self._next:
            self._broken_off()

    # -------------------------------------------------------------- next generation

    def _pcapng(self) -> Iterator[Frame]:
        order = "<"
        interfaces: list[_Interface] = []
        head = self._magic + self._take(4)
        last_us = 0
        while True:
            if len(head) < 8:
                if head or self._damaged:
                    self._broken_off()
                return
            if head[:4] == _PCAPNG:
                mark = self._take(4)
                if mark == b"\x4d\x3c\x2b\x1a":
                    order = "<"
                elif mark == b"\x1a\x2b\x3c\x4d":
                    order = ">"
                else:
                    self._too_long(int.from_bytes(mark, "big"))
                    return
                interfaces = []
                head_size = 12
            else:
                head_size = 8
            kind, size = struct.unpack(order + "II", head)
            if size < head_size + 4 or size > MAX_BLOCK or size % 4:
                self._too_long(size)
                return
            body = self._take(size - head_size)
            if len(body) < size - head_size:
                self._broken_off()
                return
            if kind in (_PACKET, _OLD_PACKET):
                if len(body) < 24:
                    self._too_long(size)
                    return
                number, high, low, kept, wire = struct.unpack_from(order + "IIIII", body)
                if kind == _OLD_PACKET:
                    number = struct.unpack_from(order + "H", body)[0]
                if number >= len(interfaces) or kept > len(body) - 24:
                    self._too_long(kept)
                    return
                interface = interfaces[number]
                ticks = (high << 32) | low
                last_us = ticks * 1_000_000 // interface.resolution + interface.offset_us
                yield last_us, interface.link, wire, body[20 : 20 + kept]
            elif kind == _INTERFACE:
                if len(body) < 12:
                    self._too_long(size)
                    return
                interfaces.append(_described(order, body))
            elif kind == _SIMPLE_PACKET:
                if not interfaces or len(body) < 8:
                    self._too_long(size)
                    return
                wire = struct.unpack_from(order + "I", body)[0]
                kept = min(wire, len(body) - 8)
                if interfaces[0].snap:
                    kept = min(kept, interfaces[0].snap)
                # A simple packet has no time of its own.
                yield last_us, interfaces[0].link, wire, body[4 : 4 + kept]
            head = self._take(8)


def _u32(data: bytes, at: int, little: bool) -> int:
    if little:
        return data[at] | (data[at + 1] << 8) | (data[at + 2] << 16) | (data[at + 3] << 24)
    return (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3]


def _described(order: str, body: bytes) -> _Interface:
    """An interface description block: link type, snap length, resolution and offset of times."""
    link, _reserved, snap = struct.unpack_from(order + "HHI", body)
    interface = _Interface(link, snap)
    position, end = 8, len(body) - 4
    while position + 4 <= end:
        code, size = struct.unpack_from(order + "HH", body, position)
        value = body[position + 4 : min(position + 4 + size, end)]
        position += 4 + (size + 3) // 4 * 4
        if code == 0:
            break
        if code == _OPTION_RESOLUTION and len(value) == 1:
            exponent = value[0] & 0x7F
            interface.resolution = 2**exponent if value[0] & 0x80 else 10 ** min(exponent, 18)
        elif code == _OPTION_OFFSET and len(value) == 8:
            interface.offset_us = struct.unpack(order + "q", value)[0] * 1_000_000
    return interface
