"""The form for a new key, in plain words."""

from datetime import datetime, timedelta
from typing import Any, Final

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from access.scopes import RESOURCES, SCOPES

LIVES: Final = [("30", _("30 days")), ("90", _("90 days")), ("365", _("a year")), ("", _("until it is revoked"))]
DEEDS: Final = {
    "agents": (_("Agents, versions, tools"), {}),
    "phones": (_("Phone numbers"), {}),
    "calls": (_("Calls, sessions, turns, recordings, charges"), {"write": _("hang up"), "dial": _("place calls")}),
    "webhooks": (_("Webhooks"), {}),
    "budgets": (_("Budgets"), {}),
    "rehearsals": (_("Scenarios and rehearsals"), {"run": _("rehearse")}),
}
_WORDS: Final = {"read": _("read"), "write": _("read and change")}


class KeyForm(forms.Form):
    name = forms.CharField(max_length=80, label=_("Which program uses it"))
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in SCOPES],
        error_messages={"required": _("Choose at least one thing that the key may do.")},
    )
    lives_days = forms.ChoiceField(choices=LIVES, required=False, initial="90", label=_("Lives"))
    requests_per_minute = forms.IntegerField(
        min_value=1, max_value=100_000, required=False, label=_("Requests a minute"), help_text=_("Empty: the limit of the installation.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("name", "lives_days", "requests_per_minute"):
            attributes = {"class": "input", "autocomplete": "off"}
            if self.is_bound and name in self.errors:
                attributes |= {"aria-invalid": "true", "aria-describedby": f"problem-{name}"}
            self.fields[name].widget.attrs.update(attributes)

    def grid(self) -> list[dict[str, Any]]:
        """A row for each resource: what it is called, and a box for each deed."""
        chosen = set(self["scopes"].value() or ())
        return [
            {
                "label": DEEDS[resource][0],
                "boxes": [
                    {"scope": scope, "words": DEEDS[resource][1].get(deed, _WORDS.get(deed, deed)), "checked": scope in chosen}
                    for deed in deeds
                    for scope in [f"{resource}:{deed}"]
                ],
            }
            for resource, deeds in RESOURCES.items()
        ]

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["lives_days"]
        return timezone.now() + timedelta(days=int(days)) if days else None
