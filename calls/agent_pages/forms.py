"""The plain-language form of an agent: who it is, how it speaks, what it may do, when it ends. What an agent may be, `agents` judges.

It shows what most operators set; the rest stays as it is and is set in the admin.
"""

from typing import Any, Final

from django import forms
from django.utils.functional import lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from agents import catalogue, manner_fields, manners
from agents.models import Agent
from agents.validation import name_problem
from providers import registry

# Of sixty manners those that operators ask for by name.
SPEAKING: Final = ("interrupt_min_words", "unfinished_wait_ms", "dictation_wait_ms")
ENDING: Final = ("silence_prompts", "farewell_wait_ms", "voicemail")
MANNERS: Final = (*SPEAKING, *ENDING)
_KINDS: Final[tuple[tuple[str, registry.Kind], ...]] = (("voice", "tts"), ("llm", "llm"), ("stt", "stt"))


def _usual_now(value: object) -> str:
    return gettext("%(value)s unless you say otherwise") % {"value": value}


_usual = lazy(_usual_now, str)


def _manner_field(name: str) -> forms.Field:
    """As the admin has it, with a plain widget."""
    field = manner_fields.form_field(manners.BY_NAME[name])
    shown = field.widget.attrs.get("placeholder")
    if isinstance(field, forms.TypedChoiceField):
        plain: forms.Widget = forms.Select(choices=list(field.widget.choices))
    else:
        plain = forms.NumberInput(attrs={"placeholder": _usual(shown), "step": "any"})
    field.widget = plain
    return field


_FIELDS_OF_MANNERS: dict[str, forms.Field] = {manner_fields.PREFIX + name: _manner_field(name) for name in MANNERS}
_MannersForm: Any = type("_MannersForm", (forms.Form,), _FIELDS_OF_MANNERS)


class AgentForm(_MannersForm, forms.ModelForm):  # type: ignore[type-arg, misc]  # made from a table; forms have no parameters
    """Valid means that the agent could talk as it stands. `instance` is filled in either way, with what was good."""

    class Meta:
        model = Agent
        fields = (
            "name", "language", "mode", "prompt", "first_message", "voice_provider", "voice_model", "voice_id", "voice_speed",
            "llm_provider", "llm_model", "llm_temperature", "llm_max_tokens", "stt_provider", "stt_model", "stt_endpointing_ms",
            "collects_digits", "record_calls", "recording_retention_days", "analyse_calls", "max_duration_s",
            "silence_timeout_s", "voicemail_message",
        )  # fmt: skip
        labels = {
            "name": _("Its name"),
            "language": _("It speaks"),
            "mode": _("What it does"),
            "prompt": _("Who it is, what it knows and what it must do"),
            "first_message": _("The first thing it says"),
            "voice_provider": _("Voice from"),
            "voice_model": _("Voice model"),
            "voice_id": _("Voice"),
            "voice_speed": _("Pace"),
            "llm_provider": _("Thinks with"),
            "llm_model": _("Language model"),
            "llm_temperature": _("How freely it words things"),
            "llm_max_tokens": _("Longest reply (tokens)"),
            "stt_provider": _("Listens with"),
            "stt_model": _("Recogniser"),
            "stt_endpointing_ms": _("Pause that ends the caller's turn (ms)"),
            "collects_digits": _("It may ask callers to press keys"),
            "record_calls": _("Its calls are recorded"),
            "recording_retention_days": _("Recordings are kept for (days)"),
            "analyse_calls": _("Each call is summed up afterwards"),
            "max_duration_s": _("Longest call (seconds)"),
            "silence_timeout_s": _("Silence before it asks (seconds)"),
            "voicemail_message": _("What it leaves on answering machines"),
        }
        widgets = {
            "prompt": forms.Textarea(attrs={"rows": 18, "spellcheck": "true"}),
            "first_message": forms.Textarea(attrs={"rows": 3}),
            "voicemail_message": forms.Textarea(attrs={"rows": 2}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.update({name: value for name, value in manner_fields.initial(self.instance.manners).items() if name in self.fields})
        self.suggestions: list[tuple[str, tuple[str, ...]]] = []
        for prefix, kind in _KINDS:
            known = dict.fromkeys((*registry.names(kind), getattr(self.instance, f"{prefix}_provider")))
            self.fields[f"{prefix}_provider"].widget = forms.Select(choices=[(name, name) for name in known if name])
            self.fields[f"{prefix}_model"].widget.attrs["list"] = f"{prefix}-models"
            self.suggestions.append((f"{prefix}-models", catalogue.SUGGESTED[kind]))
        for name, field in self.fields.items():
            if not isinstance(field.widget, forms.CheckboxInput):
                field.widget.attrs.setdefault("class", "input")
            is_wrong = self.is_bound and name in self.errors
            described = [part for part, is_there in ((f"help-{name}", field.help_text), (f"problem-{name}", is_wrong)) if is_there]
            if described:
                field.widget.attrs["aria-describedby"] = " ".join(described)
            if is_wrong:
                field.widget.attrs["aria-invalid"] = "true"

    def clean(self) -> dict[str, Any] | None:
        cleaned: dict[str, Any] | None = super().clean()
        chosen = {name: self.cleaned_data.get(manner_fields.PREFIX + name) for name in MANNERS}
        kept = {name: value for name, value in self.instance.manners.items() if name not in MANNERS}
        self.instance.manners = manners.stored({**kept, **{name: value for name, value in chosen.items() if value is not None}})
        candidate = Agent(owner_id=self.instance.owner_id, pk=self.instance.pk, name=self.cleaned_data.get("name", ""))
        if problem := name_problem(candidate):
            self.add_error("name", problem)
        return cleaned

    def part(self, *names: str) -> list[forms.BoundField]:
        return [self[name] for name in names]

    @property
    def looks(self) -> list[forms.BoundField]:
        return self.part("voice_provider", "voice_model", "voice_id", "voice_speed")

    @property
    def mind(self) -> list[forms.BoundField]:
        return self.part(
            "llm_provider", "llm_model", "llm_temperature", "llm_max_tokens", "stt_provider", "stt_model", "stt_endpointing_ms"
        )

    @property
    def speaking(self) -> list[forms.BoundField]:
        return self.part(*(manner_fields.PREFIX + name for name in SPEAKING))

    @property
    def ending(self) -> list[forms.BoundField]:
        return self.part("max_duration_s", "silence_timeout_s", *(manner_fields.PREFIX + name for name in ENDING))
