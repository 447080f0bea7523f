"""What is said over `ledger.sock` (`qingfang.ipc`), for both ends.

    append   one frame's worth of records → where they are stored, after they are synced
    offer    as append, from a sender that keeps what is refused: it is not counted as lost
    read     frames from a cursor on, waiting for some if asked → frames and the next cursor
    stat     → state and counts
    ping     → nothing: the process answers

A refusal of `append` begins with a code: `full` (not stored, and counted by the ledger itself),
`stale` (the segment the sender packed for is too far back: pack again).
"""

from __future__ import annotations

import struct
from typing import Final

from msgspec import Struct

FULL: Final = "full"
STALE: Final = "stale"
READ_LIMIT: Final = 1 << 20

_APPEND: Final = struct.Struct(">BHQQQQB")
_STORED: Final = struct.Struct(">QQ")


class Append(Struct, frozen=True):
    """`segment`: the one the sender believes to be written to. `seen` and `lost`: the sender's
    own running counts of records, `waiting` how many of them it holds that have no answer yet, those
    of this request included: so it believes that seen - lost - waiting are stored. `kept`: it came
    as an `offer`."""

    kind: int
    count: int
    segment: int
    seen: int
    lost: int
    waiting: int
    source: str
    content: bytes
    kept: bool = False


def encode_append(request: Append) -> bytes:
    source = request.source.encode()[:255]
    return (
        _APPEND.pack(
            request.kind,
            request.count,
            request.segment,
            request.seen,
            request.lost,
            request.waiting,
            len(source),
        )
        + source
        + request.content
    )


def decode_append(payload: bytes) -> Append:
    """Raises ValueError."""
    try:
        kind, count, segment, seen, lost, waiting, size = _APPEND.unpack_from(payload)
    except struct.error:
        raise ValueError("short request") from None
    start = _APPEND.size + size
    source = payload[_APPEND.size : start].decode()
    return Append(kind, count, segment, seen, lost, waiting, source, payload[start:])


def encode_stored(sequence: int, segment: int) -> bytes:
    return _STORED.pack(sequence, segment)


def decode_stored(payload: bytes) -> tuple[int, int]:
    """(first sequence number, segment now written to)."""
    return _STORED.unpack(payload)


class Cursor(Struct, frozen=True, array_like=True):
    """Where the next frame is expected: given out by `read`, handed back unchanged."""

    segment: int
    offset: int
    number: int
    sequence: int


class Read(Struct, frozen=True):
    """Frames from `cursor`, or (without one) from the segment that holds `first`; `back` segments
    before it when briefs are wanted. `kinds` empty: all. `wait_ms`: how long to wait for a first
    record when there is none yet."""

    first: int = 1
    cursor: Cursor | None = None
    back: int = 0
    kinds: tuple[int, ...] = ()
    wait_ms: int = 0


class Frames(Struct, frozen=True):
    """`frames`: (kind, first sequence number, content). `end`: nothing further is stored yet."""

    cursor: Cursor | None
    end: bool
    frames: tuple[tuple[int, int, bytes], ...] = ()


class SourceCount(Struct, frozen=True):
    """Records of one source since the service started: `seen` and `lost` in the source's words,
    `stored` and `refused` (disk full) in ours. `missing`: how many the source believed to be stored
    that we did not store, at the worst."""

    seen: int = 0
    stored: int = 0
    lost: int = 0
    refused: int = 0
    missing: int = 0


class Stat(Struct, frozen=True):
    """`state`: ok, full. `next` is the next sequence number, `oldest_us` the opening of the oldest
    segment, `segment` the one written to. `published` is the size of the last
    checkpoint, `unpublished` why there is none any more (zh). `witnessed` says for each configured
    witness when it last cosigned (seconds since the epoch; 0: never); `certified_until` when the
    office's certificate ends, `uncertified` what is wrong with it (zh)."""

    log: str
    state: str
    next: int
    segment: int
    segments: int
    bytes: int
    oldest_us: int | None
    commits: int
    kinds: dict[str, int]
    sources: dict[str, SourceCount]
    waiting: int
    published: int | None = None
    unpublished: str = ""
    witnessed: dict[str, int] = {}
    certified_until: int | None = None
    uncertified: str = ""
