"""Statements that repeat with something moving: prescribers, days, items, pages, months."""

from __future__ import annotations

from qingfang.events import Grain
from qingfang.understand.accumulate.facts import Facts
from qingfang.understand.accumulate.knowledge import DAY, HOUR, digest, remember, seen
from qingfang.understand.accumulate.weighing import Weighing


def enumeration(w: Weighing) -> None:
    """One prescriber after another, by statements that each name one (T22, T25, T49)."""
    known, facts, since, keep = w.known, w.facts, w.since, w.keep
    count = 0
    for name in facts.prescribers:
        times = seen(known.prescribers, name, facts.at_us, since, w.limits.cap, keep=keep)
        count = max(count, times)
    if len(facts.prescribers) > 1:
        count = len(
            {d for d, t in known.prescribers.items() if t >= since} | set(facts.prescribers)
        )
    if count <= len(facts.prescribers):
        return
    if not facts.worklist:
        w.find("enumeration", count)
    elif count >= w.limits.prescribers:
        w.find("enumeration", count, "detail" if facts.detailed else "prescriber")


def own_in_turn(w: Weighing) -> None:
    """At one place one person after another looks at figures of their own (T74): whoever can sign in
    as many sees all of theirs."""
    known, facts, limits, at = w.known, w.facts, w.limits, w.facts.at_us
    if not facts.own:
        return
    day = hour = len(facts.own)
    for name, last in known.turned.items():
        if name not in facts.own:
            day += last >= at - DAY
            hour += last >= at - HOUR
    if w.keep:
        for name in facts.own:
            remember(known.turned, name, at, limits.cap)
    if hour >= limits.turns_hour or day >= limits.turns_day:
        w.find("own-in-turn", day, "prescriber")


def lists(w: Weighing) -> None:
    """Work lists of other days put together, of one unit or of many, or of one item or a department's
    sums day by day. Lists of the present day, and of the day to come, are work however many units
    they are of: a central pharmacy dispenses to every ward."""
    known, facts, since, keep = w.known, w.facts, w.since, w.keep
    limits, at = w.limits, facts.at_us
    day = facts.list_day
    if day is not None and (at == 0 or abs(day - facts.day) > 1):
        count = seen(known.other_days, digest(str(day)), at, since, limits.cap, keep=keep)
        if count >= limits.other_days:
            w.find("lists-of-days", count, _grain(facts))
    if day is not None and (at == 0 or day < facts.day):
        name = digest(str(facts.unit), str(day))
        count = seen(known.day_lists, name, at, at - DAY, 64, keep=keep)
        if count >= limits.day_lists:
            w.find("lists-of-units", count, _grain(facts))
    on = digest(str(facts.day if day is None else day))
    for item in facts.list_items:
        count = _days(known.item_days, item, on, w)
        if count >= limits.item_days:
            w.find("item-by-day", count, "department")
    if facts.summed and day is not None and not (at and day >= facts.day and _supplies(w)):
        count = _days(known.sum_days, facts.summed, on, w)
        if count >= limits.sum_days:
            w.find("sums-by-day", count, "department")


def _grain(facts: Facts) -> Grain:
    """What lists put together tell: sums of units only whole departments."""
    return "department" if facts.added else "detail"


def units(w: Weighing) -> None:
    """Lists of the present day, of unit after unit: of one item, by who supplies nobody; or of so
    many units, by who writes nothing at all. A central pharmacy reads as many, and dispenses."""
    known, facts, limits, at = w.known, w.facts, w.limits, w.facts.at_us
    if not facts.today or not at:
        return
    count = 0
    for item in facts.list_items:
        of = known.item_units.get(item) or {}
        if w.keep and item not in known.item_units:
            if len(known.item_units) >= 64:
                oldest = min(known.item_units, key=lambda n: max(known.item_units[n].values()))
                del known.item_units[oldest]
            known.item_units[item] = of
        count = max(count, seen(of, facts.unit, at, at - DAY, 64, keep=w.keep))
    if count >= limits.item_units and not _supplies(w):
        w.find("item-by-unit", count, "department")
    count = seen(known.units_now, facts.unit, at, at - DAY, 128, keep=w.keep)
    if count >= limits.many_units and known.wrote_us < at - DAY:
        w.find("lists-everywhere", count, _grain(facts))


def shared_lists(w: Weighing) -> None:
    """People of one group take the prescribers, or the past days of one unit, in halves (T94): by one
    statement within a day, so that colleagues who each look something up do not add up."""
    known, facts, at = w.known, w.facts, w.facts.at_us
    parts = [(facts.form, name) for name in facts.prescribers]
    day = facts.list_day
    if day is not None and at and day < facts.day - 1:
        parts.append((digest(str(facts.form), str(facts.unit)), digest(str(day))))
    count = 0
    for form, part in parts:
        read = known.shared.get(form) or {}
        if w.keep and form not in known.shared:
            if len(known.shared) >= 128:
                del known.shared[min(known.shared, key=lambda f: max(known.shared[f].values()))]
            known.shared[form] = read
        count = max(count, seen(read, part, at, at - DAY, 64, keep=w.keep))
    if count >= w.limits.shared_lists:
        w.find("lists-group", count, "detail")


def serve(w: Weighing) -> None:
    """Take in where somebody works: keys written or opened, or rows of a unit changed, after a
    unit's list was read."""
    known, facts = w.known, w.facts
    for unit in facts.written_in:
        _days(known.served, unit, digest(str(facts.day)), w)
    if facts.worklist and facts.unit:
        known.at_unit = facts.unit
    elif known.at_unit and (
        facts.read or facts.written or facts.written_unseen or facts.wrote_at_unit
    ):
        _days(known.served, known.at_unit, digest(str(facts.day)), w)


def looked_on(w: Weighing) -> None:
    """Today's list of a unit, day after day, by somebody whose work there never shows (T25, T92):
    what somebody does tells where they work, and a month of a unit's lists is its usage. Days with
    work there are not counted, and a third of them is enough for it to be a work place."""
    known, facts, limits = w.known, w.facts, w.limits
    day = facts.list_day
    if day is None and facts.today:
        day = facts.day  # what waits now is a new day's list each day
    if not facts.looked or day is None or not facts.at_us or abs(day - facts.day) > 1:
        return
    on = digest(str(day))
    _days(known.looked, facts.unit, on, w)
    looked = {d for d, t in (known.looked.get(facts.unit) or {}).items() if t >= w.since} | {on}
    served = {d for d, t in (known.served.get(facts.unit) or {}).items() if t >= w.since}
    count = len(looked - served)
    if count >= limits.looked_days and 3 * len(served) < count and not _supplies(w):
        w.find("looked-on", count, "department")


def _supplies(w: Weighing) -> bool:
    """Whether somebody hands out to many units, as a central pharmacy does: writes, and has read the
    lists of several within a day. Then today's sums of a unit are its requisition."""
    known, since = w.known, w.facts.at_us - DAY
    units = sum(1 for _rows, last in known.allowance.values() if last >= since)
    return known.wrote_us >= since and units >= w.limits.supplied_units


def _days(table: dict[int, dict[int, int]], name: int, on: int, w: Weighing) -> int:
    """On how many days `name` came up, `on` included."""
    days = table.get(name) or {}
    if w.keep and name not in table:
        if len(table) >= 64:
            del table[min(table, key=lambda n: max(table[n].values()))]
        table[name] = days
    return seen(days, on, w.facts.at_us, w.since, 40, keep=w.keep)


def repetition(w: Weighing) -> None:
    """Explanations for a statement that is usage by itself: pages (T24, T95), probing (T27),
    the start of month after month (T89)."""
    known, facts, keep = w.known, w.facts, w.keep
    if facts.shape:
        times, last = known.repeats.get(facts.shape, (0, 0))
        times = times + 1 if facts.at_us - last <= DAY else 1
        if keep:
            if facts.shape not in known.repeats and len(known.repeats) >= 256:
                del known.repeats[min(known.repeats, key=lambda s: known.repeats[s][1])]
            known.repeats[facts.shape] = (times, max(last, facts.at_us))
        if facts.paged and times >= w.limits.pages:
            w.find("pages", times)
        elif not facts.paged and times >= w.limits.repeats:
            w.find("probing", times)
    if facts.month:
        row = 1
        while facts.month - row in known.months:
            row += 1
        if keep:
            known.months[facts.month] = facts.at_us
            for old in [m for m in known.months if m < facts.month - 12]:
                del known.months[old]
        if row >= w.limits.months:
            w.find("rhythm", row)
