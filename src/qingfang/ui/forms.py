"""Forms as all pages show them: the label above, the help and the errors below, tied for readers."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.db.models.fields import BLANK_CHOICE_DASH
from django.utils.translation import gettext_lazy as _

DASHES = BLANK_CHOICE_DASH[0][1]
CHOOSE, NONE = _("请选择"), _("不选")


class StyledMixin:
    """Gives the fields the classes of the style sheet."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            widget = field.widget
            if isinstance(widget, forms.CheckboxInput):
                css = "form-check-input"
            elif isinstance(widget, (forms.RadioSelect, forms.CheckboxSelectMultiple)):
                css = "form-check-input me-2"
            elif isinstance(widget, forms.Select):
                css = "form-select"
            else:
                css = "form-control"
            widget.attrs.setdefault("class", css)
            nothing = CHOOSE if field.required else NONE
            if isinstance(field, forms.ModelChoiceField):
                if field.empty_label == DASHES:
                    field.empty_label = nothing
            elif isinstance(field, forms.ChoiceField):
                offered = [(v, nothing if name == DASHES else name) for v, name in field.choices]
                field.choices = offered


class Form(StyledMixin, forms.Form):
    pass


class ModelForm(StyledMixin, forms.ModelForm):
    pass


class Words(forms.CharField):
    """Words separated by spaces, commas or lines; a list of them, each once, when cleaned."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.setdefault("max_length", 2000)
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return " ".join(value) if isinstance(value, (list, tuple)) else value

    def clean(self, value: Any) -> Any:
        found = [word for word in re.split(r"[\s,，、;；]+", super().clean(value)) if word]
        return list(dict.fromkeys(found))
