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

from qingfang.access.models import Settlement
from qingfang.config import Config
from qingfang.people.models import Person
from qingfang.people.tables import day_start
from qingfang.review import groups, queue, reasons, sentences
from qingfang.review.groups import Summary
from qingfang.review.models import Alert, OpaqueTemplate
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
        if not alert.repeats:
            return format_html("{}", alert.learned)
        again = ngettext("此后又 %(n)d 次", "此后又 %(n)d 次", alert.repeats) % {"n": alert.repeats}
        return format_html('{}<div class="text-secondary">{}</div>', alert.learned, again)
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


# ------------------------------------------------------------------ what could not be read

TOUCHED = (
    (_("药品或耗材"), frozenset({"item_id", "item_name", "item_class", "item_spec", "item_kind"})),
    (_("医生"), frozenset({"prescriber_id", "prescriber_name"})),
    (_("用量或金额"), frozenset({"quantity", "amount"})),
    (_("科室"), frozenset({"department_id", "department_name"})),
    (_("病人"), frozenset({"patient_id", "visit_id", "prescription_id"})),
)
RISK_COLOURS = {1: "secondary", 2: "orange", 3: "red", 4: "red"}
CHARS = 160


def why(row: OpaqueTemplate) -> str:
    """Why it could not be read, in words."""
    told = []
    for cause in row.causes:
        text = reasons.opaque(cause["code"])
        named = cause["name"] and _now("%(what)s（%(name)s）") % {
            "what": text,
            "name": cause["name"],
        }
        told.append(named or text)
    if not told:
        return _now("语句没有看全，或来源有疑点")
    return _now("；").join(told)


SETTLES = {
    "source": _("补充过程的源代码"),
    "table": _("补充目录"),
    "person": _("登记或认定"),
    "register": _("登记为报表或程序"),
}


def settles(row: OpaqueTemplate) -> str:
    """What would settle it, one of `SETTLES`: what is missing, else a person's word, which does for
    a text that tells what runs."""
    codes = {cause["code"] for cause in row.causes}
    if codes & queue.SOURCES:
        return "source"
    if codes & queue.TABLES:
        return "table"
    return "person" if row.fixed else "register"


def touched(row: OpaqueTemplate) -> list[tuple[str, str]]:
    """The tables it seems to touch, and what of them, in words."""
    found = []
    for touch in row.touches:
        roles = set(touch["roles"])
        words = [str(label) for label, ours in TOUCHED if ours & roles]
        name = _now("任何用药表") if touch["table"] == "*" else touch["table"]
        found.append((name, _now("、").join(words)))
    return found


def risk_badge(row: OpaqueTemplate) -> str:
    return format_html(
        '<span class="badge bg-{}-lt">{}</span>', RISK_COLOURS[row.risk], row.get_risk_display()
    )


def _text(row: OpaqueTemplate) -> str:
    return format_html('<code class="small">{}</code>', _short(row))


def _short(row: OpaqueTemplate) -> str:
    return f"{row.text[:CHARS]}…" if len(row.text) > CHARS else row.text


class OpaqueTable(Table):
    id = "opaque"
    caption = _("读不懂的语句")
    file_name = "opaque"
    order = "-risk"
    columns = (
        Column(
            "risk",
            _("估计风险"),
            lambda t: t,
            order="risk",
            render=risk_badge,
            export=lambda t: t.get_risk_display(),
        ),
        Column("text", _("语句模板"), lambda t: t, render=_text, export=_short, css="wrap"),
        Column("why", _("为什么读不懂"), why, css="wrap"),
        Column(
            "touches", _("字面上碰到"), lambda t: _now("、").join(name for name, _w in touched(t))
        ),
        Column("database", _("数据库"), lambda t: t.database),
        Column("count", _("次数"), lambda t: t.count, order="count", css="num", render=thousands),
        Column(
            "programs", _("程序"), lambda t: _now("、").join(t.programs), hidden=True, css="wrap"
        ),
        Column(
            "terminals", _("终端"), lambda t: _now("、").join(t.terminals), hidden=True, css="wrap"
        ),
        Column("accounts", _("数据库账号"), lambda t: _now("、").join(t.accounts), hidden=True),
        Column("next", _("怎样办结"), lambda t: t.next),
        Column(
            "first", _("首次"), lambda t: t.first_at, order="first_at", render=moment, hidden=True
        ),
        Column("last", _("最近"), lambda t: t.last_at, order="last_at", render=moment),
        Column("dialect", _("方言"), lambda t: t.dialect, hidden=True),
    )
    filters = (
        Filter(
            "q",
            forms.CharField(label=_("语句里的字")),
            lambda qs, v: qs.filter(text__icontains=v),
        ),
        Filter(
            "risk",
            choices(
                _("估计风险"),
                [(str(risk.value), risk.label) for risk in reversed(OpaqueTemplate.Risk)],
                _("全部"),
            ),
            lambda qs, v: qs.filter(risk=int(v)),
        ),
        Filter(
            "state",
            choices(_("状态"), [("done", _("已办结")), ("all", _("全部"))], _("等待办理")),
            lambda qs, _v: qs,
        ),
    )
    empty_title = _("没有读不懂的语句")
    empty_hint = _("每条语句都读得懂，或者已经登记、认定。新的会出现在这里，一个模板一行。")

    def narrowed(self, queryset: QuerySet[OpaqueTemplate]) -> QuerySet[OpaqueTemplate]:
        """Those that wait, unless others are asked for."""
        asked = self.form.cleaned_data.get("state") if self.valid else ""
        if asked == "all":
            return queryset
        waiting = queue.waiting().values("pk")
        return queryset.exclude(pk__in=waiting) if asked else queryset.filter(pk__in=waiting)

    def prepare(self, rows: Sequence[Any]) -> None:
        asked = set(
            Settlement.objects.filter(
                state=Settlement.State.PENDING, digest__in=[row.digest for row in rows]
            ).values_list("server", "digest")
        )
        for row in rows:
            waits = (row.server, row.digest) in asked
            row.next = Settlement.State.PENDING.label if waits else SETTLES[settles(row)]

    def row_url(self, row: Any) -> str:
        return reverse("opaque-template", args=[row.pk])
