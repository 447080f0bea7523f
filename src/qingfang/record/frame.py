"""A frame: the unit that is written, synced, hashed and proven.

    offset  size
    0       4    length of salt and content, XOR `MASK`
    4       4    CRC-32 of everything from offset 8, seeded (see below)
    8       8    number: frames of this log are numbered without a gap, across segments
    16      8    sequence number of the first record in the frame
    24      2    count of records in the frame; they are numbered sequence, sequence + 1, …
    26      1    kind
    27      1    version of the format
    28      32   leaf hash of the frame before this one (`chain`)
    60      32   commitment to the records in it (`batch`); zeros where the content is plain
    92      16   salt: random
    108     …    content: sealed in a frame of records (`batch`), plain in a segment's first and last

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
VERSION: Final = 2
HEADER_SIZE: Final = 92
SALT_SIZE: Final = 16
NO_COMMITMENT: Final = bytes(32)

# Kinds of frames are SEGMENT, CLOSE and BATCH; the others are kinds of records, inside a batch.
SEGMENT: Final = 1
CLOSE: Final = 2
EVENT: Final = 3
BLOCK: Final = 4
COMPLETED: Final = 5
LOSS: Final = 6
ACT: Final = 7
RECOVERED: Final = 8
BATCH: Final = 9
KINDS: Final = {
    SEGMENT: "segment",
    CLOSE: "close",
    EVENT: "event",
    BLOCK: "brief",
    COMPLETED: "completed",
    LOSS: "loss",
    ACT: "act",
    RECOVERED: "recovered",
    BATCH: "batch",
}
_FRAMES: Final = frozenset({SEGMENT, CLOSE, BATCH})

_HEAD: Final = struct.Struct(">II")
_BODY: Final = struct.Struct(">QQHBB32s32s")
_SEED: Final = struct.Struct(">QQQI")


class Frame:
    """A frame as read: its segment and header fields, `head` (the header from offset 8 on, which
    the sealing covers), `salt`, `content`, and where it stood in the data."""

    __slots__ = (
        "commitment",
        "content",
        "count",
        "end",
        "head",
        "kind",
        "number",
        "previous",
        "salt",
        "segment",
        "sequence",
        "start",
    )

    def __init__(
        self,
        segment: int,
        number: int,
        sequence: int,
        count: int,
        kind: int,
        previous: bytes,
        commitment: bytes,
        head: bytes,
        salt: bytes,
        content: bytes,
        start: int,
        end: int,
    ) -> None:
        self.segment = segment
        self.number = number
        self.sequence = sequence
        self.count = count
        self.kind = kind
        self.previous = previous
        self.commitment = commitment
        self.head = head
        self.salt = salt
        self.content = content
        self.start = start
        self.end = end


def body(
    number: int,
    sequence: int,
    count: int,
    kind: int,
    previous: bytes,
    commitment: bytes = NO_COMMITMENT,
) -> bytes:
    """The header from offset 8 on."""
    return _BODY.pack(number, sequence, count, kind, VERSION, previous, commitment)


def encode(
    segment: int,
    number: int,
    sequence: int,
    count: int,
    kind: int,
    previous: bytes,
    content: bytes,
    salt: bytes | None = None,
    commitment: bytes = NO_COMMITMENT,
) -> bytes:
    """The frame's bytes. Raises ValueError when the content is over `MAX_CONTENT`."""
    if len(content) > MAX_CONTENT:
        raise ValueError(f"a record of {len(content)} bytes; the most is {MAX_CONTENT}")
    length = SALT_SIZE + len(content)
    head = body(number, sequence, count, kind, previous, commitment)
    if salt is None:
        salt = os.urandom(SALT_SIZE)
    crc = zlib.crc32(head + salt, zlib.crc32(_SEED.pack(segment, number, sequence, length)))
    crc = zlib.crc32(content, crc)
    return b"".join((_HEAD.pack(length ^ MASK, crc), head, salt, content))


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
    found, first, count, kind, version, previous, commitment = _BODY.unpack_from(data, offset + 8)
    if found != number or first != sequence or version != VERSION or kind not in _FRAMES:
        return None
    seed = zlib.crc32(_SEED.pack(segment, number, sequence, length))
    if zlib.crc32(data[offset + 8 : end], seed) != crc:
        return None
    at = offset + HEADER_SIZE
    return Frame(
        segment,
        number,
        sequence,
        count,
        kind,
        previous,
        commitment,
        bytes(data[offset + 8 : at]),
        bytes(data[at : at + SALT_SIZE]),
        bytes(data[at + SALT_SIZE : end]),
        offset,
        end,
    )


def is_cut_off(data: memoryview, offset: int) -> bool:
    """Whether what stands at `offset` may be the beginning of a frame whose rest is not there."""
    left = len(data) - offset
    if left < HEADER_SIZE + SALT_SIZE:
        return True
    length = int.from_bytes(data[offset : offset + 4]) ^ MASK
    return SALT_SIZE <= length <= MAX_CONTENT + SALT_SIZE and left < HEADER_SIZE + length
