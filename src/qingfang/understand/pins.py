"""Which rows are one patient's, visit's or prescription's: contract rule 3, and its like for units.

Rules this module keeps:

1. A pin is an equality, or at most `MAX_PINS` values, on a column with a key role.
2. It travels over equalities of key columns; one side may have no role (an unlisted link), both
   may not. Rows that merely share an item, a prescriber or a flag are not the same patient's.
3. It comes into the losing side of an outer join and never out of it.
4. A constant list (VALUES, an array) joined to a key is a pin.
"""

from __future__ import annotations

from collections.abc import Callable

from qingfang.understand.catalogue import DEPARTMENT_ROLES, KEY_ROLES
from qingfang.understand.flows import Block, Edge, Flow, Instance, Source
from qingfang.understand.holding import MAX_PINS
from qingfang.understand.predicates import Fact

_UNIT_ROLES = DEPARTMENT_ROLES | {"unit_id"}


def is_pin(fact: Fact) -> bool:
    return fact.fixes and fact.source.role in KEY_ROLES and 0 < len(fact.values) <= MAX_PINS


def listed(block: Block) -> list[tuple[Fact, Source]]:
    """Constant lists that are joined to a key column, with this column."""
    lists = {
        fact.source: fact
        for fact in block.facts
        if fact.fixes and fact.source.instance.table is None and len(fact.values) <= MAX_PINS
    }
    if not lists:
        return []
    return [
        (lists[one], other)
        for edge in block.edges
        for one, other in _ways(edge, block)
        if one in lists and other.role in KEY_ROLES
    ]


def pinned(block: Block) -> frozenset[Instance]:
    """The instances whose rows are all pinned."""
    seeds = {fact.source.instance for fact in block.facts if is_pin(fact)}
    seeds |= {key.instance for _fact, key in listed(block)}
    return spread(block, seeds, _carries_key)


def spread(
    block: Block, seeds: set[Instance], carries: Callable[[Source, Source], bool]
) -> frozenset[Instance]:
    """The instances reached from `seeds` over edges that `carries` accepts."""
    reached = set(seeds)
    changed = True
    while changed:
        changed = False
        for edge in block.edges:
            for one, other in _ways(edge, block):
                if (
                    one.instance in reached
                    and other.instance not in reached
                    and carries(one, other)
                ):
                    reached.add(other.instance)
                    changed = True
    return frozenset(reached)


def _ways(edge: Edge, block: Block) -> list[tuple[Source, Source]]:
    ways = [(edge.a, edge.b)]
    if edge.groups <= block.firm:
        ways.append((edge.b, edge.a))
    return ways


def _carries_key(one: Source, other: Source) -> bool:
    roles = {one.role, other.role}
    if roles <= KEY_ROLES:
        return True
    return None in roles and bool(roles & KEY_ROLES) and one.instance is not other.instance


def carries_unit(one: Source, other: Source) -> bool:
    """Rows of one unit or department: what links them is a key, or the unit itself."""
    if _carries_key(one, other):
        return True
    roles = {one.role, other.role}
    return roles <= _UNIT_ROLES or (None in roles and bool(roles & _UNIT_ROLES))


def pinned_member(block: Block, shown: Flow) -> bool:
    """Whether a sub-select's value is a key of pinned rows."""
    member = shown.member
    return member is not None and member.role in KEY_ROLES and member.instance in pinned(block)
