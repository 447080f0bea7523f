"""Who is told of an alert, by which way, and when: the on-call roster as data.

Rules this module keeps:

1. A line whose span holds the moment of telling counts; `after_minutes` without anyone having
   acknowledged the alert is that moment.
2. An alert that no line covers is told to everybody in the roster at once: a gap in a roster must
   not be a gap in the watch.
3. Pure: the time comes in.
"""

from __future__ import annotations

from msgspec import Struct

MINUTE_US = 60_000_000


class Way(Struct, frozen=True):
    """One way to reach a person: a channel's name and the address there."""

    channel: str
    address: str


class Line(Struct, frozen=True):
    """`from_us` inclusive, `to_us` exclusive; alerts below `min_severity` are not told."""

    from_us: int
    to_us: int
    persons: tuple[str, ...]
    after_minutes: int = 0
    min_severity: int = 0


class Roster(Struct, frozen=True):
    """`ways`: a person's ways in the order in which they are tried."""

    lines: tuple[Line, ...] = ()
    ways: dict[str, tuple[Way, ...]] = {}


class Call(Struct, frozen=True):
    """Tell `person` at `due_us` by the first of `ways` that works."""

    person: str
    due_us: int
    ways: tuple[Way, ...]


def calls(roster: Roster, raised_us: int, severity: int) -> list[Call]:
    """Everyone to be told of an alert raised at `raised_us`, in order of time; a person once."""
    found: dict[str, Call] = {}
    for line in sorted(roster.lines, key=lambda each: each.after_minutes):
        due = raised_us + line.after_minutes * MINUTE_US
        if severity < line.min_severity or not line.from_us <= due < line.to_us:
            continue
        for person in line.persons:
            if roster.ways.get(person):
                found.setdefault(person, Call(person, due, roster.ways[person]))
    at_once = any(call.due_us == raised_us for call in found.values())
    if not at_once and not _left_out(roster, raised_us, severity):
        for person, ways in roster.ways.items():
            if ways and person not in found:
                found[person] = Call(person, raised_us, ways)
    return sorted(found.values(), key=lambda call: call.due_us)


def _left_out(roster: Roster, at_us: int, severity: int) -> bool:
    """Whether the lines at this moment leave such alerts out on purpose, with someone reachable."""
    return any(
        line.from_us <= at_us < line.to_us
        and line.after_minutes == 0
        and severity < line.min_severity
        and any(roster.ways.get(person) for person in line.persons)
        for line in roster.lines
    )
