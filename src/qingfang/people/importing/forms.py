"""The form by which a table is handed in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from qingfang.people.importing import sheet
from qingfang.people.models import Proposed
from qingfang.ui.forms import Form


class TableForm(Form):
    file = forms.FileField(
        label=_("文件"),
        help_text=_(
            "xlsx、xls、ods 或 CSV，人事、设备部门的表原样即可：按列名认列，不认识的列不读。"
        ),
        widget=forms.FileInput(attrs={"accept": ".xlsx,.xls,.ods,.csv,.txt"}),
    )
    whole = forms.BooleanField(required=False)

    def __init__(self, kind: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["whole"].label = (
            _("这是全部在职人员：表里没有的人算已离职，停用账号、收回角色")
            if kind == Proposed.Kind.PERSON
            else _("这是全部在用终端：表里没有的终端停用")
        )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > sheet.LARGEST:
            raise forms.ValidationError(_("文件超过 10 MB。请只留需要的列，或分成几份。"))
        return file
