"""Segment files: their names, and reading them frame by frame.

Rules this module keeps:

1. A segment is `<number, 10 digits>.seg`; numbers start at 1 and have no gap.
2. Reading never changes a file and never needs the writer.
3. A walk ends at the first byte that is not the frame expected there and says where that is; what
   it means (an interrupted write, or tampering) is for the caller to judge.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from qingfang.record import frame
from qingfang.record.chain import Chain
from qingfang.record.frame import Frame

_NAME: Final = re.compile(r"^(\d{10})\.seg$")


def name(number: int) -> str:
    return f"{number:010}.seg"


def numbers(folder: Path) -> list[int]:
    """The segments in a folder, ascending. Raises OSError."""
    return sorted(int(m[1]) for f in folder.iterdir() if (m := _NAME.match(f.name)))


class Walk:
    """Frames of one segment from `chain` on. `end` is the offset after the last good frame, `size`
    the file's size when the walk began, `problem` what stopped it (None: the end of the file).

    `problem` is `frame` (no whole, undamaged frame of the number expected) or `chain` (a sound
    frame that was not written after the one before it). `cut_off` tells that the file ends within
    what may be a frame.
    """

    def __init__(
        self,
        path: Path,
        segment: int,
        chain: Chain,
        taken: Callable[[bytes, bytes], None] | None = None,
    ) -> None:
        """`taken` is told the leaf hashes of every frame that was taken, SHA-256 and SM3."""
        self._path, self._segment, self._taken = path, segment, taken
        self.chain = chain
        self.end = 0
        self.size = 0
        self.problem: str | None = None
        self.cut_off = False

    def __iter__(self) -> Iterator[Frame]:
        with self._path.open("rb") as file:
            self.size = file.seek(0, 2)
            if self.size == 0:
                return
            with (
                mmap.mmap(file.fileno(), self.size, access=mmap.ACCESS_READ) as mapped,
                memoryview(mapped) as data,
            ):
                yield from self._frames(data)

    def _frames(self, data: memoryview) -> Iterator[Frame]:
        chain = self.chain
        while self.end < self.size:
            found = frame.parse(data, self.end, self._segment, chain.number, chain.sequence)
            if found is None:
                self.problem = "frame"
                self.cut_off = frame.is_cut_off(data, self.end)
                return
            if found.previous != chain.head:
                self.problem = "chain"
                return
            # The caller sees the chain as it was before this frame: a closing frame is checked
            # against the digest of what stands before it.
            yield found
            leaves = chain.take(bytes(data[found.start : found.end]), found.count)
            self.end = found.end
            if self._taken is not None:
                self._taken(*leaves)


def first_of(path: Path, segment: int) -> Frame | None:
    """A segment's first frame, read without knowing the segments before it; None when damaged.
    Its number and sequence are its own word, so this is for finding, never for verifying."""
    with path.open("rb") as file:
        head = file.read(frame.HEADER_SIZE)
        if len(head) < frame.HEADER_SIZE:
            return None
        number = int.from_bytes(head[8:16])
        sequence = int.from_bytes(head[16:24])
        length = int.from_bytes(head[:4]) ^ frame.MASK
        if not 0 < length <= 65536:
            return None
        found = frame.parse(memoryview(head + file.read(length)), 0, segment, number, sequence)
    return found if found and found.kind == frame.SEGMENT else None


def format_of(folder: Path) -> int | None:
    """The version of the format of the oldest segment, by its own word; None without one."""
    found = numbers(folder) if folder.is_dir() else []
    if not found:
        return None
    with (folder / name(found[0])).open("rb") as file:
        head = file.read(28)
    # Both formats that there were have it in this place.
    return head[27] if len(head) == 28 else None


def has_records(path: Path, segment: int) -> bool:
    """Whether a whole frame of records stands anywhere in a segment whose first frame is damaged.
    Slow (it tries every byte): for files of a few kilobytes."""
    data = path.read_bytes()
    for at in range(len(data) - frame.HEADER_SIZE):
        number = int.from_bytes(data[at + 8 : at + 16])
        sequence = int.from_bytes(data[at + 16 : at + 24])
        found = frame.parse(memoryview(data), at, segment, number, sequence)
        if found is not None and found.kind == frame.BATCH:
            return True
    return False


class Place:
    """Where a reader is: a segment, the offset and the numbers of the next frame in it."""

    __slots__ = ("number", "offset", "segment", "sequence")

    def __init__(self, segment: int, offset: int, number: int, sequence: int) -> None:
        self.segment = segment
        self.offset = offset
        self.number = number
        self.sequence = sequence


def locate(folder: Path, sequence: int, back: int = 0) -> Place | None:
    """The start of the segment that holds `sequence`, or of `back` segments before it; None in a
    folder without readable segments."""
    kept = numbers(folder)
    starts = [(n, first_of(folder / name(n), n)) for n in kept]
    good = [(n, first) for n, first in starts if first is not None]
    if not good:
        return None
    index = 0
    for i, (_n, first) in enumerate(good):
        if first.sequence <= sequence:
            index = i
    number, first = good[max(0, index - back)]
    return Place(number, 0, first.number, first.sequence)


def read_on(folder: Path, place: Place, until: int, limit: int) -> list[Frame]:
    """Up to `limit` bytes of frames whose first sequence is below `until`, in order; `place` moves
    behind them. An empty list means that there is nothing further (yet)."""
    frames: list[Frame] = []
    taken = 0
    while taken < limit:
        path = folder / name(place.segment)
        try:
            with path.open("rb") as file:
                file.seek(place.offset)
                # A frame may be larger than the limit: then it is read whole.
                data = file.read(limit)
                if len(data) >= 4:
                    need = (int.from_bytes(data[:4]) ^ frame.MASK) + frame.HEADER_SIZE
                    if limit < need <= frame.MAX_CONTENT + 128:
                        data += file.read(need - len(data))
        except FileNotFoundError:
            break
        offset = 0
        view = memoryview(data)
        closed = False
        while (
            found := frame.parse(view, offset, place.segment, place.number, place.sequence)
        ) is not None:
            if found.sequence >= until and found.kind not in (frame.SEGMENT, frame.CLOSE):
                place.offset += offset
                return frames
            frames.append(found)
            taken += found.end - found.start
            offset = found.end
            place.number += 1
            place.sequence += found.count
            closed = found.kind == frame.CLOSE
        place.offset += offset
        if closed:
            place.segment += 1
            place.offset = 0
        elif offset == 0:
            break
    return frames
