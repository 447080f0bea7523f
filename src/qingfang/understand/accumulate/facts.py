"""What one statement brings to accumulation, worked out once for all who learn from it.

Rules this module keeps:

1. Only roles, keys and values of the meaning are looked at, never the text of the statement.
2. A person's own figures and lists are told apart here, so that nothing later takes them for an
   enumeration.
3. A bed number is a patient only together with its unit: a short key (`_BED`) asked of one unit is
   the pair of both, in reading and in writing.
"""

from __future__ import annotations

import datetime
import math
import re
from typing import Final

from msgspec import Struct

from qingfang.events import Disclosure, Fixed, Grain, Meaning, Period, Pin, Value, Yield
from qingfang.understand.accumulate.knowledge import DAY, Key, Learner, Limits, Part, digest
from qingfang.understand.holding import array_items
from qingfang.understand.pins import ROW

KEY_ORDER = ("patient_id", "visit_id", "prescription_id")
"""Key roles, from the one that holds most to the one that holds least."""
ALL_FEES: Final = 0
REST_OF_FEES: Final = 1
_KEY_ROLES = frozenset(KEY_ORDER)
_ITEM = frozenset({"item_id", "item_name", "item_spec", "item_class", "item_kind"})
_PRESCRIBER = frozenset({"prescriber_id", "prescriber_name"})
_DEPARTMENT = frozenset({"department_id", "department_name"})
_WHOSE = _KEY_ROLES | _PRESCRIBER | _DEPARTMENT
_BED = 4
"""How long a bed number is at most; numbers of patients, visits and prescriptions are longer."""
_NUMBER = re.compile(r"^(.*?)(\d{1,18})$", re.DOTALL)
_DATE = re.compile(r"\s*(\d{4})[-/.]?(\d{1,2})[-/.]?(\d{1,2})")
_EPOCH_ORDINAL = 719_163


class Facts(Struct, omit_defaults=True):
    """What one statement brings, computed once for all who learn. Kept in the judge's journal: a
    field may be added with a default, none may change its meaning."""

    at_us: int
    day: int
    disclosure: Disclosure
    grain: Grain | None
    worklist: bool = False
    read: tuple[Key, ...] = ()
    unseen: bool = False
    written: tuple[Key, ...] = ()
    written_unseen: tuple[str, ...] = ()
    called: int = 0
    finer_roles: tuple[str, ...] = ()
    finer_rows: int = 0
    finer_of: tuple[Key, ...] = ()
    summed: int = 0
    list_roles: tuple[str, ...] = ()
    unit: int = 0
    unit_rows: int = 0
    list_day: int | None = None
    list_items: tuple[int, ...] = ()
    prescribers: tuple[int, ...] = ()
    own: tuple[int, ...] = ()
    parts: tuple[tuple[int, Part], ...] = ()
    sums: tuple[tuple[int, int], ...] = ()
    shape: int = 0
    paged: bool = False
    month: int = 0
    looked: bool = False
    form: int = 0
    wrote_at_unit: bool = False
    beside: int = 0
    written_in: tuple[int, ...] = ()
    detailed: bool = False
    added: bool = False
    today: bool = False
    queue_of: int = 0
    fees: tuple[tuple[int, int, Grain], ...] = ()


def facts_of(
    meaning: Meaning,
    learner: Learner,
    at_us: int,
    template: bytes,
    rows: int | None,
    limits: Limits,
    offset_us: int,
) -> Facts:
    """`offset_us` is what the local time is ahead of UTC; `rows` what the server returned."""
    local_day = (at_us + offset_us) // DAY
    facts = Facts(at_us, local_day, meaning.disclosure, meaning.grain)
    if not (meaning.yields or meaning.pins or meaning.works):
        return facts
    fixed = [f for y in meaning.yields for f in y.fixed]
    pinned = meaning.disclosure == "clinical" and meaning.subtype == "pinned"
    facts.worklist = meaning.disclosure == "clinical" and meaning.subtype == "worklist"
    if pinned:
        within = sorted({u for f in fixed if f.role == "unit_id" for u in _units([f])})
        facts.beside = digest(*within) if within else 0
        facts.read = _keys(meaning.pins, facts.beside)
        facts.unseen = any(v.text is None for p in meaning.pins for v in p.values)
    if meaning.works:
        _written(facts, meaning.works)
    if meaning.pins:
        _finer(facts, meaning, rows, limits)
    prescribers = [
        v.text for f in fixed if f.role in _PRESCRIBER and not f.negated for v in f.values
    ]
    others = [p for p in prescribers if p not in learner.own]
    if facts.worklist or meaning.disclosure == "usage":
        facts.prescribers = tuple(sorted({digest(p) for p in others if p is not None}))
    own = bool(prescribers) and not others
    if own and meaning.disclosure == "usage":
        facts.own = tuple(sorted({digest(p) for p in prescribers if p is not None}))
    one_day = _one_day(meaning, at_us + offset_us)
    if facts.worklist:
        facts.unit = digest(*sorted(_units(fixed)))
        facts.unit_rows = facts.called = _length(fixed, rows, limits)
        facts.list_day = None if own else one_day
        roles = {f.role for f in fixed if not f.negated}
        if not own:
            facts.today = _is_today(meaning, roles, one_day, local_day)
        facts.form = digest("form", template.hex())
        single = [y for y in meaning.yields if y.measured and not y.aggregated]
        facts.detailed = any(_WHOSE & set(y.roles) for y in single)
        facts.added = not single and any(y.measured for y in meaning.yields)
        facts.looked = not own and _tells_usage(meaning, roles, fixed, learner)
        over = one_day is not None and one_day < local_day
        if any(y.aggregated and y.measured for y in meaning.yields) and (
            over or "unit_id" not in roles
        ):
            # A ward's sums of today are its requisition; of a day that is over, nobody's work.
            facts.summed = facts.unit
        facts.list_items = tuple(
            sorted(
                {
                    digest(v.text)
                    for f in fixed
                    if f.role in ("item_id", "item_name") and not f.negated
                    for v in f.values
                    if v.text is not None
                }
            )
        )
    elif pinned:
        if any(f.role == "unit_id" and not f.negated for f in fixed):
            # Whoever reads within a unit works there, be its list seen or not: in one unit.
            facts.unit, facts.unit_rows = digest(*sorted(_units(fixed))), limits.list_rows
    else:
        _loose(facts, meaning, own, one_day, rows, limits)
    if meaning.disclosure == "usage":
        if meaning.grain != "institution":
            facts.shape = digest("shape", template.hex(), *_shape(meaning.yields))
            facts.month = _month(meaning, local_day)
        facts.paged = any(y.paged for y in meaning.yields)
    return facts


def _written(facts: Facts, works: tuple[Pin, ...]) -> None:
    """What a change writes: keys, and the unit it names."""
    keys = tuple(p for p in works if p.role != "unit_id")
    units = sorted(
        {f"unit_id={v.text}" for p in works if p.role == "unit_id" for v in p.values if v.text}
    )
    facts.wrote_at_unit = len(keys) < len(works)
    facts.written_in = tuple(digest(unit) for unit in units)
    facts.written = _keys(keys, digest(*units) if units else 0)
    facts.written_unseen = tuple(
        sorted({p.role for p in keys if any(v.text is None for v in p.values)})
    )


def _loose(
    facts: Facts,
    meaning: Meaning,
    own: bool,
    one_day: int | None,
    rows: int | None,
    limits: Limits,
) -> None:
    """Facts of rows that neither a pin nor a work list holds together."""
    parts: list[tuple[int, Part]] = []
    sums: list[tuple[int, int]] = []
    roles: set[str] = set()
    for row in meaning.yields:
        if row.pinned:
            continue
        selecting = {f.role for f in row.fixed if not f.negated}
        held = set(row.roles)
        links = tuple(
            sorted({digest(k.lower()) for k in row.keys} | {digest(r) for r in held & _KEY_ROLES})
        )
        prescriber = bool((held | selecting) & _PRESCRIBER)
        if links and not own:
            part = Part(
                links,
                bool((held | selecting) & _ITEM),
                row.measured,
                prescriber,
                bool((held | selecting) & _DEPARTMENT),
                facts.at_us,
            )
            telling = (part.item, part.measure, part.prescriber, part.department)
            parts.append((digest(repr(links), repr(telling)), part))
        if held & _KEY_ROLES and not row.aggregated:
            if own or _is_work(row, selecting, meaning, one_day, facts.day):
                facts.unit = digest(*sorted(_units(row.fixed, others=not own)))
                facts.unit_rows = facts.called = _length(row.fixed, rows, limits)
                of = [f for f in row.fixed if f.role in _PRESCRIBER and not f.negated]
                if of and not own:
                    facts.queue_of = digest(*sorted(_units(of)))
            elif rows is None or rows >= limits.listed_keys:
                roles |= held & _KEY_ROLES
        if row.aggregated and row.measured and not own:
            sums.append(_sum(row))
        if row.fees and not own:
            facts.fees = (*facts.fees, *_of_fees(row, meaning))
    facts.parts, facts.sums = tuple(parts), tuple(sums)
    facts.list_roles = tuple(sorted(roles))


def _tells_usage(meaning: Meaning, roles: set[str], fixed: list[Fixed], learner: Learner) -> bool:
    """Whether a work list says which prescriber, or what department, used how much of what; not that
    of the unit the learner belongs to."""
    if any(f"unit:{unit}" in learner.groups for f in fixed for unit in _codes(f)):
        return False
    return any(
        (y.measured and not y.aggregated)
        and _ITEM & set(y.roles)
        and (_PRESCRIBER & (set(y.roles) | roles) or _DEPARTMENT & roles)
        for y in meaning.yields
    )


def _is_today(meaning: Meaning, roles: set[str], one_day: int | None, local_day: int) -> bool:
    """Whether a work list is of the present day. What waits at a ward or a window now is what its
    supplier looks at, whoever writes; an outpatient department has none."""
    if meaning.scope is not None and meaning.scope.period is not None:
        return one_day is not None and one_day >= local_day
    return "unit_id" not in roles


def _codes(fixed: Fixed) -> list[str | None]:
    """The units or departments that a predicate names."""
    named = fixed.role == "unit_id" or fixed.role in _DEPARTMENT
    return [v.text for v in fixed.values] if named and not fixed.negated else []


def _length(fixed: list[Fixed] | tuple[Fixed, ...], rows: int | None, limits: Limits) -> int:
    """How many a list is taken to hold: a ward's or window's more than one prescriber's queue."""
    if rows is not None:
        return rows
    queue = any(f.role in _PRESCRIBER and not f.negated for f in fixed)
    return limits.queue_rows if queue else limits.list_rows


def _is_work(
    row: Yield, selecting: set[str], meaning: Meaning, one_day: int | None, today: int
) -> bool:
    """Whether keys are listed as work is: of one unit or prescriber and of one day, or those who are
    with a unit now. What the whole hospital did in a day is nobody's list, nor are the prescriptions
    that others wrote on a day that is over."""
    if one_day is not None or "time" in selecting:
        over = one_day is not None and one_day < today and "prescription_id" in row.roles
        if "unit_id" in selecting or (selecting & _PRESCRIBER and not over):
            return True
        return bool(selecting & _DEPARTMENT) and not (over and _PRESCRIBER & set(row.roles))
    if meaning.scope is not None and meaning.scope.period is not None:
        return False
    if "unit_id" in selecting:
        return not selecting & _ITEM
    held = set(row.roles) | selecting
    return bool(selecting & _DEPARTMENT) and not held & (_PRESCRIBER | _ITEM)


def _finer(facts: Facts, meaning: Meaning, rows: int | None, limits: Limits) -> None:
    """Numbers of lesser keys that a list of one patient or visit gives."""
    pinned = [KEY_ORDER.index(p.role) for p in meaning.pins if p.role in _KEY_ROLES]
    if not pinned:
        return
    lesser = KEY_ORDER[min(pinned) + 1 :]
    given = {r for y in meaning.yields if y.pinned and not y.aggregated for r in y.roles}
    facts.finer_roles = tuple(r for r in lesser if r in given)
    facts.finer_of = tuple(k for k in _keys(meaning.pins) if not k.is_row)
    facts.finer_rows = limits.call_keys if rows is None else min(rows, limits.list_rows)


def _month(meaning: Meaning, local_day: int) -> int:
    items = meaning.scope.items if meaning.scope else None
    if items is None or items.kind not in ("one", "list"):
        return 0
    date = datetime.date.fromordinal(_EPOCH_ORDINAL + local_day)
    return date.year * 12 + date.month if date.day <= 5 else 0


def _keys(pins: tuple[Pin, ...], unit: int = 0) -> tuple[Key, ...]:
    """The keys whose values are known, in order; `unit` is the one they were asked of."""
    keys: list[Key] = []
    for pin in pins:
        texts = [text for value in pin.values if value.text is not None for text in _each(value)]
        for text in dict.fromkeys(texts):
            prefix, number = _split(text)
            # Rows have their numbers within their table.
            role = f"{ROW}:{pin.table}" if pin.role == ROW else pin.role
            named = (role, text)
            if unit and pin.role in _KEY_ROLES and len(text) <= _BED:
                prefix, named = f"{unit:x} {prefix}", (*named, f"{unit:x}")
            keys.append(Key(role, digest(*named), prefix, number))
    keys.sort(key=lambda k: (k.role, k.prefix, k.number or 0))
    return tuple(keys)


def _each(value: Value) -> list[str]:
    """The key, or the keys of an array that was bound."""
    text = value.text or ""
    many = array_items(text) if value.binds and text.startswith("{") else None
    return [text] if many is None else many


def _split(text: str) -> tuple[str, int | None]:
    match = _NUMBER.match(text)
    return (match[1], int(match[2])) if match else (text, None)


def _units(fixed: list[Fixed] | tuple[Fixed, ...], *, others: bool = False) -> list[str]:
    """What a list is bounded by: its unit, department or prescriber. With `others` the queues of
    one prescriber after another are one."""
    wanted = _DEPARTMENT | _PRESCRIBER | {"unit_id"}
    return [
        f.role if others and f.role in _PRESCRIBER else f"{f.role}={v.text}"
        for f in fixed
        if f.role in wanted and not f.negated
        for v in f.values
    ]


def _one_day(meaning: Meaning, now_us: int) -> int | None:
    """The day a list is limited to, counted from the epoch; None when it is not one day, or is the
    open work of now. From today on without an end is today, and so is what reaches into today.
    `now_us` is the local time."""
    today = now_us // DAY
    period = meaning.scope.period if meaning.scope else None
    if period is not None:
        first = _day(period.from_, now_us) if period.from_ else None
        last = _day(period.to, now_us) if period.to else None
        if first is None:
            return None
        if period.to is None:
            return first if first >= today - _since_now(period.from_) else None
        if last is None or not 0 <= last - first <= 1:
            return None
        return last if last == today else first
    days = {
        _day(v, now_us)
        for y in meaning.yields
        for f in y.fixed
        if f.role == "time" and not f.negated
        for v in f.values
    }
    return days.pop() if len(days) == 1 else None


def _since_now(value: Value | None) -> bool:
    """Whether a time is counted back from now: the last twelve hours may have begun yesterday."""
    return value is not None and value.clock is not None and not value.cut


def _day(value: Value, now_us: int) -> int | None:
    """The local day of a time that the statement names, or has the server work out of the clock."""
    if value.clock is not None:
        since = now_us // DAY if value.cut else now_us / DAY
        return math.floor(since + value.clock)
    return _day_of(value.text)


def _day_of(text: str | None) -> int | None:
    match = _DATE.match(text) if text else None
    if match is None:
        return None
    try:
        date = datetime.date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
    return date.toordinal() - _EPOCH_ORDINAL


def _shape(yields: tuple[Yield, ...]) -> list[str]:
    return sorted(f"{','.join(sorted(y.tables))}|{','.join(sorted(y.roles))}" for y in yields)


def _sum(row: Yield) -> tuple[int, int]:
    """A sum's identity (tables, what is grouped, which items), and whom it leaves out: an odd number
    for prescribers, an even one for departments or nobody."""
    who = _PRESCRIBER | _DEPARTMENT
    identity = [",".join(sorted(row.tables)), ",".join(sorted(set(row.roles)))]
    identity += sorted(f"{f.role}{v.text}" for f in row.fixed if f.role in _ITEM for v in f.values)
    out = sorted(
        f"{f.role}{v.text}" for f in row.fixed if f.role in who and f.negated for v in f.values
    )
    only = [f.role for f in row.fixed if f.role in who and not f.negated]
    left_out = {f.role for f in row.fixed if f.negated}
    without = digest("without", *out) & ~1 | bool(left_out & _PRESCRIBER)
    return digest("sum", *identity, *sorted(only)), without


def _of_fees(row: Yield, meaning: Meaning) -> list[tuple[int, int, Grain]]:
    """A sum over all fees, or over those that are no use: what both must have in common to be
    subtracted (the table, what rows, the period), which of them it is (`ALL_FEES`, `REST_OF_FEES`, or
    one kind that is no use), and whose figures come of it. Figures of each add up to figures of all."""
    chosen = {f.role for f in row.fixed if not f.negated}
    told = set(row.roles) | chosen & (_PRESCRIBER | _DEPARTMENT)
    part, table, *kinds = row.fees.split(" ", 2)
    parts = {"all": [ALL_FEES], "rest": [REST_OF_FEES]}.get(part)
    if parts is None:
        parts = [digest("kind", kind) | 2 for kind in kinds[0].split(",")]
    rows = sorted(
        f"{f.role}{'<>' if f.negated else '='}{v.text}"
        for f in row.fixed
        if not (f.role in _ITEM and f.negated)
        for v in f.values
    )
    rows += _period(meaning.scope.period if meaning.scope else None)
    grains: list[Grain] = ["institution"]
    if told & _KEY_ROLES:
        grains.append("detail")
    elif told & _PRESCRIBER:
        grains.append("prescriber")
    elif told & _DEPARTMENT:
        grains.append("department")
    return [(digest("fees", table, grain, *rows), p, grain) for grain in grains for p in parts]


def _period(period: Period | None) -> list[str]:
    if period is None:
        return []
    ends = [v for v in (period.from_, period.to) if v is not None]
    return [f"{v.text} {v.clock} {v.cut}" for v in ends]
