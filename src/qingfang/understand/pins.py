"""Which rows are one patient's, visit's or prescription's: contract rule 3, and its like for units.

Rules this module keeps:

1. A pin is an equality, or at most `MAX_PINS` values, on a column with a key role.
2. It travels over equalities of key columns; one side may have no role (an unlisted link), both
   may not. To a column without role it goes only when that is named like the key, or its table's
   rows go by it. Rows that merely share an item, a prescriber or a flag are not the same patient's.
3. It comes into the losing side of an outer join and never out of it.
4. Equality on all columns of a usage table's known key (`Table.keys`) is a pin: it is one row, and
   so one patient's. That a row is one patient's shows by the table's patient, visit or prescription
   column. A table without (figures by month) has no such rows, and a key that itself holds an item,
   a prescriber or a department asks for them.
5. A constant list (VALUES, an array) joined to a key is a pin.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from qingfang.understand.catalogue import (
    DEPARTMENT_ROLES,
    ITEM_ROLES,
    KEY_ROLES,
    PRESCRIBER_ROLES,
    Table,
)
from qingfang.understand.flows import Block, Edge, Flow, Instance, Source
from qingfang.understand.holding import MAX_PINS
from qingfang.understand.predicates import Fact

ROW = "row"
"""The role of a pin by a key of a table's own (`Table.keys`)."""
_UNIT_ROLES = DEPARTMENT_ROLES | {"unit_id"}
# A key with one of these asks who, or what; one with a patient, visit or prescription is a pin anyway.
_NO_ROW = ITEM_ROLES | PRESCRIBER_ROLES | _UNIT_ROLES | KEY_ROLES | {"item_class", "item_kind"}


def is_pin(fact: Fact) -> bool:
    return fact.fixes and fact.source.role in KEY_ROLES and 0 < len(fact.values) <= MAX_PINS


def row_keys(table: Table) -> list[frozenset[str]]:
    """The keys by which one row of one patient is opened (rule 4)."""
    if table.kind != "usage" or not table.has_role(KEY_ROLES):
        return []
    return [
        key
        for key in table.keys
        if _NO_ROW.isdisjoint(table.columns[column] for column in key)
        and any(table.columns[column] is None for column in key)
    ]


def keyed(block: Block) -> list[Fact]:
    """Facts that fix a key of a usage table: for each such key the one with most values."""
    found: list[Fact] = []
    for instance in dict.fromkeys(block.instances):
        table = instance.table
        keys = row_keys(table) if table is not None else []
        if not keys:
            continue
        fixed = {
            fact.source.column: fact
            for fact in block.facts
            if fact.fixes and fact.source.instance is instance and fact.values
        }
        for key in keys:
            if not key <= fixed.keys():
                continue
            facts = [fixed[column] for column in sorted(key)]
            if math.prod(len(fact.values) for fact in facts) <= MAX_PINS:
                found.append(max(facts, key=lambda fact: len(fact.values)))
    return found


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
    seeds |= {fact.source.instance for fact in keyed(block)}
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
    if None not in roles or not roles & KEY_ROLES or one.instance is other.instance:
        return False
    return other.role is not None or _links(other, one)


def _links(source: Source, key: Source) -> bool:
    """Whether a column without role may link its rows to a key's: it is named like that, or its rows
    go by it. A flag that happens to equal the key would bring all rows that have it."""
    table = source.instance.table
    if table is None or source.column == next(iter(table.columns), None):
        return True
    if any(source.column in columns for columns in table.keys):
        return True
    return source.column.endswith(key.column) or key.column.endswith(source.column)


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
