"""What sampled rows say about columns: which list their values come from, what they stand for, and
which values of a category mean drugs.

Rules this module keeps:

1. Rows in, words out; no value leaves but the codes of a category.
2. Few values, or plain small numbers, say nothing: surrogate numbers are in every list.
3. Samples can only suggest: what comes from here alone is never sure (below `review.SURE`).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from qingfang.understand.discovery.facts import Table

LEAST_VALUES: Final = 4
INCLUDED: Final = 0.95
_SMALL_NUMBER: Final = re.compile(r"\d{1,4}")


def column(table: Table, name: str) -> list[str]:
    """The sampled values of a column, row by row."""
    if name not in table.sampled:
        return []
    at = table.sampled.index(name)
    return [row[at] for row in table.rows]


def telling(values: list[str]) -> frozenset[str]:
    """The distinct values, when they can tell a list from another; none otherwise."""
    distinct = frozenset(v for v in values if v)
    if len(distinct) < LEAST_VALUES or all(_SMALL_NUMBER.fullmatch(v) for v in distinct):
        return frozenset()
    return distinct


def is_from(values: frozenset[str], members: frozenset[str]) -> bool:
    """Whether nearly all values are members of a list."""
    return bool(values) and len(values & members) >= INCLUDED * len(values)


def stands_for(table: Table, one: str, other: str) -> bool:
    """Whether, in the sample, each value of `one` goes with one value of `other` and the reverse,
    often enough not to be chance: at least three values, each seen thrice on average."""
    pairs = Counter(
        (a, b) for a, b in zip(column(table, one), column(table, other), strict=True) if a and b
    )
    if not pairs:
        return False
    left, right = {a for a, _ in pairs}, {b for _, b in pairs}
    enough = len(pairs) >= 3 and pairs.total() >= 3 * len(pairs)
    return enough and len(left) == len(right) == len(pairs)


def drug_categories(
    table: Table, category: str, item: str, drugs: frozenset[str]
) -> tuple[str, ...]:
    """The values of a category whose items are nearly all in the lists of drugs and consumables;
    none when that does not tell them from the others."""
    share = _shares(table, category, item, drugs)
    yes = tuple(sorted(value for value, part in share.items() if part >= 0.9))
    return yes if len(yes) < len(share) else ()


def kinds_of_categories(
    table: Table, category: str, item: str, drugs: frozenset[str], consumables: frozenset[str]
) -> dict[str, str]:
    """The values of a category whose items are nearly all in the lists of drugs, or nearly all in
    those of consumables; empty when either list does not tell its own from the others."""
    found: dict[str, str] = {}
    for kind, listed in (("drug", drugs - consumables), ("consumable", consumables - drugs)):
        for value, part in _shares(table, category, item, listed).items():
            if part >= 0.9:
                found[value] = kind
    return found


def _shares(table: Table, category: str, item: str, listed: frozenset[str]) -> dict[str, float]:
    """The share of listed items among those of each value; empty when it is not clear of any."""
    items: dict[str, set[str]] = {}
    for value, code in zip(column(table, category), column(table, item), strict=True):
        if value and code:
            items.setdefault(value, set()).add(code)
    if not 2 <= len(items) <= 30:
        return {}
    share = {value: len(codes & listed) / len(codes) for value, codes in items.items()}
    return share if all(part >= 0.9 or part <= 0.1 for part in share.values()) else {}


_LEGEND: Final = re.compile(
    r"(?<![A-Za-z0-9])([A-Za-z0-9]{1,8})\s*[-－—:：=＝.、]?\s*([\u4e00-\u9fff]{1,12})"
)


def legend(comment: str) -> dict[str, str]:
    """What a comment says the values mean: `业务类型：01入库 02消耗` → 01 入库, 02 消耗. Empty when
    it names fewer than two."""
    found = dict(_LEGEND.findall(comment))
    return found if len(found) > 1 else {}
