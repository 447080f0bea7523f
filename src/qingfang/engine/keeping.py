"""What judging knows, kept on disk: an image of one moment and a journal of all learned since.

    memory            magic, number of the first journal that goes on from it, then frames: what is
                      given out at once, lists of entries, and an empty frame as the end
    journal-NUMBER    magic, number, then a frame for each record

A frame is the length of its content (4 bytes), its CRC-32 (4 bytes), its content.

Rules this module keeps:

1. What was learned is on disk (fdatasync) within `SYNC_EVERY_S` and one write; kill -9 or a loss of
   power forgets no more than that.
2. An image is taken while judging goes on, in steps of about `STEP_S` with as long a pause after
   each. It replaces the one before when it is whole and on disk; only then the journals it contains
   are removed.
3. At the start the image is read (each person's part when that person comes again), then the
   journals that go on from it, in order. A journal counts up to its first frame that is not whole; a
   record is taken in whole or not at all.
4. What is known makes no reference cycles and stays: the collector looks at it once, so that it
   stops no judging (`gc.freeze`).
5. Disk trouble stops no judging: what could not be written is reported, and the next image has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import struct
import time
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from qingfang.engine.judging import Judging, Learned, Rest
from qingfang.image import Entry

log = logging.getLogger(__name__)

SYNC_EVERY_S: Final = 0.05
STEP_S: Final = 0.002
JOURNAL_BYTES: Final = 64 * 1024 * 1024
"""A journal that grew longer than this calls for an image."""
_MOST_WAITING: Final = 64 * 1024 * 1024
_PART: Final = 64 * 1024
_IMAGE: Final = b"QFM3"
_JOURNAL: Final = b"QFJ1"
_HEAD: Final = struct.Struct(">4sQ")
_FRAME: Final = struct.Struct(">II")


class Broken(ValueError):
    """The image cannot be used; the text says why."""


class Keeper:
    """Keeps `judging` in `folder`. `load` once, then `run` for as long as there is something to
    learn, `save` whenever an image is due and at the end."""

    def __init__(self, folder: Path, judging: Judging) -> None:
        self._folder, self._judging = folder, judging
        self._image = folder / "memory"
        self._number = 0
        self._file: BinaryIO | None = None
        self._written = 0
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self._saving = asyncio.Lock()
        self.due = False

    # -------------------------------------------------------------- at the start

    def load(self) -> str | None:
        """Read what was kept. The text says what of it could not be used, None when all was."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        collecting = gc.isenabled()
        gc.disable()
        try:
            return self._load()
        finally:
            gc.freeze()
            if collecting:
                gc.enable()

    def _load(self) -> str | None:
        refused = None
        first = 0
        try:
            first = self._load_image()
        except Broken as broken:
            aside = self._image.with_suffix(f".refused-{time.time_ns() // 1000}")
            self._image.rename(aside)
            refused = f"{broken}; kept as {aside.name}"
        numbers = self._journals()
        for number in numbers:
            if number < first:
                self._path(number).unlink()
                continue
            used, size = self._replay(number)
            if used == size:
                continue
            if number == numbers[-1]:
                # A torn end is what a kill leaves; anywhere else something broke.
                os.truncate(self._path(number), used)
                log.info("%s: %d bytes of a torn end dropped", self._path(number).name, size - used)
            else:
                refused = f"{self._path(number).name}: {size - used} bytes cannot be read"
        self._number = max([first, *(n + 1 for n in numbers)])
        self.due = bool(numbers)
        self._judging.journal = self._take
        return refused

    def _load_image(self) -> int:
        try:
            file = self._image.open("rb")
        except FileNotFoundError:
            return 0
        with file:
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size or head[:4] != _IMAGE:
                raise Broken("not a memory of this version")
            _magic, first = _HEAD.unpack(head)
            frames = _whole_frames(file)
            try:
                rest = msgspec.msgpack.decode(next(frames, b""), type=Rest)
                self._judging.restore(rest, _entries(frames))
            except Broken:
                raise
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
                raise Broken(f"the memory cannot be read: {error}") from None
        return int(first)

    def _replay(self, number: int) -> tuple[int, int]:
        """Take in a journal; how many of its bytes could be used, of how many."""
        data = memoryview(self._path(number).read_bytes())
        if len(data) < _HEAD.size or _HEAD.unpack_from(data) != (_JOURNAL, number):
            return 0, len(data)
        used = _HEAD.size
        decoder = msgspec.msgpack.Decoder(Learned)
        for frame in _frames(data[used:]):
            try:
                self._judging.again(decoder.decode(frame))
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
                break
            used += _FRAME.size + len(frame)
        return used, len(data)

    def _journals(self) -> list[int]:
        names = (p.name.removeprefix("journal-") for p in self._folder.glob("journal-*"))
        return sorted(int(n) for n in names if n.isdecimal())

    def _path(self, number: int) -> Path:
        return self._folder / f"journal-{number}"

    # -------------------------------------------------------------- as it goes

    def _take(self, learned: Learned) -> None:
        content = msgspec.msgpack.encode(learned)
        if self._waiting_bytes + len(content) > _MOST_WAITING:
            self.due = True
            return
        self._waiting.append(_frame(content))
        self._waiting_bytes += len(content)
        self._wake.set()

    async def run(self) -> None:
        """Write what was learned, batch by batch, until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(SYNC_EVERY_S)
            await self.sync()

    async def sync(self) -> None:
        """All that was learned so far is on disk when this returns."""
        async with self._lock:
            self._wake.clear()
            if self._waiting:
                await self._write(self._drain())

    def _drain(self) -> bytes:
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return data

    async def _write(self, data: bytes) -> None:
        try:
            await asyncio.to_thread(self._put, data)
        except OSError as error:
            log.error("what was learned cannot be kept: %s", error)
            self._close()
            self._number += 1
            self.due = True

    def _put(self, data: bytes) -> None:
        if self._file is None:
            self._file = self._path(self._number).open("xb", buffering=0)
            data = _HEAD.pack(_JOURNAL, self._number) + data
            _sync_folder(self._folder)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        os.fdatasync(self._file.fileno())
        self._written += len(data)
        if self._written > JOURNAL_BYTES:
            self.due = True

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._written = None, 0

    async def save(self) -> None:
        """Take an image of now, and begin a new journal. Raises OSError."""
        async with self._saving:
            async with self._lock:
                before = self._drain()
                rest, images = self._judging.image()
                self.due = False
                if before:
                    await self._write(before)
                self._close()
                self._number = first = self._number + 1
            fresh = self._image.with_suffix(".new")
            try:
                with fresh.open("wb") as file:
                    file.write(_HEAD.pack(_IMAGE, first))
                    contents = [msgspec.msgpack.encode(rest)]
                    began = time.perf_counter()
                    for image in images:
                        while (entries := image.part(_PART)) is not None:
                            if entries:
                                contents.append(msgspec.msgpack.encode(entries))
                            if time.perf_counter() - began > STEP_S:
                                await asyncio.to_thread(_add, file, contents)
                                await asyncio.sleep(STEP_S)
                                contents, began = [], time.perf_counter()
                    await asyncio.to_thread(_add, file, [*contents, b""])
                    await asyncio.to_thread(os.fsync, file.fileno())
            finally:
                for image in images:
                    image.drop()
                gc.freeze()
            fresh.replace(self._image)
            await asyncio.to_thread(_sync_folder, self._folder)
            for number in self._journals():
                if number < first:
                    self._path(number).unlink()

    async def close(self) -> None:
        """Keep all of it; call when nothing is judged any more."""
        with contextlib.suppress(OSError):
            await self.sync()
        await self.save()
        self._close()


def _frame(content: bytes) -> bytes:
    return _FRAME.pack(len(content), zlib.crc32(content)) + content


def _add(file: BinaryIO, contents: list[bytes]) -> None:
    """Add a frame for each; the sums and the disk wait for nobody."""
    for content in contents:
        file.write(_FRAME.pack(len(content), zlib.crc32(content)))
        file.write(content)
    file.flush()


def _whole_frames(file: BinaryIO) -> Generator[bytes]:
    """The contents of an image's frames up to the empty one. Raises Broken when it does not come."""
    while head := file.read(_FRAME.size):
        if len(head) < _FRAME.size:
            break
        length, crc = _FRAME.unpack(head)
        content = file.read(length)
        if len(content) < length or zlib.crc32(content) != crc:
            break
        if not length:
            return
        yield content
    raise Broken("the memory is not whole")


def _entries(frames: Iterator[bytes]) -> Iterator[Entry]:
    decoder = msgspec.msgpack.Decoder(list[Entry])
    for frame in frames:
        yield from decoder.decode(frame)


def _frames(data: memoryview) -> Iterator[memoryview]:
    """The contents of the frames up to the first that is not whole."""
    at = 0
    while at + _FRAME.size <= len(data):
        length, crc = _FRAME.unpack_from(data, at)
        content = data[at + _FRAME.size : at + _FRAME.size + length]
        if len(content) < length or zlib.crc32(content) != crc:
            return
        yield content
        at += _FRAME.size + length


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
