"""Constants are folded, also where functions put them together."""

import pytest
import sqlglot

from qingfang.understand.folding import Reading, fold


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'YP'||CHR(48)||'07'", "YP007"),
        ("CONCAT('a','b','c')", "abc"),
        ("2+3", "5"),
        ("-7", "-7"),
        ("UPPER('yp')", "YP"),
        ("REPLACE('Y-P','-','')", "YP"),
        ("SUBSTRING('XYP007',2,5)", "YP007"),
        ("CAST('5' AS int)", "5"),
        ("DATE '2026-01-20'", "2026-01-20"),
        ("md5('x')", None),
        ("convert_from(decode('6162','hex'),'UTF8')", "ab"),
        ("convert_from('\\xd2a9'::bytea,'GBK')", "药"),
        ("encode(decode('YWI=','base64'),'hex')", "6162"),
        ("encode(convert_to('药','UTF8'),'base64')", "6I2v"),
        ("decode('a\\142','escape')", "\\x6162"),
        ("decode('xyz','hex')", None),
        ("convert_from('\\xff','UTF8')", None),
        ("convert_from('\\x61','nonsense')", None),
        ("translate('a-b','-b','_')", "a_"),
        ("format('%s %I %L %%', 'a', 'B', 'c''d')", "a \"B\" 'c''d' %"),
        ("format('%2$s%1$s', 'a', 'b')", "ba"),
        ("format('%s%s', 'a')", None),
        ("format('%-5s', 'a')", None),
        ("repeat('ab',3)", "ababab"),
        ("repeat('ab',1000000000)", None),
        ("lpad('a',3,'xy')", "xya"),
        ("rpad('abc',2)", "ab"),
        ("lpad('a',1000000000,'x')", None),
        ("left('abc',-1)", "ab"),
        ("right('abc',2)", "bc"),
        ("split_part('a,b,c',',',2)", "b"),
        ("split_part('a',',',7)", ""),
        ("initcap('ab cd')", "Ab Cd"),
        ("btrim('xxaxx','x')", "a"),
        ("ltrim('xxax','x')", "ax"),
        ("overlay('abcd' placing 'X' from 2 for 2)", "aXd"),
        ("array_to_string(array['a','b'],'-')", "a-b"),
        ("unistr('\\0041\\+000042\\\\')", "AB\\"),
        ("U&'d!0061t!!' UESCAPE '!'", "dat!"),
        ("concat('a',NULL,'b')", "ab"),
        ("coalesce(NULL,'b','c')", "b"),
        ("pg_catalog.reverse('ab')", "ba"),
        ("to_char(DATE '2026-01-20','YYYYMMDD')", "20260120"),
        ("regexp_replace('a','(a+)+$','b')", None),
        ("||".join(f"chr({ord(c)})" for c in "SELECT 1" * 30), "SELECT 1" * 30),
    ],
)
def test_constants_fold(text: str, value: str | None) -> None:
    node = sqlglot.parse_one(f"SELECT {text}", dialect="postgres").expressions[0]
    const = fold(node, Reading(None), True)
    assert const is not None and const.text == value


@pytest.mark.parametrize(
    "text",
    [
        "elsewhere.reverse('ab')",
        "of_somebody('ab')",
        "upper(of_somebody('ab'))",
        "query_to_xml('SELECT 1', true, true, '')",
        "(SELECT 'x' WHERE 1 = 0)",
    ],
)
def test_what_runs_or_may_give_nothing_is_no_constant(text: str) -> None:
    node = sqlglot.parse_one(f"SELECT {text}", dialect="postgres").expressions[0]
    assert fold(node, Reading(None), True) is None


def test_a_column_is_no_constant_and_a_computed_literal_is_bound() -> None:
    select = sqlglot.parse_one("SELECT a || 'x', 'y', 'p' || 'q'", dialect="postgres")
    reading = Reading(None)
    first, second, third = (fold(node, reading, True) for node in select.expressions)
    assert first is None
    assert second is not None and second.literals == (17,)
    assert third is not None and third.literals == (22, 29)
    assert reading.fixed == {22, 29}


@pytest.mark.parametrize(
    ("dialect", "text", "value"),
    [
        ("tsql", "CAST(0x53004500 AS NVARCHAR(MAX))", "SE"),
        ("tsql", "CONVERT(varchar(max), 0x5345)", "SE"),
        ("tsql", "CHAR(65) + NCHAR(33647) + 'b'", "A药b"),
        ("tsql", "STUFF('abcd', 2, 2, 'X')", "aXd"),
        ("tsql", "REPLICATE('ab', 2) + SPACE(1) + 'c'", "abab c"),
        ("mysql", "UNHEX('6162')", "ab"),
        ("mysql", "FROM_BASE64('YWI=')", "ab"),
        ("mysql", "CHAR(97,98)", "ab"),
        ("oracle", "UTL_RAW.CAST_TO_VARCHAR2(HEXTORAW('6162'))", "ab"),
        ("oracle", "CHR(97)||'b'", "ab"),
    ],
)
def test_constants_fold_in_other_dialects(dialect: str, text: str, value: str) -> None:
    node = sqlglot.parse_one(f"SELECT {text}", dialect=dialect).expressions[0]
    const = fold(node, Reading(None), True)
    assert const is not None and const.text == value


@pytest.mark.parametrize("text", ["(SELECT 'x')", "coalesce(NULL, (SELECT 'x'))"])
def test_a_select_from_nothing_is_a_constant(text: str) -> None:
    node = sqlglot.parse_one(f"SELECT {text}", dialect="postgres").expressions[0]
    const = fold(node, Reading(None), True)
    assert const is not None and const.text == "x"


@pytest.mark.parametrize("text", ["(SELECT x FROM t)", "count(*)", "f(a)", "(SELECT a)"])
def test_what_reads_is_no_constant(text: str) -> None:
    node = sqlglot.parse_one(f"SELECT {text}", dialect="postgres").expressions[0]
    assert fold(node, Reading(None), True) is None
