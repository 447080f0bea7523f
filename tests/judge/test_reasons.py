"""Every reason is documented, and nothing is documented that cannot be said."""

import re
from pathlib import Path

from qingfang.judge.reasons import REASONS, few
from qingfang.understand.accumulate import FINDINGS

PAGE = Path(__file__).parents[2] / "docs" / "reasons-judge.md"


def test_every_code_is_documented_and_no_other() -> None:
    rows = [
        line.split("|")[1] for line in PAGE.read_text("utf-8").splitlines() if line[:3] == "| `"
    ]
    documented = {code for row in rows for code in re.findall(r"`([a-z-]+)`", row)}
    assert documented == REASONS.keys() | FINDINGS.keys()
    assert not REASONS.keys() & FINDINGS.keys()


def test_sentences_are_chinese_without_sql_words() -> None:
    for text in (*REASONS.values(), *FINDINGS.values()):
        words = re.sub(r"\{\w+\}", "", text)
        assert re.search(r"[一-鿿]", words)
        assert not re.search(r"SELECT|JOIN|GROUP BY|WHERE", words, re.IGNORECASE)


def test_long_lists_are_cut_with_their_number() -> None:
    assert few(["a", "b", "c"]) == "a、b、c"
    assert few(["a", "b", "c", "d"]) == "a、b、c 等 4 个"
