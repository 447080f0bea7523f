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

import hashlib
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

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


class Item:
    """One append of a client (or the writer's own): its kind, how many records, the sequence number
    of the first, and the content as `codec` packs it."""

    __slots__ = ("content", "kind", "records", "sequence")

    def __init__(self, kind: int, records: int, sequence: int, content: bytes) -> None:
        self.kind = kind
        self.records = records
        self.sequence = sequence
        self.content = content


class Draft:
    """An item to be: its kind, how many records it holds, its content."""

    __slots__ = ("content", "count", "kind")

    def __init__(self, kind: int, count: int, content: bytes) -> None:
        self.kind = kind
        self.count = count
        self.content = content


class Made:
    """Drafts as one frame's content: `plain`, the `commitment`, the first sequence number of each
    draft, and the number after the last record."""

    __slots__ = ("commitment", "end", "plain", "sequences")

    def __init__(self, plain: bytes, commitment: bytes, sequences: list[int], end: int) -> None:
        self.plain = plain
        self.commitment = commitment
        self.sequences = sequences
        self.end = end


def make(drafts: Sequence[Draft], sequence: int, key: SegmentKey, salt: bytes) -> Made:
    """The content of a frame whose first record is `sequence`. Raises `codec.Unreadable`."""
    pieces: list[bytes] = []
    texts: list[bytes] = []
    sequences: list[int] = []
    for draft in drafts:
        kind, count, content = draft.kind, draft.count, draft.content
        pieces.append(_ITEM.pack(kind, count, len(content)))
        pieces.append(content)
        sequences.append(sequence)
        if kind == frame.BLOCK:
            texts += _of_block(count, sequence, content)
        else:
            texts.append(_PART.pack(kind, sequence) + content[codec.TOKEN_SIZE :])
        sequence += count
    commitment = commit(texts, key.salts(salt, len(texts)))
    return Made(b"".join(pieces), commitment, sequences, sequence)


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


def parts(items: Sequence[Item]) -> list[bytes]:
    """What can be shown by itself: kind u8, sequence u64, data. Raises `codec.Unreadable` for a
    block that is none, or has another count than it says."""
    found: list[bytes] = []
    for item in items:
        if item.kind == frame.BLOCK:
            found += _of_block(item.records, item.sequence, item.content)
        else:
            found.append(_PART.pack(item.kind, item.sequence) + item.content[codec.TOKEN_SIZE :])
    return found


def _of_block(count: int, sequence: int, content: bytes) -> list[bytes]:
    connections, templates, briefs = codec.raw_block(content)
    if len(briefs) != count:
        raise codec.Unreadable("a block's count is not that of its briefs")
    pack = _PART.pack
    head = pack(CONNECTION, sequence)
    found = [head + data for data in connections]
    head = pack(TEMPLATE, sequence)
    found += [head + data for data in templates]
    found += [pack(frame.BLOCK, number) + data for number, data in enumerate(briefs, sequence)]
    return found


def hashes(shown: Sequence[bytes], salts: Sequence[bytes]) -> list[bytes]:
    """The digest of each part, 32 bytes."""
    digest = hashlib.sha256
    return [digest(salt + part).digest() for part, salt in zip(shown, salts, strict=True)]


def commit(shown: Sequence[bytes], salts: Sequence[bytes]) -> bytes:
    """The commitment to all parts of a frame, 32 bytes."""
    return sha256(b"".join(hashes(shown, salts)))


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
