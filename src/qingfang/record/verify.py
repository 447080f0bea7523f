"""Is this folder of segments what the writer wrote? Offline, by anyone who can read the files.

Rules this module keeps:

1. Nothing is taken on the log's word that the files themselves can prove: frame numbers, sequence
   numbers, every leaf hash, every segment's SM3, every record readable.
2. The first thing that is wrong is named with its place; what follows it is not trusted.
3. What cannot be known without a witness is not claimed: a log cut off at a frame's end, or
   replaced as a whole, looks sound (`witnessed_to` is None).
4. An oldest segment with a number above 1 is not an error here: retention removes whole segments
   from the old end. What stands before it is `unproven`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from qingfang.crypto import sm3
from qingfang.language import _
from qingfang.record import codec, segments
from qingfang.record.chain import NOTHING, Chain
from qingfang.record.entries import Block, Closed, Opened, Recovered
from qingfang.record.frame import Frame

_TRIES: Final = 5
_PAUSE: Final = 0.05


class Report(Struct):
    """`first_bad` is the first sequence number that cannot be vouched for. `problem` (zh) says
    what and where. `code`: `damaged`, `order`, `missing`, `truncated`, `trailing`, `empty`, or None.
    `first`/`last` are the sequence numbers checked, `unproven` how many records stood before
    them, `repairs` the interrupted writes that the log itself tells of."""

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
    repairs: int = 0
    frames: int = 0
    bytes: int = 0

    def bad(self, code: str, sequence: int, problem: str) -> None:
        self.ok, self.code, self.first_bad, self.problem = False, code, sequence, problem


def verify(folder: Path, progress: Callable[[int, int], None] | None = None) -> Report:
    """Check all segments in `folder`; `progress(done, all)` in bytes. Raises OSError."""
    report = Report()
    numbers = segments.numbers(folder)
    if not numbers:
        report.bad("empty", 1, _("{}：这里没有账本段文件").format(folder))
        return report
    total = sum((folder / segments.name(n)).stat().st_size for n in numbers)
    first = segments.first_of(folder / segments.name(numbers[0]), numbers[0])
    if first is None:
        report.bad(
            "damaged",
            1,
            _("{}：首帧损坏").format(segments.name(numbers[0])),
        )
        return report
    if first.number == 0 and first.previous != NOTHING:
        report.bad("order", 1, _("首帧的前序摘要不是空值"))
        return report
    report.first, report.unproven = first.sequence, first.sequence - 1
    chain = Chain(first.number, first.sequence, first.previous)
    sealed: bytes | None = b"" if numbers[0] == 1 else None
    for at, number in enumerate(numbers):
        if number != numbers[0] + at:
            report.bad(
                "missing",
                chain.sequence,
                _("缺少段文件 {}").format(segments.name(numbers[0] + at)),
            )
            break
        check = _Segment(folder, number, report, chain, sealed)
        closed = check.run(last=number == numbers[-1])
        if not report.ok:
            break
        sealed = check.chain.segment_digest()
        chain = check.chain.next_segment()
        if progress is not None:
            progress(report.bytes, total)
        if not closed and number != numbers[-1]:
            report.bad(
                "truncated",
                chain.sequence,
                _("{}：没有封存帧，段尾被截去").format(segments.name(number)),
            )
            break
    report.last = report.first + report.records - 1 if report.records else None
    return report


class _Segment:
    def __init__(
        self, folder: Path, number: int, report: Report, chain: Chain, sealed: bytes | None
    ) -> None:
        self._path = folder / segments.name(number)
        self._number, self._report, self._sealed = number, report, sealed
        self._frames = self._records = 0
        self._closed = False
        self.chain = chain

    def run(self, *, last: bool) -> bool:
        """Whether the segment is closed; the report has what is wrong."""
        report = self._report
        report.segments += 1
        walk: segments.Walk | None = None
        for attempt in range(_TRIES):
            before = (report.records, report.frames, report.repairs)
            walk = self._walk()
            if walk is None:
                return self._closed
            if not walk.cut_off or not last or self._closed:
                break
            # A writer at work may have been caught in the middle of a write.
            if attempt < _TRIES - 1:
                report.records, report.frames, report.repairs = before
                time.sleep(_PAUSE)
        assert walk is not None
        self.chain = walk.chain
        report.bytes += walk.end
        if walk.problem is not None:
            self._stopped(walk, last)
        return self._closed

    def _walk(self) -> segments.Walk | None:
        """None: something is wrong, and reported."""
        self._frames = self._records = 0
        self._closed = False
        walk = segments.Walk(self._path, self._number, self.chain.copy())
        for found in walk:
            if not self._frame(found, walk):
                return None
        return walk

    def _frame(self, found: Frame, walk: segments.Walk) -> bool:
        report, name = self._report, self._path.name
        if self._closed:
            report.bad("trailing", found.sequence, _("{}：封存帧之后还有内容").format(name))
            return False
        try:
            value = codec.unpack(found.kind, found.content)
        except codec.Unreadable as error:
            report.bad(
                "damaged",
                found.sequence,
                _("{} 偏移 {}：内容不可读（{}）").format(name, found.start, error),
            )
            return False
        if (self._frames == 0) != isinstance(value, Opened):
            report.bad(
                "order", found.sequence, _("{} 偏移 {}：段首帧错位").format(name, found.start)
            )
            return False
        if isinstance(value, Opened) and not self._opened(value, found):
            return False
        if isinstance(value, Closed) and not self._closing(value, found, walk):
            return False
        if found.count != _count(value):
            report.bad(
                "damaged", found.sequence, _("{} 偏移 {}：条数不符").format(name, found.start)
            )
            return False
        if isinstance(value, Recovered):
            report.repairs += 1
            if not self._kept(value, found):
                return False
        self._frames += 1
        self._records += found.count
        report.frames += 1
        report.records += found.count
        return True

    def _opened(self, value: Opened, found: Frame) -> bool:
        report = self._report
        if not report.log:
            report.log = value.log
        wrong = (
            value.log != report.log
            or value.segment != self._number
            or (self._sealed is not None and value.sealed != self._sealed)
        )
        if wrong:
            report.bad("order", found.sequence, _("{}：不接在前一段之后").format(self._path.name))
        return not wrong

    def _closing(self, value: Closed, found: Frame, walk: segments.Walk) -> bool:
        wrong = (
            value.frames != self._frames
            or value.records != self._records
            or value.digest != walk.chain.segment_digest()
        )
        if wrong:
            self._report.bad(
                "damaged", found.sequence, _("{}：封存帧与段内容不符").format(self._path.name)
            )
        self._closed = True
        return not wrong

    def _kept(self, value: Recovered, found: Frame) -> bool:
        path = self._path.parent / value.kept_as
        try:
            same = sm3(path.read_bytes()) == value.digest
        except FileNotFoundError:
            same = False
        if not same:
            self._report.bad(
                "missing",
                found.sequence,
                _("{}：恢复时留存的残片不见了或被改动").format(value.kept_as),
            )
        return same

    def _stopped(self, walk: segments.Walk, last: bool) -> None:
        report, name = self._report, self._path.name
        sequence = walk.chain.sequence
        if self._closed:
            report.bad("trailing", sequence, _("{}：封存帧之后还有内容").format(name))
        elif walk.problem == "chain":
            report.bad(
                "order", sequence, _("{} 偏移 {}：与前一帧的摘要不符").format(name, walk.end)
            )
        elif last:
            report.bad(
                "truncated",
                sequence,
                _(
                    "{} 偏移 {}：其后 {} 字节不是完整的帧。若账本曾意外中断，启动一次即会留存残片并恢复；"
                    "否则是被截断或改动。"
                ).format(name, walk.end, walk.size - walk.end),
            )
        else:
            report.bad("damaged", sequence, _("{} 偏移 {}：帧损坏或缺失").format(name, walk.end))


def _count(value: object) -> int:
    if isinstance(value, Block):
        return len(value.briefs)
    return 0 if isinstance(value, Opened | Closed) else 1
