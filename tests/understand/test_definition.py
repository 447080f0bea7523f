"""Definitions: read whole or refused with file, line and key; what they count under any of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingfang.engine import definitions
from qingfang.understand.analysis import Analyser, SessionState
from qingfang.understand.definition import (
    DRUG,
    EVERY_KIND,
    HIGH_VALUE,
    LONGEST,
    DefinitionError,
    read,
)
from tests.understand.scenes import FIXTURES, catalogue, said, scenes

OWN = """
name = "own"
title = "药品和高值耗材，只算用量"
source = "本院办法（合成数据）"
article = "第三条"
words = "统计药品、高值耗材的用量"
kinds = ["drug", "high_value"]
contents = ["usage"]
"""
ORDINARY = (
    "SELECT s.ysdm, s.hcdm, SUM(s.sl) FROM hc_sy s JOIN hc_zd d ON d.hcdm = s.hcdm "
    "WHERE d.gzbz = '{}' GROUP BY s.ysdm, s.hcdm"
)


def test_those_that_come_with_the_product() -> None:
    assert definitions.names() == ("000", "001")
    assert definitions.DEFAULT == "000"
    assert definitions.built_in().counted == EVERY_KIND
    assert definitions.built_in("001").counted == {DRUG, HIGH_VALUE}
    for name in definitions.names():
        found = definitions.built_in(name)
        assert found.name == name and found.words and found.article in found.cited


def test_a_hospitals_own() -> None:
    own = read(OWN, "own.toml")
    assert own.counted == {DRUG, HIGH_VALUE} and own.contents == ("usage",)
    assert own.cited == "本院办法（合成数据）第三条"
    both = read(OWN.replace('"high_value"', '"consumable"'), "own.toml")
    assert both.counted == EVERY_KIND


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "says"),
    [
        ('"high_value"', '"herb"', 7, "kinds", "没有这种取值：herb；可用：drug"),
        ('["usage"]', '["price"]', 8, "contents", "可用：name、specification、usage"),
        ('"drug", ', "", 7, "kinds", "缺少 drug"),
        (', "high_value"', "", 7, "kinds", "缺少 high_value"),
        ('["usage"]', '["name"]', 8, "contents", "缺少 usage"),
        ('"own"', '"本院"', 2, "name", "小写字母"),
        ('"第三条"', "3", 5, "article", "写法不对"),
        ('title = "药品和高值耗材，只算用量"\n', "", None, "title", "缺少必填的键"),
        ("title", "titel", 3, "titel", "没有这个键"),
        ('["usage"]', '["usage"', None, "", "不是正确的 TOML"),
        ('["usage"]', "[" * 5000, None, "", "嵌套过深"),
        ('"第三条"', f'"{"条" * LONGEST}"', None, "", "太长"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, line: int | None, key: str, says: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        read(OWN.replace(old, new), "own.toml")
    error = caught.value
    assert (error.file, error.line, error.key) == ("own.toml", line, key)
    assert says in error.problem and str(error).startswith("own.toml")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read(text, "own.toml")
    except DefinitionError as error:
        assert error.problem


def test_the_article_is_named_where_it_decided() -> None:
    wide, narrow = definitions.built_in("000"), definitions.built_in("001")
    found: dict[tuple[str, str], list[str]] = {}
    for definition in (wide, narrow):
        analyser = Analyser(catalogue("kinds"), definition, strict=True)
        for flag in "01":
            reasons = analyser.analyse(ORDINARY.format(flag)).meaning.reasons
            told = [r for r in reasons if r.code.startswith("definition.")]
            assert all(definition.cited in r.text for r in told)
            found[definition.name, flag] = [r.code for r in told]
    assert found == {
        ("000", "0"): ["definition.consumable"],
        ("000", "1"): [],
        ("001", "0"): ["definition.apart"],
        ("001", "1"): [],
    }


def test_what_cannot_be_told_apart_counts_and_says_so() -> None:
    analyser = Analyser(catalogue("kinds"), definitions.built_in("001"), strict=True)
    meaning = analyser.analyse("SELECT ysdm, hcdm, SUM(sl) FROM hc_sy GROUP BY ysdm, hcdm").meaning
    assert meaning.disclosure == "usage"
    assert "definition.untold" in {r.code for r in meaning.reasons}


@pytest.mark.parametrize(
    ("sql", "meaning"),
    [
        ("SELECT DISTINCT hcmc, gg FROM hc_sy WHERE ysdm = 'YS01'", "none"),
        ("SELECT DISTINCT ysdm, hcdm FROM hc_sy", "none"),
        # Whose or when it was tells how often; so does picking one item.
        ("SELECT DISTINCT brid, hcdm FROM hc_sy", "usage institution item"),
        ("SELECT DISTINCT syrq, hcdm FROM hc_sy", "usage institution item"),
        ("SELECT DISTINCT ysdm FROM hc_sy WHERE hcdm = 'H001'", "usage prescriber item"),
        ("SELECT hcdm FROM hc_sy WHERE ysdm = 'YS01'", "usage prescriber item"),
        ("SELECT hcdm FROM hc_sy GROUP BY hcdm ORDER BY SUM(sl)", "usage institution item"),
        ("SELECT DISTINCT hcdm FROM hc_sy WHERE sl > 100", "usage institution item"),
    ],
)
def test_lists_of_names_where_only_figures_count(sql: str, meaning: str) -> None:
    analyser = Analyser(catalogue("kinds"), read(OWN, "own.toml"), strict=True)
    assert said(analyser.analyse(sql).meaning) == meaning


def test_nothing_is_accumulated_of_what_does_not_count() -> None:
    analyser = Analyser(catalogue("kinds"), definitions.built_in("001"), strict=True)
    assert analyser.analyse(ORDINARY.format("0")).meaning.yields == ()
    assert analyser.analyse(ORDINARY.format("1")).meaning.yields


def test_a_narrower_definition_never_finds_more() -> None:
    order = {"none": 0, "clinical": 1, "opaque": 2, "usage": 3}
    wide, narrow = (
        Analyser(catalogue("kinds"), definitions.built_in(name), strict=True)
        for name in ("000", "001")
    )
    for scene in scenes(FIXTURES / "definitions.sql"):
        one, other = SessionState(), SessionState()
        for step in scene.steps:
            a = wide.analyse(step.sql, scene.dialect, binds=step.binds, state=one).meaning
            b = narrow.analyse(step.sql, scene.dialect, binds=step.binds, state=other).meaning
            assert order[b.disclosure] <= order[a.disclosure], step.sql
            assert b.disclosure in {"none", a.disclosure}, step.sql
