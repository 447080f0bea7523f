"""The navigation entries of this app."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from qingfang.people import policy
from qingfang.ui import attention
from qingfang.ui.navigation import Entry
from qingfang.ui.navigation import register as add


def _actions(request: HttpRequest) -> list[attention.Action]:
    found = []
    if policy.may(request.user, policy.MANAGE_PERSONS):
        found.append(attention.Action(_now("新建人员"), reverse("person-new"), "plus"))
    if policy.may(request.user, policy.MANAGE_TERMINALS):
        found.append(attention.Action(_now("登记终端"), reverse("terminal-new"), "plus"))
    return found


def register() -> None:
    add(
        Entry(
            60,
            "persons",
            _("人员与角色"),
            "users",
            lambda r: policy.may(r.user, policy.MANAGE_PERSONS),
        ),
        Entry(
            70,
            "terminals",
            _("终端"),
            "device-desktop",
            lambda r: policy.may(r.user, policy.SEE_TERMINALS),
        ),
        Entry(80, "acts", _("操作记录"), "history", lambda r: policy.may(r.user, policy.SEE_ACTS)),
    )
    attention.register(actions=_actions)
