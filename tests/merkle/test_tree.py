"""Roots and proofs, against a tree written down as RFC 9162 defines it, and its old vectors."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.crypto import start
from qingfang.crypto.digests import Name
from qingfang.merkle.tree import (
    Frontier,
    ProofProblem,
    consistency,
    empty_root,
    inclusion,
    is_consistent,
    leaf_hash,
    root_of,
    subtree_root,
)

NAMES: list[Name] = ["sha256", "sm3"]
# The eight leaves of the Certificate Transparency project's own tests, and their roots.
LEAVES = [
    bytes.fromhex(h)
    for h in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def h(name: Name, data: bytes) -> bytes:
    return start(name, data).digest()


def mth(name: Name, data: list[bytes]) -> bytes:
    """RFC 9162 §2.1.1, word by word."""
    if not data:
        return h(name, b"")
    if len(data) == 1:
        return h(name, b"\x00" + data[0])
    k = 1
    while k * 2 < len(data):
        k *= 2
    return h(name, b"\x01" + mth(name, data[:k]) + mth(name, data[k:]))


class Tree:
    """All nodes of some leaves; it counts how many were asked for."""

    def __init__(self, name: Name, data: list[bytes]) -> None:
        self.name, self.data, self.asked = name, data, 0

    def __call__(self, level: int, index: int) -> bytes:
        self.asked += 1
        part = self.data[index << level : (index + 1) << level]
        if len(part) != 1 << level:
            raise LookupError(level, index)
        return mth(self.name, part)


def test_published_roots() -> None:
    frontier = Frontier("sha256")
    for size, root in enumerate(ROOTS):
        assert frontier.root().hex() == root
        if size < len(LEAVES):
            frontier.append(leaf_hash("sha256", LEAVES[size]))


@pytest.mark.parametrize("name", NAMES)
def test_every_proof_of_small_trees(name: Name) -> None:
    data = [bytes([n]) for n in range(40)]
    for size in range(len(data) + 1):
        tree = Tree(name, data[:size])
        root = mth(name, data[:size])
        assert subtree_root(name, 0, size, tree) == root
        for index in range(size):
            proof = inclusion(name, index, size, tree)
            assert root_of(name, index, size, leaf_hash(name, data[index]), proof) == root
        for old in range(size + 1):
            proof = consistency(name, old, size, tree)
            assert is_consistent(name, old, size, mth(name, data[:old]), root, proof)


@pytest.mark.parametrize("name", NAMES)
def test_a_frontier_goes_on_where_it_stopped(name: Name) -> None:
    data = [bytes([n, n]) for n in range(70)]
    frontier = Frontier(name)
    for size, item in enumerate(data):
        frontier = Frontier(name, size, frontier.peaks)
        assert frontier.root() == mth(name, data[:size])
        before = frontier.copy()
        frontier.append(leaf_hash(name, item))
        assert before.root() == mth(name, data[:size])


def test_a_frontier_is_whole() -> None:
    for size, peaks in ((3, [b"\0" * 32]), (1, [b"\0" * 31]), (0, [b"\0" * 32]), (-1, [])):
        with pytest.raises(ValueError, match="frontier"):
            Frontier("sha256", size, peaks)


@given(st.integers(2, 300), st.data())
def test_nothing_else_is_proven(size: int, more: st.DataObject) -> None:
    """Another leaf, place, size or proof, longer or shorter or with a bit flipped, gives another root
    or none."""
    data = [n.to_bytes(2, "big") for n in range(size)]
    tree, root = Tree("sha256", data), mth("sha256", data)
    index = more.draw(st.integers(0, size - 1))
    leaf = leaf_hash("sha256", data[index])
    proof = inclusion("sha256", index, size, tree)
    assert root_of("sha256", index, size, leaf, proof) == root
    at = more.draw(st.integers(0, len(proof) - 1))
    bit = more.draw(st.integers(0, 255))
    flipped = (int.from_bytes(proof[at], "big") ^ 1 << bit).to_bytes(32, "big")
    other = more.draw(st.integers(0, size - 1).filter(lambda i: i != index))
    for wrong_index, wrong_leaf, wrong in (
        (index, leaf, [*proof[:at], flipped, *proof[at + 1 :]]),
        (index, leaf, proof[:-1]),
        (index, leaf, [*proof, root]),
        (index, leaf_hash("sha256", b"x"), proof),
        (other, leaf, proof),
    ):
        with contextlib.suppress(ProofProblem):
            assert root_of("sha256", wrong_index, size, wrong_leaf, wrong) != root
    with pytest.raises(ProofProblem):
        root_of("sha256", size, size, leaf, proof)


@given(st.integers(2, 300), st.data())
def test_no_other_past_is_consistent(size: int, more: st.DataObject) -> None:
    data = [n.to_bytes(2, "big") for n in range(size)]
    tree, root = Tree("sha256", data), mth("sha256", data)
    old = more.draw(st.integers(1, size - 1))
    proof = consistency("sha256", old, size, tree)
    past = mth("sha256", data[:old])
    assert is_consistent("sha256", old, size, past, root, proof)
    changed = data[:old]
    changed[more.draw(st.integers(0, old - 1))] = b"changed"
    assert not is_consistent("sha256", old, size, mth("sha256", changed), root, proof)
    assert not is_consistent("sha256", old, size, past, mth("sha256", changed), proof)
    assert not is_consistent("sha256", old, size, past, root, proof[:-1])
    assert not is_consistent("sha256", old, size, past, root, [*proof, root])
    at = more.draw(st.integers(0, len(proof) - 1))
    wrong = [*proof[:at], h("sha256", proof[at]), *proof[at + 1 :]]
    assert not is_consistent("sha256", old, size, past, root, wrong)
    assert not is_consistent("sha256", size, old, root, past, proof)
    assert not is_consistent("sha256", 0, size, empty_root("sha256"), root, proof)
    assert not is_consistent("sha256", size, size, root, past, [])


def test_what_cannot_be_proven() -> None:
    tree = Tree("sha256", LEAVES)
    for index, size in ((8, 8), (-1, 8), (0, 0)):
        with pytest.raises(ProofProblem):
            inclusion("sha256", index, size, tree)
    for old, new in ((9, 8), (-1, 8)):
        with pytest.raises(ProofProblem):
            consistency("sha256", old, new, tree)
    with pytest.raises(LookupError):
        inclusion("sha256", 0, 9, tree)


def test_a_proof_of_a_large_tree_asks_for_few_nodes() -> None:
    """Not more than a path and its peaks: what is not stored has to be worked out again."""
    asked: list[tuple[int, int]] = []

    def zeros(level: int, index: int) -> bytes:
        asked.append((level, index))
        return b"\0" * 32

    inclusion("sha256", 123_456_789, 1_000_000_007, zeros)
    assert len(asked) <= 2 * 30
