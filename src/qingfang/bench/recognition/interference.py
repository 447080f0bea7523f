"""Truth by interference: does what a session received depend on who used what?

A session runs on a small database, and again on copies in which records have swapped (P) their
prescriber, (D) their department, (I) their item, (A) their amount, within pairs, so that every
column keeps its values. If what came back differs, the receiver learns that association.

Rules this module keeps:

1. A session reveals usage if it notices I and one of P and D. No label is consulted.
2. What came back is every statement's rows, in order only where the statement asks for an order,
   and the content of what the session stored.
3. What cannot be executed is said with its reason, never guessed. SQLite executes what sqlglot can
   translate; PostgreSQL's texts that it cannot go to an embedded server, if there is one.
4. A copy is asked only until the change shows: the answer is cached by the executed text.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import sqlglot
from msgspec import Struct
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from qingfang.bench.recognition import data
from qingfang.bench.recognition.schema import Schema, ddl, schema
from qingfang.bench.recognition.texts import without_comments

Swap = Literal["P", "D", "I", "A"]
SWAPS: tuple[Swap, ...] = ("P", "D", "I", "A")
_COPIES = 3
_SWAPPED: dict[Swap, tuple[str, ...]] = {
    "P": ("doctor", "room"),
    "D": ("dept",),
    "I": ("item", "batch", "price", "name"),
    "A": ("qty", "amount"),
}
_USAGE = ("rx", "line", "line_hist", "use", "use_line", "use_hist")
_MIXED = ("order", "charge", "disp", "ins", "ledger")
_STORED = ("msg", "scratch")
_STEPS = 2_000_000

Answer = list[object]


class Truth(Struct, frozen=True):
    """`noticed` are the swaps that changed what came back; `problem` says why it could not run."""

    noticed: frozenset[str] = frozenset()
    problem: str = ""

    @property
    def executed(self) -> bool:
        return not self.problem

    @property
    def reveals(self) -> bool:
        return "I" in self.noticed and bool({"P", "D"} & self.noticed)


class _CannotRun(Exception):
    """The message says why."""


def swapped(of: Schema, swap: Swap, seed: int) -> data.Rows:
    """The rows of `data.rows` with half of the records' identities exchanged in pairs. Within mixed
    tables a pair is of the same kind of row."""
    rows = data.rows(of)
    chance = random.Random(f"{swap}{seed}")
    for name in (*_USAGE, *_MIXED):
        table = rows[name]
        columns = [c for c in _SWAPPED[swap] if table and c in table[0]]
        if not columns:
            continue
        kind = (
            "kind" if name in _MIXED and "kind" in table[0] else "biz" if name == "ledger" else ""
        )
        groups: dict[object, list[dict[str, data.Value]]] = {}
        for row in table:
            groups.setdefault(row[kind] if kind else None, []).append(row)
        for group in groups.values():
            chance.shuffle(group)
            half = len(group) // 2
            for one, other in zip(group[:half], group[half:], strict=False):
                for column in columns:
                    one[column], other[column] = other[column], one[column]
    return rows


class Laboratory:
    """Databases of the dialects, and what sessions reveal on them. A context manager."""

    def __init__(self, *, server: bool = True) -> None:
        self._wanted = server
        self._sqlite: dict[str, _Lite] = {}
        self._server: _Postgres | None = None
        self._why_no_server = "" if server else "没有启动内置 PostgreSQL"
        self._known: dict[bytes, Truth] = {}

    def __enter__(self) -> Laboratory:
        return self

    def __exit__(self, *_error: object) -> None:
        for lite in self._sqlite.values():
            lite.close()
        if self._server is not None:
            self._server.close()

    def truth(self, statements: Sequence[str], dialect: str) -> Truth:
        """What the statements, run in order as one session, reveal."""
        key = hashlib.sha256("\0".join((dialect, *statements)).encode()).digest()
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._find(statements, dialect)
        return found

    def _find(self, statements: Sequence[str], dialect: str) -> Truth:
        if dialect not in self._sqlite:
            self._sqlite[dialect] = _Lite(schema(dialect))
        try:
            return _compare(self._sqlite[dialect].runner(statements))
        except _CannotRun as error:
            if dialect != "postgres":
                return Truth(problem=str(error))
        server = self._started()
        if server is None:
            return Truth(problem=self._why_no_server)
        try:
            return _compare(server.runner(statements))
        except _CannotRun as error:
            return Truth(problem=str(error))

    def _started(self) -> _Postgres | None:
        if self._server is None and not self._why_no_server:
            try:
                self._server = _Postgres(schema("postgres"))
            except Exception as error:
                self._why_no_server = f"内置 PostgreSQL 没有起来：{error}"
        return self._server


def _compare(run: Callable[[str], Answer]) -> Truth:
    """`run` answers for the untouched database ("") and for the copies ("P0", "P1", …)."""
    before = run("")
    noticed = {swap for swap in SWAPS if any(run(f"{swap}{n}") != before for n in range(_COPIES))}
    return Truth(frozenset(noticed))


def _copies() -> Iterable[tuple[str, Swap | None, int]]:
    yield "", None, 0
    for swap in SWAPS:
        for n in range(_COPIES):
            yield f"{swap}{n}", swap, n


# ---------------------------------------------------------------- SQLite


class _Lite:
    def __init__(self, of: Schema) -> None:
        self.schema = of
        self.copies: dict[str, sqlite3.Connection] = {}
        for name, swap, seed in _copies():
            rows = data.rows(of) if swap is None else swapped(of, swap, seed)
            self.copies[name] = _database(of, rows)
        self.known = _names(self.copies[""])
        self.stored = [of.tables[name].name.rsplit(".", maxsplit=1)[-1] for name in _STORED]

    def close(self) -> None:
        for connection in self.copies.values():
            connection.close()

    def runner(self, statements: Sequence[str]) -> Callable[[str], Answer]:
        translated = [piece for sql in statements for piece in to_sqlite(sql, self.schema.dialect)]
        return lambda copy: self._run(copy, translated)

    def _run(self, copy: str, statements: list[tuple[str, bool]]) -> Answer:
        connection = self.copies[copy]
        answer: Answer = []
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return int(steps > _STEPS // 1000)

        connection.set_progress_handler(count, 1000)
        connection.execute("SAVEPOINT session")
        try:
            for sql, ordered in statements:
                rows = connection.execute(sql).fetchall()
                answer.append(rows if ordered else sorted(rows, key=repr))
            for name in [*self.stored, *sorted(_names(connection) - self.known)]:
                rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()
                answer.append(sorted(rows, key=repr))
        except (sqlite3.Error, OverflowError) as error:
            raise _CannotRun(f"SQLite：{error}") from None
        finally:
            connection.execute("ROLLBACK TO session")
            connection.execute("RELEASE session")
        return answer


def _names(connection: sqlite3.Connection) -> set[str]:
    masters = "SELECT name FROM sqlite_master UNION ALL SELECT name FROM sqlite_temp_master"
    return {row[0] for row in connection.execute(masters)}


def _database(of: Schema, rows: data.Rows) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for name, count, function in _FUNCTIONS:
        connection.create_function(name, count, function, deterministic=True)
    for sql in ddl(of):
        for translated, _ordered in to_sqlite(sql, of.dialect):
            connection.execute(translated)
    for table in of.tables.values():
        marks = ", ".join("?" * len(table.columns))
        name = table.name.rsplit(".", maxsplit=1)[-1]
        values = [data.ordered(table, row) for row in rows[table.logical]]
        connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', values)
    return connection


def to_sqlite(sql: str, dialect: str) -> list[tuple[str, bool]]:
    """The statements of a text in SQLite's dialect, and whether each asks for an order. Raises
    `_CannotRun`."""
    try:
        found = sqlglot.parse(without_comments(sql), dialect=dialect)
        trees = [tree for tree in found if tree is not None]
        out = []
        for tree in trees:
            if isinstance(tree, exp.Command):
                raise _CannotRun(f"SQLite 没有 {tree.name.upper()} 这样的语句")
            plain = tree.transform(_plain, copy=False)
            ordered = isinstance(plain, exp.Query) and plain.args.get("order") is not None
            text = plain.sql(dialect="sqlite", copy=False, unsupported_level=ErrorLevel.RAISE)
            out.append((text, ordered))
    except (SqlglotError, RecursionError, ValueError) as error:
        raise _CannotRun(f"不能翻译：{str(error).splitlines()[0][:80]}") from None
    return out


def _plain(node: exp.Expr) -> exp.Expr:
    """Takes off what SQLite has no word for: schemas, date casts, properties of tables."""
    if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
        node.set("db", None)
        node.set("catalog", None)
        if node.name.startswith("#"):
            node.set("this", exp.to_identifier(node.name.lstrip("#"), quoted=True))
    if isinstance(node, exp.Column):
        node.set("db", None)
        node.set("catalog", None)
    if isinstance(node, exp.Create):
        node.set("properties", None)
    if isinstance(node, exp.Cast) and node.to.is_type("date", "datetime", "timestamp", "datetime2"):
        return node.this
    if isinstance(node, (exp.StrToDate, exp.StrToTime, exp.TsOrDsToDate, exp.DateStrToDate)):
        return node.this
    if isinstance(node, exp.Add) and node.this.is_string and node.expression.is_string:
        return exp.DPipe(this=node.this, expression=node.expression)
    if isinstance(node, exp.WithinGroup):
        return node.this
    if isinstance(node, exp.GroupConcat) and isinstance(node.this, exp.Order):
        node.set("this", node.this.this)
    if isinstance(node, exp.Left):
        return exp.func("SUBSTR", node.this, exp.Literal.number(1), node.expression)
    if isinstance(node, exp.HexString):
        return exp.Literal.string(bytes.fromhex(node.name).decode("utf-8", "replace"))
    if isinstance(node, exp.ToChar):
        return exp.func("SUBSTR", node.this, exp.Literal.number(1), exp.Literal.number(7))
    if isinstance(node, (exp.Trunc, exp.DateTrunc)) and isinstance(node.this, exp.Column):
        return node.this
    return node


def _digest(value: object) -> str:
    return hashlib.sha256(str(value).encode()).hexdigest()


def _concat(*values: object) -> str:
    return "".join("" if value is None else str(value) for value in values)


def _to_char(value: object, form: object = "") -> str:
    """Of a day as text; a number as it is."""
    text = str(value)
    return text[:7] if str(form).upper() == "YYYY-MM" else text


def _decode(*values: object) -> object:
    """Oracle's DECODE."""
    subject, rest = values[0], values[1:]
    for at in range(0, len(rest) - 1, 2):
        if rest[at] == subject:
            return rest[at + 1]
    return rest[-1] if len(rest) % 2 else None


_FUNCTIONS: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("MD5", 1, _digest),
    ("CHECKSUM", 1, _digest),
    ("ORA_HASH", 1, _digest),
    ("CONCAT", -1, _concat),
    ("DECODE", -1, _decode),
    ("TO_CHAR", 1, _to_char),
    ("TO_CHAR", 2, _to_char),
    ("TIME_TO_STR", 2, _to_char),
    ("CHR", 1, lambda n: chr(int(n))),
    ("REVERSE", 1, lambda text: str(text)[::-1]),
    ("LEFT", 2, lambda text, n: str(text)[: int(n)]),
)


# ---------------------------------------------------------------- PostgreSQL


_MADE = b"""SELECT relname FROM pg_class WHERE relkind IN ('r', 'v', 'm')
AND pg_table_is_visible(oid) AND relnamespace <> 'pg_catalog'::regnamespace"""


class _Postgres:
    """Each run is a transaction that is rolled back; a copy is a schema of the database."""

    def __init__(self, of: Schema) -> None:
        import psycopg

        from qingfang.postgres import Server

        self._folder = tempfile.TemporaryDirectory(prefix="qingfang-bench-")
        folder = Path(self._folder.name)
        folder.chmod(0o711)  # the database's user has to pass through
        self._server = Server(folder / "pg")
        self._server.start()
        self._connect = lambda: psycopg.connect(self._server.dsn(), autocommit=True)
        self._busy = psycopg.pq.TransactionStatus.ACTIVE
        self._connection = self._connect()
        self._error = psycopg.Error
        self.stored = [of.tables[name].name for name in _STORED]
        self.known = {*(table.name for table in of.tables.values()), *of.histories}
        for name, swap, seed in _copies():
            rows = data.rows(of) if swap is None else swapped(of, swap, seed)
            self._fill(of, self._schema(name), rows)

    def _schema(self, copy: str) -> str:
        return f"copy_{copy.lower() or 'base'}"

    def _fill(self, of: Schema, name: str, rows: data.Rows) -> None:
        run = self._connection.cursor().execute
        run(f"CREATE SCHEMA {name}".encode())
        run(f"SET search_path TO {name}".encode())
        for sql in ddl(of):
            run(sql.encode())
        for table in of.tables.values():
            marks = ", ".join(["%s"] * len(table.columns))
            values = [data.ordered(table, row) for row in rows[table.logical]]
            if values:
                insert = f"INSERT INTO {table.name} VALUES ({marks})".encode()
                self._connection.cursor().executemany(insert, values)

    def close(self) -> None:
        self._connection.close()
        self._server.stop()
        self._folder.cleanup()

    def runner(self, statements: Sequence[str]) -> Callable[[str], Answer]:
        return lambda copy: self._run(self._schema(copy), statements)

    def _run(self, name: str, statements: Sequence[str]) -> Answer:
        answer: Answer = []
        cursor = self._connection.cursor()
        cursor.execute("BEGIN")
        try:
            cursor.execute(
                f"SET LOCAL search_path TO {name}; SET LOCAL statement_timeout = '5s'".encode()
            )
            for sql in statements:
                cursor.execute(sql.encode())
                if cursor.description is not None:
                    answer.append(sorted(repr(row) for row in cursor.fetchall()))
            cursor.execute(_MADE)
            made = [str(row[0]) for row in cursor.fetchall()]
            for table in [*self.stored, *sorted(set(made) - self.known)]:
                cursor.execute(f'SELECT * FROM "{table}"'.encode())
                answer.append(sorted(repr(row) for row in cursor.fetchall()))
        except self._error as error:
            raise _CannotRun(f"PostgreSQL：{str(error).splitlines()[0]}") from None
        finally:
            # COPY leaves the connection waiting for somebody who takes the rows.
            if self._connection.info.transaction_status == self._busy:
                self._connection.close()
                self._connection = self._connect()
            else:
                cursor.execute("ROLLBACK")
        return answer
