"""The table of grants."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from qingfang.access.models import Grant
from qingfang.ui.tables import Column, Filter, Table, choices
from qingfang.ui.templatetags.ui import moment


def status_badge(grant: Grant) -> str:
    return format_html(
        '<span class="badge bg-{}-lt">{}</span>', grant.colour, grant.get_status_display()
    )


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
