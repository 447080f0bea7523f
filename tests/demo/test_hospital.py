"""The synthetic hospital: the same every time, whole, plausible, and it says what it is."""

from __future__ import annotations

import datetime
from typing import Any

import psycopg
import pytest

from qingfang.demo import hospital, names
from qingfang.postgres import Server
from tests.demo.conftest import SCALE, SEED, UNTIL

# Everything but the stamp's time, in an order that does not depend on where rows lie.
FINGERPRINT = """
SELECT md5(string_agg(line, E'\n' ORDER BY line)) FROM (
    SELECT t::text AS line FROM his.{} t) lines
"""


def fingerprints(connection: psycopg.Connection) -> dict[str, str]:
    tables = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'his'::regnamespace AND relkind = 'r'"
    ).fetchall()
    found = {}
    for (table,) in tables:
        if table != "hs_build":
            row = connection.execute(FINGERPRINT.format(table).encode()).fetchone()
            found[table] = row[0] if row else ""
    return found


def one(connection: psycopg.Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_facts_have_the_promised_size() -> None:
    facts = hospital.facts(SEED)
    assert len(facts.departments) == 40
    assert len(facts.prescribers) == 300
    assert len(facts.drugs) + len(facts.consumables) == 1500
    assert len({s.number for s in facts.staff}) == len(facts.staff)
    assert len({s.name for s in facts.staff}) == len(facts.staff)
    assert sum(names.CLASSES[g][3] for g in names.CLASSES) == len(facts.drugs)


def test_facts_follow_from_the_seed() -> None:
    assert hospital.facts(SEED) == hospital.facts(SEED)
    assert hospital.facts(SEED) != hospital.facts(SEED + 1)


def test_rows_follow_from_the_seed(database: str) -> None:
    """Made twice: equal. With another seed: every table of care differs."""
    found = []
    for seed in (3, 3, 4):
        with psycopg.connect(database) as connection:
            hospital.load(connection, seed=seed, until=UNTIL, scale=0.001)
            found.append(fingerprints(connection))
    assert found[0] == found[1]
    changed = {table for table in found[0] if found[0][table] != found[2][table]}
    assert {"mz_cf_his", "mz_cfmx", "br_jbxx", "gh_mx", "zy_yz", "yf_crk", "gy_ygdm"} <= changed


def test_a_hospital_that_is_there_is_kept(postgres: Server, his: object) -> None:
    dsn = postgres.dsn(database="his")
    with psycopg.connect(dsn) as connection:
        before = one(connection, "SELECT made_at FROM his.hs_build")
    later = UNTIL + datetime.timedelta(days=3)
    kept = hospital.ensure(dsn, seed=SEED, until=later, scale=SCALE)
    assert kept == hospital.Stamp(hospital.VERSION, SEED, SCALE, UNTIL)
    with psycopg.connect(dsn) as connection:
        assert one(connection, "SELECT made_at FROM his.hs_build") == before


def test_a_half_made_or_other_hospital_is_made_anew(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA his")
        connection.execute("CREATE TABLE his.mz_cf (leftover integer)")
    stages: list[str] = []
    hospital.ensure(
        database,
        seed=1,
        until=UNTIL,
        scale=0.001,
        progress=lambda stage, share: stages.append(stage),
    )
    assert stages[-1] == "完成"
    late = UNTIL + datetime.timedelta(days=hospital.MAX_AGE_DAYS + 1)
    made = hospital.ensure(database, seed=2, until=late, scale=0.001)
    assert made == hospital.Stamp(hospital.VERSION, 2, 0.001, late)


def test_an_aged_hospital_is_made_anew(
    postgres: Server, his: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[datetime.date] = []
    monkeypatch.setattr(hospital, "load", lambda _c, *, until, **_more: loads.append(until))
    dsn = postgres.dsn(database="his")
    for days in (0, hospital.MAX_AGE_DAYS, hospital.MAX_AGE_DAYS + 1, -1):
        hospital.ensure(dsn, seed=SEED, until=UNTIL + datetime.timedelta(days=days), scale=SCALE)
    assert [(until - UNTIL).days for until in loads] == [hospital.MAX_AGE_DAYS + 1, -1]


def test_it_says_that_it_is_synthetic(reader: psycopg.Connection) -> None:
    database = one(
        reader,
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()",
    )
    assert "合成数据" in database
    assert "合成数据" in one(reader, "SELECT note FROM his.hs_build")
    assert "合成数据" in one(reader, "SELECT obj_description('his'::regnamespace)")


def test_every_table_and_column_has_a_chinese_comment(reader: psycopg.Connection) -> None:
    bare = reader.execute(
        """SELECT c.relname, a.attname FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'his'::regnamespace AND c.relkind = 'r'
          AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)"""
    ).fetchall()
    assert bare == []
    assert one(reader, "SELECT count(*) FROM pg_tables WHERE schemaname = 'his'") >= 30


def test_references_hold(reader: psycopg.Connection) -> None:
    """Foreign keys are there and valid; links that real systems leave undeclared hold as well."""
    assert (
        one(reader, "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated") >= 30
    )
    for child, parent, key, other in (
        ("his.yf_fyrec", "his.v_mz_cf", "cfh", "cfh"),
        ("his.mz_cfmx_his", "his.mz_cf_his", "cfh", "cfh"),
        ("his.v_mz_cf", "his.mz_jz", "jzid", "jzid"),
        ("his.outp_bill", "his.mz_jz", "visit_no", "jzid"),
        ("his.yb_scmx", "his.yb_jsd", "mdtrt_id", "mdtrt_id"),
        ("his.lis_jg", "his.jc_sq", "sqid", "sqid"),
    ):
        missing = one(
            reader,
            f"SELECT count(*) FROM {child} c WHERE NOT EXISTS"
            f" (SELECT 1 FROM {parent} p WHERE p.{other} = c.{key})",
        )
        assert missing == 0, (child, parent)


def test_totals_add_up(reader: psycopg.Connection) -> None:
    """Prescribed and not void = charged = dispensed = taken from stock, item by item."""
    differences = reader.execute(
        """WITH prescribed AS (SELECT m.ypdm AS item, sum(m.sl) AS n, sum(m.je) AS je
            FROM his.v_mz_cf c JOIN his.v_mz_cfmx m ON m.cfh = c.cfh WHERE c.fy_zt = 1 GROUP BY 1),
        dispensed AS (SELECT item_code AS item, sum(fy_sl) AS n, sum(fy_je) AS je FROM his.yf_fyrec GROUP BY 1),
        charged AS (SELECT fee_code AS item, sum(qty) AS n, sum(amount) AS je FROM his.outp_bill
            WHERE fee_kind = 'YP' GROUP BY 1),
        taken AS (SELECT ypdm AS item, -sum(sl) AS n FROM his.yf_crk WHERE biz_type = '020' GROUP BY 1)
        SELECT * FROM prescribed FULL JOIN dispensed USING (item) FULL JOIN charged USING (item)
            FULL JOIN taken USING (item)
        WHERE (prescribed.n, prescribed.je) IS DISTINCT FROM (dispensed.n, dispensed.je)
           OR (prescribed.n, prescribed.je) IS DISTINCT FROM (charged.n, charged.je)
           OR prescribed.n IS DISTINCT FROM taken.n"""
    ).fetchall()
    assert differences == []
    assert one(reader, "SELECT sum(fy_sl) FROM his.yf_fyrec") > 1000
    header = one(
        reader,
        "SELECT count(*) FROM his.v_mz_cf c WHERE c.je <>"
        " (SELECT sum(m.je) FROM his.v_mz_cfmx m WHERE m.cfh = c.cfh)",
    )
    assert header == 0


def test_stock_is_what_came_in_less_what_went_out(reader: psycopg.Connection) -> None:
    wrong = reader.execute(
        """SELECT k.yfdm, k.ypdm FROM his.yf_kc k
        FULL JOIN (SELECT yfdm, ypdm, sum(sl) AS left_over FROM his.yf_crk GROUP BY 1, 2) l
            USING (yfdm, ypdm)
        WHERE k.kcsl IS DISTINCT FROM l.left_over OR k.kcsl < 0"""
    ).fetchall()
    assert wrong == []
    ward = one(reader, "SELECT -sum(sl) FROM his.yf_crk WHERE biz_type = '021'")
    executed = one(reader, "SELECT sum(sl) FROM his.zy_yzzx WHERE cat1_type = 'PHA' AND zx_zt = 1")
    charged = one(reader, "SELECT sum(sl) FROM his.zy_fymx WHERE fylb = 'YP'")
    assert ward == executed == charged > 0


def test_departments_prescribe_what_they_treat(reader: psycopg.Connection) -> None:
    rows = reader.execute(
        """SELECT DISTINCT ON (k.ksmc) k.ksmc, y.ylfl, y.ypdm FROM his.v_mz_cf c
        JOIN his.v_mz_cfmx m ON m.cfh = c.cfh JOIN his.yk_ypzd y ON y.ypdm = m.ypdm
        JOIN his.gy_ksdm k ON k.ksdm = c.ksdm
        GROUP BY k.ksmc, y.ylfl, y.ypdm ORDER BY k.ksmc, count(*) DESC, y.ypdm"""
    ).fetchall()
    top = {department: (group, item) for department, group, item in rows}
    assert len({item for _group, item in top.values()}) > len(top) * 0.6
    assert top["眼科"][0] == "眼科"
    assert top["精神心理科"][0] in ("精神", "神经")
    assert top["皮肤科"][0] in ("皮肤", "免疫", "抗菌药物")


def test_use_is_skewed(reader: psycopg.Connection) -> None:
    """A tenth of the drugs makes more than a third of all lines, as in real hospitals."""
    share = one(
        reader,
        """WITH n AS (SELECT ypdm, count(*) AS lines FROM his.v_mz_cfmx GROUP BY ypdm)
        SELECT (SELECT sum(lines) FROM (SELECT lines FROM n ORDER BY lines DESC LIMIT 125) t) / sum(lines)
        FROM n""",
    )
    assert 0.33 < share < 0.9


def test_days_and_hours_have_a_rhythm(reader: psycopg.Connection) -> None:
    week = dict(
        reader.execute(
            "SELECT extract(isodow FROM kf_time)::integer, count(*) FROM his.v_mz_cf GROUP BY 1"
        ).fetchall()
    )
    assert week[1] > 1.5 * week[7]
    hours = dict(
        reader.execute(
            "SELECT extract(hour FROM kf_time)::integer, count(*) FROM his.v_mz_cf GROUP BY 1"
        ).fetchall()
    )
    assert max(hours, key=lambda hour: hours[hour]) in (8, 9, 10)
    assert hours[9] > 5 * hours.get(3, 0)


def test_new_drugs_ramp_up(reader: psycopg.Connection, facts: hospital.Facts) -> None:
    new = [d for d in facts.drugs if d.launched]
    assert len(new) == 3
    for drug in new:
        first = UNTIL - datetime.timedelta(days=hospital.DAYS - 1 - drug.launched)
        early = one(
            reader,
            "SELECT count(*) FROM his.v_mz_cf c JOIN his.v_mz_cfmx m ON m.cfh = c.cfh"
            f" WHERE m.ypdm = '{drug.code}' AND c.kf_time < '{first}'",
        )
        assert early == 0


def test_nobody_in_it_can_be_real(reader: psycopg.Connection) -> None:
    assert one(reader, "SELECT count(*) FROM his.br_jbxx WHERE sfzh NOT LIKE '990101%'") == 0
    assert one(reader, "SELECT count(*) FROM his.br_jbxx WHERE lxdh NOT LIKE '100%'") == 0
    assert one(reader, "SELECT count(*) FROM his.yk_ypzd WHERE cjmc NOT LIKE '合成制药%'") == 0
