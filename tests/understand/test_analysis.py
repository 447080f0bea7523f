"""The front door: what goes beyond the contract's words — yields, pins, works, operators, caching."""

import pytest

from qingfang.events import Fixed, Pin, Value
from qingfang.understand.analysis import Analyser, SessionState, holds
from qingfang.understand.catalogue import load
from qingfang.understand.state import MAX_OBJECTS, MAX_SOURCES, Shared
from tests.understand.scenes import catalogue

SMALL = Analyser(catalogue("small"))
HIS = Analyser(catalogue("his"))


def test_a_header_list_is_none_and_still_yields_its_key() -> None:
    meaning = SMALL.analyse("SELECT cf_id, ysdm FROM mz_cf WHERE ksdm='KS01'").meaning
    assert meaning.disclosure == "none"
    (row,) = meaning.yields
    assert row.tables == ("mz_cf",) and row.keys == ("mz_cf.cf_id",)
    assert row.roles == ("prescriber_id", "prescription_id")
    assert (row.measured, row.aggregated, row.pinned, row.paged) == (False, False, False, False)
    (fixed,) = row.fixed
    assert (fixed.role, fixed.column, fixed.values[0].text) == ("department_id", "ksdm", "KS01")


def test_sums_pages_and_excluded_values_are_told() -> None:
    sql = "SELECT SUM(sl) FROM mz_cf JOIN mz_cfmx USING (cf_id) WHERE ysdm<>'YS01' AND ypdm='P' LIMIT 5"
    (row,) = SMALL.analyse(sql).meaning.yields
    assert row.measured and row.aggregated and row.paged
    assert Fixed("prescriber_id", "mz_cf", "ysdm", (Value("YS01", (65,)),), True) in row.fixed
    assert SMALL.analyse(sql).meaning.scope is not None


def test_pins_carry_each_executions_values() -> None:
    found = SMALL.analyse("SELECT * FROM mz_cfmx WHERE cf_id = $1", binds=["77"])
    assert found.meaning.pins == (Pin("prescription_id", "mz_cfmx", (Value("77", (), (0,)),)),)
    assert found.meaning.yields[0].pinned
    assert found.decisive == frozenset() and not found.meaning.volatile


def test_what_a_change_works_on() -> None:
    sql = "INSERT INTO mz_cf (cf_id, brid, ysdm) VALUES (9, 'B1', 'YS01')"
    works = SMALL.analyse(sql).meaning.works
    assert {(w.role, w.values[0].text) for w in works} == {
        ("prescription_id", "9"),
        ("patient_id", "B1"),
    }
    (work,) = SMALL.analyse("UPDATE mz_cf SET fyzt=1 WHERE cf_id=$1", binds=["3"]).meaning.works
    assert work.values[0].text == "3"
    assert SMALL.analyse("DELETE FROM mz_cf WHERE cf_id>3").meaning.works == ()
    (work,) = SMALL.analyse(
        "UPDATE mz_cf SET fyzt=1 WHERE cf_id IN ('3', $1)", binds=["4"]
    ).meaning.works
    assert [value.text for value in work.values] == ["3", "4"]
    ward = HIS.analyse("UPDATE his.zy_yzb SET zxzt='1' WHERE bqdm='B6' AND cwh='12'").meaning.works
    assert {(w.role, w.values[0].text) for w in ward} == {("unit_id", "B6"), ("patient_id", "12")}


def test_who_is_at_work() -> None:
    signed = HIS.analyse("INSERT INTO his.xt_dlrz (gh, ip) VALUES ('1001', '10.0.0.9')")
    assert signed.meaning.operator is not None and signed.meaning.operator.text == "1001"
    assert signed.operator_scope == "session"
    asked = HIS.analyse("SELECT xm FROM zg_zd WHERE mm='x' AND gh=$1", binds=["2002"])
    assert asked.meaning.operator is not None and asked.meaning.operator.text == "2002"
    assert HIS.analyse("SELECT xm FROM zg_zd").meaning.operator is None


def test_rows_and_empty_answers_change_nothing() -> None:
    sql = "SELECT ysdm, SUM(sl) FROM mz_cf JOIN mz_cfmx USING (cf_id) GROUP BY 1"
    assert SMALL.analyse(sql, rows=0) == SMALL.analyse(sql)


def test_free_literals_and_conditions() -> None:
    sql = "SELECT ypdm, sl FROM zy_yz WHERE ksdm='K' AND kssj>='2026-01-20' AND kssj<'2026-01-21'"
    found = SMALL.analyse(sql)
    assert found.meaning.subtype == "worklist"
    assert {sql[at : at + 3] for at in found.free} == {"'K'", "'20"} and len(found.free) == 3
    day, midnight = found.conditions
    assert holds(day, ["2026-03-01", "2026-03-02"])
    assert not holds(day, ["2026-03-01", "2026-04-01"])
    assert holds(midnight, ["2026-04-01"]) and not holds(midnight, ["2026-04-01 08:00"])
    mixed = SMALL.analyse("SELECT SUM(je) FROM zy_fymx WHERE fydm='YP1' AND ysdm='Y'")
    assert len(mixed.free) == 1  # whether fydm is a drug decides; who prescribed does not
    by_bind = SMALL.analyse("SELECT SUM(je) FROM zy_fymx WHERE fydm=$1", binds=["YP1"])
    assert by_bind.decisive == {0}


@pytest.mark.parametrize(
    ("condition", "first", "last"),
    [
        ("kssj >= '2026-10-01' AND kssj < '2026-11-01'", "2026-10-01", "2026-10-31"),
        ("kssj < '2026-11-01 00:00:00'", None, "2026-10-31"),
        ("kssj::date < '2026-11-01'", None, "2026-10-31"),
        ("kssj < '2026-11-01 08:00'", None, "2026-11-01 08:00"),
        ("kssj <= '2026-11-01'", None, "2026-11-01"),
        ("kssj <= '2026-10-31 23:59:59'", None, "2026-10-31 23:59:59"),
        ("kssj BETWEEN '2026-10-01' AND '2026-10-31'", "2026-10-01", "2026-10-31"),
        ("'2026-11-01' > kssj", None, "2026-10-31"),
    ],
)
def test_a_period_is_told_by_its_first_and_last_day(
    condition: str, first: str | None, last: str
) -> None:
    found = SMALL.analyse(f"SELECT kzys, SUM(sl) FROM zy_yz WHERE {condition} GROUP BY kzys")
    period = found.meaning.scope.period if found.meaning.scope else None
    assert period is not None and period.to is not None
    assert (period.from_.text if period.from_ else None, period.to.text) == (first, last)


def test_only_session_state_makes_a_meaning_volatile() -> None:
    state = SessionState()
    assert not SMALL.analyse("SELECT 1", state=state).meaning.volatile
    SMALL.analyse("CREATE TEMP TABLE t AS SELECT cf_id FROM mz_cf", state=state)
    assert SMALL.analyse("SELECT * FROM t", state=state).meaning.volatile


def test_a_dropped_or_rebuilt_source_changes_nothing_of_what_was_made() -> None:
    state = SessionState()
    for sql in (
        "CREATE TEMP TABLE a AS SELECT ysdm, sl FROM mz_cf JOIN mz_cfmx USING (cf_id)",
        "CREATE TEMP TABLE b AS SELECT * FROM a",
        "DROP TABLE a",
        "CREATE TEMP TABLE a AS SELECT 1 AS x",
    ):
        SMALL.analyse(sql, state=state)
    assert SMALL.analyse("SELECT * FROM b", state=state).meaning.disclosure == "usage"
    assert SMALL.analyse("SELECT * FROM a", state=state).meaning.disclosure == "none"


def test_permanent_tables_are_shared_and_temporary_ones_are_not() -> None:
    shared = Shared()
    one, other = SessionState(shared), SessionState(shared)
    SMALL.analyse("CREATE TABLE p AS SELECT cf_id, ypdm, sl FROM mz_cfmx", state=one)
    SMALL.analyse("CREATE TEMP TABLE q AS SELECT cf_id, ypdm, sl FROM mz_cfmx", state=one)
    assert SMALL.analyse("SELECT * FROM p", state=other).meaning.disclosure == "usage"
    assert SMALL.analyse("SELECT * FROM q", state=other).meaning.disclosure == "opaque"


def test_a_session_is_bounded_and_forgets_towards_opaque() -> None:
    state = SessionState()
    SMALL.analyse("CREATE TEMP TABLE t (a text)", state=state)
    for n in range(MAX_SOURCES + 1):
        more = f"SELECT ypdm{', 1' * n} FROM mz_cfmx WHERE cf_id={n}"
        SMALL.analyse(f"INSERT INTO t {more}", state=state)
    assert SMALL.analyse("SELECT * FROM t", state=state).meaning.disclosure == "opaque"
    for n in range(MAX_OBJECTS + 5):
        SMALL.analyse(f"CREATE TEMP TABLE n{n} AS SELECT 1 AS x", state=state)
    assert len(state.objects) <= MAX_OBJECTS
    last = SMALL.analyse(f"SELECT * FROM n{MAX_OBJECTS + 4}", state=state)
    assert last.meaning.disclosure == "opaque"


def test_a_body_that_runs_an_unseen_text_may_touch_every_usage_table() -> None:
    tree = {
        "name": "t",
        "dialect": "postgres",
        "tables": {"rx": {"kind": "usage", "columns": {"dr": "prescriber_id", "n": "quantity"}}},
        "procedures": {
            "g": "CREATE FUNCTION g(t text) RETURNS SETOF record LANGUAGE plpgsql AS"
            " $$ BEGIN RETURN QUERY EXECUTE replace(t, 'Q', 'r'); END $$"
        },
    }
    meaning = Analyser(load(tree)).analyse("SELECT * FROM g($1)").meaning
    assert meaning.disclosure == "opaque"
    assert [(t.table, t.roles) for t in meaning.touches] == [("rx", ("prescriber_id", "quantity"))]


def test_what_a_text_given_up_may_have_stored_is_not_known() -> None:
    analyser, state = SMALL, SessionState()
    given_up = analyser.given_up("INSERT INTO keep SELECT * FROM mz_cfmx", "postgres", state)
    assert given_up.disclosure == "opaque" and given_up.touches
    assert analyser.analyse("SELECT * FROM keep", state=state).meaning.disclosure == "opaque"
    assert analyser.analyse("SELECT * FROM gh_mx", state=state).meaning.disclosure == "none"
