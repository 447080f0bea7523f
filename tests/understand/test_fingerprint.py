"""The scanner as a table of text → normal form, and the properties the template cache rests on."""

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from qingfang.understand.fingerprint import (
    FAMILIES,
    LONGEST_COUNTED_LIST,
    digest,
    easy,
    fingerprint,
    restore,
    scan,
    thorough,
    value,
)
from tests.fuzz.fingerprint import holds_together, parts

CASES = [
    # dialect, text, normal form, literals as written
    ("postgres", "SELECT  a\n FROM T WHERE b = 5", "select a from t where b = ?", ["5"]),
    ("postgres", "SELECT a -- 注释\nFROM t", "select a from t", []),
    ("postgres", "SELECT/* a /* nested */ ' */a FROM t;", "select a from t;", []),
    ("postgres", "/* x */ SELECT 1 -- end", "select ?", ["1"]),
    ("postgres", "SELECT 'it''s', '' FROM t", "select '?', '?' from t", ["'it''s'", "''"]),
    (
        "postgres",
        r"SELECT E'it\'s \\', 'C:\dir'",
        "select e'?', '?'",
        [r"E'it\'s \\'", r"'C:\dir'"],
    ),
    ("postgres", "SELECT U&'\\5934', U&\"Tab\"", "select u&'?', u&\"Tab\"", ["U&'\\5934'"]),
    (
        "postgres",
        "SELECT $$a'b$$, $x$ $$ $x$, a$1 FROM t",
        "select '?', '?', a$1 from t",
        ["$$a'b$$", "$x$ $$ $x$"],
    ),
    ("postgres", "SELECT U&$$x$$, a&$$y$$", "select u& '?', a& '?'", ["$$x$$", "$$y$$"]),
    ("postgres", 'SELECT "Aa", "b" FROM "处方主表"', 'select "Aa", "b" from "处方主表"', []),
    (
        "postgres",
        "SELECT 药品名称 FROM 门诊处方 WHERE 数量>3",
        "select 药品名称 from 门诊处方 where 数量>?",
        ["3"],
    ),
    (
        "postgres",
        "SELECT t1.c2, -3, 0x1F, 1.5e-3, 12ab, x::int8",
        "select t1.c2, -?, ?, ?, 12ab, x::int8",
        ["3", "0x1F", "1.5e-3"],
    ),
    (
        "postgres",
        "WHERE d >= DATE '2026-11-01' AND e < $2",
        "where d >= date '?' and e < $2",
        ["'2026-11-01'"],
    ),
    ("postgres", "x ? 'a' AND y = ?", "x ? '?' and y = ?", ["?", "'a'", "?"]),
    ("postgres", "LIMIT 10 OFFSET 20", "limit ? offset ?", ["10", "20"]),
    (
        "mysql",
        "SELECT \"a\\\"b\", 'c\\'d' FROM `My Tab` # end",
        "select '?', '?' from `My Tab`",
        ['"a\\"b"', "'c\\'d'"],
    ),
    ("mysql", "SELECT 5- -5, 6 -- 7\n, 8", "select ?- -?, ? , ?", ["5", "5", "6", "8"]),
    (
        "mysql",
        "SELECT _utf8mb4'药', x'41' FROM t",
        "select _utf8mb4'?', x'?' from t",
        ["'药'", "x'41'"],
    ),
    (
        "tsql",
        "SELECT N'药', [Rx No], [a]]b] FROM #Tmp WHERE @P0 = 1",
        "select n'?', [Rx No], [a]]b] from #tmp where @p0 = ?",
        ["N'药'", "1"],
    ),
    (
        "oracle",
        "SELECT q'[it's]', nq'{x}' FROM dual WHERE a = :1 AND b = :Name",
        "select '?', '?' from dual where a = :1 and b = :name",
        ["q'[it's]'", "nq'{x}'"],
    ),
    ("sqlite", 'SELECT "A", [B], `C`, ?1 FROM t', 'select "A", [B], `C`, ?1 from t', []),
]


@pytest.mark.parametrize(("dialect", "text", "normal", "literals"), CASES)
def test_normal_form(dialect, text, normal, literals):
    seen = scan(text, dialect)
    assert seen.text == normal
    assert list(seen.literals(text)) == literals
    assert not seen.exact


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("postgres", "SELECT 'open"),
        ("postgres", 'SELECT "open'),
        ("postgres", "SELECT /* open /* */"),
        ("postgres", "SELECT $tag$ open $tga$"),
        ("postgres", r"SELECT 'a\' , secret, '"),
        ("postgres", "SELECT 1 -- a\r , secret"),
        ("mysql", "SELECT 1 /*! , secret */"),
        ("mysql", "SELECT 1 /*M! , secret */"),
        ("mysql", "SELECT 5--5"),
        ("oracle", "SELECT q'[open' FROM dual"),
        ("tsql", "SELECT [open"),
    ],
)
def test_a_text_in_doubt_stands_as_it_came(dialect, text):
    seen = scan(text, dialect)
    assert seen.exact
    assert seen.text == text
    assert not seen.starts


def test_an_unknown_dialect_is_an_error():
    with pytest.raises(ValueError, match="db2"):
        scan("SELECT 1", "db2")


def test_lists_keep_their_count_up_to_the_largest_that_can_pin():
    def of(n):
        return scan(
            f"SELECT a FROM t WHERE k IN ({', '.join(str(i) for i in range(n))})", "postgres"
        )

    ten, eleven, many = of(LONGEST_COUNTED_LIST), of(LONGEST_COUNTED_LIST + 1), of(500)
    assert of(9).text != ten.text != eleven.text
    assert len(ten.starts) == LONGEST_COUNTED_LIST
    assert eleven.text == many.text == "select a from t where k in (?...)"
    assert eleven.kinds == "l"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a FROM t WHERE k IN (1,2,3,4,5,6,7,8,9,10,11) AND j IN ('a','b')",
        "SELECT a FROM t WHERE k IN ( -1, -2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 ) AND x = 4",
        "SELECT f(1,2,3,4,5,6,7,8,9,10,11), ('a','b','c','d','e','f','g','h','i','j','k')",
    ],
)
def test_a_long_list_comes_back_whole(text):
    seen = scan(text, "postgres")
    assert "l" in seen.kinds
    assert restore(seen.text, seen.literals(text), "postgres") == text.replace(
        "SELECT", "select"
    ).replace("FROM", "from").replace("WHERE", "where").replace("IN", "in").replace("AND", "and")


def test_a_mixed_list_is_not_folded():
    text = "SELECT (1,2,3,4,5,6,7,8,9,10,'a',11)"
    assert "l" not in scan(text, "postgres").kinds


def test_the_digest_is_of_dialect_and_normal_form():
    one = fingerprint("SELECT a FROM t WHERE b=1", "postgres")
    assert one == fingerprint("select A  from T where b=22 -- x", "postgres")
    assert one.digest != fingerprint("SELECT a FROM t WHERE b=1", "oracle").digest
    assert one.digest != fingerprint("SELECT a FROM t WHERE c=1", "postgres").digest
    assert len(digest("\ud800", "postgres")) == 32


def test_a_prefix_that_touches_a_number_stays_its_own():
    """Found by the fuzz target: `0.U&'1'` read as `0.uU&'1'`."""
    assert scan("SELECT 0.U&'1'", "postgres").text == "select 0.u&'?'"
    assert scan("SELECT 0.uU&'1'", "postgres").text == "select 0.uu&'?'"
    holds_together("SELECT 0.U&'1'", "postgres")


def test_names_that_only_unicode_folds_stay_apart():
    assert fingerprint("SELECT * FROM \u212a1", "postgres") != fingerprint(
        "SELECT * FROM k1", "postgres"
    )


@pytest.mark.parametrize(
    ("literal", "dialect", "expected"),
    [
        ("'it''s'", "postgres", "it's"),
        (r"E'a\'b\n'", "postgres", "a'b\n"),
        (r"'a\n'", "postgres", r"a\n"),
        (r"'a\n\'b'", "mysql", "a\n'b"),
        ('"a""b"', "mysql", 'a"b'),
        ("N'药'", "tsql", "药"),
        ("q'[it's]'", "oracle", "it's"),
        ("nq'{x}'", "oracle", "x"),
        ("$t$a'b$t$", "postgres", "a'b"),
        ("1.50", "postgres", "1.50"),
        ("?", "mysql", "?"),
    ],
)
def test_value(literal, dialect, expected):
    assert value(literal, dialect) == expected


def test_restore_refuses_a_wrong_number_of_literals():
    with pytest.raises(ValueError, match="2 places, 1"):
        restore("select ?, '?'", ("1",), "postgres")


# ---------------------------------------------------------------- properties

PIECES = st.sampled_from(
    [
        "SELECT",
        " ",
        "\n",
        "  ",
        ",",
        "(",
        ")",
        "a",
        "T1",
        '"Q x"',
        "--",
        "/*",
        "*/",
        "'",
        "''",
        "\\",
        "E'",
        "N'",
        "U&'",
        "$$",
        "$t$",
        "$1",
        ":1",
        "@p",
        "#",
        "`",
        "[",
        "]",
        '"',
        "?",
        "...",
        "1",
        "2.5",
        "0xF",
        "1e3",
        "-",
        "/",
        "*",
        "=",
        "药",
        "�",
        "\r",
        "\x00",
        "q'[",
        "]'",
        "/*!",
        "12a",
    ]
)
DIALECT = st.sampled_from(sorted(FAMILIES))


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join), DIALECT)
def test_idempotent_and_restorable(text, dialect):
    holds_together(text, dialect)


EASY = st.sampled_from(
    [
        *("SELECT", "Dept_Code", "t.qty", "数量", "É", '"Ab"', '"ab"', "`A b`", "[A b]", "#t", "x"),
        *(" ", "  ", "\n", ",", "(", ")", "=", "<>", "::", "@p1", ":1", "$1", "?", "-", "/", "%"),
        *(
            "1",
            "12.5",
            "1.",
            "1..2",
            "12ab",
            "'a'",
            "'it''s'",
            "'药'",
            "E'x'",
            "]",
            "[",
            "#",
            "&",
            "@",
            ":",
        ),
    ]
)


@settings(max_examples=2_000, deadline=None)
@given(st.lists(EASY, max_size=12).map("".join), DIALECT)
def test_the_quick_way_gives_what_the_thorough_one_does(text, dialect):
    quick = easy(text, FAMILIES[dialect])
    assert quick is None or parts(quick) == parts(thorough(text, FAMILIES[dialect]))


def test_what_programs_send_is_scanned_the_quick_way():
    for text in (
        "SELECT abalance FROM pgbench_accounts WHERE aid = 1234567;",
        "select 药品名称, sum(数量) from 门诊处方 where 科室='内科' and 日期 >= '2026-11-01'\n  group by 1",
        'UPDATE "Rx" SET "Qty" = $1, x = x::int WHERE id IN (1, 2, 3)',
    ):
        assert easy(text, FAMILIES["postgres"]) is not None


STRING = st.text(st.characters(codec="utf-8", exclude_characters="\\\0"), max_size=12).map(
    lambda s: "'" + s.replace("'", "''") + "'"
)
NUMBER = st.one_of(st.integers(0, 10**12).map(str), st.decimals(0, 999, places=2).map(str))
COLUMN = st.sampled_from(["rx_no", "Dept_Code", "t.qty", '"Item Name"', "数量"])
OPERATOR = st.sampled_from(["=", " = ", ">=", "<>", " LIKE "])
PREDICATE = st.one_of(
    st.tuples(COLUMN, OPERATOR, st.one_of(STRING, NUMBER)).map("".join),
    st.tuples(COLUMN, st.lists(st.one_of(STRING, NUMBER), min_size=1, max_size=9)).map(
        lambda p: f"{p[0]} IN ({', '.join(p[1])})"
    ),
    st.tuples(COLUMN, NUMBER, NUMBER).map(lambda p: f"{p[0]} BETWEEN {p[1]} AND -{p[2]}"),
)
FILLER = st.sampled_from([" ", "\n", " /* x */ ", " -- y\n", "\t"])
SELECT = st.tuples(
    st.lists(COLUMN, min_size=1, max_size=3), st.lists(PREDICATE, min_size=1), FILLER
).map(
    lambda p: f"SELECT{p[2]}{', '.join(p[0])} FROM t{p[2]}WHERE {' AND '.join(p[1])}{p[2]}LIMIT 5"
)


@settings(max_examples=500, deadline=None)
@given(SELECT, DIALECT)
def test_agrees_with_sqlglot_on_where_the_literals_stand(text, dialect):
    seen = scan(text, dialect)
    tokens = sqlglot.tokenize(text, dialect=dialect)
    theirs = [(t.start, t.end + 1) for t in tokens if t.token_type.name in {"STRING", "NUMBER"}]
    assert list(zip(seen.starts, seen.ends, strict=True)) == theirs


@settings(max_examples=200, deadline=None)
@given(SELECT, st.lists(STRING, min_size=1), st.lists(NUMBER, min_size=1))
def test_other_literals_are_the_same_template(text, strings, numbers):
    seen = scan(text, "postgres")
    others = tuple(
        (strings if kind == "s" else numbers)[i % len(strings if kind == "s" else numbers)]
        for i, kind in enumerate(seen.kinds)
    )
    assert scan(restore(seen.text, others, "postgres"), "postgres").text == seen.text
