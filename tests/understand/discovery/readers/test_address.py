"""Addresses as people type them."""

import sys

import pytest

from qingfang.understand.discovery import readers
from qingfang.understand.discovery.readers import address
from qingfang.understand.discovery.readers.address import Address
from qingfang.understand.discovery.readers.live import Unreachable


def test_the_parts_of_an_address(monkeypatch):
    monkeypatch.setenv(address.PASSWORD, "s3cret")
    assert address.parse("oracle://reader@10.0.0.5/his") == Address(
        "oracle", "10.0.0.5", 0, "reader", "s3cret", "his"
    )
    assert address.parse("sqlserver://r:p%40ss@db:1434/HIS%20DB") == Address(
        "tsql", "db", 1434, "r", "p@ss", "HIS DB"
    )
    assert address.parse("host=/run/postgresql dbname=his") is None
    assert address.parse("postgres://reader@db/his") is None


@pytest.mark.parametrize("url", ["oracle://10.0.0.5/his", "mysql://r@db", "mssql://r@db:port/x"])
def test_an_incomplete_address_says_how_it_is_written(url):
    with pytest.raises(Unreachable, match="账号@主机:端口/库名"):
        address.parse(url)


def test_an_unknown_kind_of_database_names_the_known():
    with pytest.raises(Unreachable, match=r"mongodb.*sqlserver"):
        address.parse("mongodb://r@db/his")


def test_a_missing_driver_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "oracledb", None)
    monkeypatch.delitem(sys.modules, f"{readers.__name__}.oracle", raising=False)
    monkeypatch.delattr(readers, "oracle", raising=False)
    with pytest.raises(Unreachable, match=r"qingfang\[oracle\].*--csv"):
        address.read("oracle://r@127.0.0.1/his")


@pytest.mark.parametrize("kind", ["oracle", "mssql"])
def test_a_closed_port_is_one_sentence_without_the_password(kind):
    with pytest.raises(Unreachable, match="连不上") as caught:
        address.read(f"{kind}://r:hidden-word@127.0.0.1:1/his")
    assert "hidden-word" not in str(caught.value)
    assert "\n" not in str(caught.value)
