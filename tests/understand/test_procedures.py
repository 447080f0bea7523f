"""What a routine's source says of tables, for whoever learns from sources."""

from qingfang.understand.procedures import queries_of


def test_queries_and_changes_of_three_languages() -> None:
    plpgsql = (
        "CREATE FUNCTION f(a int, b text) RETURNS SETOF t LANGUAGE plpgsql AS $x$ DECLARE n int; "
        "BEGIN IF (SELECT COUNT(*) FROM t) > 0 THEN RETURN QUERY SELECT * FROM u; END IF; "
        "FOR r IN SELECT 1 LOOP PERFORM g(r); END LOOP; INSERT INTO v SELECT * FROM w; END $x$"
    )
    body = queries_of(plpgsql, "postgres")
    assert body.parameters == ["a", "b"]
    assert [q.sql() for q in body.queries] == [
        "SELECT (SELECT COUNT(*) FROM t) > 0",
        "SELECT * FROM u",
    ]
    assert [c.sql() for c in body.changes] == ["INSERT INTO v SELECT * FROM w"]
    plsql = (
        "CREATE PACKAGE BODY k IS PROCEDURE p IS BEGIN DELETE FROM u; END; "
        "FUNCTION q RETURN NUMBER IS n NUMBER; BEGIN SELECT x INTO n FROM t; RETURN n; END; END;"
    )
    body = queries_of(plsql, "oracle")
    assert [q.sql() for q in body.queries] == ["SELECT x FROM t"] and len(body.changes) == 1
    tsql = "CREATE PROCEDURE p @d date AS BEGIN SELECT a FROM t WHERE d=@d; EXEC q @d; END"
    body = queries_of(tsql, "tsql")
    assert body.parameters == ["d"]
    assert len(body.queries) == 1


def test_a_source_that_is_not_read_says_nothing() -> None:
    for text in ("", "CREATE FUNCTION f() RETURNS int LANGUAGE plpython3u AS $$ x $$", "???"):
        assert queries_of(text, "postgres").queries == []
