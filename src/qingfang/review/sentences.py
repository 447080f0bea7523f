"""One alert in one sentence that a layman understands: who, where, when, learned what, approved?

Works on the event as the ledger has it (docs/contracts/cli.md), in the language of the page. What is
not known is said to be unknown; nothing is guessed. `named` says how a code is shown (`names.py`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from qingfang.review import reasons
from qingfang.review.names import Named, codes_of

SHOWN = 3
# Values are set off by spaces; between two Chinese words there is none.
_BETWEEN_HAN = re.compile(r"(?<=[\u4e00-\u9fff）]) (?=[\u4e00-\u9fff])")

Fields = Mapping[str, Any]


def as_it_is(_kind: str, code: str) -> str:
    return code


def items(event: Fields, named: Named) -> str:
    """Which drugs or consumables."""
    selection = _scope(event).get("items")
    if not selection or selection.get("kind") == "all":
        return _("全部药品和耗材")
    names = codes_of(event, "item")
    listed = _("、").join(named("item", code) for code in names[:SHOWN])
    if selection.get("kind") == "class":
        return _("“%(names)s”类药品") % {"names": listed} if names else _("某一类药品")
    if not names:
        return _("指定的药品或耗材")
    if len(names) > SHOWN:
        return _("%(names)s 等 %(n)d 种药品或耗材") % {"names": listed, "n": len(names)}
    return _(" %(names)s ") % {"names": listed}


def prescribers(event: Fields, grain: str, rows: int | None, named: Named) -> str:
    """How many prescribers the figures tell about."""
    codes = codes_of(event, "prescriber")
    if codes:
        listed = _("、").join(named("prescriber", code) for code in codes[:SHOWN])
        if len(codes) > SHOWN:
            return _("%(names)s 等 %(n)d 位医师") % {"names": listed, "n": len(codes)}
        if len(codes) == 1:
            return _("医师 %(names)s") % {"names": listed}
        return _("%(n)d 位医师：%(names)s") % {"n": len(codes), "names": listed}
    if grain == "prescriber" and rows:
        return ngettext("%(n)d 行，每行一名医生", "%(n)d 行，每行一名医生", rows) % {"n": rows}
    if grain in ("prescriber", "detail"):
        return _("涉及全部医生")
    return ""


def departments(event: Fields, named: Named) -> str:
    """To which departments the statement keeps, when it keeps to some."""
    codes = codes_of(event, "department")
    if not codes:
        return ""
    listed = _("、").join(named("department", code) for code in codes[:SHOWN])
    if len(codes) > SHOWN:
        return _("%(names)s 等 %(n)d 个科室") % {"names": listed, "n": len(codes)}
    return _("科室 %(names)s") % {"names": listed}


def period(scope: Fields) -> str:
    span = scope.get("period") or {}
    first = _text(span.get("from"))
    last = _text(span.get("to"))
    if first and last:
        return _(" %(a)s 至 %(b)s 期间的 ") % {"a": first, "b": last}
    if first:
        return _(" %(a)s 以来的 ") % {"a": first}
    if last:
        return _("截至 %(b)s 的 ") % {"b": last}
    return _("不限时间的")


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value[0] if isinstance(value, (list, tuple)) else value
    return str(text or "")[:10]


def _grain(grain: str) -> str:
    return {
        "prescriber": _("按医生统计的用量"),
        "department": _("按科室统计的用量"),
        "institution": _("全院合计的用量"),
        "detail": _("可算出每名医生用量的明细"),
    }.get(grain, _("用量"))


def _scope(event: Fields) -> Fields:
    return (event.get("meaning") or {}).get("scope") or {}


def learned(event: Fields, named: Named = as_it_is) -> str:
    """What the receiver learns."""
    if event.get("kind") == "coverage":
        return _("；").join(reasons.of_verdict(event))
    meaning = event.get("meaning") or {}
    disclosure = meaning.get("person_disclosure") or meaning.get("session_disclosure")
    own = meaning.get("disclosure")
    grain = meaning.get("grain") or meaning.get("session_grain") or meaning.get("person_grain")
    if own == "opaque" and disclosure != "usage":
        tables = _("、").join(t.get("table", "") for t in (meaning.get("touches") or ())[:SHOWN])
        if tables:
            return _("一条系统读不懂、可能涉及 %(tables)s 的语句") % {"tables": tables}
        return _("一条系统读不懂的语句")
    parts = [period(_scope(event)), items(event, named), _grain(grain or "")]
    about = _("；").join(
        told
        for told in (
            prescribers(event, grain or "", event.get("rows"), named),
            departments(event, named),
        )
        if told
    )
    text = _("%(period)s%(items)s%(grain)s") % dict(
        zip(("period", "items", "grain"), parts, strict=True)
    )
    if about:
        text = _("%(what)s（%(who)s）") % {"what": text, "who": about}
    if own != "usage" and disclosure == "usage":
        text = _("与此前的查询拼合后的%(what)s") % {"what": text}
    return _BETWEEN_HAN.sub("", re.sub(" +", " ", text))


def who(event: Fields, name: str, department: str) -> str:
    operator = (event.get("operator") or {}).get("value")
    if not operator:
        return _("身份未知的人（共用账号 %(account)s）") % {"account": event.get("account") or "?"}
    if name:
        return _("%(department)s %(name)s（工号 %(number)s）") % {
            "department": department,
            "name": name,
            "number": operator,
        }
    return _("工号 %(number)s（名册中没有）") % {"number": operator}


def where(event: Fields, terminal: str, place: str) -> str:
    if terminal and place:
        return _("%(place)s的终端 %(terminal)s") % {"place": place, "terminal": terminal}
    if terminal:
        return _("终端 %(terminal)s") % {"terminal": terminal}
    address = str(event.get("client") or "").rsplit(":", 1)[0]
    return _("未登记的终端 %(address)s") % {"address": address or "?"}


def approval(event: Fields) -> str:
    if event.get("grant"):
        return _("引用了授权 %(grant)s。") % {"grant": event["grant"]}
    return _("没有找到批准这次统计的备案授权。")


def outcome(event: Fields) -> str:
    """What was done about it."""
    answered = event.get("answered_as")
    rows = event.get("rows")
    if answered == "denied":
        return _("已拦截，没有返回数据。")
    if answered == "masked":
        return _("已遮蔽医生与科室后返回。")
    if answered == "killed":
        return _("已断开会话。")
    if event.get("error"):
        return _("数据库报错，没有返回数据。")
    if rows is None:
        return _("未拦截；返回行数未知。")
    return ngettext("未拦截，返回了 %(n)d 行。", "未拦截，返回了 %(n)d 行。", rows) % {"n": rows}


def sentence(
    event: Fields,
    *,
    at: dt.datetime,
    name: str,
    department: str,
    terminal: str,
    place: str,
    named: Named = as_it_is,
) -> str:
    """The whole of it."""
    if event.get("kind") == "coverage":
        # Nobody did this: it is about what could not be seen or judged.
        when = localtime(at).strftime("%Y-%m-%d %H:%M")
        return _("%(when)s，%(what)s。") % {"when": when, "what": learned(event)}
    stored = (event.get("meaning") or {}).get("delivery") == "stored"
    refused = event.get("answered_as") == "denied"
    if stored and refused:
        frame = _("%(when)s，%(who)s在%(where)s 用“%(program)s”试图把%(what)s存进数据库。")
    elif stored:
        frame = _("%(when)s，%(who)s在%(where)s 用“%(program)s”把%(what)s存进了数据库。")
    elif refused:
        frame = _("%(when)s，%(who)s在%(where)s 用“%(program)s”试图查询%(what)s。")
    else:
        frame = _("%(when)s，%(who)s在%(where)s 用“%(program)s”查询了%(what)s。")
    return frame % {
        "when": localtime(at).strftime("%Y-%m-%d %H:%M"),
        "who": who(event, name, department),
        "where": where(event, terminal, place),
        "program": event.get("program") or _("未知程序"),
        "what": learned(event, named),
    }
