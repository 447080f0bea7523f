"""A frame: the unit that is written, synced, hashed and proven.

    offset  size
    0       4    length of salt and content, XOR `MASK`
    4       4    CRC-32 of everything from offset 8, seeded (see below)
    8       8    number: frames of this log are numbered without a gap, across segments
    16      8    sequence number of the first record in the frame
    24      2    count of records in the frame; they are numbered sequence, sequence + 1, …
    26      1    kind
    27      1    version of the content's format
    28      32   leaf hash of the frame before this one (`chain`)
    60      16   salt: random, so that a leaf hash tells nothing about a guessable content
    76      …    content

Rules this module keeps:

1. Integers are big-endian.
2. The CRC is seeded with (segment, number, sequence, length): a frame is valid in one place only.
3. A sector of zeros is never a frame: its unmasked length is over `MAX_CONTENT`.
4. Whoever reads says which number and sequence must come next; anything else is not a frame.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import Final

MASK: Final = 0xA5C3_965A
MAX_CONTENT: Final = 48 * 1024 * 1024
VERSION: Final = 1
HEADER_SIZE: Final = 60
SALT_SIZE: Final = 16

SEGMENT: Final = 1
CLOSE: Final = 2
EVENT: Final = 3
BLOCK: Final = 4
COMPLETED: Final = 5
LOSS: Final = 6
ACT: Final = 7
RECOVERED: Final = 8
KINDS: Final = {
    SEGMENT: "segment",
    CLOSE: "close",
    EVENT: "event",
    BLOCK: "brief",
    COMPLETED: "completed",
    LOSS: "loss",
    ACT: "act",
    RECOVERED: "recovered",
}

_HEAD: Final = struct.Struct(">II")
_BODY: Final = struct.Struct(">QQHBB32s")
_SEED: Final = struct.Struct(">QQQI")


class Frame:
    """A frame as read: its header fields, `content` without salt, and where it stood."""

    __slots__ = ("content", "count", "end", "kind", "number", "previous", "sequence", "start")

    def __init__(
        self,
        number: int,
        sequence: int,
        count: int,
        kind: int,
        previous: bytes,
        content: bytes,
        start: int,
        end: int,
    ) -> None:
        self.number = number
        self.sequence = sequence
        self.count = count
        self.kind = kind
        self.previous = previous
        self.content = content
        self.start = start
        self.end = end


def encode(
    segment: int,
    number: int,
    sequence: int,
    count: int,
    kind: int,
    previous: bytes,
    content: bytes,
    salt: bytes | None = None,
) -> bytes:
    """The frame's bytes. Raises ValueError when the content is over `MAX_CONTENT`."""
    if len(content) > MAX_CONTENT:
        raise ValueError(f"a record of {len(content)} bytes; the most is {MAX_CONTENT}")
    length = SALT_SIZE + len(content)
    body = b"".join(
        (
            _BODY.pack(number, sequence, count, kind, VERSION, previous),
            os.urandom(SALT_SIZE) if salt is None else salt,
            content,
        )
    )
    crc = zlib.crc32(body, zlib.crc32(_SEED.pack(segment, number, sequence, length)))
    return _HEAD.pack(length ^ MASK, crc) + body


def parse(data: memoryview, offset: int, segment: int, number: int, sequence: int) -> Frame | None:
    """The frame at `offset` if it is the one expected there, whole and undamaged; else None."""
    if len(data) - offset < HEADER_SIZE + SALT_SIZE:
        return None
    masked, crc = _HEAD.unpack_from(data, offset)
    length = masked ^ MASK
    if not SALT_SIZE <= length <= MAX_CONTENT + SALT_SIZE:
        return None
    end = offset + HEADER_SIZE + length
    if end > len(data):
        return None
    found, first, count, kind, version, previous = _BODY.unpack_from(data, offset + 8)
    if found != number or first != sequence or version != VERSION or kind not in KINDS:
        return None
    seed = zlib.crc32(_SEED.pack(segment, number, sequence, length))
    if zlib.crc32(data[offset + 8 : end], seed) != crc:
        return None
    content = bytes(data[offset + HEADER_SIZE + SALT_SIZE : end])
    return Frame(number, sequence, count, kind, previous, content, offset, end)


def is_cut_off(data: memoryview, offset: int) -> bool:
    """Whether what stands at `offset` may be the beginning of a frame whose rest is not there."""
    left = len(data) - offset
    if left < HEADER_SIZE + SALT_SIZE:
        return True
    length = int.from_bytes(data[offset : offset + 4]) ^ MASK
    return SALT_SIZE <= length <= MAX_CONTENT + SALT_SIZE and left < HEADER_SIZE + length
