"""The catalogue: what is taken, how names are found, how mistakes are named."""

import copy

import pytest

from qingfang.understand.catalogue import CatalogueError, load

SMALL = {
    "name": "demo-his",
    "dialect": "postgres",
    "tables": {
        "his.outp_rx": {
            "kind": "usage",
            "comment": "门诊处方主表",
            "open_when": "state=0",
            "columns": {"rx_no": "prescription_id", "DR_Code": "prescriber_id", "memo": None},
        },
        "stock_ledger": {
            "kind": "stock",
            "usage_when": "biz_type IN ('017','020')",
            "columns": {"item_code": "item_id", "qty": "quantity"},
        },
        "hc": {"kind": "usage", "columns": {"flag": {"high_value": "flag=1"}}},
        "sys_login": {"kind": "other", "columns": {"gh": None}},
    },
    "views": {"v_rx": "SELECT rx_no FROM outp_rx"},
    "procedures": {"dbo.sp_report": "CREATE PROCEDURE ..."},
    "synonyms": {"rx": "his.outp_rx"},
    "services": [{"program": "YBUpload", "tables": ["Outp_Rx"], "why": "医保逐单上传"}],
    "operators": [{"table": "sys_login", "column": "GH", "on": "insert"}],
}


def test_names_without_case_and_with_or_without_schema() -> None:
    catalogue = load(SMALL)
    for name in ("outp_rx", "HIS.OUTP_RX", "his.outp_rx", "db.his.outp_rx", '"his"."OUTP_RX"'):
        table = catalogue.table(name)
        assert table is not None and table.name == "his.outp_rx", name
    assert catalogue.table("other.outp_rx") is None
    assert catalogue.table("any_schema.stock_ledger") is not None
    assert catalogue.view("public.V_RX") == "SELECT rx_no FROM outp_rx"
    assert catalogue.procedure("sp_report") is not None
    assert catalogue.synonym("RX") == "his.outp_rx"


def test_columns_roles_and_predicates() -> None:
    catalogue = load(SMALL)
    rx = catalogue.tables["his.outp_rx"]
    assert rx.role("dr_code") == "prescriber_id" and rx.spelling["dr_code"] == "DR_Code"
    assert catalogue.tables["stock_ledger"].telling == {"biz_type"}
    assert catalogue.tables["hc"].role("flag") == "item_kind"
    assert list(catalogue.tables["hc"].item_kind) == ["high_value"]
    assert catalogue.services[0].tables == ("outp_rx",)
    assert (catalogue.operators[0].column, catalogue.operators[0].scope) == ("gh", "session")


def kinds_of(item_kind: object) -> dict[str, bool]:
    """The kinds of a table, and whether only some of its rows are of each."""
    table = {"kind": "dictionary", "columns": {"f": "item_kind"}, "item_kind": item_kind}
    found = load({"tables": {"t": table}}).tables["t"].item_kind
    return {kind: predicate is not None for kind, predicate in found.items()}


def test_kinds_of_items() -> None:
    assert kinds_of("drug") == {"drug": False}
    assert kinds_of({"consumable": True, "high-value": "f='1'"}) == {
        "consumable": False,
        "high_value": True,
    }
    for wrong, where, says in (
        ("herb", "tables.t.item_kind", "没有 herb 这一类"),
        ({"herb": "f=1"}, "tables.t.item_kind.herb", "可用：drug、consumable、high_value"),
        ({"high_value": False}, "tables.t.item_kind.high_value", "应为字符串"),
        ({"high_value": "1=1"}, "tables.t.item_kind.high_value", "没有任何列"),
        ({"drug": True, "consumable": "f=1"}, "tables.t.item_kind", "全是药品"),
        ([], "tables.t.item_kind", "应为对象"),
    ):
        with pytest.raises(CatalogueError) as caught:
            kinds_of(wrong)
        assert caught.value.path == where and says in caught.value.problem


def test_of_two_schemas_the_strictest_wins() -> None:
    catalogue = load(
        {"tables": {"a.t": {"kind": "other", "columns": {}}, "b.t": {"kind": "usage"}}}
    )
    found = catalogue.table("t")
    assert found is not None and found.name == "b.t"


@pytest.mark.parametrize(
    ("path", "value", "named", "says"),
    [
        (("dialect",), "db2", "dialect", "不认识的方言"),
        (("tables",), [], "tables", "应为对象"),
        (("tables", "hc", "kind"), "drug", "tables.hc.kind", "dictionary"),
        (("tables", "hc", "kind"), ["usage"], "tables.hc.kind", "dictionary"),
        (("tables", "hc", "columns", "flag"), [], "tables.hc.columns.flag", "不认识的角色"),
        (("operators", 0, "on"), ["insert"], "operators[0].on", "insert"),
        (("operators", 0, "scope"), {}, "operators[0].scope", "session"),
        (("tables", "hc", "colums"), {}, "tables.hc.colums", "没有这个键"),
        (("tables", "hc", "columns", "flag"), "itemid", "tables.hc.columns.flag", "不认识的角色"),
        (("tables", "hc", "columns", "FLAG"), None, "tables.hc.columns.FLAG", "名称重复"),
        (("tables", "hc", "usage_when"), "a = ", "tables.hc.usage_when", "不是可读的条件"),
        (("tables", "hc", "usage_when"), "1=1", "tables.hc.usage_when", "没有任何列"),
        (
            ("tables", "hc", "usage_when"),
            "a IN (SELECT 1)",
            "tables.hc.usage_when",
            "只能有本表的列",
        ),
        (("tables", "sys_login", "usage_when"), "a=1", "tables.sys_login.usage_when", "只有"),
        (("views", "stock_ledger"), "SELECT 1", "views.stock_ledger", "同名"),
        (("operators", 0, "table"), "nowhere", "operators[0].table", "没有 nowhere"),
        (("operators", 0, "on"), "delete", "operators[0].on", "insert"),
        (("services", 0, "programme"), "x", "services[0].programme", "没有这个键"),
        (("synonyms", "s"), 3, "synonyms.s", "应为字符串"),
    ],
)
def test_a_mistake_is_named_by_its_path(path, value, named, says) -> None:
    tree = copy.deepcopy(SMALL)
    here = tree
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    with pytest.raises(CatalogueError) as caught:
        load(tree)
    assert caught.value.path == named
    assert says in caught.value.problem


def test_no_tables_at_all() -> None:
    with pytest.raises(CatalogueError, match="tables"):
        load({"name": "x"})
