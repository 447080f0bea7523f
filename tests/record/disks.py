"""Disks for tests: one that remembers every operation so that the power can be cut between any
two of them, and one that fails on demand."""

from __future__ import annotations

import errno
import random
from collections import defaultdict
from pathlib import Path

from qingfang.record.disk import Disk

SECTOR = 512
KEYS = "keys"


def _name(path: Path) -> str:
    return f"{KEYS}/{path.name}" if path.parent.name == KEYS else path.name


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


class RecordingDisk(Disk):
    """Works on real files; `operations` is what happened, with the test's own marks among it."""

    def __init__(self) -> None:
        self.operations: list[tuple] = []
        self._names: dict[int, str] = {}

    def mark(self, *what) -> None:
        self.operations.append(("mark", *what))

    def create(self, path: Path) -> int:
        file = super().create(path)
        self._names[file] = _name(path)
        self.operations.append(("create", _name(path)))
        return file

    def open(self, path: Path) -> int:
        file = super().open(path)
        self._names[file] = _name(path)
        return file

    def append(self, file: int, data: bytes) -> None:
        self.operations.append(("append", self._names[file], bytes(data)))
        super().append(file, data)

    def truncate(self, file: int, size: int) -> None:
        self.operations.append(("truncate", self._names[file], size))
        super().truncate(file, size)

    def sync(self, file: int) -> None:
        super().sync(file)
        self.operations.append(("sync", self._names[file]))

    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        self.operations.append(("sync_folder", KEYS if folder.name == KEYS else ""))

    def remove(self, path: Path) -> None:
        super().remove(path)
        self.operations.append(("remove", _name(path)))


def after_power_loss(operations: list[tuple], cut: int, chance: random.Random) -> dict[str, bytes]:
    """Files as a disk may show them when the power went after `cut` operations: what was synced is
    there; of the rest any subset of sectors is, the others hold zeros, garbage or old data; a name
    not synced may or may not be there."""
    now: dict[str, bytearray] = {}
    synced: dict[str, bytes] = {}
    # What each folder was known to hold: the folder of keys is itself a name in the other.
    named: dict[str, set[str]] = {"": set(), KEYS: set()}
    made = False
    old = bytearray()
    for operation in operations[:cut]:
        match operation:
            case ("create", name):
                now[name] = bytearray()
                synced[name] = b""
            case ("append", name, data):
                now[name] += data
                old += data
            case ("truncate", name, size):
                del now[name][size:]
            case ("sync", name):
                synced[name] = bytes(now[name])
            case ("sync_folder", folder):
                named[folder] = {name for name in now if _folder(name) == folder}
                made = made or folder == ""
            case ("remove", name):
                now.pop(name)
    files: dict[str, bytes] = {}
    keys_kept = made or chance.random() < 0.5
    for name, content in now.items():
        folder = _folder(name)
        if folder and not keys_kept:
            continue
        if name in named[folder] or chance.random() < 0.5:
            files[name] = _surviving(synced[name], bytes(content), bytes(old), chance)
    return files


def _surviving(synced: bytes, now: bytes, old: bytes, chance: random.Random) -> bytes:
    if synced == now:
        return now
    size = chance.choice([len(now), len(synced), chance.randint(0, len(now))])
    size = max(size, min(len(synced), len(now)))
    result = bytearray(now[:size])
    mode = chance.choice(["zeros", "garbage", "old", "mixed"])
    share = chance.random()
    start = min(len(synced), len(now)) // SECTOR * SECTOR
    for at in range(start, size, SECTOR):
        if chance.random() < share:
            continue
        fill = chance.choice(["zeros", "garbage", "old"]) if mode == "mixed" else mode
        end = min(at + SECTOR, size)
        if fill == "zeros":
            lost = bytes(end - at)
        elif fill == "garbage":
            lost = chance.randbytes(end - at)
        else:
            place = chance.randrange(max(1, len(old) - SECTOR))
            lost = old[place : place + end - at].ljust(end - at, b"\0")
        # A sector that was partly synced keeps that part: it was written whole when synced.
        kept = max(at, min(len(synced), end))
        result[kept:end] = lost[kept - at :]
    return bytes(result)


class FailingDisk(Disk):
    """Raises `failures[operation]` (an errno) as long as it is set; `room` is how many bytes may
    still be appended (None: any)."""

    def __init__(self) -> None:
        self.failures: dict[str, int] = {}
        self.room: int | None = None
        self.calls: dict[str, int] = defaultdict(int)

    def _maybe(self, operation: str) -> None:
        self.calls[operation] += 1
        if operation in self.failures:
            raise OSError(self.failures[operation], "injected")

    def append(self, file: int, data: bytes) -> None:
        self._maybe("append")
        if self.room is not None:
            if len(data) > self.room:
                super().append(file, data[: self.room])
                self.room = 0
                raise OSError(errno.ENOSPC, "injected")
            self.room -= len(data)
        super().append(file, data)

    def truncate(self, file: int, size: int) -> None:
        self._maybe("truncate")
        super().truncate(file, size)

    def sync(self, file: int) -> None:
        self._maybe("sync")
        super().sync(file)

    def create(self, path: Path) -> int:
        self._maybe("create")
        return super().create(path)
