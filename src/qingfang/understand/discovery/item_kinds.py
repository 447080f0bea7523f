"""Which rows are drugs, consumables or high-value consumables: what discovery asks, and its line.

Rules this module keeps:

1. Asked only where something tells consumables apart; of a table that cannot, the answer changes
   nothing.
2. A value whose meaning nobody wrote down and no sample shows is never guessed: the line is asked
   empty then.
3. The line is `drug: PREDICATE; consumable: true; high_value: PREDICATE`, any of them missing; it is
   read back as the catalogue's `item_kind` and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from qingfang.understand.catalogue import ITEM_KINDS, CatalogueError
from qingfang.understand.discovery import lexicon, values
from qingfang.understand.discovery.facts import Column, Table

_HEAD: Final = re.compile(r"(?:^|;)\s*([a-z_]+)\s*[:：]\s*")
_FORM: Final = "应写作「drug: 条件; consumable: true; high_value: 条件」，可以只写其中几项"


def text_of(kinds: Mapping[str, object]) -> str:
    """The catalogue's `item_kind` as a line."""
    return "; ".join(f"{k}: {'true' if p is True else p}" for k, p in kinds.items())


def read(text: str) -> dict[str, str | bool]:
    """The line as the catalogue's `item_kind`; its predicates are not parsed. Raises
    `CatalogueError`."""
    heads = list(_HEAD.finditer(text))
    if not heads or text[: heads[0].start()].strip():
        raise CatalogueError("item_kind", f"{_FORM}，现为 {text}")
    found: dict[str, str | bool] = {}
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends, strict=True):
        kind, rows = head[1], text[head.end() : end].strip().rstrip(";").rstrip()
        if kind not in ITEM_KINDS:
            problem = f"没有 {kind} 这一类；可用：{'、'.join(ITEM_KINDS)}"
            raise CatalogueError("item_kind", problem)
        if kind in found or not rows:
            raise CatalogueError("item_kind", f"{_FORM}；{kind} 写了两次或没有写条件")
        found[kind] = True if rows.lower() == "true" else rows
    return found


def standing(entry: Mapping[str, Any]) -> dict[str, object]:
    """What a table's entry of a catalogue says, at the table and at its columns."""
    found: dict[str, object] = {}
    for role in entry.get("columns", {}).values():
        if isinstance(role, dict):
            found.update(role)
    said = entry.get("item_kind", {})
    found.update({said: True} if isinstance(said, str) else said)
    return found


def guess(
    table: Table,
    category: Column,
    item: str | None,
    drugs: frozenset[str],
    consumables: frozenset[str],
    literal: Callable[[tuple[str, ...], Column], str],
) -> tuple[dict[str, str | bool], str] | None:
    """What a column that tells kinds says of them, and from where: its legend, its values, or the
    lists that its items are in. None when it does not tell consumables apart; an empty answer
    when it does and its values are not known."""
    if lexicon.says_high_value(category.name, category.comment):
        high = _flag(table, category)
        if high is None:
            return {}, "这一列标明是不是高值耗材，没有取到它的值，请写出高值耗材的取值"
        text = f"{category.name} = {literal((high,), category)}"
        only = {"consumable": True} if lexicon.lists_consumables(table.name, table.comment) else {}
        return {**only, "high_value": text}, "这一列标明是不是高值耗材"
    meant = values.legend(category.comment)
    for said, reason in (
        ({v: lexicon.item_kind(word) for v, word in meant.items()}, "注释写明这些取值是什么"),
        ({v: lexicon.item_kind(v) for v in category.samples if v}, "这些取值像药品、耗材的类别"),
        (
            values.kinds_of_categories(table, category.name, item, drugs, consumables)
            if item is not None
            else {},
            "取样里这些取值的品种都在药品字典或耗材字典里",
        ),
    ):
        if {"consumable", "high_value"} & set(said.values()):
            return _of_values(said, category, literal), reason
    return None


def _of_values(
    said: Mapping[str, str | None],
    column: Column,
    literal: Callable[[tuple[str, ...], Column], str],
) -> dict[str, str | bool]:
    found: dict[str, str | bool] = {}
    for kind, of in (
        ("drug", {"drug"}),
        ("consumable", {"consumable", "high_value"}),
        ("high_value", {"high_value"}),
    ):
        chosen = tuple(sorted(value for value, meant in said.items() if meant in of))
        if chosen:
            found[kind] = f"{column.name} IN ({literal(chosen, column)})"
    return found


_YES: Final = {"1": "1", "y": "Y", "t": "T", "true": "true", "是": "是", "yes": "yes"}
_NO: Final = {"0": "1", "n": "Y", "f": "T", "false": "true", "否": "是", "no": "yes"}


def _flag(table: Table, column: Column) -> str | None:
    """The value that means yes; None when it cannot be known."""
    for value, word in values.legend(column.comment).items():
        if word == "是" or lexicon.item_kind(word) == "high_value":
            return value
    sampled = column.samples or tuple(dict.fromkeys(values.column(table, column.name)))
    seen = [value for value in sampled if value.strip()]
    marks = {value.strip().casefold() for value in seen}
    yes = [value.strip() for value in seen if value.strip().casefold() in _YES]
    others = marks - set(_YES)
    if len(yes) == 1 and (others <= set(_NO) or others <= {"2"}):
        return yes[0]
    if not yes and len(marks) == 1 and marks <= set(_NO):
        no = seen[0].strip()
        return _spelled(_NO[no.casefold()], no)
    return "1" if _TRUTHS.match(column.type) and not seen else None


_TRUTHS: Final = re.compile(r"bool|bit\b|tinyint\(1\)", re.IGNORECASE)


def _spelled(word: str, like: str) -> str:
    """Capital or small, as the other value."""
    return word.lower() if like.islower() else word.capitalize() if len(like) > 1 else word


def about(columns: Iterable[Column]) -> list[Column]:
    """The columns that may tell the kinds of a table's items, the surest first: a flag of high
    value, then categories."""
    found = list(columns)
    return sorted(found, key=lambda c: not lexicon.says_high_value(c.name, c.comment))
