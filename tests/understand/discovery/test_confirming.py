"""A person confirms table by table: what is asked first, what a word changes, how it is undone."""

import json

import pytest

from qingfang.understand.catalogue import CatalogueError, load
from qingfang.understand.discovery import confirming, ddl, review
from qingfang.understand.discovery.confirming import Change
from qingfang.understand.discovery.propose import propose

DDL = """
CREATE TABLE his.mz_cf (cfh varchar(20) PRIMARY KEY, brid varchar(20), zsh varchar(8),
  ysdm varchar(10), kfrq timestamp);
COMMENT ON TABLE his.mz_cf IS '门诊处方';
COMMENT ON COLUMN his.mz_cf.zsh IS '诊室';
CREATE TABLE his.yk_ypzd (ypdm varchar(20) PRIMARY KEY, ypmc varchar(80));
CREATE TABLE his.xt_dlrz (id int PRIMARY KEY, gh varchar(10), sj timestamp);
COMMENT ON TABLE his.xt_dlrz IS '登录日志';
COMMENT ON COLUMN his.xt_dlrz.gh IS '登录工号';
CREATE VIEW his.v_cf AS SELECT cfh FROM his.mz_cf;
"""


def given():
    proposal = propose(ddl.read(DDL, "postgres", "his"))
    return proposal.catalogue(), review.write(proposal)


def roles_of(tree, table):
    return dict(tree["tables"][table]["columns"])


def test_usage_that_is_least_sure_is_asked_first():
    found = confirming.sheets(*given())
    assert [s.name for s in found] == ["his.mz_cf", "his.yk_ypzd", "his.xt_dlrz"]
    first = found[0]
    assert (first.kind, first.confirmed) == ("usage", False)
    doubt = next(c for c in first.cells if c.column == "zsh")
    assert (doubt.role, doubt.open) == ("prescriber_id", True)
    assert "诊室" in doubt.reason
    assert first.least <= doubt.confidence < confirming.SURE
    assert not next(c for c in first.cells if c.column == "ysdm").open
    assert [p.column for p in found[2].asked] == ["*operator"]


def test_a_confirmed_table_is_answered_for_as_a_whole():
    tree, text = given()
    roles = {**roles_of(tree, "his.mz_cf"), "zsh": None}
    made, after, _undo = confirming.confirm(tree, text, "his.mz_cf", "usage", roles, {})
    assert made["tables"]["his.mz_cf"]["columns"]["zsh"] is None
    assert tree["tables"]["his.mz_cf"]["columns"]["zsh"] == "prescriber_id"
    sheet = next(s for s in confirming.sheets(made, after) if s.name == "his.mz_cf")
    assert (sheet.open, sheet.confirmed) == (0, True)
    # The other tables are asked about as before, and a new reading takes the person's word.
    assert len(review.open_points(after)) == len(review.open_points(text)) - 2
    fresh = propose(ddl.read(DDL, "postgres", "his"))
    review.apply(fresh, review.decided(after), "kept")
    assert fresh.role("his.mz_cf", "zsh") is None


def test_what_narrows_is_taken_only_by_hand_and_is_gone_when_it_is_not():
    tree, text = given()
    roles = roles_of(tree, "his.xt_dlrz")
    made, after, _undo = confirming.confirm(tree, text, "his.xt_dlrz", "other", roles, {})
    assert "operators" not in made
    assert "#?" not in after.split("his.xt_dlrz")[-1]
    taken = {"*operator": "gh insert session"}
    made, after, _undo = confirming.confirm(tree, text, "his.xt_dlrz", "other", roles, taken)
    assert load(made).operators[0].column == "gh"


def test_what_cannot_be_changes_nothing():
    tree, text = given()
    before = json.dumps(tree)
    roles = roles_of(tree, "his.mz_cf")
    for kind, given_roles, taken, path in (
        ("nonsense", roles, {}, "kind"),
        ("usage", {**roles, "zsh": "chief"}, {}, "zsh"),
        ("usage", roles, {"*usage_when": "1 = = 2"}, "usage_when"),
        ("other", roles, {"*usage_when": "zsh = '1'"}, "usage_when"),
    ):
        with pytest.raises(CatalogueError, match=path):
            confirming.confirm(tree, text, "his.mz_cf", kind, given_roles, taken)
    with pytest.raises(KeyError):
        confirming.confirm(tree, text, "his.none", "usage", {}, {})
    assert json.dumps(tree) == before


def test_undoing_gives_back_what_was():
    tree, text = given()
    roles = {**roles_of(tree, "his.xt_dlrz"), "gh": None}
    taken = {"*operator": "gh insert session"}
    made, after, step = confirming.confirm(tree, text, "his.xt_dlrz", "other", roles, taken)
    back, page = confirming.undo(made, after, step)
    assert back == tree
    assert sorted(review.open_points(page), key=str) == sorted(review.open_points(text), key=str)
    assert review.decided(page) == review.decided(text)


def test_new_and_changed_objects_are_told_by_name():
    tree, _text = given()
    assert confirming.changes(tree, "", ddl.read(DDL, "postgres")) == []
    # As another export writes it: in capitals, the tables without their schema.
    bare = DDL.upper().replace("TABLE HIS.", "TABLE ").replace("VIEW HIS.", "VIEW ")
    assert confirming.changes(tree, "", ddl.read(bare, "postgres")) == []
    now = (
        DDL.replace("ysdm varchar(10)", "ysdm varchar(10), tm varchar(9)")
        .replace("CREATE TABLE his.yk_ypzd", "CREATE TABLE his.yk_ypzd_bak")
        .replace("SELECT cfh FROM", "SELECT cfh, ysdm FROM")
    )
    now += "CREATE FUNCTION his.f() RETURNS int LANGUAGE sql AS 'SELECT 1';"
    assert confirming.changes(tree, "", ddl.read(now, "postgres")) == [
        Change("column-new", "his.mz_cf.tm"),
        Change("table-new", "his.yk_ypzd_bak"),
        Change("table-gone", "his.yk_ypzd"),
        Change("view-changed", "his.v_cf"),
        Change("routine-new", "his.f"),
    ]


def test_a_table_that_was_not_found_is_added_asked_about_and_kept_by_the_next_reading():
    tree, text = given()
    added, said, step = confirming.add(tree, text, "his.mz_cfmx_old", ["cfh", "ypdm", "sl"])
    sheet = next(s for s in confirming.sheets(added, said) if s.name == "his.mz_cfmx_old")
    assert (sheet.kind, sheet.open, [c.role for c in sheet.cells]) == ("other", 1, [None] * 3)
    roles = {"cfh": "prescription_id", "ypdm": "item_id", "sl": "quantity"}
    made, settled, _step = confirming.confirm(added, said, "his.mz_cfmx_old", "usage", roles, {})
    assert load(made).tables["his.mz_cfmx_old"].columns["sl"] == "quantity"

    schema = ddl.read(DDL, "postgres", "his")
    assert confirming.changes(made, settled, schema) == []
    assert [c.what for c in confirming.changes(made, "", schema)] == ["table-gone"]
    again = propose(schema)
    review.apply(again, review.read(settled, "核对单"), "核对单")
    assert again.catalogue()["tables"]["his.mz_cfmx_old"] == {
        **again.catalogue()["tables"]["his.mz_cfmx_old"],
        "kind": "usage",
        "columns": roles,
    }
    # Nothing but the blank lines is otherwise when it is taken back.
    assert confirming.undo(added, said, step) == (tree, "\n".join(text.splitlines()) + "\n")


@pytest.mark.parametrize(
    ("table", "columns", "why"),
    [
        ("HIS.MZ_CF", ["a"], "已经有它"),
        ("v_cf", [], "要写出它的列"),
        ("his.v_cf", ["a"], "已经有它"),
        ("his.neu", ["a,b"], "逗号"),
        ("# neu", ["a"], "逗号"),
        ("", ["a"], "逗号"),
    ],
)
def test_what_cannot_be_added(table, columns, why):
    with pytest.raises(CatalogueError, match=why):
        confirming.add(*given(), table, columns)
