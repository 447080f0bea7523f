"""Forms as all pages show them: the label above, the help and the errors below, tied for readers."""

from __future__ import annotations

import re
from typing import Any

from django import forms


class StyledMixin:
    """Gives the fields the classes of the style sheet."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            widget = field.widget
            if isinstance(widget, forms.CheckboxInput):
                css = "form-check-input"
            elif isinstance(widget, forms.Select):
                css = "form-select"
            elif isinstance(widget, (forms.RadioSelect, forms.CheckboxSelectMultiple)):
                css = ""
            else:
                css = "form-control"
            if css:
                widget.attrs.setdefault("class", css)


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
