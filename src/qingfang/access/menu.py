"""The navigation entries and home cards of this app."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from qingfang.access import policy
from qingfang.access.models import Grant
from qingfang.people import policy as people
from qingfang.people.gate import person_of
from qingfang.ui import attention
from qingfang.ui.navigation import Entry
from qingfang.ui.navigation import register as add


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
    return cards


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
            45,
            "missing",
            _("准备情况"),
            "check",
            lambda r: people.may(r.user, policy.SET_CALENDAR),
        ),
        Entry(40, "routes", _("线路"), "route", lambda r: people.may(r.user, policy.SEE_ROUTES)),
    )
    attention.register(cards=_cards)
