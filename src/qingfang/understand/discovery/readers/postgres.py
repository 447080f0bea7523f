"""Facts of a live PostgreSQL: columns, comments, keys, views, routines, and a few values a column.

Rules this module keeps:

1. It only reads: the session is read-only, and every statement has a time limit.
2. Values are sampled from a bounded number of rows of one table at a time; a table that cannot be
   read, or not in time, is named in `Schema.notes` and keeps its other facts.
3. Sampled values stay in memory; no log and no note holds one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import psycopg
from psycopg import sql

from qingfang.language import _
from qingfang.understand.discovery.facts import Column, ForeignKey, Schema, Table
from qingfang.understand.discovery.propose import shape

SAMPLE_ROWS: Final = 200
SAMPLE_VALUES: Final = 40
STATEMENT_LIMIT: Final = "5s"
_LONGEST_VALUE: Final = 64

_COLUMNS: Final = """
SELECT n.nspname, c.relname, c.relkind::text, coalesce(obj_description(c.oid, 'pg_class'), ''),
       a.attname, format_type(a.atttypid, a.atttypmod),
       coalesce(col_description(c.oid, a.attnum), '')
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_t%'
ORDER BY 1, 2, a.attnum
"""
_KEYS: Final = """
SELECT n.nspname, c.relname, k.contype::text,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(no, i)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.no ORDER BY u.i),
       fn.nspname, f.relname,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(no, i)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.no ORDER BY u.i)
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class f ON f.oid = k.confrelid
LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
WHERE k.contype IN ('p', 'f')
"""
# Constraints and indexes alike; one over a part of the rows only, or of expressions, is no key.
_UNIQUE: Final = """
SELECT n.nspname, c.relname,
       ARRAY(SELECT a.attname::text FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY u(no, i)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.no ORDER BY u.i)
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indisunique AND i.indisvalid AND NOT i.indisprimary
  AND i.indpred IS NULL AND i.indexprs IS NULL
ORDER BY i.indexrelid
"""
_VIEWS: Final = """
SELECT n.nspname, c.relname, pg_get_viewdef(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_t%'
"""
_ROUTINES: Final = """
SELECT n.nspname, p.proname, pg_get_functiondef(p.oid)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE p.prokind IN ('f', 'p') AND l.lanname IN ('sql', 'plpgsql')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""

Progress = Callable[[int, int], None]
"""Called with (tables sampled, tables in all)."""


class Unreachable(Exception):
    """The database could not be read; the message is for the person who started it."""


def read(dsn: str, *, progress: Progress | None = None) -> Schema:
    """The facts of the database at `dsn` (a libpq connection string or URL). Raises Unreachable."""
    try:
        with psycopg.connect(dsn, connect_timeout=10, autocommit=True) as connection:
            return _read(connection, progress)
    except psycopg.Error as error:
        # psycopg's message names host, port and role, never the password.
        text = str(error).strip().splitlines()
        raise Unreachable(
            _("连不上或读不了数据库：{}").format(text[0] if text else type(error).__name__)
        ) from None


def _read(connection: psycopg.Connection[Any], progress: Progress | None) -> Schema:
    connection.execute("SELECT set_config('statement_timeout', %s, false)", [STATEMENT_LIMIT])
    connection.execute("SET default_transaction_read_only = on")
    connection.execute("SET application_name = 'qingfang discover'")
    schema = Schema(name=connection.info.dbname, dialect="postgres")
    rows = connection.execute(_COLUMNS).fetchall()
    where: dict[str, tuple[str, str]] = {}
    for owner, name, _kind, comment, column, type_, about in rows:
        full = _name(owner, name)
        table = schema.tables.get(full)
        if table is None:
            table = schema.tables[full] = Table(full, comment)
            where[full] = (owner, name)
        table.columns[column] = Column(column, type_, about)
    for owner, name, kind, columns, to_owner, to_name, to_columns in connection.execute(_KEYS):
        table = schema.tables.get(_name(owner, name))
        if table is None:
            continue
        if kind == "p":
            table.key = tuple(columns)
        else:
            to = _name(to_owner, to_name)
            table.foreign.append(ForeignKey(tuple(columns), to, tuple(to_columns)))
    for owner, name, columns in connection.execute(_UNIQUE):
        table = schema.tables.get(_name(owner, name))
        if table is not None:
            table.unique.append(tuple(columns))
    for owner, name, text in connection.execute(_VIEWS):
        schema.views[_name(owner, name)] = text.strip().rstrip(";")
    for owner, name, text in connection.execute(_ROUTINES):
        schema.routines[_name(owner, name)] = text
    unread: list[str] = []
    for done, (full, table) in enumerate(schema.tables.items(), start=1):
        try:
            _sample(connection, table, where[full])
        except psycopg.Error:
            unread.append(full)
        if progress is not None:
            progress(done, len(schema.tables))
    if unread:
        schema.notes.append(_("未能取样（无权限或超时）：{}").format("、".join(sorted(unread))))
    return schema


def _name(owner: str, name: str) -> str:
    return name if owner == "public" else f"{owner}.{name}"


def _sample(connection: psycopg.Connection[Any], table: Table, where: tuple[str, str]) -> None:
    columns = [c for c in table.columns.values() if shape(c.type) in {"char", "text", ""}]
    if not columns:
        return
    query = sql.SQL("SELECT {} FROM {} LIMIT {}").format(
        sql.SQL(", ").join(
            sql.SQL("left({}::text, {})").format(sql.Identifier(c.name), _LONGEST_VALUE)
            for c in columns
        ),
        sql.Identifier(*where),
        SAMPLE_ROWS,
    )
    rows = connection.execute(query).fetchall()
    for i, column in enumerate(columns):
        seen = dict.fromkeys(row[i] for row in rows if row[i])
        column.samples = tuple(seen)[:SAMPLE_VALUES]
