"""The form of an application."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from qingfang.access import calendar, days
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


class CalendarForm(Form):
    """Raises nothing: what cannot be read is said at its field. `cleaned_data` has the weekdays,
    the hours and the days as `calendar.replace` takes them."""

    weekdays = forms.CharField(
        label=_("工作日"),
        max_length=20,
        help_text=_("写成 1-5 或 1,2,3,6，1 为星期一。"),
    )
    hours = forms.CharField(
        label=_("工作时段"), max_length=100, help_text=_("如 08:00-12:00 13:30-17:30")
    )
    days = forms.CharField(
        label=_("节假日与调休"),
        required=False,
        max_length=20_000,
        help_text=_("一行一段，如“2026-10-01..2026-10-07 休 国庆节”“2026-10-10 班 调休”。"),
        widget=forms.Textarea(attrs={"rows": 12, "class": "form-control font-monospace"}),
    )

    @classmethod
    def standing(cls) -> CalendarForm:
        """Filled in with the calendar in force."""
        now = calendar.standing()
        return cls(
            initial={
                "weekdays": days.write_weekdays(now.weekdays),
                "hours": days.write_hours(now.hours),
                "days": days.write_days(now.days),
            }
        )

    def _read(self, name: str, read: Callable[[str], Any]) -> Any:
        try:
            return read(str(self.cleaned_data[name]))
        except days.Unreadable as error:
            raise forms.ValidationError(calendar.sentence(error)) from None

    def clean_weekdays(self) -> list[int]:
        return self._read("weekdays", days.read_weekdays)

    def clean_hours(self) -> list[list[str]]:
        return self._read("hours", days.read_hours)

    def clean_days(self) -> list[days.Special]:
        return self._read("days", days.read_days)
