"""The caches must never change an answer: what they give is what a fresh analysis gives."""

import random

import msgspec
import pytest

from qingfang.understand.analysis import Analyser
from qingfang.understand.catalogue import load
from qingfang.understand.fingerprint import restore, scan
from qingfang.understand.templates import Generations, Templates

CATALOGUE = load(
    {
        "name": "toy",
        "dialect": "postgres",
        "tables": {
            "rx": {
                "kind": "usage",
                "open_when": "state = '0'",
                "columns": {
                    "rx_no": "prescription_id",
                    "pid": "patient_id",
                    "doctor": "prescriber_id",
                    "dept": "department_id",
                    "at": "time",
                    "state": None,
                },
            },
            "rx_line": {
                "kind": "usage",
                "columns": {
                    "rx_no": "prescription_id",
                    "item": "item_id",
                    "qty": "quantity",
                    "amt": "amount",
                },
            },
            "charge": {
                "kind": "usage",
                "usage_when": "kind IN ('01','02')",
                "columns": {
                    "pid": "patient_id",
                    "item": "item_id",
                    "kind": None,
                    "amt": "amount",
                    "doctor": "prescriber_id",
                },
            },
            "drug": {
                "kind": "dictionary",
                "columns": {"item": "item_id", "name": "item_name", "class": "item_class"},
            },
            "staff": {
                "kind": "dictionary",
                "columns": {"doctor": "prescriber_id", "name": "prescriber_name", "pw": None},
            },
        },
        "operators": [{"table": "staff", "column": "doctor", "on": "select", "scope": "session"}],
    }
)

# One template a line; its literals are varied. Each is also asked with lists of other lengths.
STATEMENTS = """
SELECT * FROM rx WHERE rx_no = 'R1'
SELECT * FROM rx_line WHERE rx_no IN ('R1', 'R2', 'R3')
SELECT * FROM rx_line WHERE rx_no IN ('1','2','3','4','5','6','7','8','9','10')
SELECT * FROM rx_line WHERE rx_no IN ('1','2','3','4','5','6','7','8','9','10','11')
SELECT * FROM rx_line WHERE rx_no = 'R1' OR rx_no = 'R2'
SELECT * FROM rx_line WHERE rx_no LIKE 'R1%'
SELECT * FROM rx_line WHERE rx_no > 'R1'
SELECT doctor, item, sum(qty) FROM rx JOIN rx_line USING (rx_no) GROUP BY doctor, item
SELECT doctor, sum(qty) FROM rx JOIN rx_line USING (rx_no) WHERE item = 'C1' GROUP BY doctor
SELECT doctor, sum(qty) FROM rx JOIN rx_line USING (rx_no) WHERE item IN ('C1','C2') GROUP BY 1
SELECT doctor, sum(qty) FROM rx JOIN rx_line USING (rx_no) WHERE item IN ('a','b','c','d','e','f','g','h','i','j','k','l') GROUP BY 1
SELECT sum(amt) FROM rx JOIN rx_line USING (rx_no) WHERE doctor = 'D1' AND at >= '2026-11-01' AND at < '2026-12-01'
SELECT item, sum(qty) FROM rx JOIN rx_line USING (rx_no) WHERE dept = 'N1' AND at >= '2026-11-01' AND at < '2026-11-02' GROUP BY item
SELECT item, sum(qty) FROM rx JOIN rx_line USING (rx_no) WHERE dept = 'N1' AND at >= '2026-11-01' AND at < '2026-11-08' GROUP BY item
SELECT pid, item, qty FROM rx JOIN rx_line USING (rx_no) WHERE dept = 'N1' AND at BETWEEN '2026-11-01 08:00' AND '2026-11-01 20:00'
SELECT pid, item, qty FROM rx JOIN rx_line USING (rx_no) WHERE dept = 'N1' AND state = '0'
SELECT pid, item, qty FROM rx JOIN rx_line USING (rx_no) WHERE dept = 'N1' AND state = '1'
SELECT doctor, sum(amt) FROM charge WHERE kind = '01' GROUP BY doctor
SELECT doctor, sum(amt) FROM charge WHERE kind = '05' GROUP BY doctor
SELECT doctor, sum(amt) FROM charge WHERE kind IN ('01','02') GROUP BY doctor
SELECT sum(amt) FROM charge WHERE pid = 'P1'
SELECT name, pw FROM staff WHERE doctor = 'D1'
SELECT * FROM drug WHERE name LIKE '%头孢%' LIMIT 20 OFFSET 40
SELECT * FROM drug WHERE item = 5 AND 1 = 1
SELECT * FROM rx_line WHERE rx_no = 'R1' AND 1 = 2 OR 1 = 1
SELECT doctor, item FROM rx JOIN rx_line USING (rx_no) WHERE qty > 10 ORDER BY qty DESC LIMIT 10
SELECT doctor FROM rx JOIN rx_line USING (rx_no) GROUP BY doctor HAVING sum(qty) > 100
INSERT INTO rx_line (rx_no, item, qty, amt) VALUES ('R1', 'C1', 2, 3.5)
UPDATE rx SET state = '1' WHERE rx_no = 'R1'
SELECT * FROM unknown_table WHERE a = 1
SELEC broken 'text' 5
SELECT CASE WHEN item = 'C1' THEN 'x' ELSE doctor END, qty FROM rx JOIN rx_line USING (rx_no)
SELECT -5, qty - 1 FROM rx_line WHERE rx_no = -5
SELECT * FROM rx WHERE at = date '2026-11-01' + 1
SELECT * FROM rx_line WHERE rx_no = 'R' || '1'
SELECT * FROM rx_line WHERE COALESCE(rx_no, '') = 'R1'
SELECT * FROM rx_line WHERE rx_no = COALESCE('R1', rx_no)
SELECT * FROM rx_line WHERE rx_no = 'R1' OR 'R1' = 'R2'
SELECT item, sum(qty) FROM rx JOIN rx_line USING (rx_no) WHERE dept = 'N1' AND at >= CAST('2026-11-01' AS date) AND at < CAST('2026-11-02' AS varchar(10)) GROUP BY item
SELECT item, sum(qty) FROM rx JOIN rx_line USING (rx_no) WHERE dept = 'N1' AND at >= TO_DATE('2026-11-01', 'yyyy-dd-mm') AND at < '2026-11-02' GROUP BY item
UPDATE drug SET name = 'N1' WHERE item = 'Y1' AND class > 3
UPDATE rx SET state = '1' WHERE rx_no = 'R1'
DELETE FROM drug WHERE item = 'Y1'
""".strip().splitlines()

STRINGS = ["'R1'", "'R2'", "''", "'01'", "'02'", "'05'", "'0'", "'1'", "'it''s'", "'%x%'"]
STRINGS += ["'2026-11-01'", "'2026-11-02'", "'2026-11-30 23:59:59'", "'2026-10-01'", "'x y'"]
NUMBERS = ["1", "2", "5", "0", "100", "3.5"]


def varied(text, rng):
    """The statement with other literals, a comment here and there, lists of other lengths."""
    seen = scan(text, "postgres")
    literals = []
    for kind in seen.kinds:
        if kind == "l":
            literals.append(", ".join(rng.sample(STRINGS * 2, rng.randint(11, 25))))
        else:
            literals.append(rng.choice(STRINGS if kind == "s" else NUMBERS))
    made = restore(seen.text, tuple(literals), "postgres")
    return made.replace(" where ", rng.choice([" where ", "  WHERE ", " /* x */ where "]))


def without_offsets(meaning):
    """The meaning as builtins, every offset taken out."""

    def clean(node):
        if isinstance(node, dict):
            return {k: clean(v) for k, v in node.items() if k not in {"start", "end"}}
        return [clean(n) for n in node] if isinstance(node, (list, tuple)) else node

    tree = msgspec.to_builtins(meaning)
    for group in value_groups(tree):
        for value in group:
            value[1] = len(value[1])
    return clean(tree)


def value_groups(tree):
    yield from (pin["values"] for pin in [*tree["pins"], *tree["works"]])
    yield from (f["values"] for y in tree["yields"] for f in y["fixed"])
    scope = tree["scope"] or {}
    yield from (scope[k]["values"] for k in ("items", "prescribers", "departments") if scope.get(k))
    period = scope.get("period") or {}
    yield [period[k] for k in ("from", "to") if period.get(k)]
    yield [tree["operator"]] if tree["operator"] else []


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_cached_meaning_is_what_a_fresh_analysis_gives(text):
    rng = random.Random(text)
    analyser, templates = Analyser(CATALOGUE), Templates()
    for sql in [text, *(varied(text, rng) for _ in range(25)), text]:
        found = templates.judge(sql, "postgres", lambda sql=sql: analyser.analyse(sql))
        fresh = analyser.analyse(sql).meaning
        assert without_offsets(found.meaning) == without_offsets(fresh), sql
        assert found.disclosure == fresh.disclosure
        assert found.literals() == scan(sql, "postgres").literals(sql)


def test_offsets_are_those_of_the_statement_asked_about():
    analyser, templates = Analyser(CATALOGUE), Templates()
    one = "SELECT doctor, sum(qty) FROM rx JOIN rx_line USING (rx_no) WHERE item = 'C1' GROUP BY doctor"
    two = one.replace("'C1'", "'a much longer code'")
    templates.judge(one, "postgres", lambda: analyser.analyse(one))
    found = templates.look(two, "postgres")
    assert found is not None
    assert found.meaning == analyser.analyse(two).meaning


def hits(text, *others):
    analyser, templates = Analyser(CATALOGUE), Templates()
    templates.judge(text, "postgres", lambda: analyser.analyse(text))
    return [templates.look(other, "postgres") is not None for other in others]


def test_what_hits():
    assert hits(
        "SELECT * FROM rx_line WHERE rx_no = 'R1'",
        "SELECT * FROM rx_line WHERE rx_no = 'R1'",
        "select *  from RX_LINE where rx_no = 'R2' -- x",
        "SELECT * FROM rx_line WHERE rx_no = $1",
        "SELECT * FROM rx_line WHERE rx_no > 'R1'",
    ) == [True, True, False, False]


def test_a_bound_value_that_is_there_or_not_is_judged_again():
    analyser, templates = Analyser(CATALOGUE), Templates()
    text = "SELECT * FROM rx_line WHERE rx_no = NVL(:1, rx_no)"
    said = []
    for bound in (["R1"], ["R2"], [""], [None], ["R3"]):
        found = templates.judge(
            text, "oracle", lambda b=bound: analyser.analyse(text, "oracle", binds=b), bound
        )
        said.append(found.disclosure)
    assert said == ["clinical", "clinical", "usage", "usage", "clinical"]


def test_the_number_0_is_judged_again_in_mysql():
    analyser, templates = Analyser(CATALOGUE), Templates()
    said = []
    for number in ("5", "7", "0", "8"):
        text = f"SELECT * FROM rx_line WHERE rx_no = {number}"
        found = templates.judge(text, "mysql", lambda s=text: analyser.analyse(s, "mysql"))
        said.append(found.disclosure)
    assert said == ["clinical", "clinical", "usage", "clinical"]


def test_a_bind_and_a_number_are_never_taken_for_each_other():
    assert hits("SELECT * FROM drug WHERE item = 5", "SELECT * FROM drug WHERE item = ?") == [False]


def test_a_range_that_grows_past_a_day_is_judged_again():
    text = STATEMENTS[12]
    assert "2026-11-02" in text
    longer = text.replace("2026-11-02", "2026-11-09")
    assert hits(text, longer, text.replace("11-01", "10-05").replace("11-02", "10-06")) == [
        False,
        True,
    ]


def test_the_last_day_of_a_period_follows_the_value():
    analyser, templates = Analyser(CATALOGUE), Templates()
    text = "SELECT doctor, sum(qty) FROM rx JOIN rx_line USING (rx_no) WHERE at < {} GROUP BY 1"
    answered = []
    for end in ("'2026-11-01'", "'2026-12-01'", "'2026-12-01 08:00'", "'2026-12-02 09:00'", "$1"):
        sql = text.format(end)
        binds = ["2026-10-01"] if end == "$1" else None
        answered.append(templates.look(sql, "postgres", binds) is not None)
        found = templates.judge(
            sql, "postgres", lambda s=sql, b=binds: analyser.analyse(s, binds=b), binds
        )
        fresh = analyser.analyse(sql, binds=binds).meaning
        assert found.meaning.scope == fresh.scope
    assert answered == [False, True, False, True, False]
    again = templates.look(text.format("$1"), "postgres", ["2026-02-01"])
    assert again is not None and again.meaning.scope.period.to.text == "2026-01-31"


def test_bound_values_are_put_in():
    analyser, templates = Analyser(CATALOGUE), Templates()
    text = "SELECT * FROM rx_line WHERE rx_no = $1"
    for bound in (["R1"], ["R2"], [None], ["R3"], None):
        found = templates.judge(
            text, "postgres", lambda b=bound: analyser.analyse(text, binds=b), bound
        )
        assert without_offsets(found.meaning) == without_offsets(
            analyser.analyse(text, binds=bound).meaning
        ), bound
    assert templates.hits >= 2


def test_a_volatile_meaning_is_never_kept():
    analyser, templates = Analyser(CATALOGUE), Templates()
    text = "SELECT * FROM rx WHERE at >= CURRENT_DATE AND dept = 'N1'"
    analysis = analyser.analyse(text)
    volatile = msgspec.structs.replace(
        analysis, meaning=msgspec.structs.replace(analysis.meaning, volatile=True)
    )
    assert templates.learn(text, "postgres", volatile).meaning.volatile
    assert templates.look(text, "postgres") is None


def test_what_the_session_built_is_never_answered_from_the_cache():
    analyser, templates = Analyser(CATALOGUE), Templates()
    text = "SELECT * FROM Tmp1 WHERE a = 1"
    templates.judge(text, "postgres", lambda: analyser.analyse(text))
    assert templates.look(text, "postgres", made={"tmp2"}) is not None
    assert templates.look(text, "postgres", made={"tmp1"}) is None


def test_memory_is_bounded():
    kept = Generations(10)
    for i in range(1_000):
        kept.put(str(i), i)
        assert len(kept) <= 20
    assert kept.get("999") == 999
    assert kept.get("1") is None


def test_what_is_used_stays():
    kept = Generations(10)
    kept.put("mine", 1)
    for i in range(1_000):
        kept.put(str(i), i)
        assert kept.get("mine") == 1


def test_dialects_do_not_share_an_answer():
    analyser, templates = Analyser(CATALOGUE), Templates()
    text = "SELECT * FROM rx_line WHERE rx_no = 'R1'"
    templates.judge(text, "postgres", lambda: analyser.analyse(text))
    assert templates.look(text, "mysql") is None
    assert templates.look(text, "postgres") is not None


@pytest.mark.parametrize(
    ("dialect", "one", "two"),
    [
        ("tsql", "N'R1'", "N'R2'"),
        ("mysql", "'R1'", r"'it\'s'"),
        ("mysql", '"R1"', '"R""2"'),
        ("oracle", "q'[R1]'", "q'[R2]'"),
        ("postgres", "E'R1'", r"E'a\nb'"),
        ("postgres", "$$R1$$", "$$R2$$"),
        ("postgres", "U&'\\0041'", "U&'\\0042'"),
        ("mysql", "x'41'", "x'42'"),
        ("sqlite", "'R1'", "'R2'"),
    ],
)
def test_literals_of_every_dialect_keep_their_own_value(dialect, one, two):
    analyser, templates = Analyser(CATALOGUE), Templates()
    for literal in (one, two, one):
        sql = f"SELECT * FROM rx_line WHERE rx_no = {literal}"
        found = templates.judge(sql, dialect, lambda sql=sql: analyser.analyse(sql, dialect))
        assert found.meaning == analyser.analyse(sql, dialect).meaning
        assert found.meaning.pins


def test_a_text_of_doubtful_encoding_is_never_answered_from_the_cache():
    """A form that is known as pinned, with half a GBK character before what ends the string."""
    analyser, templates = Analyser(CATALOGUE), Templates()
    known = "SELECT * FROM rx_line WHERE rx_no = 'R1'"
    templates.learn(known, "mysql", analyser.analyse(known, "mysql"))
    assert templates.look(known.replace("R1", "R\\'2"), "mysql") is not None
    for half in ("\ufffd", "\udcbf"):
        doubtful = known.replace("R1'", f"{half}\\' OR 1=1 -- '")
        assert templates.look(doubtful, "mysql") is None
        analysis = analyser.analyse(doubtful, "mysql")
        assert (analysis.meaning.disclosure, analysis.meaning.volatile) == ("usage", True)


# What a ward, a window and a cash desk send all day, `{a}` `{b}` keys, `{n}` a number, `{d}` a day.
EVERYDAY = """
SELECT * FROM rx WHERE rx_no = '{a}'
SELECT * FROM rx_line WHERE rx_no = '{a}' AND item = '{b}'
SELECT * FROM rx WHERE pid = '{a}' AND at >= '2026-01-{d}' AND state = '1'
SELECT name FROM drug WHERE item = '{b}'
SELECT item, name FROM drug WHERE name LIKE '{b}%'
SELECT count(*) FROM rx WHERE pid = '{a}'
SELECT l.item, l.qty FROM rx r JOIN rx_line l ON l.rx_no = r.rx_no WHERE r.pid = '{a}'
SELECT sum(amt) FROM charge WHERE pid = '{a}'
INSERT INTO rx (rx_no, pid, doctor, at) VALUES ('{a}', '{a}', '{b}', '2026-01-{d}')
INSERT INTO rx_line (rx_no, item, qty) VALUES ('{a}', '{b}', {n}), ('{a}', '{b}', {n})
INSERT INTO rx_line SELECT * FROM rx_line WHERE rx_no = '{a}'
UPDATE rx SET state = '{n}' WHERE rx_no = '{a}'
UPDATE rx SET state = '1', doctor = '{b}' WHERE rx_no = '{a}' AND state = '0'
UPDATE rx SET state = '2' WHERE rx_no IN ('{a}', '{b}')
UPDATE rx SET state = '2' WHERE pid = '{a}' AND at >= '2026-01-{d}'
UPDATE rx_line SET qty = {n}, amt = {n} WHERE rx_no = '{a}' AND item = '{b}'
UPDATE rx_line SET amt = qty * {n} WHERE rx_no = '{a}'
UPDATE drug SET name = '{b}' WHERE item = '{a}'
UPDATE charge SET amt = {n} WHERE pid = '{a}' AND kind = '02'
DELETE FROM rx_line WHERE rx_no = '{a}' AND item = '{b}'
DELETE FROM rx WHERE rx_no = '{a}'
DELETE FROM charge WHERE pid = '{a}' AND item = '{b}' AND kind = '01'
""".strip().splitlines()
IN_DIALECT = {
    "tsql": [
        "exec sp_executesql N'SELECT * FROM rx WHERE rx_no = @p', N'@p varchar(9)', @p = N'{a}'",
        "DECLARE @r varchar(20) SET @r = '{a}' SELECT * FROM rx_line WHERE rx_no = @r",
    ],
    "oracle": [
        "BEGIN UPDATE rx SET state = '1' WHERE rx_no = '{a}'; COMMIT; END;",
        "SELECT * FROM rx WHERE pid = '{a}' AND at >= TO_DATE('2026-01-{d}', 'YYYY-MM-DD')",
    ],
    "mysql": [
        "INSERT INTO rx (rx_no) VALUES ('{a}') ON DUPLICATE KEY UPDATE state = '1'",
        "REPLACE INTO rx (rx_no, state) VALUES ('{a}', '0')",
        "SELECT * FROM rx WHERE rx_no = '{a}' FOR UPDATE",
    ],
    "postgres": [
        "INSERT INTO rx (rx_no) VALUES ('{a}') ON CONFLICT (rx_no) DO UPDATE SET state = '1'",
        "UPDATE rx SET state = '1' WHERE rx_no = '{a}' RETURNING state",
        "DELETE FROM rx_line WHERE rx_no = '{a}' RETURNING item",
    ],
}


@pytest.mark.parametrize("dialect", IN_DIALECT)
def test_everyday_statements_are_analysed_once(dialect):
    """Other keys, numbers and days: one analysis a statement."""
    analyser = Analyser(CATALOGUE)
    for text in [*EVERYDAY, *IN_DIALECT[dialect]]:
        templates = Templates()
        for n in range(4):
            sql = text.format(a=f"R{1000 + n}", b=f"Y0{n}", n=n + 2, d=10 + n)
            templates.judge(sql, dialect, lambda sql=sql: analyser.analyse(sql, dialect))
        assert (templates.misses, templates.hits) == (1, 3), text


def test_a_day_that_was_worked_out_ends_where_it_did() -> None:
    """The end of a computed range is the same when it is first learned and from the cache."""
    sql = (
        "SELECT rx_no, doctor FROM rx WHERE dept = 'K1' AND at >= DATE '2026-01-20' - 3"
        " AND at < DATE '2026-01-20' - 2"
    )
    templates, analyser = Templates(), Analyser(CATALOGUE)
    learned = templates.learn(sql, "postgres", analyser.analyse(sql))
    again = templates.look(sql, "postgres")
    assert again is not None
    for found in (learned, again):
        period = found.meaning.scope.period
        assert (period.from_.text, period.to.text) == ("2026-01-17", "2026-01-17")


EVERYDAY_CHANGES = [
    ("oracle", "INSERT INTO log (who, at) VALUES ('{0}', TO_DATE('2026-01-{1}', 'YYYY-MM-DD'))"),
    ("postgres", "INSERT INTO log (id, who) VALUES ({0}, upper('A{1}'))"),
    (
        "postgres",
        "INSERT INTO log (id, n) VALUES ({0}, {1}) ON CONFLICT (id) DO UPDATE SET n = {1}",
    ),
    ("mysql", "INSERT INTO log (id, n) VALUES ({0}, {1}) ON DUPLICATE KEY UPDATE n = {1}"),
    (
        "oracle",
        "MERGE INTO staff g USING dual ON (g.doctor = 'D{0}') WHEN MATCHED THEN UPDATE SET "
        "g.name = 'N{1}' WHEN NOT MATCHED THEN INSERT (doctor, name) VALUES ('D{0}', 'N{1}')",
    ),
    (
        "tsql",
        "IF EXISTS (SELECT 1 FROM staff WHERE doctor = 'D{0}') UPDATE staff SET name = 'N{1}' "
        "WHERE doctor = 'D{0}' ELSE INSERT INTO staff (doctor, name) VALUES ('D{0}', 'N{1}')",
    ),
    ("tsql", "EXEC of_somebody @a = 'A{0}', @b = {1}"),
]


@pytest.mark.parametrize(("dialect", "form"), EVERYDAY_CHANGES)
def test_everyday_changes_are_known_whatever_their_constants(dialect: str, form: str) -> None:
    templates, analyser = Templates(), Analyser(CATALOGUE)
    for number in range(10, 14):
        sql = form.format(number, number + 10)
        found = templates.judge(sql, dialect, lambda sql=sql: analyser.analyse(sql, dialect))
        assert found.meaning == analyser.analyse(sql, dialect).meaning
    assert templates.misses == 1


def test_a_condition_that_is_told_is_not_passed_over() -> None:
    templates, analyser = Templates(), Analyser(CATALOGUE)
    form = (
        "IF EXISTS (SELECT 1 FROM rx_line l JOIN rx r ON r.rx_no = l.rx_no WHERE l.item = '{}' "
        "AND r.doctor = 'D1') PRINT 'yes'"
    )
    for item in ("A", "B"):
        sql = form.format(item)
        found = templates.judge(sql, "tsql", lambda sql=sql: analyser.analyse(sql, "tsql"))
        assert found.meaning == analyser.analyse(sql, "tsql").meaning
        assert found.meaning.disclosure == "usage"


@pytest.mark.parametrize(
    ("dialect", "sql", "harmless", "telling"),
    [
        ("oracle", "SELECT item FROM rx_line WHERE :1 IS NULL OR rx_no = :1", "R1", ""),
        ("mysql", "SELECT item FROM rx_line WHERE rx_no = ?", "R1", "0"),
    ],
)
def test_a_bound_value_that_opens_the_filter_is_looked_at_each_time(
    dialect: str, sql: str, harmless: str, telling: str
) -> None:
    templates, analyser = Templates(), Analyser(CATALOGUE)
    said = []
    for value in (harmless, telling):
        found = templates.judge(
            sql, dialect, lambda v=value: analyser.analyse(sql, dialect, binds=[v]), [value]
        )
        said.append(found.meaning.disclosure)
    assert said == ["clinical", "usage"]
