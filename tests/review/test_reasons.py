"""The engine's Chinese sentences, retold in the reader's language with the values they hold."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.utils import translation

import qingfang
from qingfang.judge.reasons import DECISIONS, GRAINS, REASONS, few, say
from qingfang.review import reasons
from qingfang.understand.accumulate import FINDINGS
from qingfang.understand.reasons import TEXTS
from tests.support.words import spoken

CHINESE = re.compile(r"[\u3001\u3002\u4e00-\u9fff\uff00-\uffef]")
ROOT = Path(qingfang.__file__).parent

# A value for each place of a template, as the engine fills it.
FACTS = {
    "allowed": 3,
    "article": "Act 001, article 2",
    "asked": GRAINS["prescriber"],
    "count": 300,
    "days": 31,
    "extra": few(["A1", "A2", "A3", "A4"]),
    "grant": "TF-7",
    "granted": GRAINS["institution"],
    "menu": "Monthly",
    "number": "1001",
    "program": "DBeaver",
    "rows": 12000,
    "until": "2027-10-01",
    "why": "upload",
    "would": DECISIONS["deny"],
}


@pytest.mark.parametrize("code", sorted(REASONS | FINDINGS | TEXTS))
def test_every_reason_is_said_in_english_with_its_values(code: str) -> None:
    template = (REASONS | FINDINGS | TEXTS)[code]
    names = re.findall(r"\{(\w+)\}", template)
    text = template.format(**{name: FACTS[name] for name in names})
    assert reasons.said(code, text) == text
    with translation.override("en"):
        english = reasons.said(code, text)
    assert not CHINESE.search(english), english
    for name in names:
        if not CHINESE.search(str(FACTS[name])):
            assert str(FACTS[name]) in english


def test_values_that_are_words_are_translated() -> None:
    with translation.override("en"):
        assert reasons.said("observed", say("observed", would="拒绝").text).endswith("been denied")
        beyond = say("grain-beyond", granted=GRAINS["institution"], asked=GRAINS["detail"])
        assert reasons.said(beyond.code, beyond.text) == (
            "granted was: Institution total; the statement shows: details line by line"
        )
        for span in ("最早 至 2026-01-31", "2026-01-01 至 今后"):
            text = say("period-beyond", granted=span).text
            assert not CHINESE.search(reasons.said("period-beyond", text))


def test_codes_in_a_reason_have_their_names() -> None:
    text = say("items-beyond", extra=few(["A1", "A2", "A3", "A4"])).text
    named = reasons.said("items-beyond", text, lambda kind, code: f"{kind}:{code}")
    assert named == "批准的药品或耗材不包括语句所查的：item:A1、item:A2、item:A3 等 4 个"


def test_what_another_version_said_is_shown_as_it_was() -> None:
    with translation.override("en"):
        assert reasons.said("no-grant", "以前的说法") == "以前的说法"
        assert reasons.said("of-the-future", "以后的说法") == "以后的说法"
        assert reasons.of_verdict({"reasons": ["一", "二"], "codes": ["no-grant"]}) == ["一", "二"]


@pytest.mark.parametrize("code", sorted(reasons.BLINDNESS))
def test_blindness_too(code: str) -> None:
    template = reasons.BLINDNESS[code]
    assert template in spoken(), "the engine says something else"
    text = template.format(*["his", "10.0.0.1", "timeout"][: template.count("{}")])
    with translation.override("en"):
        english = reasons.said(code, text)
    assert not CHINESE.search(english)
    assert "his" in english


def test_all_codes_of_blindness_are_known() -> None:
    """Those the engine gives to `happening.blindness`, directly or through `_alert` and `_alarm`."""
    found = set()
    for name in ("engine/decider.py", "engine/tap.py", "review/meaning/watch.py"):
        for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in ("blindness", "_alert", "_alarm"):
                found |= {a.value for a in node.args if isinstance(a, ast.Constant)}
    assert {c for c in found if isinstance(c, str) and "-" in c} == reasons.BLINDNESS.keys()


def test_grounds_of_attribution_are_known() -> None:
    source = (ROOT / "judge" / "attribution.py").read_text(encoding="utf-8")
    said = {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 60
    }
    assert {text for text in said if CHINESE.search(text)} == set(reasons.BECAUSE)
    with translation.override("en"):
        assert not [text for text in reasons.BECAUSE if CHINESE.search(reasons.because(text))]
