"""What binds frames to each other.

Rules this module keeps:

1. The leaf hash of a frame is SHA-256(0x00 ‖ frame as stored), the leaf of RFC 6962.
2. A frame carries the leaf hash of the frame before it, so one leaf hash fixes all frames before.
   The first frame of a log carries `NOTHING`.
3. Over the same frames grow two Merkle trees, SHA-256 and SM3. A segment's first frame carries
   their peaks before it, so that a segment is read, checked and continued by itself; its last
   frame carries the SM3 root before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from qingfang.crypto import start
from qingfang.crypto.digests import Name
from qingfang.merkle.tree import LEAF, Frontier

NOTHING: Final = b"\0" * 32


def leaf(frame: bytes) -> bytes:
    """32 bytes."""
    return _hash("sha256", frame)


def sm3_leaf(frame: bytes) -> bytes:
    """32 bytes."""
    return _hash("sm3", frame)


def _hash(name: Name, frame: bytes) -> bytes:
    """Of 0x00 and the frame, without copying a large one."""
    hashing = start(name, LEAF)
    hashing.update(frame)
    return hashing.digest()


class Chain:
    """The state after a frame: what the next one must carry. `head` is the last leaf hash, `number`
    and `sequence` are those of the next frame; `trees` are the SHA-256 and the SM3 tree."""

    __slots__ = ("head", "number", "sequence", "trees")

    def __init__(
        self,
        number: int = 0,
        sequence: int = 1,
        head: bytes = NOTHING,
        peaks: Sequence[bytes] = (),
        sm3_peaks: Sequence[bytes] = (),
    ) -> None:
        """Raises ValueError for peaks that no tree of `number` leaves has."""
        self.number = number
        self.sequence = sequence
        self.head = head
        self.trees = (Frontier("sha256", number, peaks), Frontier("sm3", number, sm3_peaks))

    def take(self, frame: bytes, count: int) -> tuple[bytes, bytes]:
        """The next frame is `frame`, with `count` records: its leaf hash in either tree."""
        other = sm3_leaf(frame)
        self.trees[1].append(other)
        return self.link(frame, count), other

    def link(self, frame: bytes, count: int) -> bytes:
        """Half of `take`: all that the next frame depends on. The frame's SM3 leaf is still to be
        appended to the tree."""
        self.head = leaf(frame)
        self.number += 1
        self.sequence += count
        self.trees[0].append(self.head)
        return self.head

    def sm3_root(self) -> bytes:
        return self.trees[1].root()

    def copy(self) -> Chain:
        sha256_tree, sm3_tree = self.trees
        return Chain(self.number, self.sequence, self.head, sha256_tree.peaks, sm3_tree.peaks)
