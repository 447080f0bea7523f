"""Discovery from a living PostgreSQL: what its catalogues say, and a few of its values."""

import psycopg
import pytest

from qingfang.understand.catalogue import load
from qingfang.understand.discovery.propose import propose
from qingfang.understand.discovery.readers import live, postgres

SCHEMA = """
CREATE SCHEMA his;
CREATE TABLE public.doctor (id int PRIMARY KEY, name text);
CREATE TABLE his.rx (
    rx_no varchar(20) PRIMARY KEY, who int REFERENCES public.doctor(id), at timestamptz
);
COMMENT ON TABLE his.rx IS '门诊处方';
COMMENT ON COLUMN his.rx.at IS '开方时间';
CREATE TABLE his.charge (rx_no varchar(20), item_code varchar(20), what text, n numeric, kind text);
COMMENT ON COLUMN his.charge.n IS '数量';
CREATE TABLE his.part (a int, b date) PARTITION BY RANGE (b);
CREATE TABLE his.part_2026 PARTITION OF his.part FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE his.line (
    id int PRIMARY KEY, rx_no text, n int, code text, note text, UNIQUE (rx_no, n)
);
CREATE UNIQUE INDEX ON his.line (code) INCLUDE (note);
CREATE UNIQUE INDEX ON his.line (note) WHERE n > 0;
CREATE UNIQUE INDEX ON his.line (lower(note));
CREATE VIEW his.v_rx AS SELECT rx_no FROM his.rx;
CREATE FUNCTION his.f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1';
INSERT INTO his.charge SELECT 'R' || i, 'C' || i,
    (ARRAY['头孢克肟胶囊', '阿莫西林片', '氯化钠注射液', '血常规'])[1 + i % 4], 1,
    (ARRAY['西药', '中成药', '西药', '检查费'])[1 + i % 4] FROM generate_series(1, 500) i;
"""


def test_what_a_database_says_about_itself(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SCHEMA)
    seen = []
    schema = postgres.read(database, progress=lambda done, total: seen.append((done, total)))
    assert set(schema.tables) == {"doctor", "his.rx", "his.charge", "his.part", "his.line"}
    assert schema.tables["his.rx"].keys == [("rx_no",)]
    assert schema.tables["his.line"].keys == [("id",), ("code",), ("rx_no", "n")]
    assert schema.tables["his.rx"].comment == "门诊处方"
    assert [(f.columns, f.to_table, f.to_columns) for f in schema.tables["his.rx"].foreign] == [
        (("who",), "doctor", ("id",))
    ]
    assert schema.views["his.v_rx"].startswith("SELECT")
    assert "SELECT a + 1" in schema.routines["his.f"]
    assert len(schema.tables["his.charge"].columns["rx_no"].samples) == live.SAMPLE_VALUES
    assert schema.tables["his.charge"].members["rx_no"] >= {"R1", "R500"}
    assert not schema.notes
    assert seen == [(n, 5) for n in range(1, 6)]

    proposal = propose(schema)
    assert proposal.role("his.rx", "who") == "prescriber_id"
    assert proposal.role("his.charge", "what") == "item_name"
    assert proposal.role("his.charge", "n") == "quantity"
    hint = next(h for h in proposal.hints if h.what == "usage_when")
    assert (hint.table, hint.text) == ("his.charge", "kind IN ('中成药', '西药')")
    load(proposal.catalogue())


def test_a_table_that_may_not_be_read_is_named_and_the_rest_is_kept(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SCHEMA)
        connection.execute("CREATE ROLE narrow; GRANT USAGE ON SCHEMA his TO narrow")
        connection.execute("GRANT SELECT ON his.charge TO narrow")
    try:
        schema = postgres.read(f"{database} options='-c role=narrow'")
        assert schema.notes == ["未能取样（无权限或超时）：doctor、his.line、his.part、his.rx"]
        assert schema.tables["his.charge"].columns["kind"].samples
        assert not schema.tables["doctor"].columns["name"].samples
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("DROP OWNED BY narrow; DROP ROLE narrow")


def test_an_unreachable_database_is_one_sentence():
    with pytest.raises(live.Unreachable, match="连不上"):
        postgres.read("postgresql://nobody:secret@127.0.0.1:1/x?connect_timeout=2")
