"""Tiles: the same roots and proofs as a tree in memory, whatever was lost in between."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qingfang.crypto import sha256
from qingfang.crypto.digests import Name
from qingfang.merkle.tiles import (
    WIDTH,
    TileProblem,
    TileReader,
    TileStore,
    from_folder,
    tile_path,
)
from qingfang.merkle.tree import (
    Frontier,
    consistency,
    inclusion,
    is_consistent,
    root_of,
    subtree_root,
)


def leaves(count: int) -> list[bytes]:
    return [sha256(n.to_bytes(4)) for n in range(count)]


def root(name: Name, some: list[bytes]) -> bytes:
    tree = Frontier(name)
    for leaf in some:
        tree.append(leaf)
    return tree.root()


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ((0, 0), "tile/0/000"),
        ((3, 999), "tile/3/999"),
        ((0, 1000), "tile/0/x001/000"),
        ((0, 1234067), "tile/0/x001/x234/067"),
        ((0, 1234067, 8), "tile/0/x001/x234/067.p/8"),
    ],
)
def test_paths_are_those_of_the_specification(place: tuple[int, ...], path: str) -> None:
    assert tile_path("sha256", *place) == path
    assert tile_path("sm3", *place) == "sm3/" + path


@pytest.mark.parametrize("name", ["sha256", "sm3"])
def test_roots_and_proofs_from_files_alone(tmp_path: Path, name: Name) -> None:
    every = leaves(1500)
    store = TileStore(tmp_path, name)
    published: list[int] = []
    chance = random.Random(5)
    while store.size < len(every):
        store.extend(every[store.size : store.size + chance.randrange(1, 200)])
        store.publish()
        published.append(store.size)
    for size in published:
        reader = TileReader(name, size, from_folder(tmp_path))
        expected = root(name, every[:size])
        assert subtree_root(name, 0, size, reader) == expected
        index = chance.randrange(size)
        proof = inclusion(name, index, size, reader)
        assert root_of(name, index, size, every[index], proof) == expected
    new = TileReader(name, len(every), from_folder(tmp_path))
    for size in published:
        proof = consistency(name, size, len(every), new)
        assert is_consistent(
            name, size, len(every), root(name, every[:size]), root(name, every), proof
        )


def test_partial_tiles_go_when_the_whole_one_is_there(tmp_path: Path) -> None:
    store = TileStore(tmp_path, "sha256")
    store.extend(leaves(200))
    store.publish()
    assert (tmp_path / "tile/0/000.p/200").stat().st_size == 200 * 32
    store.extend(leaves(256)[200:])
    assert (tmp_path / "tile/0/000").stat().st_size == WIDTH * 32
    assert not (tmp_path / "tile/0/000.p").exists()
    # Whoever read a checkpoint of 200 before asks the whole tile then.
    reader = TileReader("sha256", 200, from_folder(tmp_path))
    assert subtree_root("sha256", 0, 200, reader) == root("sha256", leaves(200))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1200), st.integers(0, 700), st.booleans())
def test_opened_again_it_goes_on_from_the_whole_tiles(
    tmp_path_factory: pytest.TempPathFactory, before: int, more: int, published: bool
) -> None:
    folder = tmp_path_factory.mktemp("tiles")
    every = leaves(before + more)
    one = TileStore(folder, "sha256")
    one.extend(every[:before])
    if published:
        one.publish()
    two = TileStore(folder, "sha256")
    assert two.size == before // WIDTH * WIDTH
    two.extend(every[two.size :])
    two.publish()
    reader = two.reader()
    assert subtree_root("sha256", 0, len(every), reader) == root("sha256", every)
    shutil.rmtree(folder)


def test_a_tile_of_an_upper_level_that_a_crash_kept_away_is_made(tmp_path: Path) -> None:
    count = WIDTH * WIDTH + WIDTH
    every = leaves(count)
    TileStore(tmp_path, "sha256").extend(every)
    whole = tmp_path / "tile/1/000"
    content = whole.read_bytes()
    whole.unlink()
    store = TileStore(tmp_path, "sha256")
    assert whole.read_bytes() == content
    store.publish()
    assert subtree_root("sha256", 0, count, store.reader()) == root("sha256", every)


def test_what_is_not_there_or_cut_off_is_named(tmp_path: Path) -> None:
    store = TileStore(tmp_path, "sha256")
    store.extend(leaves(300))
    store.publish()
    (tmp_path / "tile/0/001.p/44").unlink()
    reader = TileReader("sha256", 300, from_folder(tmp_path))
    with pytest.raises(TileProblem, match=r"tile/0/001\.p/44"):
        reader(0, 299)
    assert store.reader()(0, 299) == leaves(300)[299]
    (tmp_path / "tile/0/000").write_bytes(bytes(100))
    with pytest.raises(TileProblem, match="tile/0/000"):
        reader(0, 3)
    with pytest.raises(TileProblem, match="beyond"):
        reader(0, 300)
