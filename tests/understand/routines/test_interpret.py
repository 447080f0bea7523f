"""Calls with arguments through the cache, and texts and blocks that would grow without end."""

import json

import pytest

from qingfang.understand.analysis import Analyser
from qingfang.understand.catalogue import load
from qingfang.understand.templates import Templates
from tests.understand.scenes import FIXTURES

PROCEDURES = {
    "sp_br": "CREATE PROC sp_br @brid varchar(20), @ks varchar(10) = NULL AS SELECT m.ypdm, m.sl"
    " FROM mz_cf c JOIN mz_cfmx m ON m.cf_id = c.cf_id"
    " WHERE c.brid = @brid AND (@ks IS NULL OR c.ksdm = @ks)",
    "sp_dt": "CREATE PROC sp_dt @cf varchar(20) AS DECLARE @s varchar(900)"
    " SET @s = 'SELECT ypdm, sl FROM mz_cfmx WHERE cf_id = ''' + @cf + '''' EXEC (@s)",
    "sp_lx": "CREATE PROC sp_lx @lx int, @v varchar(20) AS IF @lx = 1"
    " SELECT ypdm, sl FROM mz_cfmx WHERE cf_id = @v"
    " ELSE SELECT ypdm, SUM(sl) FROM mz_cfmx GROUP BY ypdm",
}
TREE = json.loads((FIXTURES / "small.json").read_text(encoding="utf-8"))
ANALYSER = Analyser(load({**TREE, "dialect": "tsql", "procedures": PROCEDURES}), strict=True)


def test_the_cache_tells_calls_of_one_body_apart_by_what_decides() -> None:
    templates = Templates()

    def told(sql: str, binds: list[str | None] | None = None) -> tuple[str, list[str | None]]:
        found = templates.judge(sql, "tsql", lambda: ANALYSER.analyse(sql, binds=binds), binds)
        return found.meaning.disclosure, [v.text for p in found.meaning.pins for v in p.values]

    assert told("EXEC sp_br 'P1'") == ("clinical", ["P1"])
    assert told("EXEC sp_br 'P2'") == ("clinical", ["P2"])
    assert templates.hits == 1  # which patient it is decides nothing
    assert told("EXEC sp_dt 'R1'") == ("clinical", ["R1"])
    assert told("EXEC sp_dt 'R1'' OR ''1''=''1'")[0] == "usage"
    assert told("EXEC sp_lx 1, 'R1'") == ("clinical", ["R1"])
    assert told("EXEC sp_lx 2, 'R1'")[0] == "usage"
    assert told("EXEC sp_lx @p1, @p2", ["1", "R1"]) == ("clinical", ["R1"])
    assert told("EXEC sp_lx @p1, @p2", ["2", "R1"])[0] == "usage"
    assert told("EXEC sp_lx @p1, @p2", ["1", "R2"]) == ("clinical", ["R2"])


GROWING = {
    "blocks": ("BEGIN " * 500 + "SELECT 1 " + "END " * 500, "tsql"),
    "branches": ("IF @a = 1 " * 500 + "SELECT 1", "tsql"),
    "loops": ("WHILE @a = 1 BEGIN " * 12 + "SET @s = @s + 'x' EXEC (@s) " + "END " * 12, "tsql"),
    "doubled text": (
        "DECLARE @s varchar(max) SET @s = 'abcdefghij' " + "SET @s = @s + @s " * 60 + "EXEC (@s)",
        "tsql",
    ),
    "doubled text, PL/SQL": (
        "DECLARE s VARCHAR2(999) := 'abc'; BEGIN "
        + "s := s || s; " * 60
        + "EXECUTE IMMEDIATE s; END;",
        "oracle",
    ),
    "text built in many steps": (
        "DECLARE @s varchar(max) SET @s = '' "
        + "SET @s = @s + 'abcdefghij' " * 6_000
        + "EXEC (@s)",
        "tsql",
    ),
    "text of many holes": (
        "DECLARE @s varchar(max) SET @s = 'x'"
        + "".join(f" + @q{n}" for n in range(5_000))
        + " EXEC (@s)",
        "tsql",
    ),
    "figures of figures": (
        "DECLARE @v int " + "SELECT @v = MAX(sl) FROM mz_cfmx WHERE sl > @v " * 300 + "SELECT @v",
        "tsql",
    ),
    "tables of tables": (
        "DECLARE @t0 TABLE (a int) INSERT INTO @t0 SELECT sl FROM mz_cfmx "
        + "".join(
            f"DECLARE @t{n + 1} TABLE (a int) INSERT INTO @t{n + 1}"
            f" SELECT x.a FROM @t{n} x, @t{n} y "
            for n in range(30)
        )
        + "SELECT * FROM @t30",
        "tsql",
    ),
    "a package's calls, doubled": (
        "CREATE PACKAGE BODY pk AS "
        + "".join(f"PROCEDURE p{n} IS BEGIN p{n + 1}; p{n + 1}; END; " for n in range(40))
        + "PROCEDURE p40 IS BEGIN NULL; END; END;",
        "oracle",
    ),
    "a trigger's loops in loops": (
        "CREATE TRIGGER t AFTER INSERT ON mz_cf FOR EACH ROW BEGIN "
        + "WHILE 1 = 1 DO " * 400
        + "SET @a = 1; "
        + "END WHILE; " * 400
        + "END",
        "mysql",
    ),
    "arguments": ("EXEC sp_x " + ", ".join(["1"] * 10_000), "tsql"),
    "text of many statements": ("EXEC ('" + "SELECT 1 " * 10_000 + "')", "tsql"),
    "long": ("DECLARE @s varchar(max) SET @s = '" + "a" * 10_000_000 + "' EXEC (@s)", "tsql"),
}


@pytest.mark.parametrize("name", GROWING)
def test_what_would_grow_without_end_is_opaque(name: str) -> None:
    sql, dialect = GROWING[name]
    assert ANALYSER.analyse(sql, dialect).meaning.disclosure == "opaque"


def test_a_condition_without_words_is_not_known() -> None:
    sql = "BEGIN IF ; THEN SELECT SUM(m.sl) FROM mz_cfmx m; END IF; END"
    assert ANALYSER.analyse(sql, "oracle").meaning.disclosure == "usage"
