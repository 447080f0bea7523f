"""What views and routines say about columns: which are joined, and what they are called there.

Hospital schemas seldom declare foreign keys; their views and reports join all the same, and give
`f3` the name 开单医生.

Rules this module keeps:

1. A source that cannot be parsed says nothing; nothing is guessed from its text.
2. An equality counts only between columns of two tables of the schema, wherever it stands in a
   query; a name counts only when it is the alias of a bare column.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from qingfang.understand.discovery.facts import Schema
from qingfang.understand.procedures import queries_of


class Column(NamedTuple):
    table: str
    name: str


class Said(NamedTuple):
    """`joined`: pairs of columns that are equal somewhere, with the source's name; `called`:
    columns with the alias they get."""

    joined: list[tuple[Column, Column, str]]
    called: list[tuple[Column, str, str]]


def read(schema: Schema) -> Said:
    """What all views and routines of a schema say."""
    said = Said([], [])
    for name, tree in _queries(schema):
        for select in tree.find_all(exp.Select):
            tables = _tables(select, schema)
            if tables:
                _read(select, tables, schema, name, said)
    return said


def _queries(schema: Schema) -> Iterator[tuple[str, exp.Expr]]:
    for name, text in schema.views.items():
        try:
            tree = sqlglot.parse_one(text, dialect=schema.dialect)
        except (SqlglotError, RecursionError):
            continue
        yield name, tree
    for name, text in schema.routines.items():
        for tree in queries_of(text, schema.dialect).queries:
            yield name, tree


def _tables(select: exp.Select, schema: Schema) -> dict[str, str]:
    """The tables of the schema that a SELECT reads itself, by the name they go by in it."""
    found: dict[str, str] = {}
    sources = [select.args.get("from_"), *(select.args.get("joins") or [])]
    for source in sources:
        table = source.this if source is not None else None
        if not isinstance(table, exp.Table):
            continue
        parts = [part.name for part in table.parts if part.name]
        exact = (schema.table(".".join(parts[n:])) for n in range(len(parts)))
        known = next((t.name for t in exact if t is not None), None)
        known = known or _by_last(schema, table.name)
        if known is not None:
            found[(table.alias or table.name).lower()] = known
    return found


def _by_last(schema: Schema, name: str) -> str | None:
    hits = [n for n in schema.tables if n.rsplit(".", 1)[-1].lower() == name.lower()]
    return hits[0] if len(hits) == 1 else None


def _read(
    select: exp.Select, tables: dict[str, str], schema: Schema, source: str, said: Said
) -> None:
    def column_of(node: exp.Expr) -> Column | None:
        if not isinstance(node, exp.Column):
            return None
        wanted = node.name.lower()
        names = [tables[node.table.lower()]] if node.table.lower() in tables else []
        if not node.table:
            names = list(tables.values())
        hits = [
            Column(table, column)
            for table in dict.fromkeys(names)
            for column in schema.tables[table].columns
            if column.lower() == wanted
        ]
        return hits[0] if len(hits) == 1 else None

    for node in select.find_all(exp.EQ):
        one, other = column_of(node.this), column_of(node.expression)
        if one is not None and other is not None and one.table != other.table:
            said.joined.append((one, other, source))
    for item in select.expressions:
        if isinstance(item, exp.Alias):
            column = column_of(item.this)
            if column is not None and item.alias.lower() != column.name.lower():
                said.called.append((column, item.alias, source))
