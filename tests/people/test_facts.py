"""Whatever is recorded of an act has a label in both languages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from django.utils import translation

import qingfang
from qingfang.access.services import _ACTS
from qingfang.judge import snapshot
from qingfang.people import facts
from qingfang.people.tables import KINDS

ROOT = Path(qingfang.__file__).parent
CHINESE = re.compile(r"[\u3001\u3002\u4e00-\u9fff\uff00-\uffef]")
NOT_FACTS = {"request", "person", "target"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of `acts.record` with the place it stands at."""
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "record"
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "acts"
            ):
                yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def test_every_detail_has_a_label() -> None:
    found = list(calls())
    assert len(found) > 25
    for place, node in found:
        for keyword in node.keywords:
            assert keyword.arg is not None, f"{place}: details must be named"
            if keyword.arg not in NOT_FACTS:
                assert keyword.arg in facts.LABELS, f"{place}: {keyword.arg}"


def test_every_act_has_a_name() -> None:
    kinds = set(_ACTS.values())
    for _place, node in calls():
        for part in ast.walk(node.args[0]):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                kinds.add(part.value)
    assert kinds - KINDS.keys() == set()


def test_what_is_registered_has_labels() -> None:
    for form in (
        snapshot.Report,
        snapshot.Service,
        snapshot.Scope,
        snapshot.Allowed,
        snapshot.Days,
    ):
        for field in msgspec.structs.fields(form):
            assert field.name in facts.LABELS, field.name


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_labels_are_words(language: str) -> None:
    with translation.override(language):
        for key, label in facts.LABELS.items():
            assert bool(CHINESE.search(str(label))) is (language == "zh-hans"), key


def test_values_are_words_too() -> None:
    given = {
        "role": "auditor",
        "channel": "mail",
        "mode": "enforce",
        "before": "open",
        "after": "unlawful",
        "known": False,
        "until": "2026-03-01T00:00:00+00:00",
        "fields": ["name", "mail"],
        "note": "",
        "text": "x\n" * 100,
        "digest": "0123456789abcdef",
        "body": {"menu": "月报", "scope": {"grain": "department", "items": {"kind": "all"}}},
        "of_the_future": 1,
    }
    assert facts.words(given) == (
        "角色：审计员；渠道：邮件；线路模式：拦截；原为：待定性；改为：查实非法；工号存在：否；"
        "至：2026-03-01 08:00；改了：姓名、邮箱；"
        f"内容：{('x ' * 40)}…；摘要：0123456789ab；"
        "登记内容：（菜单：月报；范围：（粒度：按科室；药品或耗材：（范围：全部）））；of_the_future：1"
    )
    with translation.override("en"):
        assert facts.words({"role": "auditor", "query": "verdict=deny&size=50"}) == (
            "Roles: Auditor; Filters: Verdict deny"
        )


def test_a_changed_record_is_told_by_the_labels_of_its_fields() -> None:
    told = facts.words({"before": {"name": "张三", "staff_number": ""}, "after": {"name": "李四"}})
    assert told == "原为：姓名 张三；工号 —；改为：姓名 李四"
