"""The forms of applications, and of what the discipline office decides for the engine."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, cast

import msgspec
from django import forms
from django.utils import timezone
from django.utils.translation import gettext as retold
from django.utils.translation import gettext_lazy as _

from qingfang.access import calendar, days, written
from qingfang.access.models import Designation, Duty, Grant
from qingfang.engine import definitions
from qingfang.judge import policy as judging
from qingfang.judge import snapshot as form
from qingfang.people.models import Person, Post, Terminal
from qingfang.ui.forms import Form, ModelForm, Words

LONGEST = dt.timedelta(days=366)


class Codes(Words):
    """Codes; none means all."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", _("代码，用逗号或空格分开；不填表示全部。"))
        super().__init__(**kwargs)


class Windows(forms.CharField):
    """Weekly windows, one a line; plain data of `judge.snapshot.Weekly` when cleaned."""

    def __init__(self) -> None:
        super().__init__(
            label=_("每周时段"),
            required=False,
            max_length=1000,
            widget=forms.Textarea(attrs={"rows": 2}),
            help_text=_("一行一段，如“周一至周五 08:00-17:30”；不填表示任何时间。"),
        )

    def prepare_value(self, value: Any) -> Any:
        return value if value is None or isinstance(value, str) else written.show_weekly(value)

    def clean(self, value: Any) -> Any:
        try:
            return written.read_weekly(super().clean(value))
        except written.Unreadable as problem:
            raise forms.ValidationError(str(problem)) from None


def _active_persons() -> Any:
    return Person.objects.filter(is_active=True).order_by("staff_number")


def _active_terminals() -> Any:
    return Terminal.objects.filter(active=True).order_by("name")


class Moment(forms.DateTimeField):
    """A day and a time of the console's zone."""

    def __init__(self, label: Any) -> None:
        super().__init__(
            label=label,
            widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        )


class GrantForm(ModelForm):
    items = Codes(label=_("药品或耗材"))
    departments = Codes(label=_("科室"))
    prescribers = Codes(label=_("医生"))
    valid_from = Moment(_("有效自"))
    valid_to = Moment(_("有效至"))
    windows = Windows()

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
            "windows",
            "max_runs",
            "stored",
        ]
        widgets: ClassVar = {
            "period_from": forms.DateInput(attrs={"type": "date"}),
            "period_to": forms.DateInput(attrs={"type": "date"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["person"].queryset = _active_persons()  # pyright: ignore
        self.fields["terminals"].queryset = _active_terminals()  # pyright: ignore

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


class DutyForm(ModelForm):
    """One line of the roster, or the same line for several days."""

    valid_from = Moment(_("自"))
    valid_to = Moment(_("至"))
    min_severity = forms.TypedChoiceField(
        label=_("通知哪些告警"),
        coerce=int,
        choices=[(0, _("全部")), (2, _("中、高")), (3, _("只有高"))],
    )
    after_minutes = forms.IntegerField(
        label=_("几分钟无人应答后通知"),
        min_value=0,
        max_value=1440,
        initial=0,
        help_text=_("0 表示立即通知；更大的数是升级通知。"),
    )
    every = forms.TypedChoiceField(
        label=_("重复"),
        coerce=int,
        choices=[(0, _("不重复")), (1, _("每天")), (7, _("每周"))],
    )
    last = forms.DateField(
        label=_("重复到"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    class Meta:
        model = Duty
        fields: ClassVar = [
            "person",
            "valid_from",
            "valid_to",
            "channel",
            "after_minutes",
            "min_severity",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["person"].queryset = _active_persons()  # pyright: ignore
        if self.instance.pk:
            del self.fields["every"], self.fields["last"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        start, end = data.get("valid_from"), data.get("valid_to")
        if start and end and end <= start:
            self.add_error("valid_to", _("要晚于开始。"))
        elif start and end and end - start > LONGEST:
            self.add_error("valid_to", _("一次值班最长一年。"))
        person = data.get("person")
        if person and data.get("channel") == Duty.Channel.MAIL and not person.mail:
            self.add_error("person", _("没有登记邮箱，通知不到：先由安全管理员补上，或换渠道。"))
        if data.get("every"):
            last = data.get("last")
            if last is None:
                self.add_error("last", _("重复要写明到哪一天。"))
            elif start and not start.date() <= last <= start.date() + LONGEST:
                self.add_error("last", _("要在开始之后一年之内。"))
        return data


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
        help_text=_(
            "一行一段，如“2026-10-01..2026-10-07 休 国庆节”“2026-10-10 班 调休”。过去的日子保留原样。"
        ),
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


class DesignationForm(ModelForm):
    class Meta:
        model = Designation
        fields: ClassVar = ["function", "person", "terminal"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["function"].label = _("职责")
        self.fields["person"].queryset = _active_persons()  # pyright: ignore
        self.fields["terminal"].queryset = _active_terminals()  # pyright: ignore
        self.fields["terminal"].empty_label = _("任何终端")  # pyright: ignore


WHICH = {
    "all": _("全部"),
    "one": _("一次一个，不论哪个"),
    "list": _("只许列出的"),
    "class": _("一类"),
}


def _which(label: Any, kinds: tuple[str, ...]) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=[(kind, WHICH[kind]) for kind in kinds])


def _hashes(digests: list[str]) -> list[str]:
    for digest in digests:
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise forms.ValidationError(_("应为 64 位十六进制数字。"))
    return digests


class _RegisteredForm(Form):
    """A row of `Registered`: `body` after cleaning is a record of `judge.snapshot`, as plain data.
    `kept` is the body being edited, None for a new one."""

    record: type[msgspec.Struct]
    code = forms.RegexField(
        r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        label=_("编号"),
        error_messages={"invalid": _("用字母、数字、点、横线，最多 64 个。")},
    )

    def __init__(self, *args: Any, kept: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.body: dict[str, Any] = {}
        if kept is not None:
            self.fields["code"].disabled = True

    def _chosen(self, name: str) -> list[str]:
        rows: Iterable[Any] = self.cleaned_data.get(name) or ()
        return [str(getattr(row, "staff_number", row)) for row in rows]

    def make(self, data: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            try:
                made = msgspec.convert(self.make(data), self.record)
            except msgspec.ValidationError as problem:
                raise forms.ValidationError(str(problem)) from None
            self.body = msgspec.to_builtins(made)
        return data


class ReportForm(_RegisteredForm):
    """`more` is the digest of a template to be added to the report being edited."""

    record = form.Report
    menu = forms.CharField(label=_("菜单或报表名称"), max_length=200)
    digests = Codes(
        label=_("语句模板的摘要"),
        required=True,
        help_text=_("一个菜单可以有几个；从告警页或“读不懂的语句”带来，64 位十六进制。"),
    )
    grain = forms.ChoiceField(
        label=_("粒度"),
        choices=Grant.Grain.choices,
        help_text=_("读不懂的语句看不出粒度，只有选“明细”、范围全部，登记才对它起作用。"),
    )
    items_kind = _which(_("药品或耗材：范围"), ("all", "one", "list", "class"))
    items = Codes(label=_("药品或耗材"), help_text=_("选“列出的”写代码，选“一类”写类名。"))
    items_members = Codes(
        label=_("这一类包括的品种"), help_text=_("选“一类”时可写代码，按品种查的也算在内。")
    )
    departments_kind = _which(_("科室：范围"), ("all", "one", "list"))
    departments = Codes(label=_("科室"), help_text=_("选“列出的”写代码。"))
    prescribers_kind = _which(_("医生：范围"), ("all", "one", "list"))
    prescribers = Codes(label=_("医生"), help_text=_("选“列出的”写代码。"))
    longest_days = forms.IntegerField(
        label=_("一次最多查几天"),
        required=False,
        min_value=1,
        max_value=3660,
        help_text=_("如 31；参数选得更长就算超出登记。不填表示不限。"),
    )
    stored = forms.BooleanField(label=_("允许把结果存成表或文件"), required=False)
    persons = forms.ModelMultipleChoiceField(
        label=_("谁可以运行"),
        queryset=Person.objects.none(),
        to_field_name="staff_number",
        required=False,
        help_text=_("除合计与全院数字外，必须写明人员或岗位，以及终端；或者凭审批。"),
    )
    posts = forms.ModelMultipleChoiceField(
        label=_("哪些岗位可以运行"),
        queryset=Post.objects.none(),
        to_field_name="code",
        required=False,
    )
    terminals = forms.ModelMultipleChoiceField(
        label=_("在哪些终端"),
        queryset=Terminal.objects.none(),
        to_field_name="name",
        required=False,
    )
    grants = forms.ModelMultipleChoiceField(
        label=_("凭哪些审批"),
        queryset=Grant.objects.none(),
        to_field_name="number",
        required=False,
        help_text=_("写了就必须有其中一份生效的审批：它的人、终端、时间和次数。"),
    )
    windows = Windows()

    def __init__(self, *args: Any, more: str = "", **kwargs: Any) -> None:
        kept = kwargs.get("kept")
        if kept is not None:
            scope = kept["scope"]
            digests = (kept["digest"], *kept.get("further", ()), *([more] if more else []))
            kwargs["initial"] = {
                **kept,
                "code": kept["id"],
                "digests": " ".join(dict.fromkeys(digests)),
                "grain": scope["grain"],
                "stored": scope.get("stored", False),
                "longest_days": scope.get("longest_days"),
                "items_members": " ".join(scope.get("items", {}).get("members", ())),
                **{
                    name: " ".join(scope.get(name, {}).get("values", ()))
                    for name in ("items", "departments", "prescribers")
                },
                **{
                    f"{name}_kind": scope.get(name, {}).get("kind", "all")
                    for name in ("items", "departments", "prescribers")
                },
            }
        super().__init__(*args, **kwargs)
        self._scope: dict[str, Any] = kept["scope"] if kept is not None else {}
        self.fields["persons"].queryset = _active_persons()  # pyright: ignore
        self.fields["terminals"].queryset = _active_terminals()  # pyright: ignore
        self.fields["posts"].queryset = Post.objects.order_by("code")  # pyright: ignore
        self.fields["grants"].queryset = Grant.objects.filter(  # pyright: ignore
            status=Grant.Status.FILED
        ).order_by("number")

    def clean_digests(self) -> list[str]:
        return _hashes(self.cleaned_data["digests"])

    def clean(self) -> dict[str, Any]:
        for name in ("items", "departments", "prescribers"):
            codes, kind = self.cleaned_data.get(name), self.cleaned_data.get(f"{name}_kind")
            if kind in ("list", "class") and not codes:
                self.add_error(name, _("选了这个范围，要写明是哪些。"))
            elif kind in ("all", "one") and codes:
                self.add_error(name, _("写了代码，范围要选“只许列出的”。"))
        if (
            self.cleaned_data.get("items_members")
            and self.cleaned_data.get("items_kind") != "class"
        ):
            self.add_error("items_members", _("只有范围是“一类”时才写。"))
        data = super().clean()
        single = data.get("grain") != Grant.Grain.INSTITUTION
        who = data.get("persons") or data.get("posts")
        if single and not data.get("grants") and not (who and data.get("terminals")):
            self.add_error("persons", _("按科室、按医生和明细的报表，必须写明人员和终端。"))
        return data

    def make(self, data: dict[str, Any]) -> dict[str, Any]:
        scope: dict[str, Any] = {"grain": data["grain"], "stored": data["stored"]}
        scope["longest_days"] = data["longest_days"]
        # Fixed days come from the material that was brought in; this form leaves them as they are.
        if "period" in self._scope:
            scope["period"] = self._scope["period"]
        for name in ("items", "departments", "prescribers"):
            scope[name] = {"kind": data[f"{name}_kind"], "values": data[name]}
        scope["items"]["members"] = data["items_members"]
        return {
            "id": data["code"],
            "digest": data["digests"][0],
            "further": data["digests"][1:],
            "menu": data["menu"],
            "scope": scope,
            "persons": self._chosen("persons"),
            "posts": [post.code for post in data["posts"]],
            "grants": [grant.number for grant in data["grants"]],
            "terminals": self._chosen("terminals"),
            "windows": data["windows"],
        }


class ServiceForm(_RegisteredForm):
    """`more` is the digest of a template to be added to the service being edited."""

    record = form.Service
    why = forms.CharField(label=_("用来做什么"), max_length=200)
    terminals = forms.ModelMultipleChoiceField(
        label=_("在哪些终端"), queryset=Terminal.objects.none(), to_field_name="name"
    )
    program = forms.CharField(label=_("程序名"), max_length=200, required=False)
    account = forms.CharField(label=_("数据库账号"), max_length=128, required=False)
    operator = forms.CharField(
        label=_("工号"),
        max_length=64,
        required=False,
        help_text=_("程序名、账号、工号写了就必须相符。"),
    )
    tables = Codes(
        label=_("搬运哪些表"), help_text=_("表名，用逗号或空格分开；不填表示不许碰用药数据。")
    )
    digests = Codes(label=_("语句模板的摘要"), help_text=_("只许这些语句；64 位十六进制，可不填。"))
    windows = Windows()

    def __init__(self, *args: Any, more: str = "", **kwargs: Any) -> None:
        kept = kwargs.get("kept")
        if kept is not None:
            digests = (*kept.get("digests", ()), *([more] if more else []))
            kwargs["initial"] = {
                **kept,
                "code": kept["id"],
                "tables": " ".join(kept.get("tables", ())),
                "digests": " ".join(dict.fromkeys(digests)),
            }
        super().__init__(*args, **kwargs)
        self.fields["terminals"].queryset = _active_terminals()  # pyright: ignore

    def clean_digests(self) -> list[str]:
        return _hashes(self.cleaned_data["digests"])

    def make(self, data: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": data["code"],
            **{name: data[name] for name in ("why", "program", "account", "operator")},
            **{name: data[name] for name in ("tables", "digests", "windows")},
            "terminals": self._chosen("terminals"),
        }


KINDS = {"drug": _("药品"), "consumable": _("耗材"), "high_value": _("高值耗材")}
CONTENTS = {"name": _("品名"), "specification": _("品规"), "usage": _("用量")}


class DefinitionForm(Form):
    """Another definition of what counts: one that comes with the product, or a hospital's own."""

    name = forms.ChoiceField(label=_("统方定义"), initial=definitions.DEFAULT)
    own = forms.CharField(
        label=_("自己的定义（TOML）"),
        required=False,
        strip=False,
        max_length=definitions.LONGEST,
        widget=forms.Textarea(
            attrs={"rows": 8, "spellcheck": "false", "class": "form-control font-monospace"}
        ),
        help_text=_("上面选“自己的”时填写。提出前按引擎的读法检查，有错不提出。"),
    )
    reason = forms.CharField(
        label=_("理由"), max_length=500, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        known = [definitions.built_in(name) for name in definitions.names()]
        field = cast(forms.ChoiceField, self.fields["name"])
        field.choices = [
            *((d.name, f"{d.name} {retold(d.title)}") for d in known),
            ("", _("自己的")),
        ]
        field.required = False

    def clean(self) -> dict[str, Any]:
        data = dict(super().clean() or self.cleaned_data)
        own = str(data.get("own", "")).replace("\r\n", "\n")
        name = data.get("name", "")
        if name:
            data["source"] = definitions.text(name)
            return data
        try:
            definitions.read(own, "TOML")
        except definitions.DefinitionError as error:
            self.add_error("own", str(error))
        data["source"] = own
        return data


class PolicyForm(Form):
    """Overrides of the built-in policy. The text is tried as the engine will read it."""

    text = forms.CharField(
        label=_("策略的改动（TOML）"),
        required=False,
        strip=False,
        max_length=100_000,
        widget=forms.Textarea(
            attrs={"rows": 20, "spellcheck": "false", "class": "form-control font-monospace"}
        ),
        help_text=_("留空即内置策略。保存前按引擎的读法检查，有错不保存。"),
    )

    def clean_text(self) -> str:
        text = str(self.cleaned_data["text"]).replace("\r\n", "\n")
        try:
            judging.read(text)
        except judging.PolicyError as error:
            where = _("第 %(line)d 行") % {"line": error.line} if error.line else _("策略")
            key = f" {error.key}" if error.key else ""
            raise forms.ValidationError(f"{where}{key}：{error.problem}") from None
        return text
