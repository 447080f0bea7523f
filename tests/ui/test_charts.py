"""Charts say their figures in words, and their columns are as high as the figures."""

from __future__ import annotations

import re

import pytest

from qingfang.ui import charts


@pytest.mark.parametrize(
    ("most", "top"),
    [
        (0, 4),
        (4, 4),
        (5, 5),
        (6, 10),
        (11, 20),
        (21, 40),
        (41, 50),
        (99, 100),
        (100, 100),
        (101, 200),
    ],
)
def test_the_scale_is_round(most: int, top: int) -> None:
    assert charts.ceiling(most) == top


def drawn(*series: charts.Series) -> str:
    return charts.columns("每天的告警数", ["03-01", "03-02"], series)


def test_a_chart_is_named_and_told() -> None:
    made = drawn(
        charts.Series("已拦截", "chart-deny", [3, 0]),
        charts.Series("已告警", "chart-alert", [1, 0]),
    )
    assert 'role="img" aria-label="每天的告警数"' in made
    assert "<desc>03-01: 已拦截 3、已告警 1</desc>" in made
    assert "<title>03-02: 0</title>" in made
    assert "style=" not in made


def test_series_stand_on_each_other() -> None:
    made = drawn(charts.Series("a", "one", [3, 0]), charts.Series("b", "two", [1, 0]))
    found = re.findall(
        r'<rect x="[\d.]+%" y="([\d.]+)" width="[\d.]+%" height="([\d.]+)" class="(one|two)">', made
    )
    (y1, h1, _a), (y2, h2, _b) = found
    plot = charts.HEIGHT - charts.TOP - charts.BOTTOM
    assert float(h1) == plot * 3 / 4
    assert float(h2) == plot / 4
    assert float(y2) + float(h2) == float(y1)
    assert float(y2) == charts.TOP


def test_nothing_is_said_too() -> None:
    assert "<desc>全部为零</desc>" in drawn(charts.Series("a", "one", [0, 0]))


def test_labels_thin_out_and_the_last_stays() -> None:
    labels = [f"{n:02}" for n in range(48)]
    made = charts.columns("x", labels, [charts.Series("a", "one", [1] * 48)])
    shown = re.findall(r'text-anchor="middle"[^>]*>(\d+)<', made)
    assert len(shown) <= charts.LABELS
    assert shown[-1] == "47"


def test_names_are_escaped() -> None:
    made = charts.columns("<b>", ["<i>"], [charts.Series("<u>", "one", [1])])
    made += charts.ranks([("<script>", 1)], "one")
    assert not re.search(r"<(b|i|u|script)>", made)


def test_ranks_are_shares_of_the_largest() -> None:
    made = charts.ranks([("药学部", 40), ("信息科", 10)], "chart-alert")
    assert re.findall(r'rect width="([\d.]+)%"', made) == ["100.0", "25.0"]
    assert charts.ranks([], "chart-alert") == '<ol class="chart-ranks"></ol>'
