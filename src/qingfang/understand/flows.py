"""What the walk through a query works out: where columns come from and how they reach the receiver.

Rules this module keeps:

1. A `Source` is one column of one use of a table; two uses of a table are two `Instance`s.
2. A `Flow` says what an expression shows of its sources: as they are (`raw`), summed (`summed`),
   only by a comparison (`tested`), or counted (`counted`: the instances whose rows were counted).
3. A `Block` is one arm of a query, flattened: everything that was joined, nested or semi-joined
   into it. Views, CTEs and derived tables leave no trace but their instances, edges and facts.
4. An `Edge` is an equality of two columns. It carries a pin from `a` to `b`; from `b` to `a` only
   when none of its `groups` (the outer joins it stands in) keeps rows without a partner.
"""

from __future__ import annotations

from collections.abc import Iterable

from qingfang.understand.catalogue import Table
from qingfang.understand.predicates import Fact

Span = tuple[int, int]


class Instance:
    """One use of a table in a query. `table` is None for rows that mean nothing to us (VALUES,
    a system catalogue, a temp table of unknown origin). `past`: the rows as they were once."""

    __slots__ = ("name", "past", "span", "table")

    def __init__(
        self, table: Table | None, name: str, span: Span | None, past: bool = False
    ) -> None:
        self.table, self.name, self.span, self.past = table, name, span, past


class Source:
    """One column of an instance; equal by instance and column, wherever it was mentioned."""

    __slots__ = ("column", "instance", "role", "span")

    def __init__(
        self, instance: Instance, column: str, role: str | None, span: Span | None
    ) -> None:
        self.instance, self.column, self.role, self.span = instance, column, role, span

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Source)
            and self.instance is other.instance
            and self.column == other.column
        )

    def __hash__(self) -> int:
        return hash((id(self.instance), self.column))

    def at(self, span: Span | None) -> Source:
        return Source(self.instance, self.column, self.role, span) if span else self


Sources = frozenset[Source]
_NONE: Sources = frozenset()
_NOBODY: frozenset[Instance] = frozenset()


class Flow:
    """What an expression shows. `exact` is the one source whose value it is unchanged (a plain
    column, a harmless cast), `member` the one source of whose values it is one (MAX too); None otherwise.
    `packed` tells that rows were packed into a text or
    an array: they count as rows still."""

    __slots__ = ("counted", "exact", "member", "packed", "raw", "summed", "tested")

    def __init__(
        self,
        raw: Sources = _NONE,
        summed: Sources = _NONE,
        tested: Sources = _NONE,
        counted: frozenset[Instance] = _NOBODY,
        exact: Source | None = None,
        packed: bool = False,
        member: Source | None = None,
    ) -> None:
        self.raw, self.summed, self.tested = raw, summed, tested
        self.counted, self.exact, self.packed = counted, exact, packed
        self.member = exact or member

    def __or__(self, other: Flow) -> Flow:
        if other is NOTHING:
            return self.derived()
        if self is NOTHING:
            return other.derived()
        return Flow(
            self.raw | other.raw,
            self.summed | other.summed,
            self.tested | other.tested,
            self.counted | other.counted,
            None,
            self.packed or other.packed,
        )

    def derived(self) -> Flow:
        """The same sources through some function: no longer the value itself."""
        if self.member is None:
            return self
        return Flow(self.raw, self.summed, self.tested, self.counted, None, self.packed)

    def comparison(self) -> Flow:
        """What a test on the expression shows."""
        return Flow(_NONE, self.summed, self.raw | self.tested, self.counted)

    def measures_only(self) -> Flow:
        """What is left of carried grouping when the rows are added up once more."""
        return Flow(_NONE, self.summed, _NONE, self.counted)

    def at(self, span: Span | None) -> Flow:
        """The same, mentioned elsewhere."""
        if span is None:
            return self
        return Flow(
            frozenset(s.at(span) for s in self.raw),
            frozenset(s.at(span) for s in self.summed),
            frozenset(s.at(span) for s in self.tested),
            self.counted,
            self.exact.at(span) if self.exact else None,
            self.packed,
            self.member.at(span) if self.member else None,
        )

    @property
    def measured(self) -> bool:
        return bool(self.summed or self.counted)

    def sources(self) -> Sources:
        return self.raw | self.summed | self.tested


NOTHING = Flow()


def union(flows: Iterable[Flow]) -> Flow:
    total = NOTHING
    for flow in flows:
        total = total | flow
    return total


class Edge:
    """`a = b`. `rejects` tells that rows where either is NULL are gone."""

    __slots__ = ("a", "b", "groups", "rejects")

    def __init__(
        self, a: Source, b: Source, groups: frozenset[int] = frozenset(), rejects: bool = True
    ) -> None:
        self.a, self.b, self.groups, self.rejects = a, b, groups, rejects


# The group of what is merged without deciding which rows come: a scalar sub-select, NOT EXISTS,
# an arm of OR. No predicate makes it firm.
SOFT = -1


class Block:
    """One arm of a query; see the module's rules.

    `columns` are what it hands on, by name; `other` is the flow of any name not listed (PIVOT, a
    function's rows). `shown` is what grouping, ordering and thresholds show besides. `rows` are
    the instances whose rows come one by one. `nullable` maps an instance to the outer joins it is
    on the losing side of; `firm` are outer joins that a later predicate makes inner.
    """

    __slots__ = (
        *(
            "added",
            "always",
            "columns",
            "distinct",
            "edges",
            "facts",
            "firm",
            "grouped",
            "instances",
            "nullable",
        ),
        *("once_for", "other", "paged", "rows", "shown", "windowed"),
    )

    def __init__(self) -> None:
        self.columns: list[tuple[str, Flow]] = []
        self.other: Flow | None = None
        self.instances: list[Instance] = []
        self.edges: list[Edge] = []
        self.facts: list[Fact] = []
        self.nullable: dict[Instance, frozenset[int]] = {}
        self.firm: set[int] = set()
        self.shown: Flow = NOTHING
        self.rows: frozenset[Instance] = _NOBODY
        self.added = False
        # There is one row whatever it is made of: sums without GROUP BY.
        self.always = False
        self.distinct = False
        self.paged = False
        # Sources that every window of this block is partitioned by; None: there is no window.
        self.windowed: Sources | None = None
        # Columns that the rows are grouped by as they are.
        self.grouped: Sources = _NONE
        # Columns from outside that its sums are worked out for, once for each.
        self.once_for: Sources = _NONE

    def copy(self) -> Block:
        twin = Block()
        twin.columns, twin.other = list(self.columns), self.other
        twin.absorb(self)
        twin.rows, twin.shown = self.rows, self.shown
        twin.added, twin.distinct, twin.always = self.added, self.distinct, self.always
        twin.windowed, twin.grouped = self.windowed, self.grouped
        twin.once_for = self.once_for
        return twin

    def absorb(self, inner: Block, group: int | None = None) -> None:
        """Take in another block's instances, edges and facts; those of an outer join's losing
        side (`group`) keep what holds among themselves and stop deciding which rows come. What they
        say of rows from outside decides nothing then, nor where the block gives a row whatever it
        finds (`SELECT COUNT(*) … WHERE outer.x = 1`)."""
        if group is not None:
            inner.settle()
        self.instances.extend(inner.instances)
        self.firm |= inner.firm
        self.paged = self.paged or inner.paged
        for instance, groups in inner.nullable.items():
            self.nullable[instance] = self.nullable.get(instance, frozenset()) | groups
        own = set(inner.instances)
        if group is None and inner.always:
            self.edges.extend(
                edge if {edge.a.instance, edge.b.instance} <= own else _loose(edge, own, SOFT)
                for edge in inner.edges
                if {edge.a.instance, edge.b.instance} & own
            )
            self.facts.extend(
                fact if fact.source.instance in own else fact.mentioned() for fact in inner.facts
            )
            return
        if group is None:
            self.edges.extend(inner.edges)
            self.facts.extend(inner.facts)
            return
        self.edges.extend(
            _loose(edge, own, group)
            for edge in inner.edges
            if {edge.a.instance, edge.b.instance} & own
        )
        self.facts.extend(
            fact.loose() if fact.source.instance in own else fact.mentioned()
            for fact in inner.facts
        )
        self.loosen(inner.instances, group)

    def weaken(self, group: int) -> None:
        """All so far becomes the losing side of a RIGHT or FULL join."""
        self.settle()
        own = set(self.instances)
        self.edges = [
            _loose(edge, own, group)
            for edge in self.edges
            if {edge.a.instance, edge.b.instance} & own
        ]
        self.facts = [
            fact.loose() if fact.source.instance in own else fact.mentioned() for fact in self.facts
        ]
        self.loosen(self.instances, group)

    def lose(self, instances: Iterable[Instance], group: int) -> None:
        """Some of the instances become the losing side of an outer join."""
        own = set(instances)
        self.edges = [
            _loose(edge, own, group) if {edge.a.instance, edge.b.instance} & own else edge
            for edge in self.edges
        ]
        self.facts = [fact.loose() if fact.source.instance in own else fact for fact in self.facts]
        self.loosen(own, group)

    def loosen(self, instances: Iterable[Instance], group: int) -> None:
        for instance in instances:
            self.nullable[instance] = self.nullable.get(instance, frozenset()) | {group}

    def settle(self) -> None:
        """A predicate that no NULL passes makes the outer joins of its instance inner."""
        changed = True
        while changed:
            changed = False
            for fact in self.facts:
                if fact.rejects_null and self._fix(fact.source.instance):
                    changed = True
            for edge in self.edges:
                if not edge.rejects or not edge.groups <= self.firm:
                    continue
                if self._fix(edge.a.instance):
                    changed = True
                if self._fix(edge.b.instance):
                    changed = True

    def _fix(self, instance: Instance) -> bool:
        new = {g for g in self.nullable.get(instance, frozenset()) if g >= 0} - self.firm
        self.firm |= new
        return bool(new)

    def output(self) -> Flow:
        return union(flow for _name, flow in self.columns) | (self.other or NOTHING)


def _loose(edge: Edge, own: set[Instance], group: int) -> Edge:
    """The edge as the losing side of `group` keeps it: pins come in, they do not go out."""
    inside_a, inside_b = edge.a.instance in own, edge.b.instance in own
    if inside_a and inside_b:
        return Edge(edge.a, edge.b, edge.groups, False)
    if inside_a:
        return Edge(edge.b, edge.a, edge.groups | {group}, False)
    return Edge(edge.a, edge.b, edge.groups | {group}, False)
