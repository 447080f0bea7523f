"""What the layman reads: one sentence an alert, true and complete."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from django.utils import translation

from qingfang.events import Event, Meaning, Scope, Selection, Touch, Value
from qingfang.review import sentences
from tests.support.alerts import START, event, usage


def built(made: Event) -> dict[str, Any]:
    return msgspec.to_builtins(made)


def told(made: Event, **more: str) -> str:
    known = {"name": "沈某", "department": "信息科", "terminal": "PC-7", "place": "门诊楼 3层"}
    return sentences.sentence(built(made), at=START, **{**known, **more})


@pytest.mark.parametrize(
    ("made", "more", "expected"),
    [
        (
            event(1),
            {},
            "2026-03-01 09:30，信息科 沈某（工号 1001）在门诊楼 3层的终端 PC-7 用“Navicat”查询了 2026-01-01"
            " 至 2026-02-28 期间的 A0001 按医生统计的用量（37 行，每行一名医生）。",
        ),
        (
            event(1, operator="", verdict="deny"),
            {"terminal": "", "place": ""},
            "2026-03-01 09:30，身份未知的人（共用账号 his_app）在未登记的终端 10.1.2.3 用“Navicat”试图查询"
            " 2026-01-01 至 2026-02-28 期间的 A0001 按医生统计的用量（涉及全部医生）。",
        ),
        (
            event(1, meaning=Meaning("opaque", touches=(Touch("outp_rx"),)), program=""),
            {"name": ""},
            "2026-03-01 09:30，工号 1001（名册中没有）在门诊楼 3层的终端 PC-7 用“未知程序”查询了一条系统读不懂、"
            "可能涉及 outp_rx 的语句。",
        ),
        (
            event(1, meaning=msgspec.structs.replace(usage(grain="department"), delivery="stored")),
            {},
            "2026-03-01 09:30，信息科 沈某（工号 1001）在门诊楼 3层的终端 PC-7 用“Navicat”把 2026-01-01 至"
            " 2026-02-28 期间的 A0001 按科室统计的用量存进了数据库。",
        ),
    ],
)
def test_sentence(made: Event, more: dict[str, str], expected: str) -> None:
    assert told(made, **more) == expected


def test_who_was_refused_only_tried() -> None:
    made = msgspec.structs.replace(event(1), answered_as="denied")
    assert "试图查询 2026-01-01" in told(made)
    stored = msgspec.structs.replace(usage(), delivery="stored")
    assert "试图把 2026-01-01" in told(msgspec.structs.replace(made, meaning=stored))


def test_what_could_not_be_judged_is_nobodys_deed() -> None:
    made = msgspec.structs.replace(
        event(1), kind="coverage", meaning=None, reasons=("线路 his 暂时不能判断语句",)
    )
    assert told(made) == "2026-03-01 09:30，线路 his 暂时不能判断语句。"


def test_all_of_them_without_time() -> None:
    meaning = Meaning("usage", grain="prescriber", scope=Scope(items=Selection("all")))
    assert (
        sentences.learned(built(event(1, meaning=meaning, rows=None)))
        == "不限时间的全部药品和耗材按医生统计的用量（涉及全部医生）"
    )


def test_named_prescribers_are_counted() -> None:
    scope = Scope(
        items=Selection("class", (Value("抗菌药物"),)),
        prescribers=Selection("list", (Value("D01"), Value("D02"))),
    )
    meaning = Meaning("usage", grain="prescriber", scope=scope)
    assert (
        sentences.learned(built(event(1, meaning=meaning)))
        == "不限时间的“抗菌药物”类药品按医生统计的用量（2 位医师：D01、D02）"
    )


def test_no_rows_does_not_mean_no_prescribers() -> None:
    assert sentences.learned(built(event(1, rows=0))).endswith("（涉及全部医生）")


def test_pieced_together() -> None:
    meaning = Meaning("none", session_disclosure="usage", session_grain="prescriber")
    assert sentences.learned(built(event(1, meaning=meaning, rows=None))).startswith(
        "与此前的查询拼合后的"
    )


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (event(1), "未拦截，返回了 37 行。"),
        (event(1, rows=None), "未拦截；返回行数未知。"),
        (event(1, verdict="deny"), "已拦截，没有返回数据。"),
        (event(1, verdict="mask"), "已遮蔽医生与科室后返回。"),
        (event(1, error="relation does not exist"), "数据库报错，没有返回数据。"),
    ],
)
def test_what_was_done(made: Event, expected: str) -> None:
    assert sentences.outcome(built(made)) == expected


def test_approved_or_not() -> None:
    assert "没有找到" in sentences.approval(built(event(1)))
    assert "TF2026-7" in sentences.approval(built(event(1, grant="TF2026-7")))


def test_in_english_no_chinese_is_left_but_names() -> None:
    with translation.override("en"):
        text = told(event(1), name="Shen", department="IT", place="Building A")
    assert text == (
        "2026-03-01 09:30: Shen (1001, IT), at terminal PC-7 in Building A, with “Navicat”, queried"
        " usage by prescriber of A0001, from 2026-01-01 to 2026-02-28 (37 rows, one prescriber a row)."
    )


def test_an_event_that_says_little() -> None:
    at = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    blank = {"name": "", "department": "", "terminal": "", "place": ""}
    assert sentences.sentence({}, at=at, **blank).startswith("2026-03-01 08:00，身份未知")
