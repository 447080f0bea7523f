"""What must hold for any statement, tried on all fixtures and on mutations of them."""

from __future__ import annotations

import json
import random
import re

import pytest
import sqlglot
from sqlglot import exp

from qingfang.understand.analysis import Analyser, SessionState, holds
from qingfang.understand.catalogue import load
from tests.understand.scenes import FIXTURES, all_scenes, catalogue, said

SMALL = Analyser(catalogue("small"), strict=True)
# Disguised names are not found by what renames and rewrites here.
SCENES = [
    s
    for s in all_scenes()
    if s.catalogue == "small" and s.dialect is None and s.file != "disguises.sql"
]


def _is_query(sql: str) -> bool:
    """Whether it can be taken apart here: what only one vendor writes cannot."""
    try:
        return isinstance(sqlglot.parse_one(sql, dialect="postgres"), exp.Query)
    except sqlglot.errors.SqlglotError:
        return False


# Statements that are one query by themselves, with what they mean.
QUERIES = [
    (step.sql, step.expected)
    for scene in SCENES
    for step in scene.steps
    if re.match(r"(?is)\s*(SELECT|WITH)\b", step.sql)
    and ";" not in step.sql
    and step.binds is None
    and " INTO " not in step.sql
    and "\\0079" not in step.sql
    and _is_query(step.sql)
    and said(SMALL.analyse(step.sql).meaning) == step.expected
]


def test_there_is_enough_to_try() -> None:
    assert len(QUERIES) > 200


# ------------------------------------------------------------------ names mean nothing


def test_renaming_tables_and_columns_with_the_catalogue_changes_nothing() -> None:
    tree = json.loads((FIXTURES / "small.json").read_text(encoding="utf-8"))
    chance = random.Random(20261123)
    words = {word for name, table in tree["tables"].items() for word in (name, *table["columns"])}
    new = {word: f"x{chance.randrange(10**9)}_{n}" for n, word in enumerate(sorted(words))}
    pattern = re.compile(r"\b(" + "|".join(sorted(words, key=len, reverse=True)) + r")\b", re.I)

    def renamed(text: str) -> str:
        return pattern.sub(lambda found: new[found[0].lower()], text)

    for table in tree["tables"].values():
        table["columns"] = {new[c]: role for c, role in table["columns"].items()}
        for key in ("usage_when", "open_when"):
            if key in table:
                table[key] = renamed(table[key])
        table["keys"] = [
            [new[column] for column in ([key] if isinstance(key, str) else key)]
            for key in table.get("keys", [])
        ]
    tree["tables"] = {new[name]: table for name, table in tree["tables"].items()}
    other = Analyser(load(tree))
    for scene in SCENES:
        if "\\0079" in "".join(step.sql for step in scene.steps):
            continue
        state = SessionState()
        for step in scene.steps:
            sql = renamed(step.sql)
            found = other.analyse(sql, binds=step.binds, state=state)
            assert said(found.meaning) == step.expected, sql


# ------------------------------------------------------------------ rewrites that keep the meaning


def _derived(sql: str) -> str:
    return f"SELECT * FROM ({sql}) qf_t"


def _cte(sql: str) -> str:
    return f"WITH qf_c AS ({sql}) SELECT * FROM qf_c"


def _arm(sql: str) -> str:
    return f"({sql}) UNION ALL (SELECT NULL)"


def _comment(sql: str) -> str:
    return "/* 查询 */ " + sql.replace(" FROM ", "/**/FROM -- x\n ") + " /* ' */"


def _upper(sql: str) -> str:
    parts = re.split(r"('(?:[^']|'')*'|\"[^\"]*\")", sql)
    return "".join(part if n % 2 else part.upper() for n, part in enumerate(parts))


def _aliases(sql: str) -> str:
    tree = sqlglot.parse_one(sql, dialect="postgres")
    names = {
        node.alias for node in tree.find_all(exp.Table, exp.Subquery) if node.args.get("alias")
    }
    for node in tree.find_all(exp.TableAlias):
        if node.name in names and not isinstance(node.parent, exp.CTE):
            node.set("this", exp.to_identifier("qf_" + node.name))
    for column in tree.find_all(exp.Column):
        if column.table in names:
            column.set("table", exp.to_identifier("qf_" + column.table))
        elif not column.table and column.name in names:
            column.set("this", exp.to_identifier("qf_" + column.name))
    return tree.sql(dialect="postgres")


def _join_order(sql: str) -> str:
    tree = sqlglot.parse_one(sql, dialect="postgres")
    for select in tree.find_all(exp.Select):
        joins = select.args.get("joins") or []
        first = select.args.get("from_")
        plain = [j for j in joins if j.args.get("on") and not j.args.get("side")]
        if (
            first is not None
            and len(joins) == 1
            and plain
            and not any(isinstance(part, exp.Star) for part in select.expressions)
        ):
            one, other = first.this, joins[0].this
            if isinstance(one, exp.Table) and isinstance(other, exp.Table):
                first.set("this", other.copy())
                joins[0].set("this", one.copy())
    return tree.sql(dialect="postgres")


REWRITES = [_derived, _cte, _arm, _comment, _upper, _aliases, _join_order]


@pytest.mark.parametrize("rewrite", REWRITES, ids=lambda f: f.__name__)
def test_a_rewrite_keeps_the_meaning(rewrite) -> None:
    for sql, expected in QUERIES:
        text = rewrite(sql)
        assert said(SMALL.analyse(text).meaning) == expected, text


def test_a_view_keeps_the_meaning() -> None:
    tree = json.loads((FIXTURES / "small.json").read_text(encoding="utf-8"))
    queries = [(s, e) for s, e in QUERIES if "$" not in s]
    tree["views"] = {f"v_{n}": sql for n, (sql, _expected) in enumerate(queries)}
    analyser = Analyser(load(tree))
    for n, (sql, expected) in enumerate(queries):
        assert said(analyser.analyse(f"SELECT * FROM v_{n}").meaning) == expected, sql


def test_a_temp_table_keeps_the_meaning() -> None:
    for sql, expected in QUERIES:
        state = SessionState()
        made = SMALL.analyse(f"CREATE TEMP TABLE qf_t AS {sql}", state=state)
        assert said(made.meaning) in {expected, f"{expected} stored"}, sql
        if expected != "opaque":
            assert said(SMALL.analyse("SELECT * FROM qf_t", state=state).meaning) == expected, sql


# ------------------------------------------------------------------ caching


def test_free_literals_change_values_and_nothing_else() -> None:
    tried = 0
    for sql, expected in QUERIES:
        found = SMALL.analyse(sql)
        for start in sorted(found.free):
            literal = re.match(r"'(?:[^']|'')*'|[\d.]+", sql[start:])
            assert literal is not None, (sql, start)
            for text in ("'Q8'", "'2031-05-06'") if literal[0][0] == "'" else ("90210",):
                other = sql[:start] + text + sql[start + len(literal[0]) :]
                again = SMALL.analyse(other)
                if not all(_still(c, sql, start, literal[0], text) for c in found.conditions):
                    continue
                tried += 1
                assert said(again.meaning) == expected, other
                assert len(again.meaning.yields) == len(found.meaning.yields)
    assert tried > 300


def _still(condition, sql: str, start: int, old: str, new: str) -> bool:
    """Whether a condition's answer is the same after the literal at `start` became `new`."""
    values = [
        new.strip("'") if start in value.literals else value.text for value in condition.values
    ]
    return holds(condition, values)


def test_values_name_the_literals_they_come_from() -> None:
    for sql, _expected in QUERIES:
        for row in SMALL.analyse(sql).meaning.yields:
            for fixed in row.fixed:
                for value in fixed.values:
                    for start in value.literals:
                        assert sql[start] in "'0123456789$EUNBXebnxu", (sql, value)


# ------------------------------------------------------------------ fuzz


def test_anything_in_a_meaning_out() -> None:
    chance = random.Random(7)
    texts = [step.sql for scene in all_scenes() for step in scene.steps if len(step.sql) < 400]
    pieces = sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]", text)})
    dialects = ("postgres", "mysql", "tsql", "oracle", "sqlite")
    outcomes: dict[str, int] = {}
    for n in range(20_000):
        sql = _mutated(chance, texts, pieces)
        found = SMALL.analyse(sql, dialects[n % 5] if n % 3 == 0 else None, state=SessionState())
        outcomes[found.meaning.disclosure] = outcomes.get(found.meaning.disclosure, 0) + 1
        for reason in found.meaning.reasons:
            assert 0 <= reason.start <= reason.end <= max(len(sql), 1), (sql, reason)
    assert outcomes.keys() == {"none", "clinical", "usage", "opaque"}


def _mutated(chance: random.Random, texts: list[str], pieces: list[str]) -> str:
    kind = chance.randrange(10)
    if kind == 0:
        return "".join(chr(chance.randrange(1, 0x3000)) for _ in range(chance.randrange(40)))
    if kind == 1:
        return " ".join(chance.choice(pieces) for _ in range(chance.randrange(12)))
    words = re.findall(r"\s+|\w+|[^\w\s]", chance.choice(texts))
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(words))
        change = chance.randrange(4)
        if change == 0:
            del words[at]
        elif change == 1:
            words.insert(at, chance.choice(pieces))
        elif change == 2:
            words[at] = chance.choice(pieces)
        else:
            other = chance.randrange(len(words))
            words[at], words[other] = words[other], words[at]
        if not words:
            return ""
    return "".join(words)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "SELECT " + "NOT " * 5000 + "true",
        "SELECT " + "-" * 1 + "1" + " - 1" * 5000,
        "SELECT * FROM mz_cfmx WHERE " + " AND ".join(["cf_id=1"] * 3000),
        "SELECT * FROM mz_cfmx WHERE " + " OR ".join(["cf_id=1"] * 3000),
        " UNION ALL ".join(["SELECT ypdm, sl FROM mz_cfmx"] * 300),
        "SELECT " + "CASE WHEN true THEN " * 500 + "1" + " END" * 500,
        "WITH "
        + ", ".join(
            f"c{n} AS (SELECT a.* FROM c{n - 1} a JOIN c{n - 1} b ON true)"
            if n
            else "c0 AS (SELECT * FROM mz_cfmx)"
            for n in range(30)
        )
        + " SELECT * FROM c29",
        "SELECT * FROM " + ", ".join(f"(SELECT * FROM v) t{n}" for n in range(200)),
        "SELECT '" + "x" * 300_000 + "', ypdm FROM mz_cfmx",
        "SELECT a" + "[1]" * 3000,
        "SELECT 1" + "::int" * 3000,
        "SELECT \ud800",
        "\x00",
        "",
        "/*",
        "$$",
        "U&'\\zzzz'",
    ],
    ids=lambda s: s[:24],
)
def test_hostile_texts_end_soon_and_are_not_harmless(sql: str) -> None:
    found = SMALL.analyse(sql, state=SessionState())
    assert found.meaning.disclosure in {"none", "clinical", "usage", "opaque"}
    if "mz_cfmx" in sql:
        assert found.meaning.disclosure != "none", sql[:80]
