"""The form of a scenario, in plain language."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from agents.models import LANGUAGES
from calls.models import Scenario
from calls.rehearsing import assertions
from calls.sentences import in_readers_words


class ScenarioForm(forms.ModelForm):  # type: ignore[type-arg]  # forms have no parameters
    """`wishes` is one assertion a line."""

    wishes = forms.CharField(
        label=_("What the conversation must show"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 7, "class": "input mono", "spellcheck": "false"}),
        help_text=_("One a line; see the examples beside it. Without any, it passes when the conversation comes to an end."),
    )

    class Meta:
        model = Scenario
        fields = ("name", "persona", "goal", "facts", "opening", "language", "most_lines", "by_voice", "active")
        labels = {
            "name": _("Name"),
            "persona": _("Who calls"),
            "goal": _("What they want"),
            "facts": _("What they know"),
            "opening": _("Their first words"),
            "language": _("They speak"),
            "most_lines": _("They hang up after so many lines"),
            "by_voice": _("By voice"),
            "active": _("Part of every run"),
        }
        widgets = {
            "persona": forms.Textarea(attrs={"rows": 2}),
            "goal": forms.Textarea(attrs={"rows": 2}),
            "facts": forms.Textarea(attrs={"rows": 4}),
            "language": forms.Select(choices=[("", _("The agent's language")), *LANGUAGES]),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["wishes"] = assertions.written(self.instance.wishes)
        for name, field in self.fields.items():
            if not isinstance(field.widget, forms.CheckboxInput):
                field.widget.attrs.setdefault("class", "input")
            is_wrong = self.is_bound and name in self.errors
            described = [part for part, is_there in ((f"help-{name}", field.help_text), (f"problem-{name}", is_wrong)) if is_there]
            if described:
                field.widget.attrs["aria-describedby"] = " ".join(described)
            if is_wrong:
                field.widget.attrs["aria-invalid"] = "true"

    def clean_name(self) -> str:
        name = " ".join(str(self.cleaned_data["name"]).split())
        if Scenario.objects.filter(agent=self.instance.agent, name=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("There is already a scenario of this name. Choose another name."))
        return name

    def clean_wishes(self) -> list[dict[str, Any]]:
        try:
            return [each.to_json() for each in assertions.parse(self.cleaned_data["wishes"])]
        except assertions.NotUnderstood as error:
            raise forms.ValidationError([in_readers_words(problem) for problem in error.problems]) from None

    def save(self, commit: bool = True) -> Scenario:
        self.instance.assertions = self.cleaned_data["wishes"]
        saved: Scenario = super().save(commit)
        return saved
