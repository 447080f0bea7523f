"""The one writer of a log: appends whole batches, rolls segments, comes back after a crash.

Rules this module keeps:

1. `append` returns after the batch is synced, or raises and has stored none of it.
2. One writer a folder: a lock held for life, so that two never number the same records.
3. What an interrupted write left at the end of the last segment is kept under another name before
   it is cut off, and a `Recovered` record tells of it.
4. `Full` leaves the writer usable: the batch was taken back, the next may succeed. `Broken` does
   not: after a failed sync only a new writer, which reads the disk again, knows what is there.
5. Records are sealed (`keys`) and committed to (`batch`) as they are written: the disk never has
   them in plain. One `append` is one frame, unless it is too much for one.
6. A segment is closed by a day's end (UTC+8) or when a batch would make it too large; its closing
   frame is synced before the next segment is made, and that one's first frame before any record.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from qingfang.crypto import sm3
from qingfang.language import _
from qingfang.record import batch, codec, frame, segments
from qingfang.record.batch import Draft, Opener
from qingfang.record.chain import Chain, sm3_leaf
from qingfang.record.disk import Disk
from qingfang.record.entries import Closed, Opened, Recovered
from qingfang.record.frame import Frame
from qingfang.record.keys import Cipher, KeyGone, Keys, SegmentKey

log = logging.getLogger(__name__)

# A first frame is far smaller; a larger file whose first frame is damaged held records.
_TORN_START: Final = 8192
_EVERYTHING: Final = 1 << 63
_CHUNK: Final = 1 << 20
_ROOM: Final = 32 * 1024
# Bytes beside its content that an item of a commit costs at most (rolling is not exact to a byte).
_ITEM_COST: Final = batch.ITEM_HEAD + 1
# Handing work to a thread costs some 30 µs, as much as hashing this many bytes.
_WORTH_A_THREAD: Final = 16 * 1024
_FRAME_RECORDS: Final = 65_535
_FRAME_BYTES: Final = frame.MAX_CONTENT - 1024
# How far back a new writer looks for batches that may be sent again.
_BATCHES_KEPT: Final = 16_384
_ORIGINS_KEPT: Final = 4096
_LOOK_BACK: Final = 64 * 1024 * 1024
_DAY_US: Final = 86_400_000_000
_EIGHT_HOURS_US: Final = 28_800_000_000
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})


class Full(Exception):
    """There is no room (or no right) to write; nothing of the batch is stored."""


class Broken(Exception):
    """The writer must not go on; start a new one."""


class Writer:
    """Raises `Full` or `Broken` when it cannot come into being.

    `sequence` is the number the next record gets, `segment` the segment it goes to, `recovered`
    what was found when this writer started (None: a clean end), `leaves` the leaf hashes of the
    frames stored by this writer that nobody has taken yet.
    """

    def __init__(
        self,
        folder: Path,
        *,
        site: str,
        node: str,
        segment_bytes: int,
        clock: Callable[[], int],
        disk: Disk | None = None,
        cipher: Cipher = "sm4-gcm",
    ) -> None:
        self._folder, self._site, self._node = folder, site, node
        self._cipher: Cipher = cipher
        self._keys = Keys(folder)
        self._key: SegmentKey | None = None
        self._hashing = ThreadPoolExecutor(1, "ledger-sm3")
        self._opener = Opener(folder, self._keys)
        self._limit, self._clock, self._disk = segment_bytes, clock, disk or Disk()
        self._file: int | None = None
        self._chain = Chain()
        self._size = 0
        self._frames = 0
        self._first_sequence = 1
        self._day = 0
        self._broken = False
        self._closed = False
        self._batches: OrderedDict[bytes, OrderedDict[int, int]] = OrderedDict()
        self.leaves: list[tuple[bytes, bytes]] = []
        self.log = ""
        self.segment = 0
        self.recovered: Recovered | None = None
        self._lock = _lock(folder)
        try:
            self._recover()
            if self._file is None:
                self._open_next()
            if self.recovered is not None:
                self.append([Draft(frame.RECOVERED, 1, codec.pack(self.recovered))])
        except OSError as error:
            self.close()
            raise _problem(error) from error
        except (Full, Broken):
            self.close()
            raise

    @property
    def sequence(self) -> int:
        return self._chain.sequence

    def known(self, content: bytes) -> int | None:
        """The first sequence number a batch with this content's token was stored under."""
        origin, batch = codec.token_of(content)
        stored = self._batches.get(origin)
        return stored.get(batch) if stored else None

    def prepare(self, size: int) -> None:
        """Roll now if `size` more bytes or today's date ask for it, so that `segment` is the one
        the next `append` of that size writes to. Raises as `append`."""
        if self._broken:
            raise Broken(_("账本写者已停，须重新启动"))
        if self._file is not None and (
            self._today() != self._day or (self._size + size > self._limit and self._frames > 1)
        ):
            self._close_segment()
        if self._file is None:
            try:
                self._open_next()
            except OSError as error:
                raise _problem(error) from error

    def append(self, drafts: Sequence[Draft]) -> list[int]:
        """The first sequence number of each draft, in order, all of them synced."""
        self.prepare(sum(len(d.content) for d in drafts) + _ITEM_COST * len(drafts))
        return self._append(drafts)

    def close(self) -> None:
        """Let go of the files; the segment stays open for the next writer."""
        if self._file is not None:
            self._disk.close(self._file)
            self._file = None
        os.close(self._lock)
        self._hashing.shutdown()
        self._broken = True

    # ------------------------------------------------------------------ appending

    def _append(self, drafts: Sequence[Draft]) -> list[int]:
        assert self._key is not None
        chain = self._chain.copy()
        sequences: list[int] = []
        parts: list[bytes] = []
        heads: list[bytes] = []
        for some in _by_frame(drafts):
            salt = os.urandom(frame.SALT_SIZE)
            made = batch.make(some, chain.sequence, self._key, salt)
            count = made.end - chain.sequence
            fields = (chain.number, chain.sequence, count, frame.BATCH, chain.head)
            head = frame.body(*fields, made.commitment)
            content = self._key.seal(salt, head, made.plain)
            data = frame.encode(self.segment, *fields, content, salt, made.commitment)
            heads.append(chain.link(data, count))
            parts.append(data)
            sequences += made.sequences
        # SM3 is most of the work, and nothing on the disk depends on it: while the disk works,
        # another thread does it.
        large = sum(map(len, parts)) > _WORTH_A_THREAD
        under_way = self._hashing.map(sm3_leaf, parts) if large else None
        self._write(parts[0] if len(parts) == 1 else b"".join(parts))
        others = list(under_way or map(sm3_leaf, parts))
        for other in others:
            chain.trees[1].append(other)
        self._stored(chain, list(zip(heads, others, strict=True)))
        for draft, sequence in zip(drafts, sequences, strict=True):
            self._remember(draft.content, sequence)
        return sequences

    def _stored(self, chain: Chain, leaves: list[tuple[bytes, bytes]]) -> None:
        self._chain = chain
        self._frames += len(leaves)
        self.leaves += leaves

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        try:
            self._disk.append(self._file, data)
        except OSError as error:
            if error.errno not in _FULL:
                self._broken = True
                raise Broken(_describe(error)) from error
            try:
                self._disk.truncate(self._file, self._size)
            except OSError:
                # A disk that became read-only took nothing either: if so, the next writer sees it.
                self._broken = True
                raise Broken(_describe(error)) from error
            raise Full(_describe(error)) from error
        try:
            self._disk.sync(self._file)
        except OSError as error:
            self._broken = True
            raise Broken(_describe(error)) from error
        self._size += len(data)

    def _remember(self, content: bytes, sequence: int) -> None:
        if content.startswith(codec.NO_TOKEN):
            return
        origin, batch = codec.token_of(content)
        stored = self._batches.setdefault(origin, OrderedDict())
        self._batches.move_to_end(origin)
        if len(self._batches) > _ORIGINS_KEPT:
            self._batches.popitem(last=False)
        stored[batch] = sequence
        if len(stored) > _BATCHES_KEPT:
            stored.popitem(last=False)

    # ------------------------------------------------------------------ segments

    def _today(self) -> int:
        return (self._clock() + _EIGHT_HOURS_US) // _DAY_US

    def _close_segment(self) -> None:
        assert self._file is not None
        chain = self._chain.copy()
        closing = Closed(
            at_us=self._clock(),
            frames=self._frames,
            records=chain.sequence - self._first_sequence,
            digest=chain.sm3_root(),
        )
        data = frame.encode(
            self.segment, chain.number, chain.sequence, 0, frame.CLOSE, chain.head,
            codec.pack(closing),
        )  # fmt: skip
        leaves = chain.take(data, 0)
        self._write(data)
        self._stored(chain, [leaves])
        self._disk.close(self._file)
        self._file = None

    def _open_next(self) -> None:
        number = self.segment + 1
        chain = self._chain.copy()
        key = self._keys.create(number, self._cipher, self._disk)
        sha256_tree, sm3_tree = chain.trees
        opening = Opened(
            log=self.log or f"{self._site}/{self._node}/{secrets.token_hex(4)}",
            site=self._site,
            node=self._node,
            segment=number,
            at_us=self._clock(),
            sealed=sm3_tree.root() if chain.number else b"",
            cipher=self._cipher,
            peaks=tuple(sha256_tree.peaks),
            sm3_peaks=tuple(sm3_tree.peaks),
        )
        data = frame.encode(
            number, chain.number, chain.sequence, 0, frame.SEGMENT, chain.head, codec.pack(opening)
        )
        path = self._folder / segments.name(number)
        file = self._disk.create(path)
        try:
            self._disk.append(file, data)
            self._disk.sync(file)
            self._disk.sync_folder(self._folder)
        except OSError:
            self._disk.close(file)
            self._disk.remove(path)
            raise
        self._first_sequence = chain.sequence
        self.leaves.append(chain.take(data, 0))
        self._file, self._chain, self._size, self._frames = file, chain, len(data), 1
        self.segment, self.log, self._day = number, opening.log, self._today()
        self._key = key

    # ------------------------------------------------------------------ coming back

    def _recover(self) -> None:
        numbers = segments.numbers(self._folder)
        if not numbers:
            return
        version = segments.format_of(self._folder)
        if version is not None and version < frame.VERSION:
            raise Broken(
                _(
                    "{}：是格式 {} 的账本，这一版只写格式 {}。把整个文件夹移到别处保存"
                    "（用写它的那一版核验），再启动。"
                ).format(self._folder, version, frame.VERSION)
            )
        last = numbers[-1]
        if segments.first_of(self._folder / segments.name(last), last) is None:
            self._drop_torn_start(last)
            numbers = numbers[:-1]
            if not numbers:
                return
        self._look_back(numbers[:-1])
        walk = self._take_in(numbers[-1])
        self.segment = numbers[-1]
        self._chain = walk.chain
        if self._closed:
            # Bytes after a closing frame cannot be ours: verification reports them.
            return
        try:
            self._key = self._opener.key(self.segment)
        except (KeyGone, codec.Unreadable) as error:
            raise Broken(str(error)) from None
        path = self._folder / segments.name(self.segment)
        self._file = self._disk.open(path)
        self._size = walk.end
        if walk.end < walk.size:
            self._cut(path, walk)

    def _take_in(self, number: int) -> segments.Walk:
        """Walk a segment: batches seen, `log`, `_frames`, `_first_sequence`, `_day`, `_closed`."""
        path = self._folder / segments.name(number)
        first = segments.first_of(path, number)
        if first is None:
            raise Broken(_("{}：首帧损坏，先运行 qingfang ledger verify").format(path))
        opened = codec.unpack(frame.SEGMENT, first.content)
        assert isinstance(opened, Opened)
        self.log, self._day = opened.log, (opened.at_us + _EIGHT_HOURS_US) // _DAY_US
        self._first_sequence, self._frames, self._closed = first.sequence, 0, False
        try:
            chain = Chain(
                first.number, first.sequence, first.previous, opened.peaks, opened.sm3_peaks
            )
        except ValueError as error:
            raise Broken(f"{path}: {error}") from None
        walk = segments.Walk(path, number, chain)
        for found in walk:
            self._frames += 1
            if found.kind == frame.CLOSE:
                self._closed = True
            else:
                self._note(found)
        return walk

    def _note(self, found: Frame) -> None:
        """Which batches a stored frame holds. One that cannot be opened is for verification to
        report; a batch in it that is sent again would be stored twice, not lost."""
        try:
            items = self._opener.items(found)
        except (KeyGone, codec.Unreadable) as error:
            log.error("frame %d cannot be opened: %s", found.number, error)
            return
        for item in items:
            if item.kind in codec.FROM_CLIENTS:
                self._remember(item.content, item.sequence)

    def _look_back(self, numbers: list[int]) -> None:
        """Batches in earlier segments; damage there is for verification to report."""
        size = 0
        first = len(numbers)
        while first > 0 and size < _LOOK_BACK:
            first -= 1
            size += (self._folder / segments.name(numbers[first])).stat().st_size
        for number in numbers[first:]:
            opening = segments.first_of(self._folder / segments.name(number), number)
            if opening is None:
                continue
            place = segments.Place(number, 0, opening.number, opening.sequence)
            while place.segment == number and (
                found := segments.read_on(self._folder, place, _EVERYTHING, _CHUNK)
            ):
                for each in found:
                    self._note(each)

    def _drop_torn_start(self, number: int) -> None:
        """A segment whose first frame was never synced holds no record."""
        path = self._folder / segments.name(number)
        if path.stat().st_size > _TORN_START or segments.has_records(path, number):
            raise Broken(
                _("{}：首帧损坏而其后还有内容，不会覆盖。先运行 qingfang ledger verify").format(
                    path
                )
            )
        self._disk.remove(path)
        self._disk.sync_folder(self._folder)

    def _cut(self, path: Path, walk: segments.Walk) -> None:
        assert self._file is not None
        with path.open("rb") as file:
            file.seek(walk.end)
            torn = file.read()
        kept = f"{path.stem}-{walk.end}-{secrets.token_hex(4)}.torn"
        copy = self._disk.create(self._folder / kept)
        try:
            self._disk.append(copy, torn)
            self._disk.sync(copy)
        finally:
            self._disk.close(copy)
        self._disk.sync_folder(self._folder)
        self._disk.truncate(self._file, walk.end)
        self._disk.sync(self._file)
        self.recovered = Recovered(
            at_us=self._clock(),
            segment=self.segment,
            offset=walk.end,
            size=len(torn),
            kept_as=kept,
            digest=sm3(torn),
        )
        log.warning("cut %d bytes of an interrupted write, kept as %s", len(torn), kept)


def probe(folder: Path, disk: Disk) -> None:
    """Raises `Full` unless there is room for `_ROOM` bytes."""
    path = folder / "probe"
    try:
        path.unlink(missing_ok=True)
        file = disk.create(path)
        try:
            disk.append(file, bytes(_ROOM))
            disk.sync(file)
        finally:
            disk.close(file)
            disk.remove(path)
    except OSError as error:
        raise Full(_describe(error)) from error


def _by_frame(drafts: Sequence[Draft]) -> Iterator[Sequence[Draft]]:
    """Runs of drafts that fit into one frame each."""
    begin = records = size = 0
    for at, draft in enumerate(drafts):
        cost = len(draft.content) + _ITEM_COST
        if at > begin and (records + draft.count > _FRAME_RECORDS or size + cost > _FRAME_BYTES):
            yield drafts[begin:at]
            begin, records, size = at, 0, 0
        records += draft.count
        size += cost
    if drafts:
        yield drafts[begin:]


def _lock(folder: Path) -> int:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _problem(error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise Broken(_("{}：另一个账本进程正在写").format(folder)) from None
    return descriptor


def _problem(error: OSError) -> Full | Broken:
    return (Full if error.errno in _FULL else Broken)(_describe(error))


def _describe(error: OSError) -> str:
    return f"{error.strerror} ({errno.errorcode.get(error.errno or 0, error.errno)})"
