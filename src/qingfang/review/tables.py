"""The table of alerts."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.db.models import Q
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from qingfang.people.tables import day_start
from qingfang.review import sentences
from qingfang.review.models import Alert
from qingfang.ui.tables import Column, Filter, Table, choices, day
from qingfang.ui.templatetags.ui import SEVERITIES, VERDICTS, moment, severity_badge, verdict_badge


def told(alert: Alert) -> str:
    """The alert in one sentence."""
    return sentences.sentence(
        alert.event,
        at=alert.at,
        name=alert.operator_name,
        department=alert.department,
        terminal=alert.terminal,
        place=alert.place,
    )


def _who(alert: Alert) -> str:
    return f"{alert.operator_name or '?'} {alert.operator}" if alert.operator else str(_("未知"))


def disposition_badge(alert: Alert) -> str:
    return format_html(
        '<span class="badge bg-{}-lt">{}</span>', alert.colour, alert.get_disposition_display()
    )


def _named(text: str) -> Q:
    """Alerts of this operator or terminal, or of this number (a notice's is the sequence number)."""
    found = Q(operator=text) | Q(operator_name=text) | Q(terminal=text) | Q(number=text)
    if text.isdecimal() and len(text) < 19:
        found |= Q(seq=int(text))
    return found


class AlertTable(Table):
    id = "alerts"
    caption = _("告警")
    file_name = "alerts"
    order = "-at"
    columns = (
        Column("at", _("时间"), lambda a: a.at, order="at", render=moment),
        Column(
            "severity",
            _("级别"),
            lambda a: a.severity,
            order="severity",
            render=severity_badge,
            export=lambda a: SEVERITIES[a.severity][0],
        ),
        Column(
            "verdict",
            _("结论"),
            lambda a: a.verdict,
            render=verdict_badge,
            export=lambda a: VERDICTS[a.verdict][0],
        ),
        Column("who", _("谁"), _who),
        Column("department", _("科室"), lambda a: a.department, hidden=True),
        Column("where", _("在哪里"), lambda a: a.place or a.terminal or a.client.rsplit(":", 1)[0]),
        Column(
            "learned", _("得到了什么"), lambda a: sentences.learned(a.event).strip(), css="wrap"
        ),
        Column("rows", _("行数"), lambda a: a.rows, css="num"),
        Column(
            "disposition",
            _("定性"),
            lambda a: a,
            render=disposition_badge,
            export=lambda a: a.get_disposition_display(),
        ),
        Column("program", _("程序"), lambda a: a.program, hidden=True),
        Column("account", _("数据库账号"), lambda a: a.account, hidden=True),
        Column("database", _("数据库"), lambda a: a.database, hidden=True),
        Column("number", _("编号"), lambda a: a.number, hidden=True),
        Column("assigned", _("查证人"), lambda a: a.assigned_to or "", hidden=True),
    )
    filters = (
        Filter(
            "q",
            forms.CharField(label=_("工号、姓名、终端或编号")),
            lambda qs, v: qs.filter(_named(v)),
        ),
        Filter(
            "verdict",
            choices(
                _("结论"),
                [(v, VERDICTS[v][0]) for v in ("deny", "mask", "alert", "review")],
                _("全部结论"),
            ),
            lambda qs, v: qs.filter(verdict=v),
        ),
        Filter(
            "severity",
            choices(_("级别"), [(str(n), SEVERITIES[n][0]) for n in (3, 2, 1)], _("全部级别")),
            lambda qs, v: qs.filter(severity=int(v)),
        ),
        Filter(
            "disposition",
            choices(_("定性"), Alert.Disposition.choices, _("全部")),
            lambda qs, v: qs.filter(disposition=v),
        ),
        Filter("since", day(_("起始日期")), lambda qs, v: qs.filter(at__gte=day_start(v))),
        Filter(
            "until",
            day(_("截止日期")),
            lambda qs, v: qs.filter(at__lt=day_start(v + dt.timedelta(days=1))),
        ),
    )
    empty_title = _("没有告警")
    empty_hint = _("有未经批准的统方时，会立即出现在这里。覆盖情况页说明现在看得见什么。")

    read: frozenset[int] = frozenset()

    def row_url(self, row: Any) -> str:
        return reverse("alert", args=[row.pk])

    def row_css(self, row: Any) -> str:
        return "" if row.pk in self.read else "unread"
