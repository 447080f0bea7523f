"""The lexical estimate: what a text may be about, and where it may have put it."""

import pytest

from qingfang.understand import estimate
from tests.understand.scenes import catalogue

SMALL = catalogue("small")


@pytest.mark.parametrize(
    ("text", "dialect", "expected"),
    [
        ("INSERT INTO his . t1 SELECT", "mysql", ["t1"]),
        ("REPLACE INTO t1 SELECT", "mysql", ["t1"]),
        ("INSERT # t1 SELECT", "tsql", ["#t1"]),
        ("SELECT a INTO # t1 FROM x", "tsql", ["#t1"]),
        ("SELECT a INTO v FROM x", "oracle", []),
        ("MERGE INTO t1 USING ( SELECT", "oracle", ["t1"]),
        ("CREATE TABLE IF NOT EXISTS t1 AS SELECT", "postgres", ["t1"]),
        ("CREATE OR REPLACE VIEW t1 AS SELECT", "oracle", ["t1"]),
        ("UPDATE t1 SET a = ( SELECT", "oracle", ["t1"]),
        ("INSERT INTO t1 VALUES ( 1", "mysql", []),
        ("INSERT INTO 临时报表 SELECT", "oracle", ["临时报表"]),
        ("INSERT INTO", "oracle", []),
    ],
)
def test_where_an_unread_statement_may_put_rows(
    text: str, dialect: str, expected: list[str]
) -> None:
    assert estimate.targets(text.split(), dialect) == expected


def test_no_value_is_kept_of_an_unread_text() -> None:
    rows = estimate.unread(SMALL, "SELECT ysdm FROM mz_cf WHERE brxm = '张三' AND brid = 'P0001'")
    assert rows.expression.name == "brid mz_cf ysdm"
    found = estimate.touches_of(SMALL, rows)
    assert found is not None
    assert [(t.table, t.roles) for t in found] == [("mz_cf", ("patient_id", "prescriber_id"))]


def test_a_text_that_names_nothing_tells_nothing() -> None:
    assert estimate.touches_of(SMALL, estimate.unread(SMALL, "EXEC p_weizhi")) is None
