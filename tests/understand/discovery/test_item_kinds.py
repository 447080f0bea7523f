"""Which rows are drugs, consumables, high-value consumables: asked from values, taken by a person."""

import pytest

from qingfang.understand.catalogue import CatalogueError, load
from qingfang.understand.discovery import confirming, item_kinds, review
from qingfang.understand.discovery.facts import Column, Schema, Table
from qingfang.understand.discovery.propose import propose


def table(name, comment, *columns):
    return Table(name, comment, {c.name: c for c in columns}, (columns[0].name,))


def dictionary(flag):
    return table(
        "hc_zd",
        "医用耗材字典",
        Column("hcdm", "varchar(20)"),
        Column("hcmc", "varchar(80)"),
        flag,
    )


def charges(category):
    return table(
        "fy_mx",
        "住院费用明细",
        Column("fyxh", "bigint"),
        Column("zyh", "varchar(20)", "住院号"),
        Column("xmdm", "varchar(20)", "项目代码"),
        category,
        Column("sl", "numeric(10,2)", "数量"),
        Column("kdys", "varchar(10)", "开单医生工号"),
    )


def proposed(subject, dialect="postgres"):
    return propose(Schema("his", dialect, {subject.name: subject}))


def asked(subject, dialect="postgres"):
    hints = [h for h in proposed(subject, dialect).hints if h.what == "item_kind"]
    return hints[0].text if hints else None


@pytest.mark.parametrize(
    ("dialect", "flag", "high"),
    [
        ("oracle", Column("GZBZ", "char(1)", "", ("0", "1")), "GZBZ = '1'"),
        (
            "oracle",
            Column("HIGH_VALUE_FLAG", "varchar2(1)", "", ("N", "Y")),
            "HIGH_VALUE_FLAG = 'Y'",
        ),
        ("oracle", Column("HIGH_VALUE_FLAG", "char(1)", "", ("N",)), "HIGH_VALUE_FLAG = 'Y'"),
        ("tsql", Column("是否高值", "nvarchar(2)", "", ("否", "是")), "是否高值 = '是'"),
        ("tsql", Column("gz_flag", "bit", "", ()), "gz_flag = 1"),
        ("tsql", Column("gz_flag", "bit", "", ("False", "True")), "gz_flag = 1"),
        ("mysql", Column("gaozhi_biaozhi", "tinyint", "", ("0", "1")), "gaozhi_biaozhi = 1"),
        ("mysql", Column("is_high", "char(2)", "是否高值耗材：1是 2否", ()), "is_high = '1'"),
        ("postgres", Column("is_high_value", "boolean", "", ("false",)), "is_high_value = true"),
        ("postgres", Column("gzbz", "integer", "", ("1", "2")), "gzbz = 1"),
    ],
)
def test_a_flag_of_high_value_is_read_from_its_values(dialect, flag, high):
    assert asked(dictionary(flag), dialect) == f"consumable: true; high_value: {high}"


@pytest.mark.parametrize("samples", [(), ("A", "B", "C"), ("1", "3", "7")])
def test_what_values_mean_is_not_guessed(samples):
    assert asked(dictionary(Column("gzbz", "char(1)", "", samples))) == ""


@pytest.mark.parametrize(
    ("category", "text"),
    [
        (
            Column("fylb", "varchar(2)", "费用类别：01西药 02中药 05检查 09材料费 10高值耗材"),
            "drug: fylb IN ('01', '02'); consumable: fylb IN ('09', '10'); high_value: fylb IN ('10')",
        ),
        (
            Column("fylb", "int", "费用类别 1药品 2普通耗材 3高值耗材 4其他"),
            "drug: fylb IN (1); consumable: fylb IN (2, 3); high_value: fylb IN (3)",
        ),
        (
            Column("fylb", "varchar(20)", "", ("西药费", "材料费", "检查费")),
            "drug: fylb IN ('西药费'); consumable: fylb IN ('材料费')",
        ),
        # Nothing here tells consumables apart: nothing is asked.
        (Column("fylb", "varchar(20)", "", ("西药费", "检查费")), None),
    ],
)
def test_categories_are_told_apart_by_legend_or_value(category, text):
    assert asked(charges(category)) == text


def test_categories_are_told_apart_by_the_lists_their_items_are_in():
    drugs = table("yp", "药品字典", Column("ypdm", "varchar(9)"), Column("ypmc", "varchar(40)"))
    goods = dictionary(Column("dj", "numeric"))
    subject = charges(Column("fylb", "varchar(2)"))
    for one, code, letter in ((drugs, "ypdm", "Y"), (goods, "hcdm", "H")):
        one.members[code] = frozenset(f"{letter}{n:04}" for n in range(40))
    subject.sampled = ("xmdm", "fylb")
    subject.rows = tuple(("YHJ"[n % 3] + f"{n % 40:04}", "ABC"[n % 3]) for n in range(120))
    schema = Schema("his", "postgres", {t.name: t for t in (drugs, goods, subject)})
    hints = [h for h in propose(schema).hints if h.what == "item_kind"]
    assert [(h.table, h.text) for h in hints] == [
        ("fy_mx", "drug: fylb IN ('A'); consumable: fylb IN ('B')")
    ]


FLAG = Column("gzbz", "char(1)", "", ("0", "1"))


def test_the_line_counts_only_when_a_person_takes_the_mark_away():
    subject = proposed(dictionary(FLAG))
    page = review.write(subject)
    line = next(line for line in page.splitlines() if line.startswith("#? hc_zd\t*item_kind"))
    review.apply(subject, review.read(page, "r"), "r")
    assert "item_kind" not in subject.catalogue()["tables"]["hc_zd"]
    review.apply(subject, review.read(line.removeprefix("#? "), "r"), "r")
    tree = subject.catalogue()
    assert tree["tables"]["hc_zd"]["item_kind"] == {"consumable": True, "high_value": "gzbz = '1'"}
    assert set(load(tree).tables["hc_zd"].item_kind) == {"consumable", "high_value"}
    review.apply(subject, review.read("hc_zd\t*item_kind\t-", "r"), "r")
    assert "item_kind" not in subject.catalogue()["tables"]["hc_zd"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("gzbz = '1'", "应写作"),
        ("expensive: gzbz = '1'", "没有 expensive"),
        ("high_value: gzbz = '1'; high_value: true", "两次"),
        ("high_value:", "没有写条件"),
        ("high_value: gzbz = = 1", "可读的条件"),
        ("high_value: nothing = '1'", "没有列 nothing"),
    ],
)
def test_a_mistake_is_named_on_the_page_and_in_the_file(text, problem):
    subject = proposed(dictionary(FLAG))
    with pytest.raises(review.ReviewError, match=problem):
        review.apply(subject, review.read(f"hc_zd\t*item_kind\t{text}", "r"), "r")
    tree, page = subject.catalogue(), review.write(subject)
    roles = dict(tree["tables"]["hc_zd"]["columns"])
    with pytest.raises(CatalogueError, match=problem):
        confirming.confirm(tree, page, "hc_zd", "dictionary", roles, {"*item_kind": text})


def test_a_person_changes_and_takes_back_what_stands():
    subject = proposed(dictionary(FLAG))
    tree, page = subject.catalogue(), review.write(subject)
    # As an older catalogue says it, at the column.
    tree["tables"]["hc_zd"]["columns"]["gzbz"] = {"high_value": "gzbz='1'"}
    sheet = next(s for s in confirming.sheets(tree, page) if s.name == "hc_zd")
    assert sheet.item_kind == "high_value: gzbz='1'"
    roles = {c.column: c.role for c in sheet.cells}
    text = "consumable: true; high_value: gzbz IN ('1', ';')"
    made, page, _step = confirming.confirm(
        tree, page, "hc_zd", "dictionary", roles, {"*item_kind": text}
    )
    entry = made["tables"]["hc_zd"]
    assert entry["item_kind"] == {"consumable": True, "high_value": "gzbz IN ('1', ';')"}
    assert item_kinds.text_of(item_kinds.standing(entry)) == text
    # A later reading of the database keeps the person's word.
    fresh = proposed(dictionary(FLAG))
    review.apply(fresh, review.decided(page), "kept")
    assert fresh.catalogue()["tables"]["hc_zd"]["item_kind"] == entry["item_kind"]
    made, page, _step = confirming.confirm(
        made, page, "hc_zd", "dictionary", roles, {"*item_kind": "-"}
    )
    assert "item_kind" not in made["tables"]["hc_zd"]
    fresh = proposed(dictionary(FLAG))
    review.apply(fresh, review.decided(page), "kept")
    assert "item_kind" not in fresh.catalogue()["tables"]["hc_zd"]
