"""The database is tried for real, and what is wrong is said in words."""

from __future__ import annotations

import psycopg
import pytest

from qingfang.install import target
from qingfang.postgres import Server, free_port


@pytest.fixture
def dsn(postgres: Server, database: str) -> str:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE rx_line (rx_no text, drug_code text, qty numeric)")
        connection.execute("CREATE TABLE staff (no text)")
    postgres.role("reader")
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    password = postgres.password("reader")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("GRANT SELECT ON staff TO reader")
    return f"postgresql://reader:{password}@127.0.0.1:{postgres.port}/{name}"


def refused(dsn: str) -> tuple[str, str]:
    with pytest.raises(target.Unusable) as caught:
        target.check(dsn)
    return caught.value.code, str(caught.value)


def test_what_is_there_is_counted(dsn: str, postgres: Server) -> None:
    found = target.check(dsn)
    assert (found.tables, found.readable, found.account) == (2, 1, "reader")
    assert found.address == f"127.0.0.1:{postgres.port}"


def test_each_fault_has_its_own_words(dsn: str, postgres: Server) -> None:
    port, secret = f":{postgres.port}/", postgres.password("reader")
    code, text = refused(dsn.replace(secret, "wrong-secret"))
    assert (code, "wrong-secret" in text) == ("password", False)
    assert "不接受账号 reader 的密码" in text
    code, text = refused(dsn.rpartition("/")[0] + "/nowhere")
    assert (code, "没有名为 nowhere 的库" in text) == ("database", True)
    code, text = refused(dsn.replace(port, f":{free_port()}/"))
    assert (code, "端口上没有服务" in text) == ("unreachable", True)
    code, text = refused(dsn.replace("127.0.0.1", "no-such-host.invalid"))
    assert (code, "主机名查不到" in text) == ("unreachable", True)
    assert refused("postgresql://a b c")[0] == "dsn"
    assert refused(dsn.replace(f":{secret}", ""))[0] == "password"


def test_an_empty_database_is_not_what_was_meant(database: str) -> None:
    assert refused(database)[0] == "no-tables"


def test_no_right_to_the_system_catalogue(dsn: str, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("REVOKE SELECT ON pg_catalog.pg_class FROM PUBLIC")
        code, text = refused(dsn)
    assert (code, "无权读取系统目录" in text) == ("no-right", True)


def test_an_address_in_use_cannot_be_listened_on(postgres: Server) -> None:
    assert target.free_to_listen(f"127.0.0.1:{free_port()}") is None
    assert "不能监听" in (target.free_to_listen(f"127.0.0.1:{postgres.port}") or "")
    assert "不能监听" in (target.free_to_listen("203.0.113.9:20000") or "")
