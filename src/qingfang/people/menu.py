"""The navigation entries of this app."""

from django.utils.translation import gettext_lazy as _

from qingfang.people import policy
from qingfang.ui.navigation import Entry
from qingfang.ui.navigation import register as add


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
