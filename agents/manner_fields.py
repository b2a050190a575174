"""The manners as form fields and as API fields, both made from the one table. An empty field means the default."""

from typing import Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from agents.manners import GROUPS, MANNERS, MOST_WORDS, Manner

PREFIX = "manner_"
_CHOICES = {"": _("none"), "off": _("does nothing of its own"), "hang-up": _("hangs up"), "leave-message": _("leaves the message")}


class WordsField(forms.CharField):
    """Words, separated by spaces, commas or lines."""

    def clean(self, value: Any) -> Any:
        words = super().clean(value).replace(",", " ").split()
        if len(words) > MOST_WORDS:
            raise forms.ValidationError(_("Write at most %(most)d words.") % {"most": MOST_WORDS})
        return words or None


def form_field(manner: Manner) -> forms.Field:
    """An optional field that shows the default and gives None when it is left empty."""
    shown: dict[str, Any] = {"label": manner.label, "help_text": manner.help, "required": False}
    match manner.default:
        case bool():
            choices = [("", _("Default: yes") if manner.default else _("Default: no")), (True, _("Yes")), (False, _("No"))]
            return forms.TypedChoiceField(
                choices=choices, coerce=lambda text: text == "True", empty_value=None, widget=UnfoldAdminSelectWidget, **shown
            )
        case int():
            widget = UnfoldAdminIntegerFieldWidget(attrs={"placeholder": str(manner.default)})
            return forms.IntegerField(min_value=int(manner.low), max_value=int(manner.high), widget=widget, **shown)
        case float():
            decimal = UnfoldAdminDecimalFieldWidget(attrs={"placeholder": str(manner.default), "step": "0.05"})
            return forms.FloatField(min_value=manner.low, max_value=manner.high, widget=decimal, **shown)
        case list():
            area = UnfoldAdminTextareaWidget(attrs={"rows": 2, "placeholder": " ".join(manner.default)})
            return WordsField(widget=area, **shown)
    values: list[tuple[Any, Any]] = [
        ("", format_lazy(_("Default: {value}"), value=_CHOICES.get(manner.default, manner.default))),
        *((one, _CHOICES.get(one, one)) for one in manner.choices if one),
    ]
    return forms.TypedChoiceField(choices=values, empty_value=None, widget=UnfoldAdminSelectWidget, **shown)


MannersForm: Any = type("MannersForm", (forms.Form,), {PREFIX + manner.name: form_field(manner) for manner in MANNERS})
FORM_NAMES = tuple(PREFIX + manner.name for manner in MANNERS)
FIELDSETS: tuple[Any, ...] = tuple(
    (
        title,
        {
            "description": _("How it behaves on the line. An empty field is the default, made for Indian phone lines."),
            "fields": tuple(PREFIX + manner.name for manner in group),
            "classes": ("collapse",),
        },
    )
    for title, group in GROUPS
)


def initial(manners: dict[str, Any]) -> dict[str, Any]:
    """What the form's fields show for stored manners."""
    return {PREFIX + name: " ".join(value) if isinstance(value, list) else value for name, value in manners.items()}


def chosen(cleaned: dict[str, Any]) -> dict[str, Any]:
    """The manners that a form was filled in with."""
    return {manner.name: cleaned[PREFIX + manner.name] for manner in MANNERS if cleaned.get(PREFIX + manner.name) is not None}


def api_field(manner: Manner) -> "serializers.Field[Any, Any, Any, Any]":
    shown: dict[str, Any] = {"required": False, "help_text": f"{manner.label}. {manner.help}".strip()}
    match manner.default:
        case bool():
            return serializers.BooleanField(**shown)
        case int():
            shown["help_text"] += f" From {manner.low:.0f} to {manner.high:.0f}, {manner.default} if left out."
            return serializers.IntegerField(**shown)
        case float():
            shown["help_text"] += f" From {manner.low:g} to {manner.high:g}, {manner.default:g} if left out."
            return serializers.FloatField(**shown)
        case list():
            return serializers.ListField(child=serializers.CharField(max_length=40), **shown)
    return serializers.ChoiceField(choices=manner.choices, allow_blank="" in manner.choices, **shown)
