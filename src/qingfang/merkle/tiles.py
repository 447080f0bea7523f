"""A tree's hashes in files, as C2SP tlog-tiles lays them out: 256 hashes a tile, eight levels of the
tree from tile to tile. `tile/` holds the SHA-256 tree, `sm3/tile/` the SM3 tree in the same way.

Rules this module keeps:

1. A whole tile is on the disk, synced with its name, before the next one of its level is begun; it
   never changes afterwards. So the whole tiles there are a beginning without gaps.
2. A partial tile is written for the size that is to be signed, and may be lost: who opens the store
   goes on from the whole tiles of level 0, is fed the leaves after them again, and makes the upper
   levels' edges from the levels below.
3. Tiles are derived from what was recorded. They are never evidence by themselves: whoever reads
   them compares roots with a signed checkpoint.
"""

from __future__ import annotations

import os
import shutil
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from qingfang.crypto.digests import Name
from qingfang.merkle.tree import node_hash

WIDTH: Final = 256
HEIGHT: Final = 8
HASH: Final = 32
FOLDERS: Final[dict[Name, str]] = {"sha256": "tile", "sm3": "sm3/tile"}
_KEPT: Final = 4096

Fetch = Callable[[str], bytes]
"""The content of a tile by its path. Raises `LookupError` when it is not there."""


class TileProblem(LookupError):
    """A tile is missing or has not the size it must have; the text names its path."""


def tile_path(name: Name, level: int, index: int, width: int = WIDTH) -> str:
    """Where a tile is, relative to the log: `tile/0/x001/067`, or `tile/0/x001/067.p/8` for one of
    eight hashes."""
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    path = f"{FOLDERS[name]}/{level}/{'/'.join(groups)}"
    return path if width == WIDTH else f"{path}.p/{width}"


def root_of_slice(name: Name, hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of neighbours."""
    while len(hashes) > 1:
        hashes = [node_hash(name, hashes[n], hashes[n + 1]) for n in range(0, len(hashes), 2)]
    return hashes[0]


class TileReader:
    """A `tree.Reader` over tiles of a tree of `size` leaves, from wherever `fetch` gets them. Where
    the partial tile of that size is gone, the whole one that it became is asked for."""

    def __init__(self, name: Name, size: int, fetch: Fetch) -> None:
        self._name: Name = name
        self._size = size
        self._fetch = fetch
        self._tiles: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()

    def __call__(self, level: int, index: int) -> bytes:
        """Raises `TileProblem`."""
        if (index + 1) << level > self._size:
            raise TileProblem(f"node {index} of level {level} is beyond {self._size} leaves")
        tile, inside = divmod(level, HEIGHT)
        begin = index << inside
        hashes = self.tile(tile, begin // WIDTH)
        at = begin % WIDTH
        return root_of_slice(self._name, hashes[at : at + (1 << inside)])

    def know(self, level: int, index: int, hashes: Sequence[bytes]) -> None:
        """A tile that need not be fetched."""
        self._tiles[level, index] = list(hashes)

    def tile(self, level: int, index: int) -> list[bytes]:
        """The hashes of a tile, as many as a tree of this size has in it."""
        found = self._tiles.get((level, index))
        if found is None:
            width = min(WIDTH, (self._size >> (HEIGHT * level)) - index * WIDTH)
            found = self._tiles[level, index] = self._fetched(level, index, width)
            if len(self._tiles) > _KEPT:
                self._tiles.popitem(last=False)
        return found

    def _fetched(self, level: int, index: int, width: int) -> list[bytes]:
        path = tile_path(self._name, level, index, width)
        expected = width
        try:
            data = self._fetch(path)
        except LookupError:
            if width == WIDTH:
                raise TileProblem(path) from None
            path, expected = tile_path(self._name, level, index), WIDTH
            try:
                data = self._fetch(path)
            except LookupError:
                raise TileProblem(tile_path(self._name, level, index, width)) from None
        if len(data) != expected * HASH:
            raise TileProblem(path)
        return [data[at : at + HASH] for at in range(0, width * HASH, HASH)]


def from_folder(folder: Path) -> Fetch:
    def fetch(path: str) -> bytes:
        try:
            return (folder / path).read_bytes()
        except FileNotFoundError:
            raise LookupError(path) from None

    return fetch


class TileStore:
    """The tiles of one tree in `folder`. `size` is how many leaves it has taken: after opening, those
    of the whole tiles of level 0. Everything may raise OSError, opening also `TileProblem`."""

    def __init__(self, folder: Path, name: Name) -> None:
        self._folder = folder
        self._name: Name = name
        self._edges: list[list[bytes]] = [[]]
        self._begun: set[Path] = set()
        whole = self._whole_tiles()
        self.size = whole * WIDTH
        self._build_edges(whole)

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Take the next leaves' hashes."""
        for leaf in leaves:
            self._add(0, leaf)
            self.size += 1

    def publish(self) -> None:
        """Write the partial tiles that a tree of this size has."""
        for level, edge in enumerate(self._edges):
            if not edge:
                continue
            index = (self.size >> (HEIGHT * level)) // WIDTH
            path = self._folder / tile_path(self._name, level, index, len(edge))
            if not path.exists():
                self._begun.add(path.parent)
                _write(path, b"".join(edge))

    def reader(self) -> TileReader:
        """Over the tree as it is now, published or not."""
        reader = TileReader(self._name, self.size, from_folder(self._folder))
        for level, edge in enumerate(self._edges):
            if edge:
                reader.know(level, (self.size >> (HEIGHT * level)) // WIDTH, edge)
        return reader

    def _add(self, level: int, node: bytes) -> None:
        if level == len(self._edges):
            self._edges.append([])
        edge = self._edges[level]
        edge.append(node)
        if len(edge) == WIDTH:
            index = (self.size + 1 >> (HEIGHT * level)) // WIDTH - 1
            self._keep(level, index, edge)
            self._edges[level] = []
            self._add(level + 1, root_of_slice(self._name, edge))

    def _keep(self, level: int, index: int, hashes: list[bytes]) -> None:
        path = self._folder / tile_path(self._name, level, index)
        _write(path, b"".join(hashes), sync=True)
        partial = path.with_name(path.name + ".p")
        if partial in self._begun or partial.exists():
            shutil.rmtree(partial, ignore_errors=True)
            self._begun.discard(partial)

    def _whole_tiles(self) -> int:
        """How many tiles of level 0 are whole: they have no gaps (rule 1)."""
        above = 1
        while self._is_whole(above - 1):
            above *= 2
        low, high = above // 2, above - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._is_whole(middle - 1):
                low = middle
            else:
                high = middle - 1
        return low

    def _is_whole(self, index: int) -> bool:
        try:
            path = self._folder / tile_path(self._name, 0, index)
            return path.stat().st_size == WIDTH * HASH
        except FileNotFoundError:
            return False

    def _build_edges(self, count: int) -> None:
        """The upper levels above `count` whole tiles of level 0; a whole tile that a crash kept from
        being written is written."""
        reader = TileReader(self._name, self.size, from_folder(self._folder))
        level = 1
        while count:
            whole = count // WIDTH
            edge = [
                root_of_slice(self._name, reader.tile(level - 1, n))
                for n in range(whole * WIDTH, count)
            ]
            if whole and not (self._folder / tile_path(self._name, level, whole - 1)).exists():
                last = range((whole - 1) * WIDTH, whole * WIDTH)
                hashes = [root_of_slice(self._name, reader.tile(level - 1, n)) for n in last]
                self._keep(level, whole - 1, hashes)
            self._edges.append(edge)
            count, level = whole, level + 1


def _write(path: Path, data: bytes, *, sync: bool = False) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(data)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    beside.replace(path)
    if sync:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
