"""Facts of a live Oracle, by python-oracledb in its thin mode (extra `oracle`; no Oracle client is
needed). See `live` for what is read."""

from __future__ import annotations

from typing import Any, Final

import oracledb

from qingfang.understand.discovery.facts import Schema
from qingfang.understand.discovery.readers import live
from qingfang.understand.discovery.readers.address import Address


class _Oracle:
    name: str = "oracle"
    errors: type[Exception] = oracledb.Error

    def quote(self, name: str) -> str:
        return f'"{name}"'  # Oracle's names hold no quotation mark

    def text(self, column: str, length: int) -> str:
        return f"SUBSTR(TO_CHAR({column}), 1, {length})"

    def first(self, columns: str, table: str, rows: int) -> str:
        # ROWNUM, not FETCH FIRST: hospitals run 10g and 11g.
        return f"SELECT {columns} FROM {table} WHERE ROWNUM <= {rows}"  # noqa: S608


DIALECT: Final[live.Dialect] = _Oracle()


def read(
    address: Address, *, progress: live.Progress | None = None, samples: bool = True
) -> Schema:
    """The facts of what the account of an address may see; its database is a service name. Raises
    `live.Unreachable`."""
    # LONG and CLOB texts as strings, not as locators.
    oracledb.defaults.fetch_lobs = False
    connection: Any = None
    try:
        connection = oracledb.connect(
            user=address.user,
            password=address.password,
            host=address.host,
            port=address.port or 1521,
            service_name=address.database,
            tcp_connect_timeout=10,
        )
        connection.call_timeout = live.PATIENCE_S * 1000
        cursor = connection.cursor()
        cursor.execute("SET TRANSACTION READ ONLY")
        return live.read(
            _Timed(connection, cursor), DIALECT, address.database, progress, samples=samples
        )
    except oracledb.Error as error:
        raise live.Unreachable(live.why(error)) from None
    finally:
        if connection is not None:
            connection.close()


class _Timed:
    """A cursor whose statements on tables have the short limit, those on the dictionary the long."""

    def __init__(self, connection: Any, cursor: Any) -> None:
        self._connection, self._cursor = connection, cursor

    def execute(self, operation: str, /) -> Any:
        table = "WHERE ROWNUM <=" in operation
        self._connection.call_timeout = (live.LIMIT_S if table else live.PATIENCE_S) * 1000
        return self._cursor.execute(operation)

    def fetchall(self) -> Any:
        return self._cursor.fetchall()
