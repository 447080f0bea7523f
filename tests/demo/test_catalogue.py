"""The catalogue and the declarations fit the hospital that they describe, to the last column."""

from __future__ import annotations

import re

import msgspec
import psycopg
import pytest

from qingfang.demo import catalogue
from qingfang.demo.hospital import Facts
from qingfang.demo.people import Cast
from qingfang.engine import definitions
from qingfang.judge.snapshot import Snapshot, check
from qingfang.understand.analysis import Analyser
from qingfang.understand.catalogue import load
from qingfang.understand.state import SessionState


def test_the_catalogue_lists_every_table_and_column(reader: psycopg.Connection) -> None:
    there: dict[str, list[str]] = {}
    for table, column in reader.execute(
        """SELECT c.oid::regclass::text, a.attname FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'his'::regnamespace AND c.relkind = 'r' ORDER BY 1, a.attnum"""
    ):
        there.setdefault(table, []).append(column)
    tables = catalogue()["tables"]
    assert {name: list(table["columns"]) for name, table in tables.items()} == there
    load(catalogue())


def test_the_keys_are_those_of_the_database(reader: psycopg.Connection) -> None:
    there: dict[str, list[str | list[str]]] = {}
    for table, columns in reader.execute(
        """SELECT i.indrelid::regclass::text, array_agg(a.attname::text ORDER BY a.attnum)
        FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        JOIN pg_class c ON c.oid = i.indrelid
        WHERE i.indisunique AND c.relnamespace = 'his'::regnamespace GROUP BY i.indexrelid, 1"""
    ):
        there.setdefault(table, []).append(columns[0] if len(columns) == 1 else columns)
    tables = catalogue()["tables"]
    assert {name: table["keys"] for name, table in tables.items() if "keys" in table} == there


def test_the_catalogue_has_the_views_and_functions_as_they_are(reader: psycopg.Connection) -> None:
    views = {name for (name,) in reader.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'v'"
        " AND relnamespace IN ('his'::regnamespace, 'rpt'::regnamespace)"
    )}  # fmt: skip
    assert views == set(catalogue()["views"])
    for name, text in catalogue()["views"].items():
        reader.execute(f"CREATE TEMP VIEW probe AS {text}".encode())
        same = reader.execute(
            "SELECT pg_get_viewdef('probe'::regclass) = pg_get_viewdef(%s::regclass)", [name]
        ).fetchone()
        reader.execute("DROP VIEW probe")
        assert same == (True,), name
    for name, source in catalogue()["procedures"].items():
        row = reader.execute(
            "SELECT prosrc FROM pg_proc WHERE oid = %s::regproc", [name]
        ).fetchone()
        assert row
        assert row[0] in source, name
    functions = reader.execute(
        "SELECT count(*) FROM pg_proc WHERE pronamespace IN ('his'::regnamespace, 'rpt'::regnamespace)"
    ).fetchone()
    assert functions == (len(catalogue()["procedures"]),)


def test_predicates_of_the_catalogue_pick_some_rows_and_not_all(reader: psycopg.Connection) -> None:
    for name, table in catalogue()["tables"].items():
        if test := table.get("usage_when"):
            row = reader.execute(
                f"SELECT count(*) FILTER (WHERE {test}), count(*) FROM {name}".encode()
            ).fetchone()
            assert row
            assert 0 < row[0] < row[1], name


def test_kinds_of_items_are_those_of_the_rows(reader: psycopg.Connection) -> None:
    for name, table in catalogue()["tables"].items():
        said = table.get("item_kind", {})
        for test in said.values() if isinstance(said, dict) else ():
            if isinstance(test, str):
                text = f"SELECT count(*) FILTER (WHERE {test}), count(*) FROM {name}"
                row = reader.execute(text.encode()).fetchone()
                assert row
                assert row[0] < row[1], name
    wrong = reader.execute(
        """SELECT count(*) FROM his.hc_sy s LEFT JOIN his.hc_zd d ON d.hcdm = s.hcdm
        WHERE d.gz_flag IS DISTINCT FROM 1"""
    ).fetchone()
    assert wrong == (0,)
    for bill, item, kind in (("zy_fymx", "fydm", "fylb"), ("outp_bill", "fee_code", "fee_kind")):
        wrong = reader.execute(
            f"""SELECT count(*) FROM his.{bill} f JOIN his.hc_zd d ON d.hcdm = f.{item}
            WHERE f.{kind} <> 'HC'""".encode()
        ).fetchone()
        assert wrong == (0,)


ORDINARY = """SELECT f.kdys, d.hcmc, SUM(f.sl) FROM zy_fymx f JOIN hc_zd d ON d.hcdm = f.fydm
    WHERE f.fylb = 'HC' AND d.gz_flag = {} GROUP BY f.kdys, d.hcmc"""


@pytest.mark.parametrize(
    ("definition", "flag", "disclosure"),
    [("000", 0, "usage"), ("001", 0, "none"), ("000", 1, "usage"), ("001", 1, "usage")],
)
def test_ordinary_consumables_count_by_the_definition(
    definition: str, flag: int, disclosure: str
) -> None:
    analyser = Analyser(load(catalogue()), definitions.built_in(definition))
    found = analyser.analyse(ORDINARY.format(flag), state=SessionState())
    assert found.meaning.disclosure == disclosure


def test_who_signs_in_is_named(reader: psycopg.Connection) -> None:
    [operator] = catalogue()["operators"]
    row = reader.execute(
        f"SELECT count(*) FROM {operator['table']} l JOIN his.gy_ygdm g ON g.ygdm = l.{operator['column']}".encode()
    ).fetchone()
    assert row
    assert row[0] > 100


def test_the_declarations_are_a_snapshot(declared: Cast, facts: Facts) -> None:
    """Field for field what the judge takes; nothing refers to nothing."""
    parts = msgspec.to_builtins(declared)
    del parts["month"]
    for grant in parts["grants"]:
        del grant["purpose"]
    snapshot = msgspec.convert(
        {"site": "x", "version": 1, "made_at_us": 0, "expires_at_us": 1, **parts}, Snapshot
    )
    check(snapshot)
    assert {p.number for p in snapshot.persons} == {s.number for s in facts.staff}
    addresses = [a for t in snapshot.terminals for a in t.addresses]
    assert len(set(addresses)) == len(addresses)
    assert all(re.fullmatch(r"127(\.\d+){3}", a) for a in addresses)
    [service] = catalogue()["services"]
    assert service["terminal"] == declared.terminal("FW-01").address
    assert service["operator"] in {p.number for p in snapshot.persons}
