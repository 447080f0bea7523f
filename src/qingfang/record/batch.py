"""The content of a frame of records: what one commit stored, sealed, and committed to part by part.

    plain    items, one after the other: kind u8, count u16, length u32, `length` bytes (`codec`)
    sealed   the plain content under the segment's key (`keys`), bound to the frame's header

Rules this module keeps:

1. The commitment in the header is SHA-256 over the hashes of all parts; a part is one record, and
   the hash of a part is SHA-256(salt ‖ kind ‖ sequence ‖ data), with a salt of its own. So one
   record is shown to a stranger with its salt and the other parts' hashes: he learns that it stood
   here, and nothing of its neighbours, and no key is handed out.
2. A block of briefs has a part for each connection and template it tells (kinds `CONNECTION` and
   `TEMPLATE`, numbered as the block's first record) and for each brief; their data is the
   MessagePack of that element as it stands in the block.
3. The token of an item is no part: it says how the item came, not what it says.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from qingfang.crypto import sha256
from qingfang.record import codec, frame, segments
from qingfang.record.entries import Opened
from qingfang.record.frame import Frame
from qingfang.record.keys import Cipher, Keys, SegmentKey

CONNECTION: Final = 0x11
TEMPLATE: Final = 0x12
ITEM_HEAD: Final = 7

_ITEM: Final = struct.Struct(">BHI")
_PART: Final = struct.Struct(">BQ")


class Item(NamedTuple):
    """One append of a client (or the writer's own): its kind, how many records, the sequence number
    of the first, and the content as `codec` packs it."""

    kind: int
    records: int
    sequence: int
    content: bytes


class Part(NamedTuple):
    """The smallest thing that can be shown by itself."""

    kind: int
    sequence: int
    data: bytes


def join(items: Sequence[Item]) -> bytes:
    pieces: list[bytes] = []
    for kind, count, _sequence, content in items:
        pieces.append(_ITEM.pack(kind, count, len(content)))
        pieces.append(content)
    return b"".join(pieces)


def split(plain: bytes, sequence: int) -> list[Item]:
    """Raises `codec.Unreadable`."""
    items: list[Item] = []
    at = 0
    while at < len(plain):
        try:
            kind, count, length = _ITEM.unpack_from(plain, at)
        except struct.error:
            raise codec.Unreadable("an item is cut off") from None
        end = at + ITEM_HEAD + length
        if end > len(plain):
            raise codec.Unreadable("an item is cut off")
        items.append(Item(kind, count, sequence, plain[at + ITEM_HEAD : end]))
        sequence += count
        at = end
    return items


def parts(items: Sequence[Item]) -> list[Part]:
    """Raises `codec.Unreadable` for a block that is none, or has another count than it says."""
    found: list[Part] = []
    for kind, count, sequence, content in items:
        if kind != frame.BLOCK:
            found.append(Part(kind, sequence, content[codec.TOKEN_SIZE :]))
            continue
        connections, templates, briefs = codec.raw_block(content)
        if len(briefs) != count:
            raise codec.Unreadable("a block's count is not that of its briefs")
        found += [Part(CONNECTION, sequence, data) for data in connections]
        found += [Part(TEMPLATE, sequence, data) for data in templates]
        found += [Part(kind, number, data) for number, data in enumerate(briefs, sequence)]
    return found


def hashes(shown: Sequence[Part], salts: Sequence[bytes]) -> list[bytes]:
    pack = _PART.pack
    return [
        sha256(b"".join((salt, pack(kind, sequence), data)))
        for (kind, sequence, data), salt in zip(shown, salts, strict=True)
    ]


def commit(items: Sequence[Item], key: SegmentKey, salt: bytes) -> bytes:
    """The commitment to `items`, 32 bytes."""
    shown = parts(items)
    return sha256(b"".join(hashes(shown, key.salts(salt, len(shown)))))


class Opener:
    """Stored frames in, items out. It reads the keys beside the segments."""

    def __init__(self, folder: Path, keys: Keys | None = None) -> None:
        self._folder = folder
        self._keys = keys or Keys(folder)
        self._ciphers: dict[int, Cipher] = {}

    def key(self, segment: int) -> SegmentKey:
        """Raises `KeyGone`, and `codec.Unreadable` when the segment's first frame does not tell how
        it is sealed."""
        cipher = self._ciphers.get(segment)
        if cipher is None:
            first = segments.first_of(self._folder / segments.name(segment), segment)
            opened = codec.unpack(frame.SEGMENT, first.content) if first is not None else None
            if not isinstance(opened, Opened):
                raise codec.Unreadable("the segment's first frame is damaged")
            cipher = self._ciphers[segment] = opened.cipher
        return self._keys.of(segment, cipher)

    def items(self, found: Frame) -> list[Item]:
        """A segment's first and last frame are an item of no records each. Raises `KeyGone` and
        `codec.Unreadable`."""
        if found.kind != frame.BATCH:
            return [Item(found.kind, 0, found.sequence, found.content)]
        plain = self.key(found.segment).open(found.salt, found.head, found.content)
        return split(plain, found.sequence)

    def all(self, frames: Sequence[Frame]) -> Iterator[Item]:
        for each in frames:
            yield from self.items(each)
