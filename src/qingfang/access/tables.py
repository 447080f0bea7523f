"""The tables of grants and of what the discipline office decides for the engine."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from qingfang.access.models import Designation, Grant, Registered, Settlement
from qingfang.people.models import Proposed, Terminal
from qingfang.ui.tables import Column, Filter, Table, choices
from qingfang.ui.templatetags.ui import SEVERITIES, moment


def status_badge(grant: Grant) -> str:
    return format_html(
        '<span class="badge bg-{}-lt">{}</span>', grant.colour, grant.get_status_display()
    )


def state_badge(change: Proposed | Settlement) -> str:
    return format_html(
        '<span class="badge bg-{}-lt">{}</span>', change.colour, change.get_state_display()
    )


class ChangeTable(Table):
    id = "changes"
    caption = _("登记变更")
    file_name = "changes"
    order = "-at"
    columns = (
        Column(
            "state",
            _("状态"),
            lambda c: c,
            order="state",
            render=state_badge,
            export=lambda c: c.get_state_display(),
        ),
        Column("at", _("时间"), lambda c: c.at, order="at", render=moment),
        Column("kind", _("类别"), lambda c: c.get_kind_display(), order="kind"),
        Column("name", _("对象"), lambda c: c.name, order="name"),
        Column("fields", _("改动"), lambda c: "、".join(row["label"] for row in c.rows)),
        Column("resting", _("涉及"), lambda c: "、".join(c.resting), css="wrap"),
        Column("by", _("提出人"), lambda c: c.by),
        Column("decided_by", _("确认人"), lambda c: c.decided_by or "", hidden=True),
    )
    filters = (
        Filter(
            "state",
            choices(_("状态"), Proposed.State.choices, _("全部状态")),
            lambda qs, v: qs.filter(state=v),
        ),
        Filter("q", forms.CharField(label=_("对象")), lambda qs, v: qs.filter(name__icontains=v)),
    )
    empty_title = _("没有登记变更")
    empty_hint = _("授权、指定、值班或登记所依据的人员和终端有改动时，在这里确认。")

    def row_url(self, row: Any) -> str:
        return reverse("change", args=[row.pk])


class SettlementTable(Table):
    id = "settled"
    caption = _("对读不懂的语句的认定")
    file_name = "settled"
    order = "-at"
    columns = (
        Column(
            "state",
            _("状态"),
            lambda s: s,
            order="state",
            render=state_badge,
            export=lambda s: s.get_state_display(),
        ),
        Column("at", _("时间"), lambda s: s.at, order="at", render=moment),
        Column("kind", _("认定"), lambda s: s.get_kind_display(), order="kind"),
        Column("database", _("数据库"), lambda s: s.database),
        Column("name", _("过程或函数"), lambda s: s.name, hidden=True),
        Column("text", _("语句模板"), lambda s: s.text[:200], css="wrap"),
        Column("by", _("提出人"), lambda s: s.by),
        Column("decided_by", _("确认人"), lambda s: s.decided_by or "", hidden=True),
        Column("until", _("有效至"), lambda s: s.until, render=moment),
    )
    filters = (
        Filter(
            "state",
            choices(_("状态"), Settlement.State.choices, _("全部状态")),
            lambda qs, v: qs.filter(state=v),
        ),
        Filter(
            "kind",
            choices(_("认定"), Settlement.Kind.choices, _("全部类别")),
            lambda qs, v: qs.filter(kind=v),
        ),
        Filter(
            "q",
            forms.CharField(label=_("语句或过程名")),
            lambda qs, v: qs.filter(Q(text__icontains=v) | Q(name__icontains=v)),
        ),
    )
    empty_title = _("还没有认定")
    empty_hint = _("从“读不懂的语句”里打开一条，就能提出。")

    def row_url(self, row: Any) -> str:
        return reverse("settlement", args=[row.pk])


class GrantTable(Table):
    id = "grants"
    caption = _("统计授权")
    file_name = "grants"
    order = "-applied_at"
    columns = (
        Column("number", _("编号"), lambda g: g.number, order="number"),
        Column(
            "status",
            _("状态"),
            lambda g: g,
            order="status",
            render=status_badge,
            export=lambda g: g.get_status_display(),
        ),
        Column("person", _("统计人"), lambda g: g.person, order="person__name"),
        Column("grain", _("粒度"), lambda g: g.get_grain_display()),
        Column("purpose", _("用途"), lambda g: g.purpose, css="wrap"),
        Column(
            "valid_to",
            _("有效至"),
            lambda g: g.valid_to,
            order="valid_to",
            render=moment,
        ),
        Column("filed", _("备案号"), lambda g: g.filed_number),
        Column(
            "applied_at",
            _("申请时间"),
            lambda g: g.applied_at,
            order="applied_at",
            render=moment,
        ),
        Column("applicant", _("申请人"), lambda g: g.applicant, hidden=True),
    )
    filters = (
        Filter(
            "q",
            forms.CharField(label=_("编号、人员或用途")),
            lambda qs, v: qs.filter(
                Q(number__icontains=v) | Q(person__name__icontains=v) | Q(purpose__icontains=v)
            ),
        ),
        Filter(
            "status",
            choices(_("状态"), Grant.Status.choices, _("全部状态")),
            lambda qs, v: qs.filter(status=v),
        ),
    )
    empty_title = _("还没有统计申请")
    empty_hint = _("合法的统计先申请、审批、备案；备案之后统计人才能在指定终端执行。")

    def row_url(self, row: Any) -> str:
        return reverse("grant", args=[row.pk])


class DutyTable(Table):
    id = "duties"
    caption = _("值班表")
    file_name = "duties"
    order = "valid_from"
    columns = (
        Column("valid_from", _("自"), lambda d: d.valid_from, order="valid_from", render=moment),
        Column("valid_to", _("至"), lambda d: d.valid_to, order="valid_to", render=moment),
        Column("person", _("人员"), lambda d: d.person, order="person__staff_number"),
        Column("channel", _("渠道"), lambda d: d.get_channel_display()),
        Column(
            "after",
            _("几分钟无人应答后通知"),
            lambda d: d.after_minutes,
            order="after_minutes",
            css="num",
        ),
        Column(
            "severity",
            _("最低级别"),
            lambda d: SEVERITIES[d.min_severity][0] if d.min_severity else _("全部"),
        ),
        Column("reachable", _("通知得到"), lambda d: _("是") if d.reachable else _("否：没有邮箱")),
    )
    filters = (
        Filter(
            "q",
            forms.CharField(label=_("姓名或工号")),
            lambda qs, v: qs.filter(
                Q(person__name__icontains=v) | Q(person__staff_number__startswith=v)
            ),
        ),
    )
    empty_title = _("没有人值班")
    empty_hint = _("没有值班表时，告警无人可通知。从“排班”开始。")
    editable = False

    def row_url(self, row: Any) -> str:
        return reverse("duty", args=[row.pk]) if self.editable else ""


def designation_state(row: Designation) -> str:
    """Whether a designation holds now, in words."""
    if not row.person.is_active:
        return str(_("不生效：人员已停用"))
    if row.terminal is not None and not row.terminal.active:
        return str(_("不生效：终端已停用"))
    return str(_("生效"))


class DesignationTable(Table):
    id = "designations"
    caption = _("指定人员")
    file_name = "designations"
    order = "function"
    columns = (
        Column("function", _("职责"), lambda d: d.get_function_display(), order="function"),
        Column("person", _("人员"), lambda d: d.person, order="person__staff_number"),
        Column("department", _("科室"), lambda d: d.person.department),
        Column("terminal", _("终端"), lambda d: d.terminal or _("任何终端")),
        Column("state", _("状态"), designation_state),
    )
    filters = (
        Filter(
            "q",
            forms.CharField(label=_("姓名、工号或终端")),
            lambda qs, v: qs.filter(
                Q(person__name__icontains=v)
                | Q(person__staff_number__startswith=v)
                | Q(terminal__name__icontains=v)
            ),
        ),
        Filter(
            "function",
            choices(_("职责"), Designation.Function.choices, _("全部职责")),
            lambda qs, v: qs.filter(function=v),
        ),
    )
    empty_title = _("还没有指定任何人")
    empty_hint = _("没有指定时，谁查全院数字都只记录；指定之后，其他人查就告警。")
    editable = False

    def row_url(self, row: Any) -> str:
        return reverse("designation", args=[row.pk]) if self.editable else ""


def registered_state(row: Registered) -> str:
    """Whether it goes down to the engine, in words."""
    if not row.active:
        return str(_("已停用"))
    wanted = set(row.body.get("terminals", ()))
    there = Terminal.objects.filter(name__in=wanted, active=True).count() if wanted else 0
    return str(_("生效") if there == len(wanted) else _("不生效：有终端已停用"))


class RegisteredTable(Table):
    id = "registered"
    caption = _("登记的报表与程序")
    file_name = "registered"
    order = "code"
    columns = (
        Column("code", _("编号"), lambda r: r.code, order="code"),
        Column("kind", _("类别"), lambda r: r.get_kind_display(), order="kind"),
        Column(
            "what", _("名称或用途"), lambda r: r.body.get("menu") or r.body.get("why"), css="wrap"
        ),
        Column("terminals", _("终端"), lambda r: "、".join(r.body.get("terminals", ()))),
        Column("persons", _("人员"), lambda r: "、".join(r.body.get("persons", ()))),
        Column("tables", _("表"), lambda r: "、".join(r.body.get("tables", ()))),
        Column("program", _("程序名"), lambda r: r.body.get("program", ""), hidden=True),
        Column("state", _("状态"), registered_state),
    )
    filters = (
        Filter(
            "kind",
            choices(_("类别"), Registered.Kind.choices, _("全部类别")),
            lambda qs, v: qs.filter(kind=v),
        ),
        Filter(
            "q",
            forms.CharField(label=_("编号、名称或用途")),
            lambda qs, v: qs.filter(
                Q(code__icontains=v) | Q(body__menu__icontains=v) | Q(body__why__icontains=v)
            ),
        ),
    )
    empty_title = _("还没有登记")
    empty_hint = _("医保上传、夜间拷贝等程序和 HIS 的统计菜单登记后，照登记执行的只记录，不告警。")
    editable = False

    def row_url(self, row: Any) -> str:
        return reverse(row.kind, args=[row.pk]) if self.editable else ""
