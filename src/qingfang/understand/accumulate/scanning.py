"""Pinned reading that no work explains: one patient or prescription after another (T23).

Rules this module keeps:

1. What is worked on explains being read: keys that the same person writes do not count as scanned,
   nor do as many keys as the person's own work lists of that day hold. A write whose key cannot be
   seen (an unbound `?`) explains the key of its role that was opened last.
2. A role shows in what somebody does, not in what they are called. Whose writes are seen is
   explained by them alone. For the others (a window, a round, a cashier whose writes go another way)
   every call of their own queue explains the few keys opened next, up to the pace of a busy window:
   `called_hour`, `called_day`. Lists of yesterday explain nothing today.
3. Numbers that one patient's own list gives (this patient's prescriptions) may be opened: the
   patient is counted in their place.
4. Patients, visits and prescriptions are counted apart, for opening a visit opens all three;
   together they may be twice as many.
5. A round stays within its unit: the one in which keys are opened first, and those in which the
   learner writes. Keys opened within others explain nothing, and count (`elsewhere`).
6. Who never writes and opens a few keys a day from lists of others adds up over the window (`drip`);
   so does a round that goes through one unit today and another tomorrow (`rounds`).
7. Of a range of numbers read nearly whole within a day it does not matter in what order it was read,
   nor at which place.
8. Key order counts however slowly it is followed (`runs`). Numbers are given in the order of time:
   reading what is new day by day follows them too. That a key was not there before shows by others
   having got as far only since (`everybody`).
"""

from __future__ import annotations

from typing import Final

from qingfang.understand.accumulate.facts import KEY_ORDER, Facts
from qingfang.understand.accumulate.knowledge import (
    DAY,
    HOUR,
    Key,
    Knowledge,
    known_since,
    remember,
    seen,
)
from qingfang.understand.accumulate.runs import BLOCK, Runs
from qingfang.understand.accumulate.times import Times
from qingfang.understand.accumulate.weighing import Weighing

ROUND: Final = 12 * HOUR
"""How long a round, or a shift, lasts."""
# Of how many series, and of how many numbers of each, it is remembered which were read.
_RANGES: Final = 4
_NUMBERS: Final = 256
_SERIES: Final = 1024  # of how many blocks it is remembered how far they have got


def explain(w: Weighing) -> None:
    """Take in what explains reading: keys written, rows of work lists, lists of one patient's own
    numbers; and lists that say where keys are taken from."""
    known, facts, at = w.known, w.facts, w.facts.at_us
    for key in facts.written:
        _settle(known, key.role, key.digest, at, w.limits.cap)
    for role in facts.written_unseen:
        last = known.opened.pop(role, None)
        if last is not None and last[1] >= at - HOUR:
            _settle(known, role, last[0], at, w.limits.cap)
    if facts.written or facts.written_unseen or facts.written_in:
        known.wrote_us = max(known.wrote_us, at)
        for unit in {*facts.written_in, known.opened_in} - {0}:
            remember(known.wrote_in, unit, at, 64)
    if facts.beside:
        known.opened_in = facts.beside
        if known.round[0] == facts.beside or known.round[1] < at - ROUND:
            known.round = (facts.beside, at)
    if facts.unit_rows and not (facts.beside and _elsewhere(known, facts)):
        before = known.allowance.get(facts.unit, (0, 0))[0]
        known.allowance[facts.unit] = (max(facts.unit_rows, before), at)
        if len(known.allowance) > 256:
            del known.allowance[min(known.allowance, key=lambda u: known.allowance[u][1])]
    if facts.called:
        known.called = (min(facts.called, w.limits.call_keys), at)
    for role in facts.finer_roles:
        known.finer[role] = (facts.finer_rows, at, facts.finer_of)
    for role in facts.list_roles:
        known.lists[role] = max(at, known.lists.get(role, 0))
        known.loose_us = known.drip_us = max(at, known.drip_us)
    if facts.queue_of:
        remember(known.queues, facts.queue_of, at, 64)
        known.drip_us = max(at, known.drip_us)


def _elsewhere(known: Knowledge, facts: Facts) -> bool:
    """Whether keys are opened within a unit where the learner neither does the round nor writes."""
    unit, at = facts.beside, facts.at_us
    home, last = known.round
    return (
        home not in (0, unit)
        and last >= at - ROUND
        and not known_since(known.wrote_in, unit, at - DAY)
    )


def _settle(known: Knowledge, role: str, digest: int, at_us: int, cap: int) -> None:
    """This key was work."""
    held = known.unexplained.get(role)
    if held is not None:
        held.forget(digest)
    known.rows.forget(digest)
    known.elsewhere.pop(digest, None)
    remember(known.worked, digest, at_us, cap)
    known.runs.settle(digest)


def scan(w: Weighing) -> None:
    """Pinned reading beyond what the work explains (T23), however slowly in key order."""
    known, facts, keep = w.known, w.facts, w.keep
    limits, at = w.limits, w.facts.at_us
    month = at - limits.window_days * DAY
    fresh = [
        k for k in facts.read if not k.is_row and not known_since(known.worked, k.digest, month)
    ]
    if fresh:
        fresh = _beyond_lists(w, fresh)
    if not fresh:
        return
    run = 0
    runs = known.runs if keep else known.runs.trial()
    ranges = known.ranges if keep else dict(known.ranges)
    for key in fresh:
        run = max(run, _advance(runs, ranges, key, at, w.highest))
    whole = _whole(w, fresh)
    # Below the least of the limits nothing has to be counted.
    most = len(fresh) + sum([len(held) for held in known.unexplained.values()])
    hour = day = after = hour_of_all = day_of_all = 0
    # Who never writes may come back to a list on another day.
    idle = known.wrote_us < max(1, w.since)
    listed_since = max(0, w.since if idle else at - DAY)
    for role in KEY_ORDER:
        new = {k.digest for k in fresh if k.role == role}
        held = known.unexplained.get(role)
        if held is None:
            held = Times({})
        if most >= limits.listed_keys and (new or most > 2 * limits.hourly_keys):
            in_hour = held.with_these(new, at - HOUR)
            in_day = held.with_these(new, at - DAY)
            hour_of_all, day_of_all = hour_of_all + in_hour, day_of_all + in_day
            hour, day = max(hour, in_hour), max(day, in_day)
            list_us = known.lists.get(role, -1)
            if new and list_us >= listed_since:
                after = max(after, held.with_these(new, max(list_us, at - DAY)))
        if keep and new:
            if len(held) >= limits.cap:
                held.forget_before(at - DAY)
            known.unexplained[role] = held
            for digest in new:
                held.remember(digest, at, limits.cap)
            last_key = [k for k in fresh if k.role == role][-1]
            known.opened[role] = (last_key.digest, at)
    least = min(limits.hourly_keys, limits.daily_keys)
    if max(run, whole) < limits.ordered_keys and most <= least and after < limits.listed_keys:
        return
    listed = sum([r for r, t in known.allowance.values() if t >= at - DAY])
    allowed = min(listed, limits.most_explained)
    # Those on a list are seldom in key order: half as many beyond it will do.
    ordered = max(limits.ordered_keys, allowed + limits.ordered_keys // 2)
    in_an_hour = min(listed, limits.hourly_explained)
    if after >= limits.listed_keys:
        w.find("scan-listed", after, "detail")
    elif run >= ordered:
        w.find("scan-order", run, "detail")
    elif whole >= ordered:
        w.find("scan-range", whole, "detail")
    elif hour > limits.hourly_keys + in_an_hour:
        w.find("scan-hour", hour, "detail")
    elif hour_of_all > 2 * limits.hourly_keys + in_an_hour:
        w.find("scan-hour", hour_of_all, "detail")
    elif day > limits.daily_keys + allowed:
        w.find("scan-day", day, "detail")
    elif day_of_all > 2 * limits.daily_keys + allowed:
        w.find("scan-day", day_of_all, "detail")


def _whole(w: Weighing, fresh: list[Key]) -> int:
    """How many keys of a range of numbers were read within a day, `fresh` among it, of which no two
    neighbours are missing and none was worked on."""
    known, at = w.known, w.facts.at_us
    best = 0
    for key in fresh:
        number = key.number
        if number is None:
            continue
        read = known.numbers.get(key.series) or {}
        if w.keep:
            if key.series not in known.numbers:
                if len(known.numbers) >= _RANGES:
                    del known.numbers[next(iter(known.numbers))]
                known.numbers[key.series] = read
            if number not in read and len(read) >= _NUMBERS:
                del read[next(iter(read))]
            read[number] = (key.digest, at)
        count = 1
        for step in (1, -1):
            here, missing = number + step, 0
            while missing < 2 and count < _NUMBERS:
                digest, last = read.get(here, (0, -1))
                if last >= max(0, at - DAY) and digest not in known.worked:
                    count, missing = count + 1, 0
                else:
                    missing += 1
                here += step
        best = max(best, count)
    return best


def elsewhere(w: Weighing) -> None:
    """Bed after bed in units where the learner neither does the round nor writes."""
    known, facts, at = w.known, w.facts, w.facts.at_us
    if not _elsewhere(known, facts):
        return
    fresh = [
        k for k in facts.read if not k.is_row and not known_since(known.worked, k.digest, at - DAY)
    ]
    count = 0
    for key in fresh:
        count = seen(known.elsewhere, key.digest, at, at - DAY, 128, keep=w.keep)
    if count >= w.limits.elsewhere_keys:
        w.find("scan-elsewhere", count, "detail")


def drip(w: Weighing) -> None:
    """A few keys a day taken from lists of others, day after day, by who never writes (T92)."""
    known, facts, limits, at = w.known, w.facts, w.limits, w.facts.at_us
    if not known.drip_us or known.drip_us < at - DAY or known.wrote_us >= max(1, w.since):
        return
    count = 0
    for key in facts.read:
        if not key.is_row:
            count = seen(known.drip, key.digest, at, w.since, 128, keep=w.keep)
    if count < limits.drip_keys:
        return
    queues = sum(1 for last in known.queues.values() if last >= w.since)
    if known.loose_us >= max(1, w.since) or queues >= limits.prescribers:
        w.find("scan-drip", count, "detail")


def rounds(w: Weighing) -> None:
    """Beds of ever other units, day after day, by who never writes (T92): nobody's round."""
    known, facts, limits, at = w.known, w.facts, w.limits, w.facts.at_us
    if known.wrote_us >= max(1, w.since):
        return
    units = seen(known.rounds, facts.beside, at, w.since, 64, keep=w.keep)
    count = 0
    for key in facts.read:
        if not key.is_row:
            count = seen(known.round_keys, key.digest, at, w.since, 128, keep=w.keep)
    if units >= limits.round_units and count >= limits.drip_keys:
        w.find("scan-rounds", count, "detail")


def _beyond_lists(w: Weighing, fresh: list[Key]) -> list[Key]:
    """Those of the keys that were not taken from a list of one patient's own numbers, nor called
    from the learner's own queue."""
    known, limits, at = w.known, w.limits, w.facts.at_us
    month = at - limits.window_days * DAY
    finer = known.finer if w.keep else dict(known.finer)
    left, called_us = known.called
    # Whose work shows in what is written is explained by that alone.
    if called_us < at - HOUR or known.wrote_us >= at - DAY:
        left = 0
    hour, in_hour, day, in_day = known.calls
    in_hour = in_hour if hour == at // HOUR else 0
    in_day = in_day if day == w.facts.day else 0
    beyond: list[Key] = []
    for key in fresh:
        held = known.unexplained.get(key.role)
        if held is not None and key.digest in held:
            beyond.append(key)
            continue
        more, since, patient = finer.get(key.role, (0, 0, ()))
        if more and since >= at - HOUR:
            finer[key.role] = (more - 1, since, ())
            beyond += [k for k in patient if not known_since(known.worked, k.digest, month)]
        elif left and in_hour < limits.called_hour and in_day < limits.called_day:
            left, in_hour, in_day = left - 1, in_hour + 1, in_day + 1
        else:
            beyond.append(key)
            continue
        if w.keep:
            remember(known.worked, key.digest, at, limits.cap)
    if w.keep:
        if called_us:
            known.called = (left, called_us)
        known.calls = (at // HOUR, in_hour, w.facts.day, in_day)
    return beyond


def scan_rows(w: Weighing) -> None:
    """Row after row opened by its own number, as programs do that read line by line; beyond what
    the patients of an hour can have."""
    known, facts, limits, at = w.known, w.facts, w.limits, w.facts.at_us
    month = at - limits.window_days * DAY
    fresh = [k for k in facts.read if k.is_row and not known_since(known.worked, k.digest, month)]
    if not fresh:
        return
    runs = known.runs if w.keep else known.runs.trial()
    ranges = known.ranges if w.keep else dict(known.ranges)
    run = 0
    for key in fresh:
        run = max(run, _advance(runs, ranges, key, at, w.highest))
    new = {k.digest for k in fresh}
    hour = known.rows.with_these(new, at - HOUR)
    day = known.rows.with_these(new, at - DAY)
    if w.keep:
        for digest in new:
            known.rows.remember(digest, at, limits.cap)
    if run >= limits.ordered_rows:
        w.find("scan-order", run, "detail")
    elif hour > limits.hourly_rows:
        w.find("scan-hour", hour, "detail")
    elif day > limits.daily_rows:
        w.find("scan-day", day, "detail")


def scan_unseen(w: Weighing) -> None:
    """Pinned reading whose keys are not known (binds that the sensor cannot see): nobody's work
    explains this many, whatever they were."""
    known, facts, keep = w.known, w.facts, w.keep
    hour, count = known.unseen
    now = facts.at_us // HOUR
    count = count + 1 if hour == now else 1
    if keep:
        known.unseen = (now, count)
    if count > w.limits.hourly_unseen:
        w.find("scan-unseen", count, "detail")


def everybody(known: Knowledge, facts: Facts) -> None:
    """Take in how far the numbers have got in the whole hospital, whoever reads or writes them."""
    for key in (*facts.read, *facts.written):
        if key.number is not None:
            _widen(known.ranges, _block(key.series, key.number), key.number, _SERIES)


def _block(series: str, number: int) -> str:
    return f"{series}\x1f{number >> BLOCK}"


def _widen(
    ranges: dict[str, tuple[int, int]], series: str, number: int, most: int
) -> tuple[int, int]:
    low, high = ranges.get(series, (number, number))
    low, high = min(low, number), max(high, number)
    if series not in ranges and len(ranges) >= most:
        del ranges[next(iter(ranges))]
    ranges[series] = (low, high)
    return low, high


def _advance(
    runs: Runs,
    ranges: dict[str, tuple[int, int]],
    key: Key,
    at_us: int,
    of_all: dict[str, tuple[int, int]],
) -> int:
    """Take a key into the runs; the length of the longest one it belongs to that is no chance."""
    number = key.number
    if number is None:
        return 0
    series = key.series
    low, high = _widen(ranges, series, number, 64)
    reached = of_all.get(_block(series, number), (0, 0))[1]
    return runs.advance(key.role, key.prefix, number, key.digest, at_us, low, high, reached)
