"""An act's details in words: what the list of acts says beside who did what to whom.

Rules this module keeps:

1. Every detail recorded anywhere has a label here, in both languages; a test walks over all calls
   of `acts.record` and fails on a missing one.
2. A value that is a word of the program (a role, a channel) is shown by its label; apps that know
   such words declare them by `declare`. What is not known is shown as it was recorded.
3. Fingerprints are shortened and long texts cut: the whole is in the ledger.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.timezone import localtime
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from qingfang.people import policy

LONGEST = 80

LABELS: dict[str, Any] = {
    "account": _("数据库账号"),
    "active": _("启用"),
    "address": _("IP 地址"),
    "after": _("改为"),
    "after_minutes": _("几分钟无人应答后通知"),
    "asked_at": _("在哪里办理"),
    "before": _("原为"),
    "body": _("登记内容"),
    "change": _("登记变更编号"),
    "changes": _("与目录不同之处"),
    "channel": _("渠道"),
    "database": _("数据库"),
    "days": _("特殊日期数"),
    "department_names": _("科室名称"),
    "departments": _("科室"),
    "digest": _("摘要"),
    "digests": _("语句模板的摘要"),
    "factor": _("第二因素"),
    "fields": _("改了"),
    "forecast": _("切换前预测的告警数"),
    "from_day": _("数据起始"),
    "function": _("职责"),
    "further": _("其他模板"),
    "grain": _("粒度"),
    "grants": _("授权数"),
    "id": _("编号"),
    "item_names": _("药品或耗材名称"),
    "items": _("药品或耗材"),
    "kind": _("范围"),
    "known": _("工号存在"),
    "lines": _("班次数"),
    "longest_days": _("一次最多查几天"),
    "members": _("所含品种"),
    "menu": _("菜单"),
    "min_severity": _("最低级别"),
    "mode": _("线路模式"),
    "note": _("意见或记录"),
    "operator": _("工号"),
    "period": _("数据时间"),
    "persons": _("人员"),
    "posts": _("岗位"),
    "prescriber_names": _("医生姓名"),
    "prescribers": _("医生"),
    "procedure": _("过程或函数"),
    "program": _("程序名"),
    "query": _("查询条件"),
    "reason": _("理由"),
    "resting": _("以它为依据的"),
    "role": _("角色"),
    "rows": _("行数"),
    "scope": _("范围"),
    "since": _("自"),
    "stored": _("允许存成表或文件"),
    "tables": _("表"),
    "table_kind": _("表的种类"),
    "terminal": _("终端"),
    "terminals": _("终端"),
    "text": _("内容"),
    "to": _("交给"),
    "to_day": _("数据截止"),
    "unknown_share": _("说不出操作人的百分比"),
    "until": _("至"),
    "values": _("代码"),
    "weekdays": _("工作日"),
    "what": _("类别"),
    "whole": _("是全部名单"),
    "why": _("用来做什么"),
    "windows": _("每周时段"),
}

_words: dict[str, Callable[[Any], object]] = {}


def declare(key: str, words: Mapping[Any, Any] | Callable[[Any], object]) -> None:
    """How the values of a detail are shown: by a table of words, or by a function."""
    _words[key] = words if callable(words) else (lambda value: words.get(value, value))


def _moment(value: Any) -> object:
    try:
        return localtime(dt.datetime.fromisoformat(value)).strftime("%Y-%m-%d %H:%M")
    except (TypeError, ValueError):
        return value


def _role(value: Any) -> object:
    role = policy.ROLES.get(value)
    return role.label if role else value


def _fields(value: Any) -> object:
    from qingfang.people import forms

    names: dict[str, object] = {}
    for form in (
        forms.PersonForm,
        forms.TerminalForm,
        forms.DepartmentForm,
        forms.PostForm,
        forms.LocationForm,
    ):
        for name, field in form.base_fields.items():
            names.setdefault(name, field.label or name)
    return _now("、").join(str(names.get(name, name)) for name in value)


def changed(value: Any) -> object:
    """Values by field, the fields by their labels."""
    if not isinstance(value, Mapping):
        return value
    return _now("；").join(f"{_fields([name])} {text or '—'}" for name, text in value.items())


declare("role", _role)
declare("factor", {"totp": _("动态码"), "recovery": _("恢复码")})
declare("asked_at", {"terminal": _("服务器的终端")})
declare("since", _moment)
declare("until", _moment)
declare("fields", _fields)
declare("digest", lambda value: str(value)[:12])


def _told(key: str, value: Any) -> str:
    if key in _words:
        value = _words[key](value)
    if value is True or value is False:
        return _now("是") if value else _now("否")
    if isinstance(value, Mapping):
        return _now("（%(what)s）") % {"what": words(value)}
    if isinstance(value, (list, tuple)):
        return _now("、").join(_told("", one) for one in value)
    text = " ".join(str(value).split())
    return f"{text[:LONGEST]}…" if len(text) > LONGEST else text


def _empty(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, (list, tuple, dict)) and not value)


def words(facts: Mapping[str, Any]) -> str:
    """All details, each with its label; those that say nothing are left out."""
    parts: Iterable[str] = (
        _now("%(label)s：%(value)s") % {"label": LABELS.get(key, key), "value": _told(key, value)}
        for key, value in facts.items()
        if not _empty(value)
    )
    return _now("；").join(parts)
