"""The table of alerts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from qingfang.config import Config
from qingfang.people.models import Person
from qingfang.people.tables import day_start
from qingfang.review import groups, sentences
from qingfang.review.groups import Summary
from qingfang.review.models import Alert
from qingfang.review.names import Naming
from qingfang.ui.tables import Column, Filter, Table, choices, day
from qingfang.ui.templatetags.ui import (
    SEVERITIES,
    VERDICTS,
    moment,
    severity_badge,
    thousands,
    verdict_badge,
)


def told(alert: Alert, naming: Naming) -> str:
    """The alert in one sentence."""
    return sentences.sentence(
        alert.event,
        at=alert.at,
        name=alert.operator_name,
        department=alert.department,
        terminal=alert.terminal,
        place=alert.place,
        named=naming.of(alert),
    )


def together(summary: Summary) -> str:
    """What a group comes to, in a few words."""
    parts = [
        ngettext("共 %(n)d 条相似告警", "共 %(n)d 条相似告警", summary.count) % {"n": summary.count}
    ]
    if summary.prescribers > 1:
        parts.append(
            ngettext("%(n)d 位医师", "%(n)d 位医师", summary.prescribers)
            % {"n": summary.prescribers}
        )
    if summary.items > 1:
        parts.append(
            ngettext("%(n)d 种药品或耗材", "%(n)d 种药品或耗材", summary.items)
            % {"n": summary.items}
        )
    first, last = localtime(summary.first), localtime(summary.last)
    pattern = "%H:%M:%S" if first.date() == last.date() else "%m-%d %H:%M"
    parts.append(f"{first.strftime(pattern)} – {last.strftime(pattern)}")
    if 0 < summary.unruled < summary.count:
        parts.append(
            ngettext("%(n)d 条待定性", "%(n)d 条待定性", summary.unruled) % {"n": summary.unruled}
        )
    return _now("，").join(parts)


def _who(alert: Alert) -> str:
    return f"{alert.operator_name or '?'} {alert.operator}" if alert.operator else str(_("未知"))


def _learned(alert: Any) -> str:
    """What was learned; of a group also how many there are, to be opened."""
    if alert.summary is None:
        return format_html("{}", alert.learned)
    return format_html(
        '{}<details class="group" id="{}" data-keep hx-get="{}" hx-trigger="toggle once"'
        ' hx-target="find .members"><summary data-live-text>{}</summary>'
        '<div class="members" id="{}"><a href="{}">{}</a></div></details>',
        alert.learned,
        f"group-{alert.group}",
        alert.group_url,
        together(alert.summary),
        f"members-{alert.group}",
        alert.group_url,
        _("逐条列出"),
    )


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


def asked(query: str) -> str:
    """A list's address in words: which filters were set to what."""
    labels = {one.name: str(one.field.label) for one in AlertTable.filters}
    return _now("，").join(
        f"{labels[key]} {value}" for key, value in parse_qsl(query) if key in labels
    )


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
            "learned",
            _("得到了什么"),
            lambda a: a,
            render=_learned,
            export=lambda a: a.learned,
            css="wrap",
        ),
        Column("rows", _("行数"), lambda a: a.all_rows, css="num", render=thousands),
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
        Filter(
            "each",
            choices(_("相似的告警"), [("1", _("逐条列出"))], _("合并成一行")),
            lambda qs, _v: qs,
        ),
        Filter(
            "group",
            forms.CharField(label=_("相似的告警"), widget=forms.HiddenInput),
            lambda qs, v: qs.filter(group=v),
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

    def __init__(
        self, request: HttpRequest, queryset: QuerySet[Alert], config: Config, person: Person
    ) -> None:
        self._config, self._person = config, person
        super().__init__(request, queryset)

    def narrowed(self, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        """One row a group, unless each is asked for; an export has each."""
        asked = self.form.cleaned_data if self.valid else {}
        each = asked.get("each") or asked.get("group") or "export" in self.request.GET
        self.grouped = not each
        self._each = queryset
        return queryset if each else groups.newest(queryset)

    def prepare(self, rows: Sequence[Any]) -> None:
        naming = Naming(self._config, self._person, rows)
        found = groups.summaries(self._each, rows) if self.grouped else {}
        link = self.url(group=None)
        for alert in rows:
            alert.learned = sentences.learned(alert.event, naming.of(alert)).strip()
            alert.summary = found.get(alert.group)
            alert.all_rows = alert.summary.rows if alert.summary else alert.rows
            alert.group_url = (
                f"{link}{'&' if link != '?' else ''}{urlencode({'group': alert.group})}"
            )

    @property
    def here(self) -> str:
        """This list as a page."""
        return self.url(at=None)

    def row_key(self, row: Any) -> str:
        return row.group if self.grouped else super().row_key(row)

    @property
    def total_label(self) -> str:
        if not self.grouped:
            return super().total_label
        return ngettext(
            "共 %(n)d 行，相似的合并成一行", "共 %(n)d 行，相似的合并成一行", self.total
        ) % {"n": self.total}

    def row_url(self, row: Any) -> str:
        return reverse("alert", args=[row.pk])

    def row_css(self, row: Any) -> str:
        return "" if row.pk in self.read else "unread"
