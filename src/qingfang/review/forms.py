"""The forms of verification and disposition."""

from django import forms
from django.utils.translation import gettext_lazy as _

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
