"""The duty roster over time: which times have nobody, and what a month looks like.

Rules this module keeps:

1. Somebody is on duty when a line that is told at once (`after_minutes` 0), of the lowest severity,
   with an address to reach the person by, holds that moment. Escalation lines do not count.
2. Days are those of the console's zone.
3. Pure: lines and times come in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

from qingfang.access.models import Duty

DAY = dt.timedelta(days=1)

Span = tuple[dt.datetime, dt.datetime]


def gaps(lines: Iterable[Duty], start: dt.datetime, end: dt.datetime) -> list[Span]:
    """The spans between `start` and `end` in which nobody is told at once of every alert."""
    counted = [
        (line.valid_from, line.valid_to)
        for line in lines
        if line.after_minutes == 0 and line.min_severity <= 1 and line.reachable
    ]
    found: list[Span] = []
    reached = start
    for begin, stop in sorted(counted):
        if begin >= end:
            break
        if begin > reached:
            found.append((reached, begin))
        reached = max(reached, stop)
    if reached < end:
        found.append((reached, end))
    return found


class Day:
    """One day of a month: its lines in order, each with its `hours` of this day as `08:00–24:00`
    (empty: all of it), and the spans within it that have nobody."""

    def __init__(self, day: dt.date, lines: list[Duty], empty: list[Span], *, inside: bool) -> None:
        self.day, self.lines, self.empty, self.inside = day, lines, empty, inside
        self.hours: list[str] = []

    @property
    def shifts(self) -> Iterator[tuple[Duty, str]]:
        return zip(self.lines, self.hours, strict=True)


def _hours(line: Duty, start: dt.datetime, end: dt.datetime, zone: dt.tzinfo) -> str:
    if line.valid_from <= start and line.valid_to >= end:
        return ""
    begin = max(line.valid_from, start).astimezone(zone).strftime("%H:%M")
    stop = "24:00" if line.valid_to >= end else line.valid_to.astimezone(zone).strftime("%H:%M")
    return f"{begin}–{stop}"


def month(
    lines: Sequence[Duty], first: dt.date, zone: dt.tzinfo, now: dt.datetime
) -> list[list[Day]]:
    """The weeks, Monday to Sunday, that hold the month beginning at `first`. Times before `now`
    that had nobody are not told: nobody can fill them any more."""
    day = first - DAY * first.weekday()
    after = (first + 31 * DAY).replace(day=1)
    weeks: list[list[Day]] = []
    while day < after:
        week = []
        for _n in range(7):
            start = dt.datetime.combine(day, dt.time(), zone)
            end = dt.datetime.combine(day + DAY, dt.time(), zone)
            there = [line for line in lines if line.valid_from < end and line.valid_to > start]
            there.sort(key=lambda line: (line.after_minutes, line.valid_from))
            inside = first <= day < after
            ahead = inside and end > now
            empty = gaps(there, max(start, now), end) if ahead else []
            week.append(Day(day, there, empty, inside=inside))
            week[-1].hours = [_hours(line, start, end, zone) for line in there]
            day += DAY
        weeks.append(week)
    return weeks


def repeated(start: dt.datetime, end: dt.datetime, every: int, last: dt.date) -> list[Span]:
    """`start` to `end` and the same every `every` days (0: once), beginning no later than `last`.
    In a zone without summer time, as China's, the hours stay the same."""
    spans = [(start, end)]
    while every and (spans[-1][0] + every * DAY).date() <= last:
        begin, stop = spans[-1]
        spans.append((begin + every * DAY, stop + every * DAY))
    return spans
