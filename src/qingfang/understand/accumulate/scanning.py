"""Pinned reading that no work explains: one patient or prescription after another (T23).

Rules this module keeps:

1. What is worked on explains being read: keys that the same person writes do not count as scanned,
   nor do as many keys as the person's own work lists of that day hold.
2. Key order counts however slowly it is followed; only above what chance gives.
"""

from __future__ import annotations

import msgspec

from qingfang.understand.accumulate.facts import Key
from qingfang.understand.accumulate.knowledge import (
    DAY,
    HOUR,
    Run,
    known_since,
    remember,
)
from qingfang.understand.accumulate.weighing import Weighing

_NEAR = 16  # how far apart neighbours in a slow scan may be


def explain(w: Weighing) -> None:
    """Take in what explains reading: keys written, rows of work lists; and lists that say where
    keys are taken from."""
    known, facts = w.known, w.facts
    for key in facts.written:
        known.unexplained.pop(key.digest, None)
        remember(known.worked, key.digest, facts.at_us, w.limits.cap)
        for run in known.runs:
            if key.digest in run.keys:
                run.keys.remove(key.digest)
    if facts.unit_rows:
        before = known.allowance.get(facts.unit, (0, 0))[0]
        known.allowance[facts.unit] = (max(facts.unit_rows, before), facts.at_us)
        if len(known.allowance) > 256:
            del known.allowance[min(known.allowance, key=lambda u: known.allowance[u][1])]
    for role in facts.list_roles:
        known.lists[role] = max(facts.at_us, known.lists.get(role, 0))


def scan(w: Weighing) -> None:
    """Pinned reading beyond what the work explains (T23), however slowly in key order."""
    known, facts, keep = w.known, w.facts, w.keep
    limits, at = w.limits, facts.at_us
    month = at - limits.window_days * DAY
    fresh = [k for k in facts.read if not known_since(known.worked, k.digest, month)]
    if not fresh:
        return
    listed = sum(r for r, t in known.allowance.values() if t >= at - DAY)
    allowed = min(listed, limits.most_explained)
    run = 0
    runs = known.runs if keep else [_copy(r) for r in known.runs]
    ranges = known.ranges if keep else dict(known.ranges)
    for key in fresh:
        run = max(run, _advance(runs, ranges, key, at))
    new = {k.digest for k in fresh}
    hour = day = after = 0
    start = max((known.lists.get(k.role, -1) for k in fresh), default=-1)
    listed_now = start >= max(0, at - DAY)
    if len(known.unexplained) + len(new) >= limits.listed_keys:
        for digest, last in known.unexplained.items():
            if digest not in new:
                hour += last >= at - HOUR
                day += last >= at - DAY
                after += last >= start
    hour, day, after = hour + len(new), day + len(new), after + len(new)
    if keep:
        if len(known.unexplained) >= limits.cap:
            known.unexplained = {d: t for d, t in known.unexplained.items() if t >= at - DAY}
        for digest in new:
            remember(known.unexplained, digest, at, limits.cap)
    if listed_now and after >= limits.listed_keys:
        w.find("scan-listed", after, "detail")
    elif run >= limits.ordered_keys + allowed:
        w.find("scan-order", run, "detail")
    elif hour > limits.hourly_keys + allowed:
        w.find("scan-hour", hour, "detail")
    elif day > limits.daily_keys + allowed:
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


def _copy(run: Run) -> Run:
    return msgspec.structs.replace(run, keys=list(run.keys))


def _advance(runs: list[Run], ranges: dict[str, tuple[int, int]], key: Key, at_us: int) -> int:
    """Take a key into the runs; the length of the longest one it belongs to that is no chance."""
    if key.number is None:
        return 0
    name = f"{key.role}\x1f{key.prefix}"
    low, high = ranges.get(name, (key.number, key.number))
    low, high = min(low, key.number), max(high, key.number)
    if name not in ranges and len(ranges) >= 64:
        del ranges[next(iter(ranges))]
    ranges[name] = (low, high)
    best = 0
    for near in (True, False):
        run: Run | None = None
        for r in runs:
            if r.near == near and r.role == key.role and r.prefix == key.prefix:
                r.reads += 1
                step = key.number - r.number
                if run is None and (
                    step == 0 or ((not near or abs(step) <= _NEAR) and step * r.direction >= 0)
                ):
                    run = r
        if run is None:
            if not near:
                runs[:] = [r for r in runs if r.near or r.role != key.role]
            runs.append(Run(key.role, key.prefix, key.number, 0, near, [key.digest], 1, at_us))
            best = max(best, 1)
            mine = [r for r in runs if r.near]
            if near and len(mine) > 16:
                runs.remove(min(mine, key=lambda r: (len(r.keys), r.last_us)))
            continue
        step = key.number - run.number
        if step:
            run.direction = 1 if step > 0 else -1
            run.number = key.number
            if key.digest not in run.keys:
                run.keys.append(key.digest)
            del run.keys[:-512]
        run.last_us = max(run.last_us, at_us)
        # Reads here and there fall near the last key of a run by chance, the more the fewer keys
        # there are; a scan is well above that.
        chance = run.reads * min(1.0, _NEAR / max(1, high - low)) if near else 0.0
        if len(run.keys) >= 4 * chance:
            best = max(best, len(run.keys))
    return best
