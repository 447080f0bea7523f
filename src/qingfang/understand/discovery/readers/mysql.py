"""Facts of a live MySQL or MariaDB, by PyMySQL (extra `mysql`). See `live` for what is read."""

from __future__ import annotations

import contextlib
from typing import Final

import pymysql

from qingfang.understand.discovery.facts import Schema
from qingfang.understand.discovery.readers import live
from qingfang.understand.discovery.readers.address import Address


class _MySQL:
    name: str = "mysql"
    errors: type[Exception] = pymysql.MySQLError

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def text(self, column: str, length: int) -> str:
        return f"LEFT(CAST({column} AS CHAR), {length})"

    def first(self, columns: str, table: str, rows: int) -> str:
        return f"SELECT {columns} FROM {table} LIMIT {rows}"  # noqa: S608 # quoted by `quote`


DIALECT: Final[live.Dialect] = _MySQL()
# MySQL and MariaDB name and measure the same limit differently; each refuses the other's.
_LIMITS: Final = (
    f"SET SESSION max_execution_time = {live.LIMIT_S * 1000}",
    f"SET SESSION max_statement_time = {live.LIMIT_S}",
)


def read(
    address: Address, *, progress: live.Progress | None = None, samples: bool = True
) -> Schema:
    """The facts of the database that an address names. Raises `live.Unreachable`."""
    try:
        connection = pymysql.connect(
            host=address.host,
            port=address.port or 3306,
            user=address.user,
            password=address.password.encode(),  # the driver would take it for latin-1
            database=address.database,
            charset="utf8mb4",
            connect_timeout=10,
            read_timeout=live.PATIENCE_S,
        )
    except pymysql.MySQLError as error:
        raise live.Unreachable(live.why(error)) from None
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
            # Long aggregated texts (parameters of a routine) are cut at 1,024 bytes otherwise.
            cursor.execute("SET SESSION group_concat_max_len = 1048576")
            for limit in _LIMITS:
                with contextlib.suppress(pymysql.MySQLError):
                    cursor.execute(limit)
            return live.read(cursor, DIALECT, address.database, progress, samples=samples)
    except pymysql.MySQLError as error:
        raise live.Unreachable(live.why(error)) from None
    finally:
        connection.close()
