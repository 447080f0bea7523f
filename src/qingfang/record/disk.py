"""The few file operations the writer needs, in one place: a test puts a disk of its own here and
cuts the power between any two of them.

Rules this module keeps:

1. `append` writes everything or raises; what it wrote is not safe before `sync` has returned.
2. A new name is not safe before `sync_folder` has returned.
3. Nothing is retried: after a failed `sync` nobody knows what is on the disk.
"""

from __future__ import annotations

import os
from pathlib import Path


class Disk:
    """Files are named by descriptor once open."""

    def create(self, path: Path) -> int:
        """A new, empty file (an existing one is an error), open for appending."""
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def make_folder(self, path: Path) -> None:
        """One that may be there already."""
        path.mkdir(mode=0o700, exist_ok=True)

    def open(self, path: Path) -> int:
        """An existing file, open for appending."""
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)

    def append(self, file: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]

    def truncate(self, file: int, size: int) -> None:
        os.ftruncate(file, size)

    def sync(self, file: int) -> None:
        os.fdatasync(file)

    def sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self, file: int) -> None:
        os.close(file)

    def remove(self, path: Path) -> None:
        path.unlink()
