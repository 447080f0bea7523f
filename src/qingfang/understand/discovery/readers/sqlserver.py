"""Facts of a live SQL Server, by python-tds (extra `sqlserver`). See `live` for what is read."""

from __future__ import annotations

from typing import Any, Final

import pytds

from qingfang.understand.discovery.facts import Schema
from qingfang.understand.discovery.readers import live
from qingfang.understand.discovery.readers.address import Address


class _SQLServer:
    name: str = "tsql"
    errors: type[Exception] = pytds.Error

    def quote(self, name: str) -> str:
        return "[" + name.replace("]", "]]") + "]"

    def text(self, column: str, length: int) -> str:
        return f"LEFT(CAST({column} AS nvarchar(max)), {length})"

    def first(self, columns: str, table: str, rows: int) -> str:
        # Nobody who works shall wait for the sample.
        return f"SELECT TOP {rows} {columns} FROM {table} WITH (NOLOCK)"  # noqa: S608


DIALECT: Final[live.Dialect] = _SQLServer()


def read(
    address: Address, *, progress: live.Progress | None = None, samples: bool = True
) -> Schema:
    """The facts of the database that an address names. Raises `live.Unreachable`."""
    connection: Any = None
    try:
        connection = pytds.connect(
            dsn=address.host,
            port=address.port or 1433,
            user=address.user,
            password=address.password,
            database=address.database,
            login_timeout=10,
            timeout=live.PATIENCE_S,
            autocommit=True,
            readonly=True,
            appname="qingfang discover",
        )
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCK_TIMEOUT {live.LIMIT_S * 1000}")
            return live.read(cursor, DIALECT, address.database, progress, samples=samples)
    except (pytds.Error, OSError) as error:
        raise live.Unreachable(live.why(error)) from None
    finally:
        if connection is not None:
            connection.close()
