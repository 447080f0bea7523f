"""The forms of persons, terminals and sign-in."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django import forms
from django.contrib.auth import password_validation
from django.utils.translation import gettext_lazy as _

from qingfang.people.models import Person, Terminal
from qingfang.ui.forms import Form, ModelForm


class SignInForm(Form):
    staff_number = forms.CharField(
        label=_("工号"),
        max_length=32,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label=_("密码"),
        max_length=256,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class PasswordForm(Form):
    old = forms.CharField(
        label=_("现在的密码"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        label=_("新密码"),
        strip=False,
        help_text=_("至少 10 个字符，不能全是数字，也不能是常见密码。"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=_("再输一次新密码"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, person: Person, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._person = person

    def clean_old(self) -> str:
        old = str(self.cleaned_data["old"])
        if not self._person.check_password(old):
            raise forms.ValidationError(_("现在的密码不对。"))
        return old

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        new, again = data.get("new"), data.get("again")
        if new and again and new != again:
            self.add_error("again", _("两次输入的新密码不一样。"))
        elif new:
            if new == data.get("old"):
                self.add_error("new", _("新密码不能与现在的相同。"))
            try:
                password_validation.validate_password(new, self._person)
            except forms.ValidationError as error:
                self.add_error("new", error)
        return data


class PersonForm(ModelForm):
    class Meta:
        model = Person
        fields: ClassVar = ["staff_number", "name", "department", "post", "phone", "mail"]


class RoleForm(Form):
    role = forms.ChoiceField(label=_("角色"))


class TerminalForm(ModelForm):
    class Meta:
        model = Terminal
        fields: ClassVar = [
            "name",
            "label",
            "address",
            "mac",
            "role",
            "location",
            "department",
            "custodian",
            "active",
        ]

    def clean_mac(self) -> str:
        mac = str(self.cleaned_data["mac"]).strip().lower().replace("-", ":")
        if mac and not re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", mac):
            raise forms.ValidationError(_("MAC 地址应写成 00:1a:2b:3c:4d:5e。"))
        return mac
