"""The database to be protected: is it there, may we in, is there anything to read?"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any, Final

import asyncpg
import psycopg
from msgspec import Struct
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from qingfang.language import _

WITHIN_S: Final = 10

_TABLES: Final = """
SELECT count(*), count(*) FILTER (WHERE has_schema_privilege(n.oid, 'USAGE')
                                    AND has_table_privilege(c.oid, 'SELECT'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_t%'
"""


class Unusable(Exception):
    """`code`: `dsn`, `unreachable`, `password`, `account`, `database`, `no-tables`, `no-right` or
    `other`; the text says what is wrong, where, and what to do. It never holds a password."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Target(Struct, frozen=True):
    """A database that answered. `address` is empty when it was reached by a socket file;
    `readable` of its `tables` could be read by the account."""

    address: str
    database: str
    account: str
    version: str
    tables: int
    readable: int


def with_password(dsn: str, password: str) -> str:
    """The same connection string with this password. Raises `Unusable`."""
    try:
        return make_conninfo(dsn, password=password)
    except psycopg.Error:
        raise _bad_dsn() from None


def has_password(dsn: str) -> bool:
    """Whether the string itself says how to prove who we are. Raises `Unusable`."""
    parts = _parts(dsn)
    return bool(parts.get("password") or parts.get("passfile") or parts.get("service"))


def check(dsn: str) -> Target:
    """Connect and look. Raises `Unusable`."""
    parts = _parts(dsn)
    host, port = str(parts.get("host") or ""), int(parts.get("port") or 5432)
    shown = f"{host or 'localhost'}:{port}"
    return asyncio.run(_check(parts, host, port, shown))


def _bad_dsn() -> Unusable:
    text = _("连接串看不懂。应写成 postgresql://账号@主机:端口/库名")
    return Unusable("dsn", text)


def _parts(dsn: str) -> dict[str, Any]:
    try:
        return conninfo_to_dict(dsn)
    except psycopg.Error:
        raise _bad_dsn() from None


async def _check(parts: dict[str, Any], host: str, port: int, shown: str) -> Target:
    account, database = str(parts.get("user") or ""), str(parts.get("dbname") or "")
    try:
        connection = await asyncpg.connect(
            host=host or None,
            port=port,
            user=account or None,
            password=parts.get("password"),
            database=database or None,
            passfile=parts.get("passfile"),
            ssl=parts.get("sslmode"),
            timeout=WITHIN_S,
        )
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        if error.sqlstate == "28P01":
            told = _("{} 不接受账号 {} 的密码。核对账号与密码后重试").format(shown, account)
            raise Unusable("password", told) from None
        told = _("{} 不许账号 {} 从本机登录（{}）。请数据库管理员放行").format(
            shown, account, _first(error)
        )
        raise Unusable("account", told) from None
    except asyncpg.InvalidCatalogNameError:
        told = _("{} 上没有名为 {} 的库").format(shown, database or account)
        raise Unusable("database", told) from None
    except (OSError, TimeoutError) as error:
        told = _("连不上 {}（{}）。核对地址、端口和防火墙").format(shown, _why(error))
        raise Unusable("unreachable", told) from None
    except asyncpg.InterfaceError:
        told = _("{} 要求密码，连接串里没有。核对账号与密码后重试").format(shown)
        raise Unusable("password", told) from None
    except (asyncpg.PostgresError, ValueError) as error:
        raise Unusable("other", f"{shown}：{_first(error)}") from None
    try:
        tables, readable = await _look(connection)
        account = account or str(await connection.fetchval("SELECT current_user"))
        database = str(await connection.fetchval("SELECT current_database()"))
        version = ".".join(str(part) for part in connection.get_server_version()[:2])
    except asyncpg.InsufficientPrivilegeError:
        told = _("账号 {} 无权读取系统目录（pg_catalog），看不到库里有哪些表。请授予读取权").format(
            account
        )
        raise Unusable("no-right", told) from None
    except (asyncpg.PostgresError, OSError, TimeoutError) as error:
        raise Unusable("other", f"{shown}：{_first(error)}") from None
    finally:
        with contextlib.suppress(OSError, TimeoutError, asyncpg.InterfaceError):
            await connection.close(timeout=WITHIN_S)
    if not tables:
        told = _("库 {} 里没有一张表：库名写错了，还是表在别的库里？").format(database)
        raise Unusable("no-tables", told)
    name = f"[{host}]" if ":" in host else host
    address = "" if not host or host.startswith("/") else f"{name}:{port}"
    return Target(address, database, account, version, tables, readable)


async def _look(connection: asyncpg.Connection) -> tuple[int, int]:
    row = await connection.fetchrow(_TABLES, timeout=WITHIN_S)
    assert row is not None
    return int(row[0]), int(row[1])


def _first(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _why(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return _("主机名查不到")
    if isinstance(error, ConnectionRefusedError):
        return _("对方拒绝连接，端口上没有服务")
    if isinstance(error, TimeoutError):
        return _("{} 秒内没有应答").format(int(WITHIN_S))
    return _first(error)


def free_to_listen(address: str) -> str | None:
    """Why this address of ours cannot be listened on; None when it can."""
    host, _colon, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the gateway does it: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except (OSError, OverflowError) as error:
            return _("不能监听 {}：{}").format(address, getattr(error, "strerror", None) or error)
    return None
