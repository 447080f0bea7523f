"""Block → what its receiver learns: the rules of docs/contracts/explain.md, one function a rule.

Rules this module keeps:

1. The order is the contract's: what is not use of items (rule 6) goes first, then amount (1),
   pins (3), the work list (4), grain (2).
2. Everything here is about one flattened block; arms, statements and delivery are put together in
   `analysis`.
3. Roles decide, never names.
"""

from __future__ import annotations

from collections.abc import Sequence

from qingfang.events import (
    Disclosure,
    Fixed,
    Grain,
    Period,
    Pin,
    Reason,
    Scope,
    Selection,
    Subtype,
    Value,
    Yield,
)
from qingfang.understand.catalogue import (
    DEPARTMENT_ROLES,
    ITEM_ROLES,
    KEY_ROLES,
    MEASURE_ROLES,
    PRESCRIBER_ROLES,
    Table,
)
from qingfang.understand.definition import EVERY_KIND
from qingfang.understand.flows import Block, Flow, Instance, Source, Span
from qingfang.understand.folding import Const, Reading
from qingfang.understand.holding import MAX_PINS, day_before, is_midnight, moment
from qingfang.understand.kinds import possible
from qingfang.understand.pins import ROW, carries_unit, is_pin, keyed, listed, pinned, spread
from qingfang.understand.predicates import Fact, day_test, truth
from qingfang.understand.reasons import reason

CLASS_ROLES: frozenset[str] = frozenset({"item_class", "item_kind"})
_IDENTITIES = PRESCRIBER_ROLES | DEPARTMENT_ROLES | KEY_ROLES


class Finding:
    """What one block reveals, with the ground of it. `kinds` are those its items may be of;
    `contents` are what of their use is revealed (`definition.Content`)."""

    __slots__ = (
        *("contents", "disclosure", "grain", "kinds", "pins", "reasons", "scope", "subtype"),
        "yields",
    )

    def __init__(self) -> None:
        self.disclosure: Disclosure = "none"
        self.grain: Grain | None = None
        self.subtype: Subtype | None = None
        self.scope: Scope | None = None
        self.reasons: list[Reason] = []
        self.pins: list[Pin] = []
        self.yields: Yield | None = None
        self.kinds: frozenset[str] = EVERY_KIND
        self.contents: frozenset[str] = frozenset({"usage"})


class _Evidence:
    """The block's facts and flows, sorted by what the rules ask."""

    def __init__(self, block: Block, reading: Reading) -> None:
        self.block, self.reading = block, reading
        self.shown: Flow = block.output() | block.shown
        self.seen = self.shown.raw | self.shown.tested
        self.use = _use(self, block)
        self.measures = frozenset(
            s for s in self.shown.raw if s.role in MEASURE_ROLES and s.instance in self.use
        )
        self.sums = frozenset(
            s for s in self.shown.summed if s.role in MEASURE_ROLES and s.instance in self.use
        )
        self.counts = bool(self.shown.counted & self.use)
        self.rows = block.rows & self.use
        self.threshold = any(_is_threshold(self, fact) for fact in block.facts)

    def seen_with(self, roles: frozenset[str]) -> list[Source]:
        return [s for s in self.seen if s.role in roles]

    def facts_on(self, roles: frozenset[str]) -> list[Fact]:
        """Predicates that pick by a column of these roles, other than the catalogue's own
        `usage_when`."""
        return [
            fact
            for fact in self.block.facts
            if fact.source.role in roles and fact.selects and not _is_usage_when(fact)
        ]


def few_keys(blocks: Sequence[Block], reading: Reading) -> bool:
    """Whether the arms of one query, or the parts that a table was filled with, ask for no more keys
    together than a list may."""
    if len(blocks) <= MAX_PINS:
        return True
    keys: set[tuple[str, str]] = set()
    for block in blocks:
        for fact in block.facts:
            if is_pin(fact):
                for const in fact.values:
                    reading.bind(const)
                    keys.add((str(fact.source.role), const.text or ""))
    roles = {role for role, _text in keys}
    return all(sum(1 for key in keys if key[0] == role) <= MAX_PINS for role in roles)


def judge(block: Block, reading: Reading, *, few: bool = True) -> Finding:
    """The block's disclosure, grain, subtype and scope. `few`: what pins the blocks it is part of are
    not too many keys together."""
    evidence = _Evidence(block, reading)
    finding = Finding()
    finding.pins = _pins(block)
    known = _item_known(evidence) or _class_known(evidence)
    grains = [g for g in (_amount(evidence, known), _rows(evidence, known)) if g is not None]
    pinned_rows = False
    if grains:
        contributing, pins = _contributing(evidence), pinned(block)
        if few and contributing <= pins and not (evidence.use - pins and _probes(evidence, pins)):
            pinned_rows = True
            finding.disclosure, finding.subtype = "clinical", "pinned"
            finding.reasons = _pin_reasons(block)
        elif _work_list(evidence, contributing):
            finding.disclosure, finding.subtype = "clinical", "worklist"
            finding.scope = _scope(evidence)
            finding.reasons = [reason("clinical.worklist", _span_of_unit(block))]
        else:
            finding.disclosure = "usage"
            finding.grain = next(g for g in reversed(_GRAINS) if g in grains)
            finding.subtype = _subtype(evidence)
            finding.scope = _scope(evidence)
            finding.reasons = _usage_reasons(evidence, finding)
    if grains:
        finding.kinds = possible(block, _holders(evidence), reading)
        finding.contents = _contents(evidence)
    finding.yields = _yield(evidence, bool(grains), pinned_rows)
    if finding.scope is None and finding.yields is not None:
        # What a header list or a pinned reading selected: not the contract's, accumulation's.
        finding.scope = _scope(evidence)
    return finding


_GRAINS: tuple[Grain, ...] = ("institution", "department", "prescriber", "detail")


# ------------------------------------------------------------------ rule 6: what is use of items


def _use(evidence: _Evidence, block: Block) -> frozenset[Instance]:
    """The instances that are use of drugs or consumables in this block."""
    return frozenset(
        instance for instance in dict.fromkeys(block.instances) if _is_use(evidence, instance)
    )


def _is_use(evidence: _Evidence, instance: Instance) -> bool:
    """Rule 6: a mixed charge table counts when it is restricted to items; a stock ledger when it
    is restricted to issues, or shows whom the goods went to."""
    table = instance.table
    if table is None or table.kind not in {"usage", "stock"}:
        return False
    facts = [f for f in evidence.block.facts if f.source.instance is instance]
    answer: bool | None = None
    if table.usage_when is not None:
        answer = truth(table.usage_when, facts, evidence.reading)
    elif table.kind == "usage":
        return True
    if answer is not None:
        return answer
    if any(s.instance is instance and s.column in table.telling for s in evidence.seen):
        return True
    if any(f.source.column in table.telling and f.op != "null" for f in facts):
        return True
    if table.kind == "stock":
        return any(
            s.role in PRESCRIBER_ROLES | DEPARTMENT_ROLES | {"patient_id"}
            for s in evidence.shown.raw
        ) and table.has_role(MEASURE_ROLES)
    return _restricted_to_items(evidence, instance)


def _restricted_to_items(evidence: _Evidence, instance: Instance) -> bool:
    """An item in the output or the grouping, an item filter, or a join to the items."""
    linked = {instance}
    roles = ITEM_ROLES | CLASS_ROLES
    for edge in evidence.block.edges:
        for one, other in ((edge.a, edge.b), (edge.b, edge.a)):
            if one.instance is not instance or one.role not in roles:
                continue
            linked.add(other.instance)
            inner = edge.groups <= evidence.block.firm
            table = other.instance.table
            if inner and table is not None and table.kind == "dictionary":
                return True
    if any(s.role in roles and s.instance in linked for s in evidence.seen):
        return True
    return any(
        f.source.role in roles and f.source.instance in linked and f.op != "null"
        for f in evidence.block.facts
    )


def _is_usage_when(fact: Fact) -> bool:
    """A predicate that says no more than the table's `usage_when`."""
    table = fact.source.instance.table
    if table is None or fact.source.column not in table.telling or table.usage_when is None:
        return False
    told = {str(part.this) for part in table.usage_when.walk() if part.key == "literal"}
    texts = {const.text for const in fact.values}
    if not texts or None in texts or fact.op not in {"eq", "like"}:
        return False
    return texts == told or (fact.op == "like" and texts <= told)


# ------------------------------------------------------------------ rule 1: amount


def _item_known(evidence: _Evidence) -> bool:
    """An item is shown or picked, and there are rows that say which item was used."""
    if not any(i.table is not None and i.table.has_role(ITEM_ROLES) for i in evidence.use):
        return False
    return bool(
        evidence.seen_with(ITEM_ROLES) or evidence.facts_on(ITEM_ROLES) or _picked(evidence)
    )


def _picked(evidence: _Evidence) -> list[Fact]:
    """Predicates that pick items by something else that their dictionary says of them: the maker,
    the price, the supplier."""
    linked: set[Instance] = set()
    more = True
    while more:
        more = False
        for edge in evidence.block.edges:
            for one, other in ((edge.a, edge.b), (edge.b, edge.a)):
                table = other.instance.table
                if table is None or not edge.groups <= evidence.block.firm:
                    continue
                items = one.instance in evidence.use and one.role in ITEM_ROLES
                # From the items' dictionary on to what it points to: its makers, their salesmen.
                onward = one.instance in linked and one.role is None
                if (
                    (items and table.kind == "dictionary")
                    or (onward and table.kind in {"dictionary", "other"})
                ) and other.instance not in linked:
                    linked.add(other.instance)
                    more = True
    return [
        fact
        for fact in evidence.block.facts
        if fact.source.role is None and fact.op != "null" and fact.source.instance in linked
    ]


def _class_known(evidence: _Evidence) -> bool:
    if not evidence.use:
        return False
    return bool(evidence.seen_with(CLASS_ROLES) or _class_facts(evidence))


def _class_facts(evidence: _Evidence) -> list[Fact]:
    """Predicates that pick by class. Leaving one class out, or all without one, picks too:
    `antibiotic_level <> '0'`, `antibiotic_level IS NOT NULL`."""
    return [
        fact
        for fact in evidence.block.facts
        if not _is_usage_when(fact)
        and (fact.source.role == "item_class" or (fact.source.role in CLASS_ROLES and fact.selects))
    ]


def _is_threshold(evidence: _Evidence, fact: Fact) -> bool:
    """Rows picked by how much was used. More than nothing is not how much."""
    if fact.source.role not in MEASURE_ROLES or fact.source.instance not in evidence.use:
        return False
    if fact.negated or fact.op not in {"range", "eq"}:
        return False
    bounds = [c for c in (*fact.values, fact.low, fact.high) if c is not None]
    for bound in bounds:
        evidence.reading.bind(bound)
    return any((bound.text or "?").strip("0. ") != "" for bound in bounds)


def _amount(evidence: _Evidence, known: bool) -> Grain | None:
    """Rule 1: sums, counts, ranks and thresholds of use. A count of prescriptions, visits or
    orders without item or class is none (rule 6)."""
    if not evidence.sums and not (evidence.counts and (known or _divided(evidence))):
        return None
    if any(s.role in KEY_ROLES for s in evidence.shown.raw):
        return "detail"
    return _grain(evidence)


def _rows(evidence: _Evidence, known: bool) -> Grain | None:
    """Rule 2, rows: each row a use, or carrying a measure, with whom it belongs to."""
    if not evidence.use:
        return None
    raw = {s.role for s in evidence.shown.raw}
    if known and (evidence.rows or evidence.measures):
        return "detail" if raw & _IDENTITIES else _grain(evidence)
    if known:
        # DISTINCT, GROUP BY without a sum, a semi-join: who or what, not how much.
        if raw & {"prescription_id", "visit_id"}:
            return "detail"
        if raw & (_IDENTITIES | ITEM_ROLES) or _probes(evidence) or _of_patients(evidence):
            return _grain(evidence)
        return None
    if evidence.measures:
        return "detail" if raw & _IDENTITIES else _grain(evidence)
    return _grain(evidence) if _divided(evidence) else None


def _of_patients(evidence: _Evidence) -> bool:
    """What is shown tells patients of whom the keys say that they used an item: their names,
    telephones."""
    shown = {source.instance for source in evidence.shown.raw}
    return any(
        one.role in KEY_ROLES and one.instance in shown and other.instance in evidence.use
        for edge in evidence.block.edges
        for one, other in ((edge.a, edge.b), (edge.b, edge.a))
    )


def _probes(evidence: _Evidence, apart: frozenset[Instance] = frozenset()) -> bool:
    """Rows of whatever come, or are changed, if a prescriber used an item and else not: both are
    picked, and that alone tells some or none. What is picked of the instances `apart` is not
    looked at."""
    return all(
        any(
            fact.op in {"eq", "like"} and fact.source.instance not in apart
            for fact in evidence.facts_on(roles)
        )
        for roles in (ITEM_ROLES, PRESCRIBER_ROLES)
    )


def picks_by_amount(block: Block, reading: Reading) -> bool:
    """Whether a line's amount decides which rows of the block come."""
    return _Evidence(block, reading).threshold


def _divided(evidence: _Evidence) -> bool:
    """Prescribers or departments told by a threshold on what each line used."""
    return evidence.threshold and bool(
        evidence.seen_with(PRESCRIBER_ROLES | DEPARTMENT_ROLES)
        or (evidence.counts and _fixed(evidence, PRESCRIBER_ROLES | DEPARTMENT_ROLES))
    )


def _holders(evidence: _Evidence) -> list[Instance]:
    """The use whose items are told or added up: what has an item in each row, and what a figure
    comes from. A prescription's head without either only says whose they are."""
    figures = {s.instance for s in evidence.shown.sources() if s.role in MEASURE_ROLES}
    figures |= {f.source.instance for f in evidence.block.facts if f.source.role in MEASURE_ROLES}
    return [
        instance
        for instance in evidence.use
        if instance in figures
        or (instance.table is not None and instance.table.has_role(ITEM_ROLES))
    ]


def _contents(evidence: _Evidence) -> frozenset[str]:
    """How much was used, or no more than which items, in which specification. Items with the
    patients or prescriptions they were for can be counted afterwards, as can single days."""
    figures = evidence.sums or evidence.measures or evidence.counts or evidence.rows
    picked = evidence.facts_on(ITEM_ROLES | CLASS_ROLES) or _picked(evidence)
    if figures or picked or evidence.threshold or evidence.seen_with(KEY_ROLES | {"time"}):
        return frozenset({"usage"})
    roles = {s.role for s in evidence.seen_with(ITEM_ROLES)}
    found = {"specification"} if "item_spec" in roles else set[str]()
    if roles & {"item_id", "item_name"}:
        found.add("name")
    return frozenset(found) or frozenset({"usage"})


# ------------------------------------------------------------------ rule 2: grain


def _grain(evidence: _Evidence) -> Grain:
    """A prescriber in the output, the grouping or fixed by a predicate; else a department."""
    if evidence.seen_with(PRESCRIBER_ROLES) or _fixed(evidence, PRESCRIBER_ROLES):
        return "prescriber"
    if evidence.seen_with(DEPARTMENT_ROLES) or _fixed(evidence, DEPARTMENT_ROLES):
        return "department"
    return "institution"


def _fixed(evidence: _Evidence, roles: frozenset[str]) -> list[Fact]:
    return [fact for fact in evidence.facts_on(roles) if fact.op != "chosen"]


def _subtype(evidence: _Evidence) -> Subtype:
    """What a use table says of the kind of its lines (drug, consumable, or another fee: rule 6) makes
    no class: it is all of them together. A kind picked in a dictionary, such as high value, does;
    so do items that a sub-select chose by their class."""
    seen = [s for s in evidence.seen_with(CLASS_ROLES) if s.role == "item_class"]
    told = [*seen, *(f.source for f in _class_facts(evidence))]
    classes = any(not _is_kind(s) for s in told)
    if _item_known(evidence) and not (classes and _only_chosen(evidence)):
        return "item"
    return "class" if classes else "total"


def _only_chosen(evidence: _Evidence) -> bool:
    facts = [*evidence.facts_on(ITEM_ROLES), *_picked(evidence)]
    return not evidence.seen_with(ITEM_ROLES) and all(fact.op == "chosen" for fact in facts)


def _is_kind(source: Source) -> bool:
    table = source.instance.table
    if table is None or table.kind != "usage":
        return False
    return source.role == "item_kind" or source.column in table.telling


# ------------------------------------------------------------------ rule 3: pins


def _contributing(evidence: _Evidence) -> frozenset[Instance]:
    """The use whose rows or figures reach the receiver; what only filters need not be pinned."""
    reached = {s.instance for s in evidence.shown.sources()} | evidence.shown.counted
    found = frozenset(reached | evidence.block.rows) & evidence.use
    return found or evidence.use


def _pins(block: Block) -> list[Pin]:
    found = [
        Pin(
            str(fact.source.role),
            fact.source.instance.table.name,
            tuple(const.key() for const in fact.values),
        )
        for fact in block.facts
        if is_pin(fact) and fact.source.instance.table is not None
    ]
    found.extend(
        Pin(ROW, fact.source.instance.table.name, tuple(const.key() for const in fact.values))
        for fact in keyed(block)
        if fact.source.instance.table is not None
    )
    found.extend(
        Pin(str(key.role), key.instance.table.name, tuple(const.key() for const in fact.values))
        for fact, key in listed(block)
        if key.instance.table is not None
    )
    return found


def _pin_reasons(block: Block) -> list[Reason]:
    facts = [*(fact for fact in block.facts if is_pin(fact)), *keyed(block)]
    spans = [fact.span for fact in facts if fact.span is not None]
    return [reason("clinical.pinned", spans[0] if spans else None)]


# ------------------------------------------------------------------ rule 4: work list


def _work_list(evidence: _Evidence, contributing: frozenset[Instance]) -> bool:
    """Rule 4: rows, or sums by item, of one unit or department, of at most 24 hours or open."""
    block = evidence.block
    sums = bool(evidence.sums or evidence.counts)
    prescriber = bool(evidence.seen_with(PRESCRIBER_ROLES))
    chosen = _fixed(evidence, PRESCRIBER_ROLES)
    item = bool(evidence.facts_on(ITEM_ROLES))
    current = _current(evidence)
    if not contributing <= current:
        return False
    units = {
        fact.source.instance
        for fact in block.facts
        if fact.fixes
        and len(fact.values) == 1
        and fact.source.role in DEPARTMENT_ROLES | {"unit_id"}
    }
    if units and contributing <= spread(block, units, carries_unit):
        if item and (prescriber or chosen):
            return False
        if sums and (prescriber or chosen):
            return False
        return not sums or _item_known(evidence)
    own = {f.source.instance for f in chosen if f.fixes and len(f.values) == 1}
    if not own or sums or item:
        return False
    if not contributing <= spread(block, own, carries_unit):
        return False
    return any(s.role in {"patient_id", "visit_id"} for s in evidence.shown.raw)


def _current(evidence: _Evidence) -> frozenset[Instance]:
    """The instances whose rows are of at most 24 hours, or still to be worked on."""
    block = evidence.block
    found: set[Instance] = set()
    for instance in dict.fromkeys(block.instances):
        facts = [f for f in block.facts if f.source.instance is instance]
        table = instance.table
        if table is None:
            continue
        # What was still to be worked on at some moment gone by is no work now.
        waits = table.open_when is not None and not instance.past
        if waits and table.open_when and truth(table.open_when, facts, evidence.reading):
            found.add(instance)
            continue
        times = [f for f in facts if f.source.role == "time" and not f.negated]
        if any(f.op in {"eq", "day"} and len(f.values) == 1 for f in times):
            found.add(instance)
            continue
        for column in {f.source.column for f in times if f.op == "range"}:
            same = [f for f in times if f.source.column == column]
            low, high, high_open = _range(same, evidence.reading)
            if day_test(low, high, high_open, evidence.reading):
                found.add(instance)
    return spread(block, found, carries_unit)


def _range(facts: list[Fact], reading: Reading) -> tuple[Const | None, Const | None, bool]:
    """What several bounds leave: of two known ones the narrower."""
    low: Const | None = None
    high: Const | None = None
    high_open = False
    for fact in facts:
        if fact.op != "range":
            continue
        if fact.low is not None and not _wider(fact.low, low, reading, below=True):
            low = fact.low
        if fact.high is not None and not _wider(fact.high, high, reading, below=False):
            high, high_open = fact.high, fact.high_open
    return low, high, high_open


def _wider(bound: Const, known: Const | None, reading: Reading, *, below: bool) -> bool:
    """Whether a bound leaves more than one that is known already."""
    if known is None or bound.text is None or known.text is None:
        return False
    times = (moment(bound.text), moment(known.text))
    if times[0] is None or times[1] is None:
        return False
    reading.bind(bound)
    reading.bind(known)
    return times[0][0] < times[1][0] if below else times[0][0] > times[1][0]


def _span_of_unit(block: Block) -> Span | None:
    for fact in block.facts:
        if fact.fixes and fact.source.role in DEPARTMENT_ROLES | {"unit_id"}:
            return fact.span
    return None


# ------------------------------------------------------------------ scope, reasons, yields


def _scope(evidence: _Evidence) -> Scope:
    items = _selection(evidence, ITEM_ROLES)
    if items is None or items.kind == "all" or _only_chosen(evidence):
        classes = _selection(evidence, CLASS_ROLES)
        if classes is not None and classes.kind != "all":
            items = Selection("class", classes.values)
    return Scope(
        items or Selection("all"),
        _selection(evidence, PRESCRIBER_ROLES),
        _selection(evidence, DEPARTMENT_ROLES),
        _period(evidence),
    )


def _selection(evidence: _Evidence, roles: frozenset[str]) -> Selection | None:
    facts = evidence.facts_on(roles)
    # A sub-select that chose them by a name, a code: this tells which.
    told = [fact for fact in facts if fact.op in {"eq", "like"}]
    facts = told or facts
    values: list[Value] = []
    for fact in facts:
        if fact.op in {"eq", "like"}:
            values.extend(const.value() for const in fact.values)
    if facts:
        one = len(facts) == 1 and facts[0].op == "eq" and len(facts[0].values) == 1
        return Selection("one" if one else "list", tuple(values))
    return Selection("all") if evidence.seen_with(roles) else None


def _period(evidence: _Evidence) -> Period | None:
    times = [f for f in evidence.block.facts if f.source.role == "time" and not f.negated]
    low, high, high_open = _range(times, evidence.reading)
    for fact in times:
        if fact.op in {"eq", "day"} and len(fact.values) == 1:
            low = high = fact.values[0]
            high_open = False
    if low is None and high is None:
        return None
    first = low.value() if low else None
    if high is None:
        return Period(first)
    if high_open and high.clock is not None and high.whole:
        return Period(first, Value(None, clock=high.clock - 1, cut=True), True)
    if not high_open or high.text is None:
        return Period(first, high.value())
    if not evidence.reading.condition("midnight", (high,), is_midnight(high.text)):
        return Period(first, high.value())
    return Period(first, Value(day_before(high.text), high.literals, high.binds), True)


def _usage_reasons(evidence: _Evidence, finding: Finding) -> list[Reason]:
    """The sentence, and the parts of the SQL it rests on."""
    sums = evidence.sums or evidence.measures
    main = _first(sums) or _first(evidence.rows and evidence.shown.raw) or _anything(evidence)
    reasons = [reason(f"usage.{finding.grain}.{finding.subtype}", main)]
    in_output = evidence.block.output()
    if evidence.sums and not (evidence.sums & in_output.summed):
        reasons.append(reason("shows.threshold", _first(evidence.sums)))
    elif sums:
        reasons.append(reason("shows.measure", _first(sums)))
    for code, roles in (
        ("prescriber", PRESCRIBER_ROLES),
        ("department", DEPARTMENT_ROLES),
    ):
        shown = evidence.seen_with(roles)
        if shown:
            reasons.append(reason(f"shows.{code}", _first(shown)))
        elif _fixed(evidence, roles):
            reasons.append(reason(f"fixes.{code}", _fixed(evidence, roles)[0].span))
    for code, facts in (
        ("item", evidence.facts_on(ITEM_ROLES)),
        ("class", _class_facts(evidence)),
    ):
        if facts:
            reasons.append(reason(f"fixes.{code}", facts[0].span))
    return reasons


def _first(sources: object) -> Span | None:
    """The leftmost span of some sources."""
    if not isinstance(sources, (frozenset, list)):
        return None
    spans = [s.span for s in sources if isinstance(s, Source) and s.span is not None]
    return min(spans) if spans else None


def _anything(evidence: _Evidence) -> Span | None:
    spans = [i.span for i in evidence.use if i.span is not None]
    return min(spans) if spans else None


def _links(source: Source, table: Table) -> bool:
    """Whether two results can be joined by this column afterwards: a key, or the number a table's
    rows go by (its first column, when that has no role)."""
    if source.role in KEY_ROLES:
        return True
    return source.role is None and source.column == next(iter(table.columns), None)


def _yield(evidence: _Evidence, reveals: bool, is_pinned: bool) -> Yield | None:
    """The ground of accumulation: what roles of which tables the receiver got."""
    block = evidence.block
    reached = {s.instance for s in evidence.shown.sources()} | evidence.shown.counted | block.rows
    tables = sorted({i.table.name for i in reached if i.table is not None})
    roles = sorted({str(s.role) for s in evidence.shown.sources() if s.role is not None})
    if not tables or not roles:
        return None
    keys = sorted(
        {
            f"{s.instance.table.name}.{s.column}"
            for s in evidence.shown.raw
            if s.instance.table is not None and _links(s, s.instance.table)
        }
    )
    fixed = tuple(
        Fixed(
            str(fact.source.role),
            fact.source.instance.table.name,
            fact.source.column,
            tuple(const.value() for const in fact.values),
            fact.negated,
        )
        for fact in block.facts
        if fact.op == "eq"
        and fact.source.role is not None
        and fact.source.instance.table is not None
    )
    measured = bool(evidence.sums or evidence.measures or (evidence.counts and reveals))
    use_reached = reached & evidence.use
    return Yield(
        tuple(tables),
        tuple(roles),
        tuple(keys),
        fixed,
        measured or bool(evidence.rows and _item_known(evidence)),
        # A figure of a nested query that is handed on alone is a figure still.
        block.added or bool(evidence.sums and not (block.rows or evidence.measures)),
        is_pinned or bool(use_reached and use_reached <= pinned(block)),
        block.paged,
        _fees(evidence),
    )


_LISTED_FEES = 3
"""From how many fee kinds on a list of others is taken for all the others, in one statement or
summed one after another."""


def _fees(evidence: _Evidence) -> str:
    """Of sums over a table that mixes use with other fees or movements (rule 6): whether they are of
    all of them, or of what is left without the use. The one less the other is the use. A ledger's
    other movements can be listed in many ways that stock-taking needs: there only what leaves out
    the use alone is the rest."""
    for source in evidence.shown.summed:
        table, instance = source.instance.table, source.instance
        if source.role not in MEASURE_ROLES or table is None or table.usage_when is None:
            continue
        if table.kind not in ("usage", "stock") or instance in evidence.use:
            continue
        facts = [f for f in evidence.block.facts if f.source.instance is instance]
        telling = [f for f in facts if f.source.column in table.telling and f.op != "null"]
        if not telling:
            return f"all {table.name}"
        listed = max((len(f.values) for f in telling if f.fixes), default=_LISTED_FEES)
        if table.kind == "stock" and any(f.fixes for f in telling):
            continue
        if truth(table.usage_when, facts, evidence.reading) is False:
            if listed >= _LISTED_FEES:
                return f"rest {table.name}"
            kinds = sorted({v.text or "" for f in telling if f.fixes for v in f.values})
            return f"some {table.name} {','.join(kinds)}"
    return ""
