"""The tree of RFC 6962 (RFC 9162 §2.1), over SHA-256 or SM3: roots, and proofs of them.

Rules this module keeps:

1. A leaf is `H(0x00 ‖ data)`, a node `H(0x01 ‖ left ‖ right)`: no leaf can pass for a node.
2. Proofs are made from whole subtrees only, asked of a `Reader` by level and index: node (L, i)
   covers the leaves i·2^L to (i+1)·2^L - 1. What is stored, and where, is the reader's matter.
3. Whoever checks a proof computes the roots from it and compares; nothing in a proof is believed.
   A proof that is too long is as wrong as one that is too short.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from qingfang.crypto import start
from qingfang.crypto.digests import Name

Reader = Callable[[int, int], bytes]
"""`reader(level, index)`: the hash of a whole subtree. Raises `LookupError` when it has none."""

LEAF: Final = b"\x00"
NODE: Final = b"\x01"


class ProofProblem(ValueError):
    """What was asked for cannot be proven, or a proof does not have the length it must have."""


def empty_root(name: Name) -> bytes:
    """The root of no leaves: the digest of nothing."""
    return start(name).digest()


def leaf_hash(name: Name, data: bytes) -> bytes:
    """32 bytes."""
    return start(name, LEAF + data).digest()


def node_hash(name: Name, left: bytes, right: bytes) -> bytes:
    """32 bytes."""
    return start(name, NODE + left + right).digest()


class Frontier:
    """The right edge of a tree that only grows: enough to append and to tell the root.

    `peaks` are the roots of the whole subtrees it consists of, the largest first: one for every bit
    that is set in `size`.
    """

    __slots__ = ("_name", "peaks", "size")

    def __init__(self, name: Name, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Raises ValueError unless there is a peak of 32 bytes for every bit of `size`."""
        if size < 0 or len(peaks) != size.bit_count() or any(len(p) != 32 for p in peaks):
            raise ValueError("a frontier has one hash of 32 bytes for every bit set in its size")
        self._name: Name = name
        self.size = size
        self.peaks = list(peaks)

    def append(self, leaf: bytes) -> None:
        """Take in the next leaf's hash."""
        node, carried = leaf, self.size
        while carried & 1:
            node = node_hash(self._name, self.peaks.pop(), node)
            carried >>= 1
        self.peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """32 bytes."""
        if not self.peaks:
            return empty_root(self._name)
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(self._name, peak, root)
        return root

    def copy(self) -> Frontier:
        return Frontier(self._name, self.size, self.peaks)


def subtree_root(name: Name, begin: int, end: int, reader: Reader) -> bytes:
    """The root over the leaves `begin` ≤ i < `end`, as RFC 9162 splits them: `begin` must be where
    such a subtree begins. Raises `LookupError` as `reader` does."""
    nodes: list[bytes] = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        nodes.append(reader(level, begin >> level))
        begin += 1 << level
    if not nodes:
        return empty_root(name)
    root = nodes.pop()
    while nodes:
        root = node_hash(name, nodes.pop(), root)
    return root


def inclusion(name: Name, index: int, size: int, reader: Reader) -> list[bytes]:
    """That leaf `index` is in the tree of `size` leaves (RFC 9162 §2.1.3.1)."""
    if not 0 <= index < size:
        raise ProofProblem(f"leaf {index} is not in a tree of {size}")
    begin, end, proof = 0, size, list[bytes]()
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            proof.append(subtree_root(name, middle, end, reader))
            end = middle
        else:
            proof.append(subtree_root(name, begin, middle, reader))
            begin = middle
    proof.reverse()
    return proof


def consistency(name: Name, old: int, new: int, reader: Reader) -> list[bytes]:
    """That the tree of `new` leaves begins with the tree of `old` (RFC 9162 §2.1.4.1). Empty for
    trees of one size, and for the empty tree, which every tree begins with."""
    if not 0 <= old <= new:
        raise ProofProblem(f"a tree of {new} cannot begin with one of {old}")
    if old in (0, new):
        return []
    begin, end, proof = 0, new, list[bytes]()
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            proof.append(subtree_root(name, middle, end, reader))
            end = middle
        else:
            proof.append(subtree_root(name, begin, middle, reader))
            begin = middle
    if begin:
        proof.append(subtree_root(name, begin, end, reader))
    proof.reverse()
    return proof


def root_of(name: Name, index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162 §2.1.3.2). Raises `ProofProblem` for a
    leaf that cannot be in the tree, and for a proof of another length than it must have."""
    if not 0 <= index < size:
        raise ProofProblem(f"leaf {index} is not in a tree of {size}")
    node, last, root, rest = index, size - 1, leaf, iter(proof)
    for sibling in rest:
        if last == 0:
            raise ProofProblem("the proof is too long")
        if node & 1 or node == last:
            root = node_hash(name, sibling, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(name, root, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofProblem("the proof is too short")
    return root


def is_consistent(
    name: Name, old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether `proof` shows that the tree of `new` begins with that of `old` (RFC 9162 §2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old == 0:
        return not proof and old_root == empty_root(name)
    if old == new:
        return not proof and old_root == new_root
    nodes = list(proof)
    if old & (old - 1) == 0:
        nodes.insert(0, old_root)
    if not nodes:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = node_hash(name, sibling, first), node_hash(name, sibling, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(name, second, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)
