"""Is this folder of segments what the writer wrote? Offline, by anyone who can read the files.

Rules this module keeps:

1. Nothing is taken on the log's word that the files themselves can prove: frame numbers, sequence
   numbers, every leaf hash, both trees, and, where the keys are, every record's commitment.
2. The first thing that is wrong is named with its place; what follows it is not trusted.
3. What cannot be known without a witness is not claimed: a log cut off at a frame's end, or
   replaced as a whole, looks sound (`witnessed_to` is None).
4. An oldest segment with a number above 1 is not an error here: retention removes whole segments
   from the old end. What stands before it is `unproven`.
5. A segment begins with the trees' peaks before it, so segments are checked side by side; that each
   begins where the one before it ended is checked afterwards.
6. Every checkpoint kept beside the segments must have the roots found here, and none may be ahead.
   Who signed it is for those to say who hold the keys it is to be checked with.
7. A copy without any keys proves that nothing was changed, and not what it says: those records are
   `unopened`. A folder of keys in which one is missing is a fault.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from msgspec import Struct

from qingfang.crypto import sm3
from qingfang.language import _
from qingfang.merkle import checkpoint, note
from qingfang.merkle.checkpoint import Checkpoint, CheckpointProblem
from qingfang.merkle.note import NoteProblem
from qingfang.merkle.parties import Party
from qingfang.merkle.tree import Frontier
from qingfang.record import batch, codec, frame, segments
from qingfang.record.chain import NOTHING, Chain
from qingfang.record.entries import Block, Closed, Opened, Recovered
from qingfang.record.frame import Frame
from qingfang.record.keys import FOLDER, KeyGone
from qingfang.record.publishing import KEPT, LATEST
from qingfang.record.witnessed import Witnessed, witnessed

_TRIES: Final = 5
_PAUSE: Final = 0.05


class Report(Struct):
    """`first_bad` is the first sequence number that cannot be vouched for. `problem` (zh) says
    what and where. `code`: `damaged`, `order`, `missing`, `truncated`, `trailing`, `key`, `rolled-back`,
    `empty`,
    or None. `first`/`last` are the sequence numbers checked, `unproven` how many records stood
    before them, `unopened` those whose keys are not here, `repairs` the interrupted writes that the
    log itself tells of. `witnessed_to` is the last sequence number that a witness vouches for. `root` and `sm3_root` (hex) are those of the trees over all `size` frames
    of the log."""

    ok: bool = True
    records: int = 0
    segments: int = 0
    checkpoints: int = 0
    witnessed_to: int | None = None
    first_bad: int | None = None
    problem: str | None = None
    code: str | None = None
    log: str = ""
    first: int | None = None
    last: int | None = None
    unproven: int = 0
    unopened: int = 0
    repairs: int = 0
    frames: int = 0
    bytes: int = 0
    size: int = 0
    root: str = ""
    sm3_root: str = ""

    def bad(self, code: str, sequence: int, problem: str) -> None:
        self.ok, self.code, self.first_bad, self.problem = False, code, sequence, problem


class _State(Struct, frozen=True):
    """Where a segment begins or ends: what the next frame must carry."""

    number: int
    sequence: int
    head: bytes
    peaks: tuple[bytes, ...]
    sm3_peaks: tuple[bytes, ...]

    @classmethod
    def of(cls, chain: Chain) -> _State:
        one, two = chain.trees
        return cls(chain.number, chain.sequence, chain.head, tuple(one.peaks), tuple(two.peaks))


class _Found(Struct):
    """One segment, checked by itself."""

    number: int
    size: int = 0
    log: str = ""
    start: _State | None = None
    end: _State | None = None
    closed: bool = False
    frames: int = 0
    records: int = 0
    unopened: int = 0
    repairs: int = 0
    bytes: int = 0
    roots: dict[int, tuple[bytes, bytes]] = {}
    code: str | None = None
    first_bad: int = 1
    problem: str = ""

    def bad(self, code: str, sequence: int, problem: str) -> None:
        if self.code is None:
            self.code, self.first_bad, self.problem = code, sequence, problem


def verify(
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    jobs: int = 1,
    witnesses: Sequence[Party] = (),
    outside: Sequence[Witnessed] = (),
) -> Report:
    """Check all segments in `folder`, in `jobs` processes; `progress(done, all)` in bytes. What
    `witnesses` gave back is beside the segments; `outside` is what a witness keeps itself, which
    nobody with rights on this machine can have taken away. Raises OSError."""
    report = Report()
    numbers = segments.numbers(folder)
    if not numbers:
        report.bad("empty", 1, _("{}：这里没有账本段文件").format(folder))
        return report
    total = sum((folder / segments.name(n)).stat().st_size for n in numbers)
    keyed = (folder / FOLDER).is_dir()
    signed = _checkpoints(folder, report)
    vouched = [*witnessed(folder, witnesses), *outside]
    signed += [each.checkpoint for each in vouched]
    sizes = frozenset(each.size for each in signed)
    roots: dict[int, tuple[bytes, bytes]] = {}
    before: _State | None = None
    closed = True
    expected = numbers[0]
    for found in _checked(folder, numbers, keyed, sizes, jobs):
        name = segments.name(found.number)
        if found.number != expected:
            missing = segments.name(expected)
            report.bad(
                "missing", before.sequence if before else 1, _("缺少段文件 {}").format(missing)
            )
            break
        if not closed and before is not None:
            last = segments.name(found.number - 1)
            report.bad("truncated", before.sequence, _("{}：没有封存帧，段尾被截去").format(last))
            break
        if before is None:
            if found.start is not None and not _at_beginning(found):
                report.bad("order", 1, _("首帧的前序摘要不是空值"))
                break
            report.log = found.log
            if found.start is not None:
                report.first = found.start.sequence
                report.unproven = found.start.sequence - 1
        elif found.start is not None and (found.start != before or found.log != report.log):
            report.bad("order", before.sequence, _("{}：不接在前一段之后").format(name))
            break
        _add(report, found)
        roots.update(found.roots)
        if found.code is not None:
            first_bad = found.first_bad
            if found.start is None and before is not None:
                first_bad = before.sequence
            report.bad(found.code, first_bad, found.problem)
            break
        before, closed, expected = found.end, found.closed, expected + 1
        if progress is not None:
            progress(report.bytes, total)
    if report.ok and before is not None:
        _compare(report, signed, roots, before)
        if report.ok:
            report.witnessed_to = max(
                (v.checkpoint.records for v in vouched if v.checkpoint.size in roots), default=None
            )
    if before is not None:
        report.size = before.number
        report.root = Frontier("sha256", before.number, before.peaks).root().hex()
        report.sm3_root = Frontier("sm3", before.number, before.sm3_peaks).root().hex()
    if report.first is not None:
        report.last = report.first + report.records - 1 if report.records else None
    return report


def _checkpoints(folder: Path, report: Report) -> list[Checkpoint]:
    """Those that are kept here, the latest included."""
    found: list[Checkpoint] = []
    for path in (*sorted((folder / KEPT).glob("[0-9]*")), folder / LATEST):
        try:
            found.append(checkpoint.read(note.parse(path.read_bytes()).text))
        except FileNotFoundError:
            continue
        except (NoteProblem, CheckpointProblem) as error:
            report.bad("damaged", 1, _("{}：读不懂（{}）").format(path.name, error))
    return found


def _compare(
    report: Report,
    signed: list[Checkpoint],
    roots: dict[int, tuple[bytes, bytes]],
    end: _State,
) -> None:
    for each in signed:
        if each.origin != report.log:
            report.bad("order", 1, _("检查点是另一个账本的：{}").format(each.origin))
        elif each.size > end.number:
            report.bad(
                "rolled-back",
                end.sequence,
                _("检查点已到第 {} 帧，段文件只到第 {} 帧：账本被截去或退回").format(
                    each.size, end.number
                ),
            )
        elif each.size in roots and roots[each.size] != (each.root, each.sm3_root):
            report.bad("order", 1, _("第 {} 帧处的检查点与段文件不符").format(each.size))
        else:
            report.checkpoints += each.size in roots
            continue
        return


def _checked(
    folder: Path, numbers: list[int], keyed: bool, sizes: frozenset[int], jobs: int
) -> Iterator[_Found]:
    last = numbers[-1]
    if jobs < 2 or len(numbers) < 2:
        for number in numbers:
            yield _check(folder, number, number == last, keyed, sizes)
        return
    with ProcessPoolExecutor(min(jobs, len(numbers), os.cpu_count() or 1)) as pool:
        try:
            count = len(numbers)
            yield from pool.map(
                _check,
                [folder] * count,
                numbers,
                [n == last for n in numbers],
                [keyed] * count,
                [sizes] * count,
            )
        finally:
            pool.shutdown(cancel_futures=True)


def _at_beginning(found: _Found) -> bool:
    start = found.start
    return start is None or start.number > 0 or (start.head == NOTHING and start.sequence == 1)


def _add(report: Report, found: _Found) -> None:
    report.segments += 1
    report.frames += found.frames
    report.records += found.records
    report.unopened += found.unopened
    report.repairs += found.repairs
    report.bytes += found.bytes


def _check(folder: Path, number: int, last: bool, keyed: bool, sizes: frozenset[int]) -> _Found:
    for attempt in range(_TRIES):
        check = _Segment(folder, number, keyed, sizes)
        cut_off = check.run(last=last)
        # A writer at work may have been caught in the middle of a write.
        if not cut_off or not last or check.found.closed or attempt == _TRIES - 1:
            return check.found
        time.sleep(_PAUSE)
    raise AssertionError


class _Segment:
    def __init__(self, folder: Path, number: int, keyed: bool, sizes: frozenset[int]) -> None:
        self._path = folder / segments.name(number)
        self._keyed, self._sizes = keyed, sizes
        self._opener = batch.Opener(folder)
        self.found = _Found(number)

    def run(self, *, last: bool) -> bool:
        """Whether the file ends within what may be a frame."""
        found, name = self.found, self._path.name
        first = segments.first_of(self._path, found.number)
        chain = self._start(first)
        if chain is None:
            found.bad("damaged", 1, _("{}：首帧损坏").format(name))
            return False
        found.start = _State.of(chain)
        walk = segments.Walk(self._path, found.number, chain)
        for each in walk:
            self._root(walk.chain)
            if not self._frame(each, walk):
                break
        self._root(walk.chain)
        found.end = _State.of(walk.chain)
        found.bytes = walk.end
        if walk.problem is not None:
            self._stopped(walk, last)
        return walk.cut_off

    def _root(self, chain: Chain) -> None:
        if chain.number in self._sizes:
            self.found.roots[chain.number] = (chain.trees[0].root(), chain.sm3_root())

    def _start(self, first: Frame | None) -> Chain | None:
        if first is None:
            return None
        try:
            opened = codec.unpack(frame.SEGMENT, first.content)
            assert isinstance(opened, Opened)
            chain = Chain(
                first.number, first.sequence, first.previous, opened.peaks, opened.sm3_peaks
            )
        except (codec.Unreadable, ValueError):
            return None
        if opened.segment != self.found.number or opened.sealed != (
            chain.sm3_root() if chain.number else b""
        ):
            return None
        self.found.log = opened.log
        return chain

    def _frame(self, each: Frame, walk: segments.Walk) -> bool:
        found, name = self.found, self._path.name
        if found.closed:
            found.bad("trailing", each.sequence, _("{}：封存帧之后还有内容").format(name))
            return False
        if (found.frames == 0) != (each.kind == frame.SEGMENT):
            found.bad("order", each.sequence, _("{} 偏移 {}：段首帧错位").format(name, each.start))
            return False
        if each.kind == frame.BATCH:
            problem = self._batch(each)
        else:
            problem = each.count != 0 or each.commitment != frame.NO_COMMITMENT
            if each.kind == frame.CLOSE and not problem:
                problem = not self._closing(each, walk)
            if problem:
                found.bad("damaged", each.sequence, _("{}：封存帧与段内容不符").format(name))
        if problem:
            return False
        found.frames += 1
        found.records += each.count
        return True

    def _batch(self, each: Frame) -> bool:
        """Whether something is wrong with the records in a frame."""
        found, name = self.found, self._path.name
        if not self._keyed:
            found.unopened += each.count
            return False
        where = _("{} 偏移 {}").format(name, each.start)
        try:
            items = self._opener.items(each)
            shown = batch.parts(items)
            salts = self._opener.key(each.segment).salts(each.salt, len(shown))
            if batch.commit(shown, salts) != each.commitment:
                found.bad("damaged", each.sequence, _("{}：内容与帧首的承诺不符").format(where))
                return True
            values = [(item, codec.unpack(item.kind, item.content)) for item in items]
        except KeyGone as error:
            found.bad("key", each.sequence, f"{where}：{error}")
            return True
        except codec.Unreadable as error:
            found.bad("damaged", each.sequence, _("{}：内容不可读（{}）").format(where, error))
            return True
        count = 0
        for item, value in values:
            records = len(value.briefs) if isinstance(value, Block) else 1
            count += records
            if item.records != records or isinstance(value, Opened | Closed):
                found.bad("damaged", item.sequence, _("{}：条数不符").format(where))
                return True
            if isinstance(value, Recovered):
                found.repairs += 1
                if not self._kept(value, item.sequence):
                    return True
        if count != each.count:
            found.bad("damaged", each.sequence, _("{}：条数不符").format(where))
            return True
        return False

    def _closing(self, each: Frame, walk: segments.Walk) -> bool:
        try:
            value = codec.unpack(frame.CLOSE, each.content)
        except codec.Unreadable:
            return False
        self.found.closed = True
        return (
            isinstance(value, Closed)
            and value.frames == self.found.frames
            and value.records == self.found.records
            and value.digest == walk.chain.sm3_root()
        )

    def _kept(self, value: Recovered, sequence: int) -> bool:
        path = self._path.parent / value.kept_as
        try:
            same = sm3(path.read_bytes()) == value.digest
        except FileNotFoundError:
            same = False
        if not same:
            self.found.bad(
                "missing",
                sequence,
                _("{}：恢复时留存的残片不见了或被改动").format(value.kept_as),
            )
        return same

    def _stopped(self, walk: segments.Walk, last: bool) -> None:
        found, name = self.found, self._path.name
        sequence = walk.chain.sequence
        if found.closed:
            found.bad("trailing", sequence, _("{}：封存帧之后还有内容").format(name))
        elif walk.problem == "chain":
            found.bad("order", sequence, _("{} 偏移 {}：与前一帧的摘要不符").format(name, walk.end))
        elif last and walk.cut_off:
            found.bad(
                "truncated",
                sequence,
                _(
                    "{} 偏移 {}：其后 {} 字节不是完整的帧。若账本曾意外中断，启动一次即会留存残片并恢复；"
                    "否则是被截断或改动。"
                ).format(name, walk.end, walk.size - walk.end),
            )
        else:
            found.bad("damaged", sequence, _("{} 偏移 {}：帧损坏或缺失").format(name, walk.end))
