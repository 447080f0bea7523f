"""Addresses of databases: `mysql://reader@10.0.0.5:3306/his`, and which reader reads them.

The password is best left out of the address, where other users of the machine see it in the list
of processes: it is then taken from the environment (`QINGFANG_DB_PASSWORD`).
"""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from qingfang.language import _
from qingfang.understand.discovery.facts import Schema
from qingfang.understand.discovery.readers import live

PASSWORD: Final = "QINGFANG_DB_PASSWORD"  # noqa: S105 # the variable's name
DIALECTS: Final = {
    "postgresql": "postgres",
    "postgres": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "oracle": "oracle",
    "mssql": "tsql",
    "sqlserver": "tsql",
}
_EXTRAS: Final = {"mysql": "mysql", "oracle": "oracle", "tsql": "sqlserver"}


class Address(Struct, frozen=True):
    """`port` 0 is the database's usual one."""

    dialect: str
    host: str
    port: int
    user: str
    password: str
    database: str


def parse(url: str) -> Address | None:
    """The parts of an address; None for one that libpq reads itself. Raises `live.Unreachable`."""
    scheme, mark, _rest = url.partition("://")
    dialect = DIALECTS.get(scheme.lower()) if mark else "postgres"
    if dialect is None:
        told = _("不认识的地址 {}://；可用：{}").format(scheme, "、".join(DIALECTS))
        raise live.Unreachable(told)
    if dialect == "postgres":
        return None
    try:
        parts = urlsplit(url)
        port = parts.port or 0
    except ValueError:
        parts, port = urlsplit(""), 0
    database = unquote(parts.path.strip("/"))
    if not parts.hostname or not parts.username or not database:
        told = _("地址应写作 {}://账号@主机:端口/库名").format(scheme)
        raise live.Unreachable(told)
    password = unquote(parts.password or "") or os.environ.get(PASSWORD, "")
    return Address(dialect, parts.hostname, port, unquote(parts.username), password, database)


def read(url: str, *, progress: live.Progress | None = None, samples: bool = True) -> Schema:
    """The facts of the database at an address, with or without a look at its rows. Raises `live.Unreachable`."""
    address = parse(url)
    if address is None:
        from qingfang.understand.discovery.readers import postgres

        return postgres.read(url, progress=progress, samples=samples)
    try:
        if address.dialect == "mysql":
            from qingfang.understand.discovery.readers import mysql as reader
        elif address.dialect == "oracle":
            from qingfang.understand.discovery.readers import oracle as reader
        else:
            from qingfang.understand.discovery.readers import sqlserver as reader
    except ModuleNotFoundError as missing:
        extra = _EXTRAS[address.dialect]
        told = _("没有安装驱动 {}；请安装 qingfang[{}]，或用 --ddl、--csv").format(
            missing.name, extra
        )
        raise live.Unreachable(told) from None
    return reader.read(address, progress=progress, samples=samples)
