"""Agents as the API shows and takes them. What is a good agent is decided by the model and `agents.validation`, not here."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as ModelInvalid
from django.http import QueryDict
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents import manners
from agents.api_fields import mistyped, refuse_empty
from agents.manner_fields import api_field
from agents.models import Agent, AgentVersion, Publication
from agents.validation import name_problem, warnings
from agents.versions import changes
from agents.visibility import visible_agents

NESTED = ("voice", "llm", "stt")


class StrictMixin:
    """Refuses fields that do not exist: a misspelt one would otherwise change nothing, silently. JSON of another type too."""

    def to_internal_value(self, data: Any) -> Any:
        fields: Mapping[str, Any] = self.fields  # type: ignore[attr-defined]  # the serializer mixed in has it
        if isinstance(data, Mapping) and (unknown := [name for name in data if name not in fields]):
            known = ", ".join(name for name, field in fields.items() if not field.read_only)
            message = _("There is no such field. The fields are: %(known)s.") % {"known": known}
            raise serializers.ValidationError({name: [message] for name in unknown})
        if isinstance(data, QueryDict):
            refuse_empty(data)
        elif isinstance(data, Mapping):
            wrong = {name: [words] for name in data if not fields[name].read_only and (words := mistyped(fields[name], data[name]))}
            if wrong:
                raise serializers.ValidationError(wrong)
        return super().to_internal_value(data)  # type: ignore[misc]  # as above


class JudgedByModel(StrictMixin):
    """Judged by the model, with its own words, before anything is changed."""

    def judged(self, attrs: dict[str, Any], **more: Any) -> Any:
        """The row as it would be, unsaved. `more` is what whoever asks cannot say. Raises `ValidationError`."""
        instance: Any = self.instance  # type: ignore[attr-defined]  # the serializer mixed in has it
        candidate: Any = self.Meta.model()  # type: ignore[attr-defined]  # as above
        if instance is not None:
            for field in candidate._meta.concrete_fields:
                setattr(candidate, field.attname, getattr(instance, field.attname))
            candidate._state.adding = False
        for name, value in {**attrs, **more}.items():
            setattr(candidate, name, value)
        try:
            candidate.full_clean(validate_constraints=False, validate_unique=False)
        except ModelInvalid as error:
            raise serializers.ValidationError(error.message_dict) from error
        return candidate


class OwnAgentField(serializers.PrimaryKeyRelatedField[Agent]):
    """One of the agents that whoever asks may see; another's does not exist for them."""

    default_error_messages = {"does_not_exist": _("There is no agent {pk_value}. Use the id of one of your agents.")}

    def get_queryset(self) -> Any:
        return visible_agents(self.context["request"].user).select_related("owner")


class VoiceSerializer(StrictMixin, serializers.Serializer[Agent]):
    provider = serializers.CharField(source="voice_provider", max_length=32, required=False, help_text="elevenlabs or openai")
    voice_id = serializers.CharField(max_length=64, required=False, help_text="The provider's id or name of the voice.")
    model = serializers.CharField(source="voice_model", max_length=64, required=False)
    speed = serializers.FloatField(source="voice_speed", required=False, help_text="1.0 is the voice's own pace.")


class LanguageModelSerializer(StrictMixin, serializers.Serializer[Agent]):
    provider = serializers.CharField(source="llm_provider", max_length=32, required=False, help_text="openai")
    model = serializers.CharField(source="llm_model", max_length=64, required=False)
    temperature = serializers.FloatField(source="llm_temperature", required=False, help_text="0 to 2; 0 is a value of its own.")
    max_tokens = serializers.IntegerField(source="llm_max_tokens", required=False, help_text="The longest reply, 16 to 8192 tokens.")


class SpeechToTextSerializer(StrictMixin, serializers.Serializer[Agent]):
    provider = serializers.CharField(source="stt_provider", max_length=32, required=False, help_text="deepgram")
    model = serializers.CharField(source="stt_model", max_length=64, required=False)
    endpointing_ms = serializers.IntegerField(
        source="stt_endpointing_ms", required=False, help_text="How long a pause ends the caller's turn, 10 to 5000 ms."
    )


class MannersSerializer(StrictMixin, serializers.Serializer[Any]):
    """Every manner with the value that counts; what is sent changes, what is left out stays."""

    def get_fields(self) -> dict[str, Any]:
        return {manner.name: api_field(manner) for manner in manners.MANNERS}

    def to_representation(self, instance: Mapping[str, Any]) -> dict[str, Any]:
        return {manner.name: instance.get(manner.name, manner.default) for manner in manners.MANNERS}


class StandInSerializer(StrictMixin, serializers.Serializer[Any]):
    provider = serializers.CharField(max_length=32)
    model = serializers.CharField(max_length=64)


class VoiceStandInSerializer(StandInSerializer):
    voice_id = serializers.CharField(max_length=64)


class FallbacksSerializer(StrictMixin, serializers.Serializer[Any]):
    """Who takes over when a provider fails, in the order in which they are tried."""

    stt = StandInSerializer(many=True, required=False)
    llm = StandInSerializer(many=True, required=False)
    tts = VoiceStandInSerializer(many=True, required=False)

    def to_representation(self, instance: Mapping[str, Any]) -> dict[str, Any]:
        return {kind: list(instance.get(kind, ())) for kind in ("stt", "llm", "tts")}


class PronunciationSerializer(StrictMixin, serializers.Serializer[Any]):
    written = serializers.CharField(max_length=80)
    spoken = serializers.CharField(max_length=80)


class AgentSerializer(StrictMixin, serializers.ModelSerializer[Agent]):
    owner = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)
    voice = VoiceSerializer(source="*", required=False)
    llm = LanguageModelSerializer(source="*", required=False)
    stt = SpeechToTextSerializer(source="*", required=False)
    manners = MannersSerializer(required=False)
    fallbacks = FallbacksSerializer(required=False)
    pronunciations = PronunciationSerializer(many=True, required=False)
    reason = serializers.CharField(max_length=300, write_only=True, required=False, allow_blank=True, help_text="Why you publish this.")
    version = serializers.SerializerMethodField(help_text="The version that new calls run on.")
    warnings = serializers.SerializerMethodField(help_text="What works today and will not for long.")

    class Meta:
        model = Agent
        fields = (
            "id", "owner", "name", "prompt", "first_message", "language", "mode", "voice", "llm", "stt", "max_duration_s",
            "silence_timeout_s", "record_calls", "recording_retention_days", "analyse_calls", "extraction_schema", "voicemail_message",
            "manners", "fallbacks", "pronunciations", "collects_digits", "active", "reason", "version", "warnings",
            "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = ("created_at", "updated_at")

    def build_standard_field(self, field_name: str, model_field: Any) -> tuple[Any, dict[str, Any]]:
        """The model judges ranges and choices with its own words: a second, terser judge in front would hide them."""
        made, kwargs = super().build_standard_field(field_name, model_field)
        kwargs.pop("min_value", None)
        kwargs.pop("max_value", None)
        if choices := kwargs.get("choices"):
            known = ", ".join(str(value) for value, _label in choices)
            kwargs["error_messages"] = {
                "invalid_choice": _("“{input}” is not one of the choices. Use one of: %(known)s.") % {"known": known}
            }
        return made, kwargs

    @extend_schema_field(serializers.IntegerField())
    def get_version(self, agent: Agent) -> int:
        latest = getattr(agent, "latest_version", None)
        return latest if latest is not None else agent.current_version.number

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_warnings(self, agent: Agent) -> list[str]:
        return warnings(agent)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Judges the agent as it would be. The instance itself is not touched before everything is right."""
        if "manners" in attrs:
            attrs["manners"] = {**(self.instance.manners if self.instance is not None else {}), **attrs["manners"]}
        candidate = Agent(owner=self.context["request"].user)
        if self.instance is not None:
            for field in Agent._meta.concrete_fields:
                setattr(candidate, field.attname, getattr(self.instance, field.attname))
            candidate._state.adding = False
        for name, value in attrs.items():
            if name != "reason":
                setattr(candidate, name, value)
        try:
            candidate.full_clean(validate_constraints=False)
        except ModelInvalid as error:
            raise serializers.ValidationError(nested(error.message_dict)) from error
        if taken := name_problem(candidate):
            raise serializers.ValidationError({"name": [taken]})
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Agent:
        publication = self._publication(validated_data)
        agent = Agent(**validated_data)
        agent.save(force_insert=True, publication=publication)
        return agent

    def update(self, instance: Agent, validated_data: dict[str, Any]) -> Agent:
        publication = self._publication(validated_data)
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save(publication=publication)
        return instance

    def _publication(self, validated_data: dict[str, Any]) -> Publication:
        return Publication(by=self.context["request"].user, reason=validated_data.pop("reason", ""))


def nested(messages: Mapping[str, list[str]]) -> dict[str, Any]:
    """Messages by model field as messages by API field: `llm_temperature` is `llm.temperature` there."""
    found: dict[str, Any] = {}
    for field, texts in messages.items():
        prefix, _underscore, rest = field.partition("_")
        if prefix in NESTED and rest:
            found.setdefault(prefix, {})["voice_id" if field == "voice_id" else rest] = texts
        else:
            found["non_field_errors" if field == NON_FIELD_ERRORS else field] = texts
    return found


class ChangeSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="Dotted, as in llm.temperature.")
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)


class AgentVersionSerializer(serializers.ModelSerializer[AgentVersion]):
    published_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True, allow_null=True)
    spec = serializers.JSONField(read_only=True, help_text="The agent as it was: everything that a call on this version used.")
    changes = serializers.SerializerMethodField(help_text="What differs from the version before; empty for the first.")

    class Meta:
        model = AgentVersion
        fields = ("number", "published_at", "published_by", "reason", "restores", "spec", "changes")

    @extend_schema_field(ChangeSerializer(many=True))
    def get_changes(self, version: AgentVersion) -> list[dict[str, Any]]:
        found = changes(getattr(version, "previous_spec", None), version.spec)
        return [{"field": change.field, "old": change.old, "new": change.new} for change in found]


class RestoreSerializer(StrictMixin, serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=300, required=False, allow_blank=True, help_text="Why; kept with the version.")


class RestoredSerializer(serializers.Serializer[Any]):
    version = AgentVersionSerializer()
    is_new = serializers.BooleanField(help_text="False if that version was live already.")
    warnings = serializers.ListField(child=serializers.CharField(), help_text="What could not come back as it was.")
