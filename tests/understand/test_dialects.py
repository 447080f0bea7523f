"""The parser's traps, one by one, and offsets that survive their repair."""

import pytest

from qingfang.understand import dialects


def parsed(sql: str, dialect: str = "postgres") -> list[str | None]:
    found = []
    for piece in dialects.pieces(sql, dialect):
        tree = dialects.tree(piece, sql, dialect)
        found.append(tree.sql(dialect=dialect) if tree is not None else None)
    return found


def test_statements_are_told_apart_at_semicolons_only() -> None:
    sql = "SELECT ';' ; SELECT 1; ; /* ; */ SELECT (2)"
    found = dialects.pieces(sql, "postgres")
    assert [sql[p.start : p.end] for p in found] == ["SELECT ';'", "SELECT 1", "SELECT (2)"]
    body = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END"
    assert len(dialects.pieces(body, "postgres")) == 1
    block = "DECLARE n NUMBER; BEGIN SELECT 1 INTO n FROM dual; END;"
    assert len(dialects.pieces(block, "oracle")) == 1
    assert len(dialects.pieces("SELECT 1\nGO\nSELECT 2", "tsql")) == 2


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("SELECT a FROM t WHERE k = ? AND l = ?", "mysql"),
        ("SELECT a FROM t WHERE k = $1 AND l = $2", "postgres"),
        ("SELECT a FROM t WHERE k = :1 AND l = :2", "oracle"),
        ("SELECT a FROM t WHERE k = :von AND l = :bis", "oracle"),
        ("SELECT a FROM t WHERE k = @p1 AND l = @p2", "tsql"),
        ("SELECT a FROM t WHERE k = ?1 AND l = ?2", "sqlite"),
    ],
)
def test_bound_values_have_one_form(sql: str, dialect: str) -> None:
    (piece,) = dialects.pieces(sql, dialect)
    tree = dialects.tree(piece, sql, dialect)
    assert tree is not None
    found = [str(p.this) for p in tree.find_all(dialects.exp.Placeholder)]
    assert sorted(name.split("_")[2] for name in found) == ["0", "1"]


def test_a_question_mark_that_is_an_operator_stays_one() -> None:
    assert parsed("SELECT a FROM t WHERE j ? 'k' AND b[1:2] = x::int") == [
        "SELECT a FROM t WHERE j ? 'k' AND b[1:2] = CAST(x AS INT)"
    ]


def test_what_follows_a_command_word_is_taken_apart() -> None:
    for sql in ("EXECUTE p(1, 'a')", "FETCH 10 FROM c", "CALL f(1)", "SHOW server_version"):
        (piece,) = dialects.pieces(sql, "postgres")
        assert len(piece.tokens) > 1
        for token in piece.tokens:
            assert token.text.strip("'") == sql[token.start : token.end + 1].strip("'")
    (piece,) = dialects.pieces("DO $$ BEGIN NULL; END $$", "postgres")
    assert piece.tokens[1].text == " BEGIN NULL; END "


def test_unicode_identifiers_are_read_as_the_database_reads_them() -> None:
    assert parsed('SELECT m.U&"\\0079pdm" FROM m') == ['SELECT m."ypdm" FROM m']


def test_mysql_runs_version_comments_and_not_others() -> None:
    sql = "SELECT a /*!50000 , b */ /* , c */, '/*! d */' FROM t"
    (piece,) = dialects.pieces(sql, "mysql")
    tree = dialects.tree(piece, sql, "mysql")
    assert tree is not None
    assert [e.sql(comments=False) for e in tree.expressions][:2] == ["a", "b"]
    assert len(tree.expressions) == 3
    assert tree.expressions[2].this == "/*! d */"


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT '" + "x" * dialects.MAX_LENGTH + "'", "too_long"),
        ("SELECT 1" + ",1" * dialects.MAX_TOKENS, "too_long"),
        ("SELECT " + "(" * 300 + "1" + ")" * 300, "too_deep"),
        ("SELECT a" + "[1]" * 300, "too_deep"),
        ("SELECT 'abc", "unparsed"),
    ],
)
def test_budgets_are_counted(sql: str, problem: str) -> None:
    (piece,) = dialects.pieces(sql, "postgres")
    assert piece.problem == problem
    assert (piece.start, piece.end) == (0, len(sql))


def test_not_parsed_is_no_tree() -> None:
    for sql in ("SELEC 1", "SELECT FROM WHERE", "SELECT 1 1 1"):
        assert parsed(sql) == [None]
