"""Of which kinds the items may be whose use a block reveals: drugs, ordinary or high-value consumables.

Rules this module keeps:

1. Every kind is possible until the catalogue and the statement together rule it out. What a table
   says of its rows (`Table.item_kind`) is held against what the statement asks of every one of them.
2. Only facts that every row of use passes count. What an outer join's ON or a sub-select asks of its
   own rows holds for those that come, and never for rows of the side that is kept.
3. A dictionary tells the kind of a row of use only through an equality of their item codes that
   every such row passes: a row that is matched, looked up or left out by the equality has its
   partner, a row that is kept anyway may have none.
4. Kinds that rule each other out altogether mean that the catalogue is wrong there: then every kind
   is possible.
"""

from __future__ import annotations

from collections.abc import Iterable

from qingfang.understand.catalogue import Table
from qingfang.understand.definition import DRUG, EVERY_KIND, HIGH_VALUE
from qingfang.understand.flows import Block, Instance
from qingfang.understand.folding import Reading
from qingfang.understand.predicates import Fact, truth

_CODE = "item_id"


def possible(block: Block, holders: Iterable[Instance], reading: Reading) -> frozenset[str]:
    """The kinds, out of `EVERY_KIND`, that the rows of `holders` may be about. No holder: any."""
    found: set[str] = set()
    for holder in holders:
        found |= _of(block, holder, reading)
        if found == EVERY_KIND:
            break
    return frozenset(found) or EVERY_KIND


def _of(block: Block, holder: Instance, reading: Reading) -> frozenset[str]:
    left = EVERY_KIND
    for instance in _linked(block, holder):
        table = instance.table
        if table is None or not table.item_kind:
            continue
        facts = [f for f in block.facts if f.source.instance is instance and _tells(f)]
        left &= _left(table, facts, reading)
    return left or EVERY_KIND


def _tells(fact: Fact) -> bool:
    """A column that is NULL may be the grand total of a ROLLUP, which is about all rows."""
    return fact.op != "null" or fact.negated


def _linked(block: Block, holder: Instance) -> set[Instance]:
    """The instance itself, and those of which each of its rows has one about the same item
    (rule 3)."""
    reached = {holder}
    waiting = [holder]
    while waiting:
        here = waiting.pop()
        for edge in block.edges:
            if edge.a.role != _CODE or edge.b.role != _CODE:
                continue
            ways = [(edge.b, edge.a)]
            if edge.groups <= block.firm:
                ways.append((edge.a, edge.b))
            for one, other in ways:
                if one.instance is here and other.instance not in reached:
                    reached.add(other.instance)
                    waiting.append(other.instance)
    return reached


def _left(table: Table, facts: list[Fact], reading: Reading) -> frozenset[str]:
    """The kinds that a table's rows may still be of."""
    answers: dict[str, bool | None] = {}
    for kind, predicate in table.item_kind.items():
        answers[kind] = True if predicate is None else truth(predicate, facts, reading)
    left = set(EVERY_KIND)
    if answers.get("drug") is True:
        left &= {DRUG}
    elif answers.get("drug") is False:
        left -= {DRUG}
    if answers.get("consumable") is True:
        left -= {DRUG}
    elif answers.get("consumable") is False:
        left &= {DRUG}
    if answers.get("high_value") is True:
        left &= {HIGH_VALUE}
    elif answers.get("high_value") is False:
        left -= {HIGH_VALUE}
    return frozenset(left)
