"""Agents in the admin: fields in the order in which people think about an agent, in plain language."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from agents import catalogue, manner_fields, manners
from agents.models import Agent, AgentVersion, Publication
from agents.readonly import ReadOnlyInline
from agents.validation import name_problem, warnings
from agents.versions import changes
from agents.visibility import sees_everything, visible_agents
from providers import registry


class SuggestingInput(UnfoldAdminTextInputWidget):
    """A text field that offers well-known values and takes any other."""

    def __init__(self, list_id: str, values: tuple[str, ...]) -> None:
        super().__init__(attrs={"list": list_id, "autocomplete": "off"})
        self._list_id, self._values = list_id, values

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        options = format_html_join("", '<option value="{}"></option>', ((value,) for value in self._values))
        offer = format_html_join("", '<datalist id="{}">{}</datalist>', [(self._list_id, options)])
        return super().render(name, value, attrs, renderer) + offer


class AgentForm(manner_fields.MannersForm, forms.ModelForm):  # type: ignore[type-arg, misc]  # made from a table; forms have no parameters
    class Meta:
        model = Agent
        fields = (
            "name", "active", "mode", "language", "prompt", "first_message", "voice_provider", "voice_model", "voice_id", "voice_speed",
            "llm_provider", "llm_model", "llm_temperature", "llm_max_tokens", "stt_provider", "stt_model", "stt_endpointing_ms",
            "max_duration_s", "silence_timeout_s", "record_calls", "recording_retention_days", "analyse_calls",
            "extraction_schema", "voicemail_message", "fallbacks", "pronunciations", "collects_digits",
        )  # fmt: skip
        labels: ClassVar = {
            "voice_provider": _("Provider"),
            "voice_model": _("Model"),
            "voice_id": _("Voice"),
            "voice_speed": _("Speed"),
            "llm_provider": _("Provider"),
            "llm_model": _("Model"),
            "llm_temperature": _("Temperature"),
            "llm_max_tokens": _("Longest reply (tokens)"),
            "stt_provider": _("Provider"),
            "stt_model": _("Model"),
            "stt_endpointing_ms": _("Pause that ends a turn (ms)"),
            "max_duration_s": _("Longest call (seconds)"),
            "silence_timeout_s": _("Silence time-out (seconds)"),
            "recording_retention_days": _("Keep recordings for (days)"),
            "extraction_schema": _("What to read out of each call"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.update(manner_fields.initial(self.instance.manners))
        kinds: tuple[tuple[str, registry.Kind], ...] = (("voice", "tts"), ("llm", "llm"), ("stt", "stt"))
        for prefix, kind in kinds:
            if field := self.fields.get(f"{prefix}_provider"):
                # A provider that this release no longer has stays visible, so that the refusal is about what is seen.
                known = dict.fromkeys((*registry.names(kind), self.initial.get(f"{prefix}_provider") or field.initial))
                field.widget = UnfoldAdminSelectWidget(choices=[(name, name) for name in known if name])
            if field := self.fields.get(f"{prefix}_model"):
                field.widget = SuggestingInput(f"{prefix}-models", catalogue.SUGGESTED[kind])

    def clean(self) -> dict[str, Any] | None:
        cleaned: dict[str, Any] | None = super().clean()
        if any(name in self.cleaned_data for name in manner_fields.FORM_NAMES):
            self.instance.manners = manners.stored(manner_fields.chosen(self.cleaned_data))
        candidate = Agent(owner_id=self.instance.owner_id, pk=self.instance.pk, name=self.cleaned_data.get("name", ""))
        if problem := name_problem(candidate):
            raise ValidationError({"name": problem})
        return cleaned


class VersionInline(ReadOnlyInline):
    model = AgentVersion
    fields = ("number", "published_at", "published_by", "reason", "what_changed")
    readonly_fields = fields
    verbose_name_plural = _("Published versions, newest first")
    per_page = 20  # type: ignore[assignment]  # unfold declares only its default, None

    def get_queryset(self, request: HttpRequest) -> QuerySet[AgentVersion]:
        before = AgentVersion.objects.filter(agent=OuterRef("agent"), number__lt=OuterRef("number")).order_by("-number")
        queryset: QuerySet[AgentVersion] = super().get_queryset(request)
        return queryset.annotate(previous_spec=Subquery(before.values("spec")[:1]))

    @admin.display(description=_("What changed"))
    def what_changed(self, version: AgentVersion) -> str:
        found = changes(getattr(version, "previous_spec", None), version.spec)
        return "; ".join(str(change) for change in found) or str(_("First version"))


@admin.register(Agent)
class AgentAdmin(ModelAdmin):
    form = AgentForm
    inlines = (VersionInline,)
    list_display = ("name", "language", "mode", "speaks_with", "thinks_with", "listens_with", "active", "version")
    list_filter = ("active", "mode", "language")
    list_select_related = ("owner",)
    search_fields = ("name",)
    readonly_fields = ("owner", "created_at", "updated_at")
    warn_unsaved_form = True
    fieldsets = (
        (
            _("Who it is"),
            {
                "description": _("What callers meet. Calls in progress keep the version they started with; new calls get the latest."),
                "fields": ("name", "active", "mode", "language", "prompt", "first_message"),
            },
        ),
        (
            _("How it speaks"),
            {
                "description": _("The voice that says the agent's words."),
                "fields": (("voice_provider", "voice_model"), ("voice_id", "voice_speed")),
            },
        ),
        (
            _("How it thinks"),
            {
                "description": _("The language model that decides what to say. Smaller models answer sooner."),
                "fields": (("llm_provider", "llm_model"), ("llm_temperature", "llm_max_tokens")),
            },
        ),
        (
            _("How it listens"),
            {
                "description": _("A shorter pause makes the agent quicker, and likelier to cut slow talkers short."),
                "fields": (("stt_provider", "stt_model"), "stt_endpointing_ms"),
            },
        ),
        *manner_fields.FIELDSETS,
        (
            _("Keys, names and failures"),
            {
                "description": _("What it says to machines, how it says names, and who takes over when a provider fails."),
                "fields": ("collects_digits", "voicemail_message", "pronunciations", "fallbacks"),
                "classes": ("collapse",),
            },
        ),
        (
            _("When it ends"),
            {
                "description": _("Limits that end a call politely, and what is kept of it."),
                "fields": (("max_duration_s", "silence_timeout_s"), ("record_calls", "recording_retention_days")),
            },
        ),
        (
            _("What is read out of its calls"),
            {
                "description": _("After the call the language model reads the transcript. Its answer is checked against your schema."),
                "fields": ("analyse_calls", "extraction_schema"),
                "classes": ("collapse",),
            },
        ),
        (_("Record"), {"fields": ("owner", ("created_at", "updated_at")), "classes": ("collapse",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        latest = AgentVersion.objects.filter(agent=OuterRef("pk")).order_by("-number").values("number")[:1]
        return visible_agents(request.user).annotate(latest_version=Subquery(latest)).order_by("name", "id")

    def get_list_display(self, request: HttpRequest) -> list[Any] | tuple[Any, ...]:
        shown = super().get_list_display(request)
        return (*shown, "owner") if sees_everything(request.user) else shown

    def get_form(self, request: HttpRequest, obj: Agent | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if obj is None:
            # A new agent belongs to whoever fills in the form, and its name is judged as theirs.
            owner_id = request.user.pk

            class OwnForm(form):  # type: ignore[misc, valid-type]  # Django makes the class at run time
                def __init__(self, *args: Any, **kwargs: Any) -> None:
                    super().__init__(*args, **kwargs)
                    self.instance.owner_id = owner_id

            return OwnForm
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.save(publication=Publication(by=request.user))
        for warning in warnings(obj):
            messages.warning(request, warning)

    @admin.display(description=_("Speaks with"), ordering="voice_model")
    def speaks_with(self, agent: Agent) -> str:
        return agent.voice_model

    @admin.display(description=_("Thinks with"), ordering="llm_model")
    def thinks_with(self, agent: Agent) -> str:
        return agent.llm_model

    @admin.display(description=_("Listens with"), ordering="stt_model")
    def listens_with(self, agent: Agent) -> str:
        return agent.stt_model

    @admin.display(description=_("Version"), ordering="latest_version")
    def version(self, agent: Agent) -> str:
        return f"v{getattr(agent, 'latest_version', None) or agent.current_version.number}"
