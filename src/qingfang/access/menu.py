"""The navigation entries and home cards of this app."""

from __future__ import annotations

import datetime as dt

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from qingfang.access import duty, policy, written
from qingfang.access.models import Designation, Duty, Grant, Registered, Settlement
from qingfang.people import facts
from qingfang.people import policy as people
from qingfang.people.gate import person_of
from qingfang.people.models import Proposed
from qingfang.ui import attention
from qingfang.ui.navigation import Entry, register_tabs
from qingfang.ui.navigation import register as add
from qingfang.ui.templatetags.ui import SEVERITIES

WEEK = dt.timedelta(days=7)


def waiting(request: HttpRequest) -> int:
    """Grants that wait for this very person."""
    if not people.may(request.user, policy.DECIDE):
        return 0
    person = person_of(request)
    found = Grant.objects.filter(status__in=(Grant.Status.APPLIED, Grant.Status.APPROVED))
    return sum(
        any(policy.may_act(person, grant, act) for act in ("approve", "file"))
        for grant in found[:200]
    )


def _cards(request: HttpRequest) -> list[attention.Card]:
    cards = []
    if people.may(request.user, policy.DECIDE):
        url = reverse("grants") + "?status=applied"
        if people.FILER in people.roles_of(request.user):
            url = reverse("grants") + "?status=approved"
        cards.append(
            attention.Card(
                _now("等我审批或备案的统计申请"), waiting(request), url, "blue", "clipboard-check"
            )
        )
    if people.may(request.user, policy.APPLY):
        mine = Grant.objects.filter(
            applicant=person_of(request),
            status__in=(Grant.Status.APPLIED, Grant.Status.APPROVED),
        ).count()
        cards.append(
            attention.Card(
                _now("我的申请在办"), mine, reverse("grants"), "azure", "file-certificate"
            )
        )
    if people.may(request.user, policy.CONFIRM_CHANGES):
        pending = Proposed.objects.filter(state=Proposed.State.PENDING).count()
        cards.append(
            attention.Card(
                _now("待纪检确认的登记变更"),
                pending,
                f"{reverse('changes')}?state=pending",
                "orange",
                "clipboard-check",
            )
        )
    if people.may(request.user, policy.CONFIRM_SETTLED):
        asked = Settlement.objects.filter(state=Settlement.State.PENDING)
        mine = asked.exclude(by=person_of(request)).count()
        cards.append(
            attention.Card(
                _now("等我确认的认定"),
                mine,
                f"{reverse('settled')}?state=pending",
                "orange",
                "clipboard-check",
            )
        )
    if people.may(request.user, policy.MANAGE_DUTIES):
        now = timezone.now()
        lines = Duty.objects.filter(valid_to__gt=now, valid_from__lt=now + WEEK)
        empty = duty.gaps(lines.select_related("person"), now, now + WEEK)
        cards.append(
            attention.Card(
                _now("今后七天无人值班的时段"), len(empty), reverse("duties"), "orange", "clock"
            )
        )
    return cards


def _actions(request: HttpRequest) -> list[attention.Action]:
    if not people.may(request.user, policy.APPLY):
        return []
    return [attention.Action(_now("申请统计"), reverse("grant-new"), "plus")]


def register() -> None:
    add(
        Entry(
            30,
            "grants",
            _("统计授权"),
            "file-certificate",
            lambda r: people.may(r.user, policy.SEE_GRANTS),
            waiting,
        ),
        Entry(
            48,
            "missing",
            _("准备情况"),
            "check",
            lambda r: people.may(r.user, policy.SET_CALENDAR),
        ),
        Entry(40, "routes", _("线路"), "route", lambda r: people.may(r.user, policy.SEE_ROUTES)),
    )
    add(
        Entry(
            45,
            "office",
            _("监察设置"),
            "clipboard-check",
            lambda r: people.may(r.user, policy.SEE_DUTIES),
        )
    )
    register_tabs(
        "office",
        Entry(1, "duties", _("值班表"), "clock", lambda r: people.may(r.user, policy.SEE_DUTIES)),
        Entry(
            2,
            "calendar",
            _("工作日历"),
            "history",
            lambda r: people.may(r.user, policy.SET_CALENDAR),
        ),
        *(
            Entry(rank, name, label, icon, lambda r: people.may(r.user, policy.SEE_OFFICE))
            for rank, name, label, icon in (
                (3, "designations", _("指定人员"), "users"),
                (4, "registered", _("报表与程序"), "file-certificate"),
                (5, "policy", _("判断策略"), "shield-check"),
                (6, "changes", _("登记变更"), "clipboard-check"),
            )
        ),
        Entry(
            9,
            "definition",
            _("统方定义"),
            "shield-check",
            lambda r: people.may(r.user, policy.SEE_SETTLED),
        ),
        Entry(
            8,
            "settled",
            _("读不懂的认定"),
            "search",
            lambda r: people.may(r.user, policy.SEE_SETTLED),
        ),
    )
    attention.register(cards=_cards, actions=_actions)
    facts.declare("channel", dict(Duty.Channel.choices))
    facts.declare("function", dict(Designation.Function.choices))
    facts.declare("grain", dict(Grant.Grain.choices))
    facts.declare("mode", {"enforce": _("拦截"), "observe": _("只观察")})
    facts.declare(
        "what",
        dict(Registered.Kind.choices) | dict(Settlement.Kind.choices) | dict(Proposed.Kind.choices),
    )
    facts.declare("windows", written.show_weekly)
    facts.declare(
        "min_severity", {n: label for n, (label, _css) in SEVERITIES.items() if n} | {0: _("全部")}
    )
    facts.declare(
        "kind", {"all": _("全部"), "one": _("一次一个"), "list": _("列出的"), "class": _("一类")}
    )
