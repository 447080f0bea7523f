"""Facts of a live PostgreSQL, by psycopg. See `live` for what is read."""

from __future__ import annotations

from typing import Any, Final

import psycopg

from qingfang.understand.discovery.facts import Schema
from qingfang.understand.discovery.readers import live


class _PostgreSQL:
    name: str = "postgres"
    errors: type[Exception] = psycopg.Error

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def text(self, column: str, length: int) -> str:
        return f"left({column}::text, {length})"

    def first(self, columns: str, table: str, rows: int) -> str:
        return f"SELECT {columns} FROM {table} LIMIT {rows}"  # noqa: S608 # quoted by `quote`


DIALECT: Final[live.Dialect] = _PostgreSQL()


def read(dsn: str, *, progress: live.Progress | None = None, samples: bool = True) -> Schema:
    """The facts of the database at `dsn` (a libpq connection string or URL). Raises `live.Unreachable`."""
    try:
        with psycopg.connect(dsn, connect_timeout=10, autocommit=True) as connection:
            limit = f"{live.LIMIT_S}s"
            connection.execute("SELECT set_config('statement_timeout', %s, false)", [limit])
            connection.execute("SET default_transaction_read_only = on")
            connection.execute("SET application_name = 'qingfang discover'")
            cursor: Any = psycopg.ClientCursor(connection)  # its texts are not literals
            return live.read(cursor, DIALECT, connection.info.dbname, progress, samples=samples)
    except psycopg.Error as error:
        # psycopg's message names host, port and role, never the password.
        raise live.Unreachable(live.why(error)) from None
