"""Working days and hours as people write them, read and written back.

    2026-10-01..2026-10-07 休 国庆节        days off, both ends included
    2026-10-10 班 调休                      a weekend day worked

Hours are stretches within a day, `08:00-12:00 13:30-17:30`; weekdays are `1-5` or `1,2,3,6`, Monday
is 1. Empty lines and lines that begin with `#` say nothing. Rules this module keeps:

1. A text is taken whole or not at all; the error names the line.
2. A day is said once: two lines about one day are an error, even when they agree.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

LONGEST: Final = 31
OFF, WORKED = "休", "班"
_CLOCK: Final = re.compile(r"^(([01]?\d|2[0-3]):[0-5]\d|24:00)$")

Fault = Literal["form", "date", "kind", "span", "twice", "hours", "overlap", "weekdays"]


class Unreadable(ValueError):
    """`fault` says what is wrong with `text`, `line` where (1-based, 0 for hours and weekdays)."""

    def __init__(self, fault: Fault, text: str, line: int = 0) -> None:
        super().__init__(f"{line}: {fault}: {text}")
        self.fault: Fault = fault
        self.text, self.line = text, line


class Special(Struct, frozen=True):
    """One day that is not what its weekday says."""

    day: dt.date
    working: bool
    note: str = ""


def read_days(text: str) -> list[Special]:
    """The days of a text, in order. Raises `Unreadable`."""
    found: dict[dt.date, Special] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        parts = line.split(maxsplit=2)
        if len(parts) < 2:
            raise Unreadable("form", line, number)
        if parts[1] not in (OFF, WORKED):
            raise Unreadable("kind", parts[1], number)
        first, _dots, last = parts[0].partition("..")
        start = _date(first, number)
        end = _date(last, number) if last else start
        if not 0 <= (end - start).days < LONGEST:
            raise Unreadable("span", parts[0], number)
        for offset in range((end - start).days + 1):
            day = start + dt.timedelta(days=offset)
            if day in found:
                raise Unreadable("twice", day.isoformat(), number)
            note = parts[2][:100] if len(parts) > 2 else ""
            found[day] = Special(day, parts[1] == WORKED, note)
    return [found[day] for day in sorted(found)]


def _date(text: str, line: int) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise Unreadable("date", text, line) from None


def write_days(days: Iterable[Special]) -> str:
    """The text of these days; neighbours that say the same share a line."""
    lines: list[str] = []
    run: list[Special] = []

    def close() -> None:
        if run:
            span = run[0].day.isoformat()
            if len(run) > 1:
                span += f"..{run[-1].day.isoformat()}"
            kind = WORKED if run[0].working else OFF
            lines.append(f"{span} {kind} {run[0].note}".rstrip())
            run.clear()

    for special in sorted(days, key=lambda s: s.day):
        if run and (
            (special.day - run[-1].day).days != 1
            or (special.working, special.note) != (run[0].working, run[0].note)
            or len(run) == LONGEST
        ):
            close()
        run.append(special)
    close()
    return "\n".join(lines)


def read_hours(text: str) -> list[list[str]]:
    """`[["08:00", "12:00"], …]`, in order, not overlapping. Raises `Unreadable`."""
    found: list[list[str]] = []
    for part in re.split(r"[\s,，、;；]+", text.strip()):
        start, dash, end = part.replace("：", ":").partition("-")
        if not dash or not _CLOCK.match(start) or not _CLOCK.match(end):
            raise Unreadable("hours", part)
        stretch = [start.zfill(5), end.zfill(5)]
        if stretch[0] >= stretch[1]:
            raise Unreadable("hours", part)
        found.append(stretch)
    found.sort()
    for one, other in itertools.pairwise(found):
        if other[0] < one[1]:
            raise Unreadable("overlap", f"{one[0]}-{one[1]} {other[0]}-{other[1]}")
    return found


def write_hours(hours: Iterable[Iterable[str]]) -> str:
    return " ".join("-".join(stretch) for stretch in hours)


def read_weekdays(text: str) -> list[int]:
    """Raises `Unreadable`."""
    found: set[int] = set()
    for part in re.split(r"[\s,，、]+", text.strip()):
        match = re.fullmatch(r"([1-7])(?:-([1-7]))?", part)
        if match is None or (match[2] and match[2] < match[1]):
            raise Unreadable("weekdays", text)
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return sorted(found)


def write_weekdays(weekdays: Iterable[int]) -> str:
    return ",".join(str(day) for day in weekdays)
