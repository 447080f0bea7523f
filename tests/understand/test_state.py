"""What sessions have in common: seen by others, kept over a restart, never cached."""

import itertools

import pytest
from sqlglot import exp

from qingfang.understand.analysis import Analyser, SessionState
from qingfang.understand.state import MAX_SOURCES, Shared
from tests.understand.scenes import catalogue, said

SMALL = Analyser(catalogue("small"), strict=True)
FIGURES = (
    "SELECT c.ysdm||'|'||m.ypdm||'|'||SUM(m.sl) FROM mz_cf c"
    " JOIN mz_cfmx m ON m.cf_id=c.cf_id GROUP BY c.ysdm,m.ypdm"
)


def read(sql: str, shared: Shared) -> str:
    return said(SMALL.analyse(sql, state=SessionState(shared)).meaning)


def test_figures_put_into_a_harmless_table_are_seen_by_another_session() -> None:
    shared = Shared()
    assert read("SELECT * FROM gh_mx", shared) == "none"
    assert read(f"INSERT INTO gh_mx {FIGURES}", shared) == "usage prescriber item stored"
    assert read("SELECT * FROM gh_mx", shared) == "usage prescriber item"


def test_all_of_it_outlives_a_restart() -> None:
    shared = Shared()
    for sql in (
        f"INSERT INTO gh_mx {FIGURES}",
        f"CREATE TABLE z1 AS {FIGURES}",
        "CREATE TABLE z2 AS SELECT * FROM z1",
        f"CREATE VIEW z3 AS {FIGURES}",
        "CREATE SYNONYM z4 FOR mz_cfmx",
        "CREATE TABLE z5 AS SELECT ypdm, CAST(sl AS int) n FROM mz_cfmx WHERE cf_id = $1",
    ):
        read(sql, shared)
    after = Shared()
    after.load(shared.dump())
    for name in ("gh_mx", "z1", "z2", "z3", "z4", "z5"):
        sql = f"SELECT * FROM {name}"
        assert read(sql, after) == read(sql, shared) != "opaque", name
    read("DROP TABLE z1", after)
    assert read("SELECT * FROM z2", after) == "usage prescriber item"
    assert after.dump() != shared.dump()


def test_a_database_that_makes_many_empty_tables_keeps_each_once() -> None:
    sizes: list[int] = []
    shared = Shared()
    for n in range(60):
        read(f"CREATE TABLE bb_{n:02} (n int)", shared)
        sizes.append(len(shared.dump()))
    grown = [after - before for before, after in itertools.pairwise(sizes[20:])]
    assert max(grown) == min(grown), "each costs what the one before it cost"
    read(f"INSERT INTO bb_07 {FIGURES}", shared)
    assert read("SELECT * FROM bb_07", shared) == "usage prescriber item"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"version":99,"made":[],"objects":{},"synonyms":{},"functions":{}}',
        b'{"version":2,"made":[],"objects":{"a":3},"synonyms":{},"functions":{}}',
        b'{"version":2,"made":[["a",[],[[[{"c":"no.such"}],[]]],{}]],"objects":{"a":0},'
        b'"synonyms":{},"functions":{}}',
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(data: bytes) -> None:
    shared = Shared()
    read(f"CREATE TABLE z1 AS {FIGURES}", shared)
    before = shared.mark()
    with pytest.raises(ValueError):
        shared.load(data)
    assert shared.mark() == before


@pytest.mark.parametrize(
    "sql",
    [
        f"INSERT INTO gh_mx {FIGURES}",
        f"CREATE TABLE z1 AS {FIGURES}",
        "DROP TABLE z1",
        "SELECT * FROM gh_mx",
    ],
)
def test_what_changes_or_uses_shared_objects_is_never_cached(sql: str) -> None:
    shared = Shared()
    read(f"INSERT INTO gh_mx {FIGURES}", shared)
    assert SMALL.analyse(sql, state=SessionState(shared)).meaning.volatile
    assert not SMALL.analyse("SELECT * FROM jc_sq", state=SessionState(shared)).meaning.volatile


def test_a_cursor_is_known_until_it_is_gone() -> None:
    state = SessionState()
    rows: list[exp.Expr] = [exp.select("a").from_("t")]
    state.hold("c", rows)
    state.hold("c", [*rows, exp.select("b").from_("t")])
    assert state.has_own
    assert [row.sql() for row in state.held["c"]] == ["SELECT a FROM t", "SELECT b FROM t"]
    state.hold("c", [])
    assert not state.has_own


def test_of_too_many_rows_of_a_cursor_none_is_kept() -> None:
    state = SessionState()
    for n in range(MAX_SOURCES + 1):
        state.hold("c", [exp.select(f"a{n}").from_("t")])
    state.hold("c", [exp.select("a0").from_("t")])
    assert state.held["c"] == []
