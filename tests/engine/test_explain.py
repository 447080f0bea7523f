"""`qingfang explain`: lines in, lines out."""

import json
from pathlib import Path

from click.testing import CliRunner

from qingfang import cli
from qingfang.engine import definitions
from qingfang.engine.explain import Explainer, shown
from qingfang.understand.analysis import Analyser, SessionState
from qingfang.understand.catalogue import load
from qingfang.understand.state import Shared

FIXTURES = Path(__file__).parents[1] / "understand" / "fixtures"
SMALL = FIXTURES / "small.json"
FIELDS = {
    *("id", "disclosure", "touches", "grain", "scope", "subtype", "delivery", "reasons"),
    *("session_disclosure", "session_grain", "person_disclosure", "person_grain"),
}
BY_DOCTOR = (
    "SELECT c.ysdm,SUM(m.sl) FROM mz_cf c JOIN mz_cfmx m USING (cf_id) "
    "WHERE m.ypdm='YP007' AND c.kfrq BETWEEN '2026-01-01' AND '2026-01-31' GROUP BY 1"
)


def explain(*asked: object, **options: str) -> list[dict]:
    explainer = Explainer(load(json.loads(SMALL.read_text("utf-8"))), **options)
    lines = [a if isinstance(a, bytes) else json.dumps(a).encode() for a in asked]
    return [json.loads(line) for line in explainer.answers(lines)]


def test_the_fields_of_the_contract() -> None:
    (answer,) = explain({"id": "a", "sql": BY_DOCTOR})
    assert answer.keys() == FIELDS
    assert (answer["id"], answer["disclosure"], answer["grain"]) == ("a", "usage", "prescriber")
    assert answer["scope"] == {
        "items": {"kind": "one", "values": ["YP007"]},
        "prescribers": {"kind": "all", "values": []},
        "departments": None,
        "period": {"from": "2026-01-01", "to": "2026-01-31"},
    }
    assert answer["session_disclosure"] is None and answer["person_disclosure"] is None


def test_a_period_has_two_ends_and_nothing_else() -> None:
    sql = (
        "SELECT c.ysdm, SUM(m.sl) FROM mz_cf c JOIN mz_cfmx m ON m.cf_id = c.cf_id"
        " WHERE c.kfrq >= '2026-10-01' AND c.kfrq < '2026-11-01' GROUP BY c.ysdm"
    )
    (answer,) = explain({"id": "a", "sql": sql})
    assert answer["scope"]["period"] == {"from": "2026-10-01", "to": "2026-10-31"}


def test_opaque_names_what_it_seems_to_touch() -> None:
    (answer,) = explain({"id": 1, "sql": "SELECT ypdm FROM mz_cfmx WHERE ((("})
    assert answer["disclosure"] == "opaque" and answer["id"] == 1
    assert answer["touches"] == [{"table": "mz_cfmx", "roles": ["item_id"]}]


def test_a_bad_line_is_answered_in_its_place() -> None:
    good = {"id": "g", "sql": "SELECT 1"}
    answers = explain(
        good,
        b"{not json",
        {"id": "no-sql"},
        {"id": "d", "sql": "SELECT 1", "dialect": "db2"},
        {"id": "t", "sql": "SELECT 1", "at": "yesterday"},
        good,
    )
    assert [a.get("id") for a in answers] == ["g", None, "no-sql", "d", "t", "g"]
    assert [a["error"]["line"] for a in answers[1:5]] == [2, 3, 4, 5]
    assert "sql" in answers[2]["error"]["message"]
    assert "disclosure" in answers[0] and "disclosure" in answers[5]


def test_an_array_may_be_bound() -> None:
    sql = "SELECT ypdm, sl FROM mz_cfmx WHERE cf_id = ANY($1) AND sl > $2"
    few, many = ([f'CF{n}, "x"' for n in range(size)] for size in (2, 11))
    asked = [{"id": n, "sql": sql, "binds": [keys, 1.5]} for n, keys in enumerate((few, many))]
    assert [a["disclosure"] for a in explain(*asked)] == ["clinical", "usage"]
    (answer,) = explain({"id": 3, "sql": sql, "binds": [[["a"]], 1]})
    assert "binds[0]" in answer["error"]["message"]


def test_a_session_carries_temp_tables_and_what_it_revealed() -> None:
    make = "CREATE TEMP TABLE t AS SELECT cf_id k, ysdm d FROM mz_cf"
    join = "SELECT d, SUM(sl) FROM t JOIN mz_cfmx ON cf_id=k WHERE ypdm='YP1' GROUP BY d"
    first, second, stranger = explain(
        {"id": 1, "session": "s", "operator": "1001", "sql": make},
        {"id": 2, "session": "s", "operator": "1001", "sql": join},
        {"id": 3, "session": "other", "sql": join},
    )
    assert first["disclosure"] == "none"
    assert (second["disclosure"], second["grain"]) == ("usage", "prescriber")
    assert (second["session_disclosure"], second["session_grain"]) == ("usage", "prescriber")
    assert second["person_disclosure"] == "usage"
    assert stranger["disclosure"] == "opaque" and stranger["person_disclosure"] is None


def test_a_statement_of_no_session_stands_for_itself() -> None:
    """What somebody stored somewhere changes nothing for a text that is asked about alone."""
    store = (
        "INSERT INTO gh_mx (ysdm) SELECT c.ysdm FROM mz_cf c JOIN mz_cfmx m ON m.cf_id = c.cf_id"
    )
    read = "SELECT ysdm FROM gh_mx"
    stored, alone, first, second = explain(
        {"id": 1, "sql": f"{store} GROUP BY c.ysdm HAVING SUM(m.sl) > 5"},
        {"id": 2, "sql": read},
        {"id": 3, "sql": f"{store} GROUP BY c.ysdm HAVING SUM(m.sl) > 5", "session": "a"},
        {"id": 4, "sql": read, "session": "b"},
    )
    assert [x["disclosure"] for x in (stored, alone, first, second)] == [
        *("usage", "none", "usage", "usage"),
    ]


def test_the_cache_changes_no_answer() -> None:
    """Each line again and again with other constants, in a session that builds things meanwhile."""
    forms = (
        "SELECT m.ypdm, m.sl FROM mz_cf c JOIN mz_cfmx m ON m.cf_id = c.cf_id WHERE c.brid = 'P{n}'",
        "SELECT c.ysdm, SUM(m.sl) FROM mz_cf c JOIN mz_cfmx m ON m.cf_id = c.cf_id"
        " WHERE m.ypdm = 'YP{n}' GROUP BY c.ysdm",
        "UPDATE yk_ypzd SET lsj = {n} WHERE ypdm = 'YP{n}'",
        "SELECT * FROM t{n}",
        "CREATE TEMP TABLE t{n} AS SELECT ysdm FROM mz_cf",
        "SELECT * FROM t{n}",
        "CREATE TABLE k{n} AS SELECT ysdm FROM gh_mx",
        "SELECT * FROM k{n}",
        "DROP TABLE k{n}",
        "SELECT * FROM k{n}",
    )
    lines = [
        {"id": n, "sql": form.format(n=n), **({"session": session} if session else {})}
        for n in range(4)
        for session in (None, "a", "b")
        for form in forms
    ]
    together = explain(*lines)
    state, fresh = Shared(), []
    analyser = Analyser(load(json.loads(SMALL.read_text(encoding="utf-8"))))
    sessions = {name: SessionState(state) for name in ("a", "b")}
    for line in lines:
        session = sessions.get(str(line.get("session")), SessionState())
        fresh.append(shown(analyser.analyse(str(line["sql"]), "postgres", state=session).meaning))
    keys = ("disclosure", "grain", "subtype", "delivery", "scope", "reasons", "touches")
    for line, ours, theirs in zip(lines, together, fresh, strict=True):
        assert {k: ours[k] for k in keys} == {k: theirs[k] for k in keys}, line


def test_two_harmless_halves_make_a_whole() -> None:
    halves = (
        {"id": 1, "session": "s", "sql": "SELECT cf_id,ysdm FROM mz_cf"},
        {"id": 2, "session": "s", "sql": "SELECT cf_id,ypdm,sl FROM mz_cfmx"},
    )
    answers = explain(*halves)
    assert answers[0]["disclosure"] == "none"
    assert answers[1]["session_disclosure"] == "usage"


def test_dialects_by_line_and_by_option() -> None:
    sql = "SELECT TOP 5 [ysdm] FROM [mz_cf] WHERE [brid]=@p1"
    by_line, by_option = (
        explain({"id": 1, "sql": sql, "dialect": "tsql"}),
        explain({"id": 1, "sql": sql}, dialect="tsql"),
    )
    assert by_line == by_option
    assert by_line[0]["disclosure"] == "none"


def test_the_command(tmp_path: Path) -> None:
    run = CliRunner().invoke
    asked = json.dumps({"id": 7, "sql": BY_DOCTOR}) + "\n"
    good = run(cli.qingfang_command, ["explain", "--catalogue", str(SMALL)], input=asked)
    assert good.exit_code == 0 and json.loads(good.output)["grain"] == "prescriber"
    bad = run(cli.qingfang_command, ["explain", "--catalogue", str(SMALL)], input="[]\n")
    assert bad.exit_code == 1 and json.loads(bad.output)["error"]["line"] == 1
    broken = tmp_path / "c.json"
    broken.write_text('{"tables": {"t": {"kind": "drug"}}}')
    refused = run(cli.qingfang_command, ["explain", "--catalogue", str(broken)], input="")
    assert refused.exit_code == 2 and "tables.t.kind" in refused.output


def under(profile: str, *more: str) -> tuple[int, str, str]:
    """Exit status, what is disclosed by ordinary consumables by prescriber, and what is said."""
    sql = (
        "SELECT s.ysdm, s.hcdm, SUM(s.sl) FROM hc_sy s JOIN hc_zd d ON d.hcdm = s.hcdm "
        "WHERE d.gzbz = '0' GROUP BY s.ysdm, s.hcdm"
    )
    words = ["explain", "--catalogue", str(FIXTURES / "kinds.json"), *more]
    words += ["--profile", profile] if profile else []
    ran = CliRunner().invoke(cli.qingfang_command, words, input=json.dumps({"id": 1, "sql": sql}))
    return ran.exit_code, json.loads(ran.stdout)["disclosure"] if ran.stdout else "", ran.output


def test_a_profile_is_chosen_and_the_stricter_one_holds_without(tmp_path: Path) -> None:
    assert under("")[:2] == (0, "usage")
    assert under("000")[:2] == (0, "usage")
    assert under("001")[:2] == (0, "none")
    own = tmp_path / "own.toml"
    own.write_text(definitions.text("001").replace('"001"', '"own"'), encoding="utf-8")
    assert under(str(own))[:2] == (0, "none")


def test_a_profile_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(definitions.text("001").replace('"high_value"', '"herb"'), encoding="utf-8")
    code, answer, said = under(str(own))
    assert (code, answer) == (2, "") and f"{own}:7: kinds: " in said and "herb" in said
    own.write_bytes(b"\xff")
    code, _answer, said = under(str(own))
    assert code == 2 and "UTF-8" in said
    code, _answer, said = under(str(tmp_path / "none.toml"))
    assert code == 2 and "none.toml" in said
