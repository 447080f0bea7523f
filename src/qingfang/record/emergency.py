"""Counts of what a full disk kept out, on space reserved while there was some.

Two slots of 4 KiB, written in turn: the newer valid one counts. They hold `Loss` values, summed by
source; once the log takes records again, the writer puts them there and clears them here.

Rules this module keeps:

1. A count is on the disk before the one whose record was refused is told so, if the disk lets us.
2. A slot is one frame, so that a torn slot is no slot and the other still counts.
3. Counts are never lost to make room: past `_SOURCES` sources the rest are summed under one name.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

import msgspec

from qingfang.language import _
from qingfang.record import chain, frame
from qingfang.record.entries import Loss

NAME: Final = "emergency"
_SLOT: Final = 4096
_SOURCES: Final = 8
_decoder = msgspec.msgpack.Decoder(list[Loss])


class Emergency:
    """`reserved` is False when even this file could not be had: then counts live in memory."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self.generation = 0
        self.losses: dict[str, Loss] = {}
        self.reserved = False
        self._file: int | None = None
        with contextlib.suppress(OSError):
            self._open()

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        data = os.pread(self._file, 2 * _SLOT, 0)
        if len(data) < 2 * _SLOT:
            # Written, not only allocated: some file systems need room to turn reserved blocks
            # into used ones.
            os.pwrite(self._file, b"\0" * (2 * _SLOT - len(data)), len(data))
            os.fsync(self._file)
        for slot in (data[:_SLOT], data[_SLOT:]):
            generation = int.from_bytes(slot[8:16])
            found = frame.parse(memoryview(slot), 0, 0, generation, 0)
            if found is not None and generation > self.generation:
                self.generation = generation
                self.losses = {loss.source: loss for loss in _decoder.decode(found.content)}
        self.reserved = True

    def add(self, loss: Loss) -> None:
        """Count, and have it on the disk. Never raises for want of a disk."""
        source = loss.source
        if source not in self.losses and len(self.losses) >= _SOURCES:
            source = _("其他")
        old = self.losses.get(source)
        if old is not None:
            kinds = dict(old.kinds)
            for kind, count in loss.kinds.items():
                kinds[kind] = kinds.get(kind, 0) + count
            loss = Loss(
                source,
                kinds,
                min(old.from_us, loss.from_us),
                max(old.to_us, loss.to_us),
                old.why,
            )
        self.losses[source] = msgspec.structs.replace(loss, source=source)
        self._save()

    def clear(self) -> None:
        """What was counted is in the log now."""
        self.losses = {}
        self._save()

    def _save(self) -> None:
        self.generation += 1
        content = msgspec.msgpack.encode(list(self.losses.values()))
        data = frame.encode(0, self.generation, 0, 0, frame.BATCH, chain.NOTHING, content)
        if self._file is None or len(data) > _SLOT:
            self.reserved = False
            return
        try:
            os.pwrite(self._file, data, _SLOT * (self.generation % 2))
            os.fdatasync(self._file)
            self.reserved = True
        except OSError:
            self.reserved = False

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
