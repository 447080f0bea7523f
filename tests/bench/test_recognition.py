"""The public benchmark: its texts, its rewrites, its truth and its arithmetic."""

import json
import sqlite3
from collections.abc import Iterator

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from qingfang import bench, cli
from qingfang.bench import recognition
from qingfang.bench.recognition import baseline, data, fixtures, interference, page, rewrites, score
from qingfang.bench.recognition.fixtures import Case, FixtureError, Step, techniques
from qingfang.bench.recognition.interference import Laboratory
from qingfang.bench.recognition.schema import (
    DIALECTS,
    EVERY_KIND,
    KINDS,
    catalogue,
    ddl,
    renamed,
    render,
    schema,
)
from qingfang.bench.recognition.score import Said
from qingfang.bench.recognition.texts import bound, tokens, without_comments
from qingfang.understand.catalogue import load

ALL = [f"T{n:02d}" for n in range(1, 97)] + [f"N{n:02d}" for n in range(1, 43)]


@pytest.fixture(scope="module")
def laboratory() -> Iterator[Laboratory]:
    with Laboratory(server=False) as made:
        yield made


def the(technique: str, dialect: str, number: int = 1, kind: str = "drug") -> Case:
    folder = {"T": "attacks", "N": "lookalikes", "K": "definitions"}[technique[0]]
    found = techniques(folder)[technique]
    return next(case for case in found.cases(dialect) if (case.number, case.kind) == (number, kind))


# ---------------------------------------------------------------- texts and schemas


def test_every_number_is_a_text_or_a_scene() -> None:
    written = [*techniques("attacks"), *techniques("lookalikes"), *recognition.SCENES]
    assert sorted(written) == sorted(ALL)


@pytest.mark.parametrize("folder", ["attacks", "lookalikes"])
def test_every_technique_is_in_every_dialect_or_says_why_not(folder: str) -> None:
    for technique in techniques(folder).values():
        for dialect in DIALECTS:
            kinds = {case.kind for case in technique.cases(dialect)}
            if dialect in technique.absent:
                assert not kinds
                continue
            assert kinds == set(technique.kinds), (technique.id, dialect)
        assert technique.kinds == KINDS or technique.why_kinds, technique.id


@pytest.mark.parametrize("folder", ["attacks", "lookalikes"])
def test_every_case_says_what_is_expected_and_leaves_no_placeholder(folder: str) -> None:
    words = {"none", "clinical", "usage", "opaque"}
    for technique in techniques(folder).values():
        for dialect in DIALECTS:
            for case in technique.cases(dialect):
                assert case.expect or case.session, case.name
                for expected in filter(None, (case.expect, case.session)):
                    assert expected.split()[0] in words, case.name
                assert all("{" not in step.sql for step in case.steps), case.name


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_schema_loads_and_means_the_same_in_every_dialect(dialect: str) -> None:
    of, first = schema(dialect), schema("oracle")
    loaded = load(catalogue(of))
    assert {t.logical for t in of.tables.values()} == {t.logical for t in first.tables.values()}
    for table in of.tables.values():
        found = loaded.table(table.name)
        assert found is not None
        assert found.kind == table.kind
        roles = [column.role for column in table.columns if column.logical != "+"]
        assert roles == [c.role for c in first.tables[table.logical].columns if c.logical != "+"]
        mixed = (table.logical, "drug") in of.kinds
        assert (found.usage_when is not None) == mixed
    assert len(ddl(of)) == len(of.tables) + len(of.histories)


def test_the_four_dialects_share_no_name_of_a_usage_table() -> None:
    names = [
        t.name.lower() for d in DIALECTS for t in schema(d).tables.values() if t.kind == "usage"
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_renamed_schema_keeps_its_meaning(dialect: str) -> None:
    before, after = schema(dialect), renamed(schema(dialect), 1)
    assert after == renamed(before, 1)
    loaded = load(catalogue(after))
    for table in before.tables.values():
        other = after.tables[table.logical]
        assert other.name != table.name
        assert [c.role for c in other.columns] == [c.role for c in table.columns]
        old, found = load(catalogue(before)).table(table.name), loaded.table(other.name)
        assert old is not None
        assert found is not None
        assert len(found.columns) == len(table.columns)
        assert (found.usage_when is None) == (old.usage_when is None)
    # What joins by name goes on joining by name.
    assert after.tables["rx"].column("id").name == after.tables["line"].column("rx").name


def test_names_are_only_changed_outside_strings() -> None:
    predicate = renamed(schema("mysql"), 1).kinds["order", "drug"][0]
    assert predicate.endswith("= '药品'")
    assert "类别" not in predicate


def test_a_text_is_rendered_for_a_dialect_and_a_kind() -> None:
    text = "SELECT {line.item} FROM {line} m WHERE {order.is:m} AND x = {item2} AND d = {day:2026-01-31}"
    assert render(text, schema("tsql"), "drug") == (
        "SELECT ypdm FROM mz_cfmx m WHERE m.yzlx IN (1,2) AND x = '000002' AND d = '2026-01-31'"
    )
    assert render(text, schema("oracle"), "material") == (
        "SELECT MATL_CODE FROM MATL.USE_DETAIL m WHERE m.ORDER_CLASS = 'M' AND x = 'M00002'"
        " AND d = DATE '2026-01-31'"
    )


@pytest.mark.parametrize("text", ["{nothing}", "{rx.nothing}", "{stock.is:k}", "{line.open}"])
def test_an_unknown_placeholder_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="mysql, drug"):
        render(text, schema("mysql"), "drug")


WRONG = {
    "T1 没有竖线": "x.sql:1: 应为",
    "T1 名 | name\n@nothing x": "x.sql:2: 没有这个指令：@nothing",
    "T1 名 | name\n@text db2": "x.sql:2: 没有这种方言：db2",
    "T1 名 | name\n@not oracle": "x.sql:2: @not 要写原因",
    "T1 名 | name\n@text oracle\n@label 说": "x.sql:2: T1 这里没有语句",
    "T1 名 | name\n@each 3 gap=2\nSELECT 1": "x.sql:2: 应为 90s",
    "T1 名 | name\n@as role=x\nSELECT 1": "x.sql:2: @as 没有 role",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_fixture_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(FixtureError) as error:
        fixtures.read(f"== {text}", "x.sql")
    assert str(error.value).startswith(WRONG[text])


def test_a_wrong_placeholder_is_refused_with_file_and_line() -> None:
    (technique,) = fixtures.read("== T1 名 | name\n@expect none\nSELECT {rx.nothing}", "x.sql")
    with pytest.raises(FixtureError, match=r"x\.sql:3: \{rx.nothing\}"):
        list(technique.cases("oracle"))


SESSION = """== T1 名 | name
@text mysql
@session usage prescriber
@hex CODE
{item1!}
;;
@as session=a operator=7
SELECT 0x{CODE}
;;
@as session=b at=2h
@binds ["{doctor*!}", null]
@each 2 gap=1d
SELECT {doctor*}, {*}, {*x50}, ?, ?
"""


def test_a_session_is_spelled_out() -> None:
    (technique,) = fixtures.read(SESSION, "x.sql")
    case = next(technique.cases("mysql"))
    assert case.steps == (
        Step("SELECT 0x595030303031", 0, "a", "7"),
        Step("SELECT 'YS001', 1, 50, ?, ?", 7200, "b", "7", ("YS001", None)),
        Step("SELECT 'YS002', 2, 100, ?, ?", 7200 + 86400, "b", "7", ("YS002", None)),
    )
    assert list(technique.cases("oracle")) == []


# ---------------------------------------------------------------- texts as tokens


@given(st.text(alphabet="ab '\"`[]-/*\n$;1", max_size=40))
def test_tokens_joined_are_the_text(text: str) -> None:
    assert "".join(token for _kind, token in tokens(text)) == text


def test_comments_go_and_strings_stay() -> None:
    text = "SELECT '--', \"/*\" /* x */ /*!50000 a */ -- y'\nFROM $x$ -- $x$"
    assert without_comments(text) == "SELECT '--', \"/*\"   /*!50000 a */  \nFROM $x$ -- $x$"


def test_bound_values_are_written_in() -> None:
    binds = ("a'b", None)
    assert bound("x = ? AND y = ? AND z = '?'", binds) == "x = 'a''b' AND y = NULL AND z = '?'"
    for text in ("y = $2 OR x = $1", "y = :2 OR x = :1", "y = @P2 OR x = @P1"):
        assert bound(text, binds) == "y = NULL OR x = 'a''b'"


# ---------------------------------------------------------------- truth


def test_a_swap_moves_who_and_keeps_how_much() -> None:
    of = schema("postgres")
    before, after = data.rows(of), interference.swapped(of, "P", 0)
    assert before != after

    def column(rows: data.Rows, name: str) -> list[object]:
        return sorted(str(row[name]) for row in rows["rx"])

    assert column(before, "doctor") == column(after, "doctor")
    assert before["line"] == after["line"]
    in_kind = {(row["kind"], row["item"]) for row in before["order"]}
    swapped = interference.swapped(of, "I", 0)
    assert {(row["kind"], row["item"]) for row in swapped["order"]} == in_kind


@pytest.mark.parametrize("dialect", DIALECTS)
def test_truth_needs_no_label(dialect: str, laboratory: Laboratory) -> None:
    def noticed(case: Case) -> str:
        truth = laboratory.truth(rewrites.original(case).executed, dialect)
        assert truth.executed, truth.problem
        return "".join(sorted(truth.noticed))

    assert noticed(the("T01", dialect)) == "AIP"
    assert noticed(the("T02", dialect, kind="material")) == "ADI"
    assert noticed(the("T03", dialect)) == "IP"
    assert noticed(the("T11", dialect)) == "AIP"
    assert noticed(the("N05", dialect)) == "AI"
    assert "I" not in noticed(the("N08", dialect))
    assert noticed(the("N04", dialect)) == ""


def test_what_is_stored_counts_as_received(laboratory: Laboratory) -> None:
    for technique, dialect in (("T38", "mysql"), ("T37", "tsql"), ("T35", "oracle")):
        number = {"T38": 2, "T37": 2, "T35": 4}[technique]
        case = the(technique, dialect, number)
        assert laboratory.truth([case.steps[0].sql], dialect).reveals


def test_one_session_leaves_nothing_for_the_next(laboratory: Laboratory) -> None:
    case = the("T37", "mysql", 2)
    assert laboratory.truth([step.sql for step in case.steps], "mysql").reveals
    assert not laboratory.truth([case.steps[1].sql], "mysql").noticed


def test_what_cannot_run_says_why(laboratory: Laboratory) -> None:
    for sql, dialect in (
        ("SELECT FROM WHERE", "mysql"),
        ("SELECT * FROM nothing", "tsql"),
        ("CALL x()", "oracle"),
    ):
        truth = laboratory.truth([sql], dialect)
        assert not truth.executed
        assert not truth.reveals
        assert truth.problem


def test_a_statement_that_never_ends_is_stopped(laboratory: Laboratory) -> None:
    tables = ", ".join(f"gh_mx g{n}" for n in range(6)).replace("gh_mx", "mz_ghmx")
    truth = laboratory.truth([f"SELECT COUNT(*) FROM {tables} WHERE g0.ghf = g5.ghf"], "tsql")
    assert "interrupted" in truth.problem


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_attack_is_one_or_says_why_it_cannot_be_shown(dialect: str) -> None:
    with Laboratory() as laboratory:
        for technique in techniques("attacks").values():
            for case in technique.cases(dialect):
                truth = laboratory.truth(rewrites.original(case).executed, dialect)
                assert truth.reveals or case.label, (case.name, truth)


# ---------------------------------------------------------------- rewrites


def test_a_seed_gives_one_rewrite() -> None:
    case = the("T01", "oracle", 2)
    assert rewrites.rewrite(case, 5) == rewrites.rewrite(case, 5)
    texts = {rewrites.rewrite(case, seed).case.steps for seed in range(20)}
    assert len(texts) > 15


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("technique", ["T01", "T04", "T05", "T07", "T12", "T18", "T21", "T36"])
def test_a_rewrite_keeps_what_is_noticed(
    technique: str, dialect: str, laboratory: Laboratory
) -> None:
    for case in techniques("attacks")[technique].cases(dialect):
        if case.label or case.kind == "material":
            continue
        plain = laboratory.truth(rewrites.original(case).executed, dialect)
        for seed in range(1, 9):
            rewritten = rewrites.rewrite(case, seed)
            truth = laboratory.truth(rewritten.executed, dialect)
            assert rewritten.steps
            assert truth.executed, (rewritten.steps, truth.problem, rewritten.executed)
            assert truth.noticed == plain.noticed, (rewritten.steps, rewritten.executed)


def test_every_step_is_taken_by_some_seed() -> None:
    taken = {
        step
        for technique in ("T01", "T04", "T07", "T66")
        for dialect in ("oracle", "tsql", "mysql", "postgres")
        if dialect not in techniques("attacks")[technique].absent
        for seed in range(1, 40)
        for step in rewrites.rewrite(
            next(techniques("attacks")[technique].cases(dialect)), seed
        ).steps
    }
    assert {"套一层 CTE", "拆成 UNION ALL", "先建视图", "先存临时表", "常量改绑定变量"} <= taken
    assert {"插入注释", "换空白", "换大小写", "常量拆开拼接", "交换连接次序"} <= taken


def test_bound_values_stand_in_the_order_of_their_marks() -> None:
    for dialect, mark in (("oracle", ":1"), ("tsql", "@P1"), ("mysql", "?"), ("postgres", "$1")):
        found = [rewrites.rewrite(the("T04", dialect), seed) for seed in range(1, 60)]
        with_binds = [r for r in found if r.case.steps[0].binds]
        assert with_binds
        for rewritten in with_binds:
            step = rewritten.case.steps[0]
            assert step.binds is not None
            assert mark in step.sql
            assert bound(without_comments(step.sql), step.binds).count("'") >= 2


def test_a_text_without_a_tree_is_changed_outside_strings_only() -> None:
    case = the("T47", "oracle")
    strings = [text for kind, text in tokens(case.steps[0].sql) if kind == "string"]
    for seed in range(1, 12):
        after = rewrites.rewrite(case, seed).case.steps[0].sql
        assert [text for kind, text in tokens(after) if kind == "string"] == strings
        assert after != case.steps[0].sql


def test_a_look_alike_is_never_stored_nor_split() -> None:
    case = the("N05", "mysql")
    steps = {s for seed in range(60) for s in rewrites.rewrite(case, seed, alike=True).steps}
    assert not steps & {"先建视图", "先存临时表", "拆成 UNION ALL"}


# ---------------------------------------------------------------- counting


def said(last: str, *gathered: str, until: int = 0) -> Said:
    words = (last, *gathered)
    return Said(
        last,
        gathered,
        any(w.startswith("opaque") for w in words),
        until,
    )


def counted(case: Case, *answers: Said) -> score.Scored:
    scored = score.nothing()
    for answer in answers:
        score.attack(scored, rewrites.original(case), answer, {})
    return scored


RIGHT = said("usage prescriber item", until=1)


def test_one_rewrite_missed_loses_the_technique() -> None:
    case = the("T01", "mysql")
    assert counted(case, RIGHT, RIGHT).whole == {("T01", "mysql"): True}
    scored = counted(case, RIGHT, said("none"), RIGHT)
    assert scored.whole == {("T01", "mysql"): False}
    assert scored.safe == {("T01", "mysql"): False}
    assert score.tally(scored.techniques).caught == 2
    (miss,) = scored.misses
    assert (miss.case, miss.expected, miss.got) == (
        "T01.1 mysql drug",
        "usage prescriber item",
        "none",
    )
    assert "门诊处方" in miss.sql
    row = next(row for row in page.rows(scored) if "全部变形" in row.what)
    assert (row.ours, row.met) == (0.0, False)
    assert "✗ 2 / 3" in page.markdown(scored)
    assert "✗ T01 MySQL" in page.missed(scored)


def test_opaque_is_counted_apart() -> None:
    scored = counted(the("T01", "mysql"), RIGHT, said("opaque"))
    assert scored.whole == {("T01", "mysql"): False}
    assert scored.safe == {("T01", "mysql"): True}
    total = score.tally(scored.techniques, dialect="mysql")
    assert (total.cases, total.caught, total.opaque) == (2, 1, 1)
    only = counted(the("T57", "postgres"), said("opaque"), said("usage prescriber", until=1))
    assert only.whole == {("T57", "postgres"): True}


def test_the_grain_is_judged_of_what_was_caught() -> None:
    scored = counted(the("T01", "mysql"), RIGHT, said("usage department item", until=1))
    total = score.tally(scored.techniques)
    assert (total.caught, total.grain_known, total.grain_right) == (2, 2, 1)
    assert len(scored.misses) == 1


def test_figures_of_the_whole_institution_catch_nobody() -> None:
    case = the("T26", "mysql")
    assert counted(case, said("usage institution item", "usage institution")).whole == {
        ("T26", "mysql"): False
    }
    summed = said("usage institution item", "usage prescriber", until=3)
    assert counted(case, summed).whole == {("T26", "mysql"): True}


def test_a_look_alike_called_usage_costs_precision() -> None:
    scored = counted(the("T01", "mysql"), RIGHT)
    for answer in (said("clinical pinned"), said("usage detail item", until=1), said("opaque")):
        score.alike(scored, rewrites.original(the("N01", "mysql")), answer)
    told = page.alike(scored, "mysql")
    assert (told.harmless, told.false, told.opaque) == (3, 1, 1)
    assert page.precision(score.tally(scored.techniques), told) == 0.5
    bars = {row.what: row.met for row in page.rows(scored)}
    assert bars["MySQL：精确率"] is False
    assert bars["MySQL：无害语句存疑"] is False
    assert len(scored.misses) == 2


def test_a_session_that_scans_is_a_false_alarm_of_a_look_alike() -> None:
    scored = score.nothing()
    answer = said("clinical pinned", "usage detail", until=1)
    score.alike(scored, rewrites.original(the("N01", "mysql")), answer)
    assert scored.alike == {("mysql", "clinical", "usage"): 1}


def test_the_keyword_rule_wants_a_table_and_a_sum() -> None:
    assert baseline.flags(the("T01", "postgres"))
    assert not baseline.flags(the("T18", "postgres"))
    assert baseline.flags(the("N05", "postgres"))
    assert not baseline.flags(the("N24", "postgres"))


def test_defects_are_reported_and_not_scored(laboratory: Laboratory) -> None:
    case = the("T01", "mysql")
    harmless = Case(
        **{f: getattr(case, f) for f in Case.__struct_fields__}
        | {"steps": the("N05", "mysql").steps}
    )
    scored = score.nothing()
    score.attacks(scored, [harmless], laboratory, 1, 1, lambda _case: None)
    assert [(d.case, d.got) for d in scored.defective] == [("T01.1 mysql drug", "AI")] * 2
    assert scored.whole == {}
    assert page.rows(scored) == []


# ---------------------------------------------------------------- the command


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli.qingfang_command, ["bench", *arguments])
    return done.exit_code, done.output


def test_the_command_measures_what_is_asked() -> None:
    code, out = run(
        "recognition", "--technique", "T11", "--dialect", "oracle", "--rewrites", "1", "--json"
    )
    tree = json.loads(out[out.index('{"name"') :])
    assert code == 0
    assert [(t["technique"], t["dialect"], t["cases"]) for t in tree["details"]["techniques"]] == [
        ("T11", "oracle", 2 * len(list(techniques("attacks")["T11"].cases("oracle"))))
    ]
    assert {row["goal"] for row in tree["rows"] if "手法全部" in row["what"]} == {"≥ 0.98"}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["recognition", "--technique", "T999"], "没有这些手法：T999"),
        (["recognition", "--dialect", "db2"], "没有 db2；可选：oracle"),
        (["recognition", "--only", "songs"], "没有 songs；可选：attacks"),
        (["recognition", "--rewrites", "-1"], "不能小于 0"),
        (["ledger", "--seed", "3"], "ledger 没有这些选项：seed"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments: list[str], why: str) -> None:
    code, out = run(*arguments)
    assert code == 2
    assert why in out


def test_folders_are_benchmarks_too() -> None:
    assert {"recognition", "gateway", "ledger"} <= set(bench.names())
    assert not [name for name in bench.names() if name.startswith("_")]


def test_explanations_name_what_exists() -> None:
    known = {**techniques("attacks"), **techniques("lookalikes")}
    for technique, dialect in score.explanations():
        assert technique in known
        assert dialect in DIALECTS


def test_the_database_of_each_dialect_is_filled() -> None:
    assert sqlite3.sqlite_version_info >= (3, 39)  # window functions and full joins are asked for
    for dialect in DIALECTS:
        rows = data.rows(schema(dialect))
        assert len(rows["line"]) + len(rows["line_hist"]) == 2 * data.HEADERS


# ---------------------------------------------------------------- definitions


@pytest.mark.parametrize("dialect", DIALECTS)
def test_ordinary_consumables_count_by_one_definition_only(
    dialect: str, laboratory: Laboratory
) -> None:
    scored = score.nothing()
    kinds = list(score.cases(list(techniques("definitions").values()), [dialect]))
    assert {case.kind for case in kinds} == set(EVERY_KIND)
    attacked = [
        case for name in ("T01", "T14") for case in techniques("attacks")[name].cases(dialect)
    ]
    score.by_definition(scored, kinds, attacked, laboratory, lambda _case: None)
    assert not scored.defective
    assert not scored.misses
    assert scored.definitions["000", "ordinary", dialect].cases == len(kinds) / len(EVERY_KIND)
    assert scored.definitions["001", "ordinary", dialect].right == len(kinds) / len(EVERY_KIND)
    assert "| 001 | 普通耗材 |" in page.markdown(scored)


def test_a_judgement_other_than_the_definition_says_is_a_miss(laboratory: Laboratory) -> None:
    case = the("K01", "oracle", kind="ordinary")
    wrong = msgspec.structs.replace(case, kind="material")
    scored = score.nothing()
    score.by_definition(scored, [wrong], [], laboratory, lambda _case: None)
    assert [miss.steps for miss in scored.misses] == [("统方定义 001",)]
    assert [row.met for row in page.rows(scored)][-1] is False
    assert "✗ 0 / 1" in page.markdown(scored)
