"""The form of an application."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from qingfang.access.models import Grant
from qingfang.people.models import Person, Terminal
from qingfang.ui.forms import Form, ModelForm

LONGEST = dt.timedelta(days=366)


class Codes(forms.CharField):
    """Codes separated by spaces, commas or lines; a list of them when cleaned."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.setdefault("help_text", _("代码，用逗号或空格分开；不填表示全部。"))
        super().__init__(max_length=2000, **kwargs)

    def clean(self, value: Any) -> Any:
        found = [code for code in re.split(r"[\s,，、;；]+", super().clean(value)) if code]
        return list(dict.fromkeys(found))


class GrantForm(ModelForm):
    items = Codes(label=_("药品或耗材"))
    departments = Codes(label=_("科室"))
    prescribers = Codes(label=_("医生"))
    valid_from = forms.DateTimeField(
        label=_("有效自"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    valid_to = forms.DateTimeField(
        label=_("有效至"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )

    class Meta:
        model = Grant
        fields: ClassVar = [
            "purpose",
            "person",
            "terminals",
            "grain",
            "items",
            "departments",
            "prescribers",
            "period_from",
            "period_to",
            "valid_from",
            "valid_to",
            "max_runs",
            "stored",
        ]
        widgets: ClassVar = {
            "period_from": forms.DateInput(attrs={"type": "date"}),
            "period_to": forms.DateInput(attrs={"type": "date"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["person"].queryset = Person.objects.filter(is_active=True).order_by(
            "staff_number"
        )  # pyright: ignore
        self.fields["terminals"].queryset = Terminal.objects.filter(active=True).order_by("name")  # pyright: ignore

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        start, end = data.get("valid_from"), data.get("valid_to")
        if start and end:
            if end <= start:
                self.add_error("valid_to", _("要晚于开始。"))
            elif end <= timezone.now():
                self.add_error("valid_to", _("已经过去了。"))
            elif end - start > LONGEST:
                self.add_error("valid_to", _("一次授权最长一年。"))
        first, last = data.get("period_from"), data.get("period_to")
        if first and last and last < first:
            self.add_error("period_to", _("不能早于数据起始。"))
        return data


class StepForm(Form):
    note = forms.CharField(label=_("意见"), max_length=500, required=False)
    filed = forms.CharField(label=_("备案号"), max_length=64, required=False)
