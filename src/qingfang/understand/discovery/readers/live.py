"""A live database read through its driver: the dictionary first, then a few rows a table.

Rules this module keeps:

1. It only reads, statement by statement, each with a time limit; what cannot be read, or not in
   time, is named in `Schema.notes` and the rest is kept. Without the columns there is nothing.
2. Rows are sampled from a bounded number of rows of one table at a time; all values are read only
   of a few columns of tables small enough to be a list of drugs, staff or departments.
3. Sampled values stay in memory; no log and no note holds one.
4. A driver's error reaches a person without password and without values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from qingfang.language import _
from qingfang.understand.discovery import dictionary
from qingfang.understand.discovery.facts import Column, Schema, Table
from qingfang.understand.discovery.propose import shape

SAMPLE_ROWS: Final = 500
SAMPLE_VALUES: Final = 40
LIST_ROWS: Final = 20_000
LIST_COLUMNS: Final = 3
LONGEST_VALUE: Final = 64
LIMIT_S: Final = 5
"""Seconds a statement on a table may take; the dictionary's own may take `PATIENCE_S`."""
PATIENCE_S: Final = 120

Progress = Callable[[int, int], None]
"""Called with (tables sampled, tables in all)."""


class Unreachable(Exception):
    """The database could not be read; the message is for the person who started it."""


class Cursor(Protocol):
    """What is used of a PEP 249 cursor."""

    def execute(self, operation: str, /) -> Any: ...
    def fetchall(self) -> Sequence[Sequence[Any]]: ...


class Dialect(Protocol):
    """How one database is asked."""

    name: str
    """`mysql`, `oracle`, `tsql` or `postgres`."""
    errors: type[Exception]
    """What its driver raises."""

    def quote(self, name: str) -> str:
        """An identifier, quoted."""
        ...

    def text(self, column: str, length: int) -> str:
        """The expression for the first `length` characters of a quoted column as text."""
        ...

    def first(self, columns: str, table: str, rows: int) -> str:
        """A query for that many rows of a quoted table."""
        ...


def read(
    cursor: Cursor,
    dialect: Dialect,
    name: str,
    progress: Progress | None = None,
    *,
    samples: bool = True,
) -> Schema:
    """The facts of the database behind an open cursor; without `samples` no table is read. Raises Unreachable when its columns cannot
    be read."""
    results: dict[str, Sequence[Sequence[Any]]] = {}
    unread: list[str] = []
    for result, sql in dictionary.QUERIES[dialect.name].items():
        if not sql:
            continue
        try:
            cursor.execute(sql)
            results[result] = cursor.fetchall()
        except dialect.errors as error:
            if result == "columns":
                raise Unreachable(why(error)) from None
            unread.append(result)
    schema = dictionary.build(results, dialect.name, name)
    if unread:
        schema.notes.append(_("读不了字典：{}").format("、".join(unread)))
    if not samples:
        return schema
    owners = {tuple(map(str, row[:2])) for row in results["columns"]}
    where = {}
    for owner, table in owners:
        full = next((n for n in (f"{owner}.{table}", table) if n in schema.tables), "")
        where[full] = f"{dialect.quote(owner)}.{dialect.quote(table)}"
    refused: list[str] = []
    for done, (full, table) in enumerate(schema.tables.items(), start=1):
        try:
            sample(cursor, dialect, table, where[full])
        except dialect.errors:
            refused.append(full)
        if progress is not None:
            progress(done, len(schema.tables))
    if refused:
        schema.notes.append(_("未能取样（无权限或超时）：{}").format("、".join(sorted(refused))))
    return schema


def why(error: Exception) -> str:
    """An error as one sentence for a person. Drivers name host and account, never the password."""
    text = str(error).strip().splitlines()
    return _("连不上或读不了数据库：{}").format(text[0] if text else type(error).__name__)


def sample(cursor: Cursor, dialect: Dialect, table: Table, where: str) -> None:
    """Put some rows of a table into it, and, when it is small, all values of its first columns.
    Raises the driver's error."""
    columns = [c for c in table.columns.values() if shape(c.type) in _SHOWN]
    if not columns:
        return
    cursor.execute(dialect.first(_texts(dialect, columns), where, SAMPLE_ROWS))
    rows = [
        ["" if cell is None else str(cell).strip() for cell in row] for row in cursor.fetchall()
    ]
    table.sampled = tuple(c.name for c in columns)
    table.rows = tuple(map(tuple, rows))
    for i, column in enumerate(columns):
        if shape(column.type) in _WORDS:
            seen = dict.fromkeys(row[i] for row in rows if row[i])
            column.samples = tuple(seen)[:SAMPLE_VALUES]
    listed = _listing(table, columns)
    if listed:
        cursor.execute(dialect.first(_texts(dialect, listed), where, LIST_ROWS + 1))
        found = cursor.fetchall()
        if len(found) <= LIST_ROWS:
            for i, column in enumerate(listed):
                values = (str(row[i]).strip() for row in found if row[i] is not None)
                table.members[column.name] = frozenset(v for v in values if v)


_WORDS: Final = frozenset({"char", "text", ""})
_SHOWN: Final = frozenset({*_WORDS, "integer", "decimal", "bool"})


def _texts(dialect: Dialect, columns: list[Column]) -> str:
    return ", ".join(dialect.text(dialect.quote(c.name), LONGEST_VALUE) for c in columns)


def _listing(table: Table, columns: list[Column]) -> list[Column]:
    """The columns by which a table of things names them: keys of one column, the first texts."""
    single = {key[0] for key in table.keys if len(key) == 1}
    found = [c for c in columns if c.name in single]
    found += [c for c in columns if shape(c.type) == "char" and c.name not in single]
    return found[:LIST_COLUMNS]
