"""What binds frames to each other.

Rules this module keeps:

1. The leaf hash of a frame is SHA-256(0x00 ‖ frame as stored), the leaf of RFC 6962: a Merkle tree
   over the same frames needs no change on disk.
2. A frame carries the leaf hash of the frame before it, so one leaf hash fixes all frames before.
   The first frame of a log carries `NOTHING`.
3. Beside it runs SM3 over the bytes of a segment: the closing frame carries the digest of all
   bytes before it, the next segment's first frame the digest of the whole segment before it.
"""

from __future__ import annotations

from typing import Final

from qingfang.crypto import Hash, sha256, start

NOTHING: Final = b"\0" * 32


def leaf(frame: bytes) -> bytes:
    """32 bytes."""
    return sha256(b"\0" + frame)


class Chain:
    """The state after a frame: what the next one must carry. `head` is the last leaf hash."""

    __slots__ = ("_sm3", "head", "number", "sequence")

    def __init__(
        self, number: int = 0, sequence: int = 1, head: bytes = NOTHING, sm3: Hash | None = None
    ) -> None:
        self.number = number
        self.sequence = sequence
        self.head = head
        self._sm3 = start("sm3") if sm3 is None else sm3

    def take(self, frame: bytes, count: int) -> None:
        """The next frame is `frame`, with `count` records."""
        self.link(frame, count)
        self.absorb(frame)

    def link(self, frame: bytes, count: int) -> None:
        """Half of `take`: everything but the segment's digest."""
        self.head = leaf(frame)
        self.number += 1
        self.sequence += count

    def absorb(self, frames: bytes) -> None:
        """The other half, for any number of linked frames at once: one call costs less."""
        self._sm3.update(frames)

    def segment_digest(self) -> bytes:
        """SM3 over the bytes of this segment so far."""
        return self._sm3.digest()

    def copy(self) -> Chain:
        return Chain(self.number, self.sequence, self.head, self._sm3.copy())

    def next_segment(self) -> Chain:
        """The state in which the first frame of the next segment is written."""
        return Chain(self.number, self.sequence, self.head)
