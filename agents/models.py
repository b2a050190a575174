"""Agents as operators edit them, and the immutable versions that calls run on."""

from dataclasses import dataclass
from typing import Any

import pgtrigger
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from agents import gates, manners, wishes
from agents.spec import AgentSpec, LanguageModelSpec, Mode, SpeechToTextSpec, VoiceSpec

LANGUAGES = [
    ("en-IN", _("English (India)")),
    ("en-US", _("English (US)")),
    ("en-GB", _("English (UK)")),
    ("hi", _("Hindi")),
    ("multi", _("Hindi and English mixed")),
]


def between(low: float, high: float) -> list[MinValueValidator | MaxValueValidator]:
    return [
        MinValueValidator(low, _("Use a value of %(limit_value)s or more.")),
        MaxValueValidator(high, _("Use a value of %(limit_value)s or less.")),
    ]


@dataclass(frozen=True, slots=True)
class Publication:
    """Who publishes a version, why, and which earlier one comes back with it, if one does."""

    by: Any = None
    reason: str = ""
    restores: int | None = None


class Agent(models.Model):
    """An AI phone agent. Every save that changes what callers meet publishes a new `AgentVersion`."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="agents")
    name = models.CharField(max_length=120)
    prompt = models.TextField(
        blank=True, help_text=_("Who the agent is, what it knows and what it must do. The model reads this before every reply.")
    )
    first_message = models.TextField(
        blank=True, help_text=_("Spoken as soon as the call is answered. Empty: the agent waits for the caller.")
    )
    language = models.CharField(max_length=16, choices=LANGUAGES, default="en-IN")
    mode = models.CharField(
        max_length=16,
        choices=[(Mode.LIVE, _("Live conversation")), (Mode.VOICEMAIL, _("Voicemail: say the first message, then record"))],
        default=Mode.LIVE,
    )
    voice_provider = models.CharField(max_length=32, default="elevenlabs")
    voice_id = models.CharField(max_length=64, default="21m00Tcm4TlvDq8ikWAM", help_text=_("The provider's id or name of the voice."))
    voice_model = models.CharField(max_length=64, default="eleven_flash_v2_5")
    voice_speed = models.FloatField(default=1.0, help_text=_("1.0 is the voice's own pace. ElevenLabs takes 0.7 to 1.2, OpenAI 0.25 to 4."))
    llm_provider = models.CharField(max_length=32, default="openai")
    llm_model = models.CharField(max_length=64, default="gpt-6-luna")
    llm_temperature = models.FloatField(default=0.7, validators=between(0, 2), help_text=_("0 repeats itself exactly, 2 is wild."))
    llm_max_tokens = models.PositiveIntegerField(default=500, validators=between(16, 8192), help_text=_("The longest reply, in tokens."))
    stt_provider = models.CharField(max_length=32, default="deepgram")
    stt_model = models.CharField(max_length=64, default="nova-3")
    stt_endpointing_ms = models.PositiveIntegerField(
        default=300, validators=between(10, 5000), help_text=_("How long a pause ends the caller's turn, in milliseconds.")
    )
    max_duration_s = models.PositiveIntegerField(
        default=600,
        validators=between(10, 3540),
        help_text=_("The call is ended politely after this. Exotel cuts every stream at 60 minutes."),
    )
    silence_timeout_s = models.PositiveIntegerField(
        default=10, validators=between(3, 120), help_text=_("After this much silence the agent asks; after as much again it hangs up.")
    )
    record_calls = models.BooleanField(default=True)
    recording_retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=between(1, 3650),
        help_text=_("Recordings are deleted after so many days, those already kept as well. Empty: they are kept for ever."),
    )
    analyse_calls = models.BooleanField(
        default=True, help_text=_("After each call the language model writes a summary, outcome and sentiment. It costs tokens.")
    )
    extraction_schema = models.JSONField(
        null=True,
        blank=True,
        help_text=_('What to read out of each call, as JSON Schema: {"type": "object", "properties": {"order_id": {"type": "string"}}}.'),
    )
    manners = models.JSONField(
        default=dict, blank=True, help_text=_("How it behaves on the line, where that differs from the defaults for Indian phone lines.")
    )
    voicemail_message = models.TextField(
        blank=True, max_length=2000, help_text=_("Left on an answering machine by an outbound call, if the manners say so.")
    )
    fallbacks = models.JSONField(
        default=dict, blank=True, help_text=_('Who takes over when a provider fails: {"llm": [{"provider": "openai", "model": "…"}]}.')
    )
    pronunciations = models.JSONField(
        default=list, blank=True, help_text=_('How to say words and names: [{"written": "Rao", "spoken": "Raav"}].')
    )
    collects_digits = models.BooleanField(
        default=False, help_text=_("It may ask callers to press keys, for example an order number or a PIN.")
    )
    active = models.BooleanField(default=True, help_text=_("An inactive agent answers no call and places none."))
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="agent_name_once_per_owner")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: object, publication: Publication | None = None, **kwargs: object) -> None:
        """Saves and, if what callers meet has changed, publishes the next version in the same transaction: by whom, and why."""
        self.manners = manners.stored(self.manners)
        with transaction.atomic():
            super().save(*args, **kwargs)  # type: ignore[arg-type]
            publish(self, publication)

    def spec(self) -> AgentSpec:
        """The agent as it stands in this instance, saved or not."""
        return AgentSpec(
            name=self.name,
            prompt=self.prompt,
            first_message=self.first_message,
            language=self.language,
            voice=VoiceSpec(self.voice_provider, self.voice_id, self.voice_model, self.voice_speed),
            llm=LanguageModelSpec(self.llm_provider, self.llm_model, self.llm_temperature, self.llm_max_tokens),
            stt=SpeechToTextSpec(self.stt_provider, self.stt_model, self.stt_endpointing_ms),
            mode=Mode(self.mode),
            max_duration_s=self.max_duration_s,
            silence_timeout_s=self.silence_timeout_s,
            record_calls=self.record_calls,
            recording_retention_days=self.recording_retention_days,
            analyse_calls=self.analyse_calls,
            extraction_schema=self.extraction_schema or None,
            voicemail_message=self.voicemail_message.strip(),
            manners=manners.stored(self.manners),
            fallbacks=wishes.fallbacks(self.fallbacks),
            pronunciations=wishes.pronunciations(self.pronunciations),
            destinations=tuple(row.spec() for row in self.destinations.filter(active=True)) if self.pk else (),
            tools=tuple(row.spec() for row in self.http_tools.filter(active=True)) if self.pk else (),
            collects_digits=self.collects_digits,
        )

    def clean(self) -> None:
        from agents.validation import problems

        if found := problems(self):
            raise ValidationError(found)

    @property
    def current_version(self) -> "AgentVersion":
        return self.versions.latest("number")


class AgentVersion(models.Model):
    """What an agent was from one publication to the next. Never changes: Postgres itself refuses an update."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    spec = models.JSONField()
    published_at = models.DateTimeField(auto_now_add=True)
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=300, blank=True, help_text=_("Why it was published."))
    restores = models.PositiveIntegerField(null=True, blank=True, help_text=_("The number of the earlier version that came back with it."))

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["agent", "number"], name="agent_version_number_once")]
        triggers = [pgtrigger.ReadOnly(name="agent_version_is_immutable")]

    def __str__(self) -> str:
        return f"{self.agent} v{self.number}"

    def as_spec(self) -> AgentSpec:
        return AgentSpec.from_json(self.spec)


def publish(agent: Agent, publication: Publication | None = None) -> AgentVersion:
    """The version that matches the saved agent: the latest one, or a new one. Two savers at once get two numbers, in order.

    Raises `ValidationError`, whichever door it came through, for a variable that no call could fill in (a caller would hear it read
    out), for an extraction schema that no answer could be checked against, and for what a gate holds back (`agents.gates`); what comes
    back from an earlier version, and the first one, pass every gate.
    """
    from agents import extraction
    from agents.validation import variable_problems

    found = dict(variable_problems(agent))
    if wrong := extraction.problem(agent.extraction_schema):
        found["extraction_schema"] = wrong
    if found:
        raise ValidationError(found)
    Agent.objects.select_for_update(no_key=True).get(pk=agent.pk)
    latest = agent.versions.order_by("-number").first()
    stored = AgentSpec.to_json(agent.spec())
    if latest is not None and latest.spec == stored:
        return latest
    told = publication or Publication()
    if latest is not None and told.restores is None and (kept_back := gates.objections(agent, stored)):
        raise ValidationError(kept_back)
    return AgentVersion.objects.create(
        agent=agent,
        number=latest.number + 1 if latest else 1,
        spec=stored,
        published_by=told.by,
        reason=told.reason.strip()[:300],
        restores=told.restores,
    )


# Django finds an application's models in this module.
from agents.draft_rows import AgentDraft  # noqa: E402
from agents.prepared_rows import PreparedSentence  # noqa: E402
from agents.tool_rows import Destination, HttpTool  # noqa: E402

__all__ = ["Agent", "AgentDraft", "AgentVersion", "Destination", "HttpTool", "PreparedSentence", "Publication", "publish"]
