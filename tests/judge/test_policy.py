"""The policy: every combination has a decision, and errors name their place."""

import itertools
from pathlib import Path
from typing import get_args

import pytest

from qingfang.events import Delivery, Disclosure, Grain, Subtype
from qingfang.judge.policy import Basis, Case, PolicyError, Touching, read

CASES = [
    Case(*values)
    for values in itertools.product(
        get_args(Disclosure),
        (None, *get_args(Grain)),
        (None, *get_args(Subtype)),
        get_args(Delivery),
        get_args(Basis),
        get_args(Touching),
        (False, True),
        (False, True),
        (False, True),
    )
]
POLICY = read()


def test_every_combination_has_a_decision_and_observing_never_denies() -> None:
    for case in CASES:
        rule = POLICY.rule(case)
        assert rule.observe in ("pass", "log", "review", "alert")
        assert case.disclosure != "opaque" or rule.observe != "pass"
        if case.disclosure == "usage":
            assert rule.observe != "pass", "usage is at least logged"
            if case.basis == "none":
                assert rule.observe == rule.enforce == "alert" or rule.enforce == "deny"
        elif case.disclosure in ("none", "clinical"):
            assert rule.observe == rule.enforce == "pass"


def test_every_built_in_rule_decides_something() -> None:
    used = {POLICY.rule(case).name for case in CASES}
    assert used == {rule.name for rule in POLICY.rules}


@pytest.mark.parametrize(
    ("case", "observe", "enforce", "severity"),
    [
        (Case("usage", "prescriber", "item"), "alert", "deny", 2),
        (Case("usage", "detail", "class"), "alert", "deny", 2),
        (Case("usage", "department", "item"), "alert", "deny", 1),
        (Case("usage", "prescriber", "item", "stored"), "alert", "deny", 2),
        (Case("usage", "prescriber", "item", "stored", "self"), "alert", "deny", 2),
        (Case("usage", "prescriber", "item", "returned", "self"), "log", "log", 0),
        (Case("usage", "department", "item", "returned", "self"), "alert", "deny", 1),
        (Case("usage", "prescriber", "item", "returned", "grant"), "log", "log", 0),
        (Case("usage", "department", "total"), "alert", "alert", 0),
        (Case("usage", "department", "total", "returned", "report"), "log", "log", 0),
        (Case("usage", "institution", "item"), "alert", "alert", 0),
        (Case("usage", "institution", "item", "returned", "designated"), "log", "log", 0),
        (Case("usage", "institution", "item", "stored", "designated"), "alert", "alert", 1),
        (Case("usage", "prescriber", "item", "returned", "designated"), "alert", "deny", 2),
        (Case("opaque", touching="usage"), "alert", "alert", 1),
        (Case("opaque", touching="usage", seen=True), "review", "review", 0),
        (Case("opaque"), "review", "review", 0),
        (Case("opaque", seen=True), "log", "log", 0),
        (Case("opaque", basis="service", touching="usage"), "log", "log", 0),
        (Case("opaque", touching="figures", settled=True), "log", "log", 0),
        (Case("usage", "prescriber", "item", settled=True), "alert", "deny", 2),
    ],
)
def test_what_the_built_in_policy_decides(
    case: Case, observe: str, enforce: str, severity: int
) -> None:
    rule = POLICY.rule(case)
    assert (rule.observe, rule.enforce, rule.severity) == (observe, enforce, severity)


def test_an_override_changes_a_rule_adds_one_and_replaces_tools() -> None:
    policy = read(
        """
        [change.total]
        enforce = "log"
        observe = "log"

        [change.institution]
        severity = 2

        [[rule]]
        name = "no-class-by-department"
        subtype = ["class"]
        grain = ["department"]
        basis = ["none"]
        observe = "alert"
        enforce = "mask"

        [tools]
        database = ["sqlplus"]
        """
    )
    assert policy.rule(Case("usage", "prescriber", "total")).observe == "log"
    assert policy.rule(Case("usage", "institution", "item")).severity == 2
    assert policy.rule(Case("usage", "department", "class")).enforce == "mask"
    assert policy.rule(Case("usage", "department", "item")).enforce == "deny"
    assert policy.tools.database == ("sqlplus",)
    assert policy.limits == POLICY.limits


@pytest.mark.parametrize(
    ("text", "line", "key", "said"),
    [
        ("[change.total\n", 1, "", "line 1"),
        ('[change.total]\n\nenforce = "drop"\n', 3, "change.total.enforce", "drop"),
        ('[change.totl]\nenforce = "log"\n', 1, "change.totl", "没有这条内置规则"),
        ('[change.total]\nobserve = "deny"\n', 2, "change.total.observe", "观察时不能拒绝"),
        ("[change.total]\nlevel = 1\n", 2, "change.total.level", "没有这个键"),
        ("[limits]\nbulk_rows = 0\n", 2, "limits.bulk_rows", ">= 1"),
        ("[limit]\nbulk_rows = 1\n", 1, "limit", "没有这个键"),
        (
            '[[rule]]\nname = "a"\nobserve = "log"\nenforce = "log"\n'
            '[[rule]]\nname = "b"\nobserve = "log"\n',
            5,
            "rule[1].enforce",
            "缺少必填的键",
        ),
        (
            '[[rule]]\nname = "a"\nobserve = "log"\nenforce = "log"\ngrain = ["doctor"]\n',
            5,
            "rule[0].grain[0]",
            "doctor",
        ),
        (
            '[[rule]]\nname = "total"\nobserve = "log"\nenforce = "log"\n',
            2,
            "rule[0].name",
            "[change.total]",
        ),
        (
            '[[rule]]\nname = "a"\nobserve = "mask"\nenforce = "log"\n',
            3,
            "rule[0].observe",
            "观察时不能遮蔽",
        ),
    ],
)
def test_an_error_names_file_line_and_key(text: str, line: int, key: str, said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(text, "院内策略.toml")
    assert (caught.value.file, caught.value.line, caught.value.key) == ("院内策略.toml", line, key)
    assert said in caught.value.problem


def test_what_nests_too_deeply_is_an_error_too() -> None:
    with pytest.raises(PolicyError, match="嵌套过深"):
        read("x = " + "[" * 5000)


def test_the_documented_table_is_the_built_in_policy() -> None:
    page = (Path(__file__).parents[2] / "docs" / "judging.md").read_text("utf-8")
    words = {"放行": "pass", "记录": "log", "复核": "review", "告警": "alert", "拒绝": "deny"}
    rows = [[c.strip() for c in line.split("|")] for line in page.splitlines() if line[:3] == "| `"]
    assert [(row[1].strip("`"), words[row[3]], words[row[4]], int(row[5])) for row in rows] == [
        (rule.name, rule.observe, rule.enforce, rule.severity) for rule in POLICY.rules
    ]
    example = page.split("```toml\n")[1].split("```")[0]
    assert read(example).limits == POLICY.limits
