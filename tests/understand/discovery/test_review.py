"""The page of doubts: written, edited, read back; every mistake names its line."""

import pytest

from qingfang.understand.catalogue import load
from qingfang.understand.discovery import review
from qingfang.understand.discovery.facts import Column, Schema, Table
from qingfang.understand.discovery.propose import propose
from qingfang.understand.discovery.review import ReviewError


def proposal():
    columns = [
        Column("rx_no", "varchar"),
        Column("drug_code", "varchar"),
        Column("qty", "numeric"),
        Column("doctor", "varchar"),
        Column("room_no", "varchar"),
        Column("biz_type", "varchar", samples=("药品", "检查")),
        Column("remark", "varchar"),
    ]
    table = Table("Rx_Line", "处方明细", {c.name: c for c in columns}, unique=[("rx_no", "remark")])
    login = Table("login_log", "登录日志", {"gh": Column("gh", "varchar", "操作工号")})
    return propose(Schema(name="his", tables={"Rx_Line": table, "login_log": login}))


def applied(*lines):
    subject = proposal()
    review.apply(subject, review.read("\n".join(lines), "r.txt"), "r.txt")
    return subject.catalogue()


def test_an_unedited_page_confirms_what_was_proposed():
    subject = proposal()
    before = subject.catalogue()
    page = review.write(subject)
    assert "Rx_Line\t*\tusage" in page
    assert "Rx_Line\troom_no\tprescriber_id\t0.69\t" in page
    assert "Rx_Line\tdoctor\t" not in page  # sure of it
    assert "Rx_Line\t*keys\trx_no,remark\t0.95\t" in page
    review.apply(subject, review.read(page, "r.txt"), "r.txt")
    assert subject.catalogue() == before


def test_what_narrows_counts_only_when_a_person_takes_the_mark_away():
    page = review.write(proposal())
    line = next(line for line in page.splitlines() if line.startswith("#? Rx_Line\t*usage_when"))
    tree = applied(line.removeprefix("#? "))
    assert tree["tables"]["Rx_Line"]["usage_when"] == "biz_type IN ('药品')"
    load(tree)


@pytest.mark.parametrize(
    ("said", "keys"),
    [("REMARK; rx_no,qty", ["remark", ["rx_no", "qty"]]), ("remark", ["remark"]), ("-", None)],
)
def test_a_person_says_what_opens_one_row(said, keys):
    tree = applied(f"rx_line\t*keys\t{said}")
    assert tree["tables"]["Rx_Line"].get("keys") == keys
    load(tree)


def test_a_person_overrules():
    tree = applied(
        "rx_line\tDOCTOR\t-",
        "*\trx_no\tvisit_id",
        "rx_line\tremark\tprescriber_name",
        "login_log\t*\tother",
        "login_log\t*operator\tgh insert session",
        "# 说明",
        "",
    )
    columns = tree["tables"]["Rx_Line"]["columns"]
    assert columns["doctor"] is None
    assert columns["rx_no"] == "visit_id"
    assert columns["remark"] == "prescriber_name"
    assert tree["operators"] == [
        {"table": "login_log", "column": "gh", "on": "insert", "scope": "session"}
    ]
    load(tree)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("Rx_Line doctor prescriber_id", "三栏"),
        ("nothing\t*\tusage", "没有表 nothing"),
        ("*\tnothing\titem_id", "没有一张表有列 nothing"),
        ("*\t*\tusage", "必须是一个列名"),
        ("Rx_Line\tnothing\titem_id", "没有列 nothing"),
        ("Rx_Line\tqty\tnumber", "不认识的角色 number"),
        ("Rx_Line\t*\tsecret", "种类"),
        ("Rx_Line\t*usage_when\tbiz_type IN (", "usage_when|条件"),
        ("Rx_Line\t*usage_when\tnothing = 1", "没有列 nothing"),
        ("login_log\t*usage_when\tgh = '1'", "不是 usage"),
        ("Rx_Line\t*open\tx = 1", r"不认识 \*open"),
        ("login_log\t*operator\tgh", "insert"),
        ("login_log\t*operator\tnothing insert session", "没有列 nothing"),
        ("Rx_Line\tqty\t ", "不能为空"),
        ("Rx_Line\t*keys\trx_no,nothing", "没有列 nothing"),
        ("Rx_Line\t*keys\trx_no,;qty", "应写作「a; b,c」"),
    ],
)
def test_a_mistake_names_file_and_line_and_nothing_is_applied(line, problem):
    subject = proposal()
    before = subject.catalogue()
    with pytest.raises(ReviewError, match=problem) as caught:
        text = f"# 一行说明\nRx_Line\tqty\tamount\n{line}\n"
        review.apply(subject, review.read(text, "核对单.txt"), "核对单.txt")
    assert str(caught.value).startswith("核对单.txt:3：")
    assert subject.catalogue() == before
