"""Every reason of a verdict is documented, and nothing is documented that cannot be said."""

import re

from qingfang.judge.reasons import REASONS, few
from qingfang.understand.accumulate import FINDINGS
from tests.support.reasons import documented


def test_every_code_is_documented_and_no_other() -> None:
    assert documented("结论") == REASONS.keys() | FINDINGS.keys()
    assert not REASONS.keys() & FINDINGS.keys()


def test_sentences_are_chinese_without_sql_words() -> None:
    for text in (*REASONS.values(), *FINDINGS.values()):
        words = re.sub(r"\{\w+\}", "", text)
        assert re.search(r"[一-鿿]", words)
        assert not re.search(r"SELECT|JOIN|GROUP BY|WHERE", words, re.IGNORECASE)


def test_long_lists_are_cut_with_their_number() -> None:
    assert few(["a", "b", "c"]) == "a、b、c"
    assert few(["a", "b", "c", "d"]) == "a、b、c 等 4 个"
