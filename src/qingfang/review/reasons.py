"""The engine's reasons in the reader's language.

The engine speaks Chinese, always: its sentences reach the ledger. A page shows them as they are, or,
to who reads English, the English of the sentence's template with the same values in it.

Rules this module keeps:

1. The templates are the engine's own, found by a reason's code: there is no second Chinese text to
   go stale. Their English is in django.po (or, for blindness, in the engine's qingfang.po).
2. The values are read back from the sentence as it is in the ledger, so that what was recorded
   before needs nothing. A sentence that is not of its code's template (worded otherwise by another
   version) is shown as it was recorded.
3. Values that are words of the engine are translated too; names, numbers and codes stay.
"""

from __future__ import annotations

import functools
import gettext as catalogues
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext as retold

from qingfang.judge.reasons import DECISIONS, GRAINS, REASONS
from qingfang.language import LOCALE_DIR
from qingfang.review.names import Named
from qingfang.understand.accumulate import FINDINGS
from qingfang.understand.reasons import TEXTS

BLINDNESS: dict[str, str] = {
    "route-unjudged": "线路 {} 暂时不能判断语句，按线路的失败策略处理（原因：{}）",
    "tap-conflict": "客户端 {} 发往数据库的数据前后两次内容不同：可能有人在躲避监测，旁路看到的未必是执行了的",
    "tap-blind": "客户端 {} 与数据库之间的连接是加密的（{}），旁路看不到其中的语句",
    "tap-down": "旁路 {} 抓不到报文，数据库 {} 的语句看不见：{}",
    "catalogue-changed": "数据库 {} 有 {} 处结构与确认过的目录不同（{}），要有人确认；在此之前，涉及新对象的语句读不懂",
}
"""What the engine says about what it could not see (`engine.decider`, `engine.tap`), and
`review.meaning.watch` about what nobody has confirmed."""

BECAUSE: tuple[str, ...] = (
    "同一事务写入的记录写明了工号",
    "本连接上的登录语句写明了工号",
    "几个人轮流在本连接上登录（程序的连接池），按最近一次推定",
    "操作系统用户名就是工号",
    "数据库账号就是工号",
    "人员名册里没有这个工号",
    "地址在登记的网段内，不能确定是哪一台",
    "地址与登记的终端相同",
    "电脑名也相同",
    "电脑名与登记的不同",
)
"""Why a person or a terminal was taken for the sender (`judge.attribution`)."""

# How lists and ends of time are written inside a sentence.
LIST = "{shown} 等 {count} 个"
SPAN = "{first} 至 {last}"
ENDS: tuple[str, ...] = ("最早", "今后")

_NAMES = {"items-beyond": "item", "prescribers-beyond": "prescriber"}
_NAMES["departments-beyond"] = "department"


def templates() -> frozenset[str]:
    """Every text whose English django.po must have."""
    texts = {*REASONS.values(), *TEXTS.values(), *FINDINGS.values(), *GRAINS.values()}
    return frozenset(texts | {*DECISIONS.values(), *BECAUSE, LIST, SPAN, *ENDS})


@functools.cache
def _pattern(template: str) -> re.Pattern[str]:
    """What sentences of this template look like; a group for each place."""
    parts = re.split(r"\{\w*\}", template)
    return re.compile("(.*)".join(re.escape(part) for part in parts), re.DOTALL)


def _put(template: str, names: Sequence[str], values: Sequence[str]) -> str:
    """The values into the places of a translated template."""
    if names and not names[0]:
        return template.format(*values)
    return template.format(**dict(zip(names, values, strict=True)))


def _retold(template: str, text: str, other: str, value: Callable[[str], str]) -> str | None:
    found = _pattern(template).fullmatch(text)
    if found is None:
        return None
    return _put(other, re.findall(r"\{(\w*)\}", template), [value(v) for v in found.groups()])


def _word(text: str) -> str:
    """A value that is a word of the engine, in the reader's language."""
    if text in GRAINS.values() or text in DECISIONS.values() or text in ENDS:
        return retold(text)
    return _retold(SPAN, text, retold(SPAN), _word) or text


def _listed(kind: str, named: Named) -> Callable[[str], str]:
    """A list of codes as the engine writes it, each as it is shown."""

    def each(text: str) -> str:
        return _("、").join(named(kind, code) for code in text.split("、"))

    def listed(text: str) -> str:
        found = _pattern(LIST).fullmatch(text)
        if found is None:
            return each(text)
        return _put(retold(LIST), ("shown", "count"), (each(found[1]), found[2]))

    return listed


def _as_it_is(_kind: str, code: str) -> str:
    return code


@functools.cache
def _engine(language: str) -> Callable[[str], str]:
    return catalogues.translation("qingfang", LOCALE_DIR, [language], fallback=True).gettext


def said(code: str, text: str, named: Named = _as_it_is) -> str:
    """The sentence `text` that was recorded for `code`, for who reads the page."""
    if code in BLINDNESS:
        template = BLINDNESS[code]
        in_words = _engine((get_language() or "zh")[:2])
        return _retold(template, text, in_words(template), str) or text
    template = REASONS.get(code) or FINDINGS.get(code) or TEXTS.get(code)
    if template is None:
        return text
    kind = _NAMES.get(code)
    value = _listed(kind, named) if kind else _word
    return _retold(template, text, retold(template), value) or text


def opaque(code: str) -> str:
    """Why something could not be read, by its code."""
    return retold(TEXTS[code]) if code in TEXTS else code


def because(text: str) -> str:
    return retold(text) if text in BECAUSE else text


def of_verdict(event: Mapping[str, Any], named: Named = _as_it_is) -> list[str]:
    """The verdict's reasons, one sentence each."""
    texts, codes = list(event.get("reasons") or ()), list(event.get("codes") or ())
    codes += [""] * (len(texts) - len(codes))
    return [said(code, text, named) for code, text in zip(codes, texts, strict=False)]


def of_statement(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the meaning rests on: `text`, and `start` and `end` in the statement."""
    reasons = (event.get("meaning") or {}).get("reasons") or ()
    return [{**r, "text": said(r.get("code", ""), r["text"])} for r in reasons]
