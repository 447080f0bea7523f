"""The forms of verification and disposition, and of what settles an unread template."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from qingfang.access.settling import LONGEST_SOURCE
from qingfang.review.models import Alert
from qingfang.ui.forms import Form


class NoteForm(Form):
    text = forms.CharField(
        label=_("查证情况"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )


class RulingForm(Form):
    disposition = forms.ChoiceField(label=_("定性"), choices=Alert.Disposition.choices[1:])
    reason = forms.CharField(
        label=_("理由"), max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )


class SourceForm(Form):
    """The source of a procedure that is not in the catalogue: pasted, or a file."""

    name = forms.CharField(
        label=_("过程或函数的名称"),
        max_length=200,
        validators=[
            RegexValidator(
                r"^[\w$#\"`\[\]]+(\.[\w$#\"`\[\]]+){0,3}$",
                _("写成 名称、模式.名称 或 库.模式.名称。"),
            )
        ],
    )
    source = forms.CharField(
        label=_("源代码"),
        required=False,
        strip=False,
        max_length=LONGEST_SOURCE,
        widget=forms.Textarea(
            attrs={"rows": 10, "spellcheck": "false", "class": "form-control font-monospace"}
        ),
        help_text=_("整个 CREATE PROCEDURE 或 CREATE FUNCTION，由数据库管理员导出。"),
    )
    file = forms.FileField(label=_("或者上传文件"), required=False)
    reason = forms.CharField(label=_("来源与理由"), max_length=500)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        file = data.get("file")
        if file is not None:
            if file.size > 2 * LONGEST_SOURCE:
                raise forms.ValidationError(_("文件太大。"))
            raw = file.read()
            for encoding in ("utf-8-sig", "gb18030"):
                try:
                    data["source"] = raw.decode(encoding)
                    break
                except UnicodeDecodeError:
                    continue
            else:
                raise forms.ValidationError(_("文件不是 UTF-8 或 GB18030 文字。"))
            if len(data["source"]) > LONGEST_SOURCE:
                raise forms.ValidationError(_("文件太大。"))
        if not str(data.get("source") or "").strip():
            self.add_error("source", _("要写明源代码。"))
        return data


class NoUsageForm(Form):
    reason = forms.CharField(
        label=_("理由"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("它是什么，怎么看出与用药数据无关；凡会执行传进去的文字的，不能这样认定。"),
    )
