"""The forms of persons, terminals and sign-in."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from typing import Any, ClassVar

from django import forms
from django.contrib.auth import password_validation
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from qingfang.people import policy
from qingfang.people.models import (
    Campus,
    Department,
    Location,
    Organisation,
    Person,
    Post,
    Terminal,
)
from qingfang.ui.forms import Form, ModelForm, Words


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


class FactorForm(Form):
    code = forms.CharField(
        label=_("动态码"),
        max_length=40,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "text", "autofocus": True}
        ),
    )


class FactorRolesForm(Form):
    roles = forms.MultipleChoiceField(
        label=_("必须用动态码登录的角色"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered: Any = [(role.code, role.label) for role in policy.ROLES.values()]
        self.fields["roles"].choices = offered  # pyright: ignore[reportAttributeAccessIssue]


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


class Absences(forms.CharField):
    """Spans of days, one a line; pairs of ISO days when cleaned."""

    def __init__(self) -> None:
        super().__init__(
            label=_("不在岗"),
            required=False,
            max_length=2000,
            widget=forms.Textarea(attrs={"rows": 2}),
            help_text=_("休假、外出，一行一段，如 2026-10-01..2026-10-07。"),
        )

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list):
            return "\n".join("..".join(span) for span in value)
        return value

    def clean(self, value: Any) -> Any:
        found: list[list[str]] = []
        for number, line in enumerate(super().clean(value).splitlines(), 1):
            if not line.strip():
                continue
            first, _dots, last = (part.strip() for part in line.partition(".."))
            try:
                span = [dt.date.fromisoformat(first), dt.date.fromisoformat(last or first)]
            except ValueError:
                span = []
            if not span or span[1] < span[0]:
                raise forms.ValidationError(
                    _("第 %(line)s 行：应写成 2026-10-01..2026-10-07，止日不早于起日。")
                    % {"line": number}
                )
            found.append([day.isoformat() for day in span])
        return found


class PersonForm(ModelForm):
    codes = Words(
        label=_("其他代码"),
        help_text=_("此人在各业务系统里的其他工号或医生代码，如 HIS=Y0123；用空格分开。"),
    )
    away = Absences()

    class Meta:
        model = Person
        fields: ClassVar = [
            *("staff_number", "name", "department", "post", "codes", "away", "left_on"),
            *("phone", "mail"),
        ]
        help_texts: ClassVar = {"left_on": _("最后一天；次日起按已离职判断。")}
        widgets: ClassVar = {"left_on": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")}


class RoleForm(Form):
    role = forms.ChoiceField(label=_("角色"))


class TerminalForm(ModelForm):
    more_addresses = Words(
        label=_("其他地址"),
        help_text=_("同一台电脑的其他 IP 地址，或一个网段如 10.1.2.0/29；用空格分开。"),
    )

    class Meta:
        model = Terminal
        fields: ClassVar = [
            "name",
            "label",
            "address",
            "more_addresses",
            "mac",
            "host",
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

    def clean_more_addresses(self) -> list[str]:
        found: list[str] = []
        for text in self.cleaned_data["more_addresses"]:
            try:
                network = ipaddress.ip_network(text)
            except ValueError:
                raise forms.ValidationError(
                    _("不是 IP 地址或网段：%(text)s") % {"text": text}
                ) from None
            plain = str(network.network_address)
            found.append(plain if network.num_addresses == 1 else str(network))
        return found

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        more, first = data.get("more_addresses") or [], data.get("address")
        others = Terminal.objects.exclude(pk=self.instance.pk)
        for address in [*more, *([first] if first else [])]:
            taken = others.filter(
                Q(address=address) if "/" not in address else Q(pk__in=[])
            ) | others.filter(more_addresses__contains=[address])
            other = taken.first()
            if other is not None:
                field = "address" if address == first else "more_addresses"
                self.add_error(
                    field,
                    _("%(address)s 已登记给终端 %(name)s。")
                    % {"address": address, "name": other.name},
                )
        return data


class DepartmentForm(ModelForm):
    class Meta:
        model = Department
        fields: ClassVar = ["organisation", "code", "name", "kind", "parent"]
        labels: ClassVar = {"organisation": _("机构"), "parent": _("上级科室")}
        help_texts: ClassVar = {
            "kind": _("信息和药学科室及其下级的人员，不能担任应用管理员和审计员。")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["parent"].queryset = Department.objects.order_by("code")  # pyright: ignore
        _settle(self.fields, "organisation", Organisation.objects.order_by("code"))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        above = data.get("parent")
        seen: set[int] = set()
        while above is not None and above.pk not in seen:
            if above.pk == self.instance.pk:
                self.add_error("parent", _("不能是本科室或其下级。"))
                break
            seen.add(above.pk)
            above = above.parent
        return data


class PostForm(ModelForm):
    class Meta:
        model = Post
        fields: ClassVar = ["code", "name", "key"]
        help_texts: ClassVar = {"key": _("有统计或批量查询权限的岗位。")}


class LocationForm(ModelForm):
    class Meta:
        model = Location
        fields: ClassVar = ["campus", "building", "floor", "room", "port", "camera"]
        labels: ClassVar = {"campus": _("院区")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _settle(self.fields, "campus", Campus.objects.order_by("organisation__code", "code"))


def _settle(fields: dict[str, forms.Field], name: str, rows: Any) -> None:
    """Offer `rows`, and where there is only one choice, choose it."""
    field = fields[name]
    field.queryset = rows  # pyright: ignore[reportAttributeAccessIssue]
    found = list(rows[:2])
    if len(found) == 1:
        field.initial = found[0]
        field.empty_label = None  # pyright: ignore[reportAttributeAccessIssue]
