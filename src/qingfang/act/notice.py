"""A short notice: number, time, how urgent, where, a link. Nothing else may leave the house.

Rules this module keeps:

1. No item, prescriber, operator, statement, database or reason: whoever reads a lock screen or a
   mail server learns that there is an alert, and where to look.
2. The link names the alert's number only; what it shows needs signing in.
"""

from __future__ import annotations

import datetime as dt
from typing import Final, Literal

from msgspec import Struct

from qingfang.events import Event

Language = Literal["zh", "en"]

TOLD: Final = frozenset({"alert", "mask", "deny"})


class Notice(Struct, frozen=True):
    """`id` is `log#seq`, the same for ever for one event. `others` are the numbers of further
    notices that are told with this one instead of by themselves."""

    id: str
    number: int
    at: str
    decision: str
    severity: int
    place: str = ""
    link: str = ""
    test: bool = False
    others: tuple[int, ...] = ()


_WORDS: Final[dict[Language, dict[str, str]]] = {
    "zh": {
        "alert": "告警",
        "mask": "告警（已遮蔽）",
        "deny": "告警（已拒绝）",
        "test": "测试通知",
        "0": "提示",
        "1": "一般",
        "2": "重要",
        "3": "紧急",
        "subject": "清方{decision} {number}（{severity}）",
        "number": "编号：{}",
        "at": "时间：{}",
        "severity": "级别：{}",
        "place": "地点：{}",
        "nowhere": "未登记的终端",
        "link": "查看：{}",
        "others": "另有 {} 条：{}",
        "and": "、",
        "more": " 等",
    },
    "en": {
        "alert": "alert",
        "mask": "alert (masked)",
        "deny": "alert (denied)",
        "test": "test notice",
        "0": "notice",
        "1": "normal",
        "2": "important",
        "3": "urgent",
        "subject": "Qingfang {decision} {number} ({severity})",
        "number": "Number: {}",
        "at": "Time: {}",
        "severity": "Severity: {}",
        "place": "Place: {}",
        "nowhere": "a terminal that is not registered",
        "link": "See: {}",
        "others": "{} more: {}",
        "and": ", ",
        "more": " …",
    },
}
_NAMED: Final = 20


def of(event: Event, link: str = "") -> Notice:
    """The notice of a recorded event (`log` and `seq` are set). `link`: the console's address."""
    assert event.log is not None and event.seq is not None
    where = event.place or event.terminal
    return Notice(
        id=f"{event.log}#{event.seq}",
        number=event.seq,
        at=event.at,
        decision=event.verdict,
        severity=event.severity,
        place=where.value if where else "",
        link=f"{link.rstrip('/')}/alerts/notice/{event.seq}" if link else "",
    )


def subject(notice: Notice, language: Language = "zh") -> str:
    words = _WORDS[language]
    return words["subject"].format(
        decision=words["test"] if notice.test else words[notice.decision],
        number=notice.number,
        severity=words[str(notice.severity)],
    )


def _moment(at: str) -> str:
    """`2026-03-01 09:30:00`, the ledger's own wall clock (it is China's); for machines `at` is whole."""
    return dt.datetime.fromisoformat(at).strftime("%Y-%m-%d %H:%M:%S")


def text(notice: Notice, language: Language = "zh") -> str:
    """A few lines, without a trailing line end."""
    words = _WORDS[language]
    lines = [
        subject(notice, language),
        words["number"].format(notice.number),
        words["at"].format(_moment(notice.at)),
        words["severity"].format(words[str(notice.severity)]),
        words["place"].format(notice.place or words["nowhere"]),
    ]
    if notice.link:
        lines.append(words["link"].format(notice.link))
    if notice.others:
        named = words["and"].join(str(n) for n in notice.others[:_NAMED])
        if len(notice.others) > _NAMED:
            named += words["more"]
        lines.append(words["others"].format(len(notice.others), named))
    return "\n".join(lines)
