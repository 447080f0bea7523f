"""What the tags make of hostile and ordinary values."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from qingfang.ui.templatetags.ui import duration, marked_sql, moment, verdict_badge

span = st.fixed_dictionaries({"start": st.integers(-5, 60), "end": st.integers(-5, 60)})


@given(sql=st.text(max_size=50), reasons=st.lists(span, max_size=5))
def test_marking_changes_nothing_and_lets_nothing_through(
    sql: str, reasons: list[dict[str, int]]
) -> None:
    marked = marked_sql(sql, reasons)
    plain = re.sub(r"<sup>[\d,]+</sup>", "", marked)
    plain = plain.replace('<mark class="decisive">', "").replace("</mark>", "")
    assert "<" not in plain
    assert ">" not in plain
    assert unescape(plain) == unescape(sql) or "&" in sql


def test_decisive_parts_are_marked_and_numbered() -> None:
    sql = "SELECT SUM(qty) FROM 处方 WHERE a < 1"
    reasons = [{"start": 7, "end": 15}, {"start": 21, "end": 23}]
    assert marked_sql(sql, reasons) == (
        'SELECT <mark class="decisive">SUM(qty)<sup>1</sup></mark> FROM '
        '<mark class="decisive">处方<sup>2</sup></mark> WHERE a &lt; 1'
    )


def test_numbers_of_the_same_part_are_told_apart() -> None:
    marked = marked_sql("SUM(qty)", [{"start": 0, "end": 8}, {"start": 0, "end": 8}])
    assert marked == '<mark class="decisive">SUM(qty)<sup>1,2</sup></mark>'


def test_parts_that_overlap() -> None:
    marked = marked_sql("abcdef", [{"start": 0, "end": 4}, {"start": 2, "end": 6}])
    assert re.sub("<[^>]*>", "", marked) == "abcd1ef2"


def test_script_in_a_statement_stays_text() -> None:
    marked = marked_sql("<script>alert(1)</script>", [{"start": 0, "end": 8}])
    assert "<script" not in marked


def test_times_are_shown_in_the_hospitals_zone() -> None:
    shown = moment(dt.datetime(2026, 3, 1, 0, 30, tzinfo=dt.UTC))
    assert "2026-03-01 08:30:00" in shown


def test_durations() -> None:
    assert duration(0.25) == "250 毫秒"
    assert duration(59) == "59 秒"
    assert duration(3600 * 5) == "5 小时"


def test_a_verdict_nobody_knows_is_escaped() -> None:
    assert "&lt;b&gt;" in verdict_badge("<b>")
