"""The forms of the first run."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from qingfang.people import policy
from qingfang.people.models import Department
from qingfang.ui.forms import Form
from qingfang.web.setup.accounts import OFFERED, Asked


class CodeForm(Form):
    code = forms.CharField(
        label=_("首次设置码"),
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
        help_text=_("在运行 qingfang run 的终端上；本机的主人也可以在数据文件夹里找到。"),
    )


class AccountForm(Form):
    """One role; left empty it makes no account."""

    staff_number = forms.CharField(label=_("工号"), max_length=32, required=False)
    name = forms.CharField(label=_("姓名"), max_length=64, required=False)
    department = forms.CharField(label=_("科室"), max_length=32, required=False)
    kind = forms.ChoiceField(label=_("科室类别"), choices=Department.Kind.choices)
    mail = forms.EmailField(label=_("邮箱"), required=False)

    def __init__(self, role: str, kind: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, prefix=role, initial={"kind": kind}, **kwargs)
        self.role, self.title = role, policy.ROLES[role].label
        if role != policy.DUTY_OFFICER:
            del self.fields["mail"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if any(data.get(name) for name in ("staff_number", "name", "department")):
            for name in ("staff_number", "name", "department"):
                if not data.get(name):
                    self.add_error(name, _("还没有填。"))
        return data

    @property
    def asked(self) -> Asked | None:
        data = self.cleaned_data
        if not data.get("staff_number"):
            return None
        return Asked(
            self.role,
            data["staff_number"],
            data["name"],
            data["department"],
            data["kind"],
            data.get("mail", ""),
        )


def account_forms(data: Any = None) -> list[AccountForm]:
    return [AccountForm(role, kind, data) for role, kind in OFFERED]


class NoticeForm(Form):
    mail = forms.EmailField(
        label=_("测试邮件发给谁"), required=False, help_text=_("没有配置邮件就不用填。")
    )
