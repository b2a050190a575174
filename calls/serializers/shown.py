"""What the API shows of a call: one line of a list, or everything. Reads what `calls.queries` has loaded."""

from decimal import Decimal
from statistics import median
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from calls import queries, wording
from calls.amounts import plain
from calls.endings import Confirmation, EndedBy
from calls.models import Analysis, CallEvent, Job, Recording, RecordingDeletion, Session, ToolRun, Transfer, Turn
from calls.serializers.money import ChargesSerializer, charges_shown
from calls.serializers.numbers import HELP, sides, without_callers
from calls.status import CallStatus, Direction


class CallSerializer(serializers.Serializer[Any]):
    """One call on one line. Needs `call_log`, `agent`, `agent_version` loaded, `turns` and `charges` prefetched."""

    session_id = serializers.CharField(read_only=True)
    agent = serializers.IntegerField(source="agent_id", read_only=True)
    agent_name = serializers.CharField(source="agent.name", read_only=True)
    agent_version = serializers.IntegerField(source="agent_version.number", read_only=True)
    direction = serializers.ChoiceField(source="call_log.direction", choices=[(d.value, d.value) for d in Direction], read_only=True)
    status = serializers.ChoiceField(source="call_log.status", choices=[(s.value, s.value) for s in CallStatus], read_only=True)
    to = serializers.SerializerMethodField(method_name="get_to_phone", help_text=HELP)
    created_at = serializers.DateTimeField(read_only=True)
    started_at = serializers.DateTimeField(source="call_log.started_at", read_only=True, allow_null=True)
    answered_at = serializers.DateTimeField(source="call_log.answered_at", read_only=True, allow_null=True)
    ended_at = serializers.DateTimeField(source="call_log.ended_at", read_only=True, allow_null=True)
    duration_s = serializers.IntegerField(source="call_log.duration_s", read_only=True, allow_null=True, help_text="The carrier's figure.")
    end_reason = serializers.CharField(read_only=True, help_text="Who or what ended the conversation; empty while nobody did.")
    ended_by = serializers.ChoiceField(
        source="call_log.ended_by",
        choices=[(e.value, e.value) for e in EndedBy],
        allow_blank=True,
        read_only=True,
        help_text="Who ended the call; empty while it runs.",
    )
    end_words = serializers.SerializerMethodField(help_text="The same, and why, in words.")
    carrier_cause = serializers.CharField(source="call_log.carrier_cause", read_only=True, help_text="The carrier's own word for the end.")
    carrier_cause_words = serializers.SerializerMethodField(help_text="The same in plain words.")
    confirmation = serializers.ChoiceField(
        source="call_log.confirmation",
        choices=[(c.value, c.value) for c in Confirmation],
        allow_blank=True,
        read_only=True,
        help_text="Whether the carrier has said that the leg is down; empty while the call runs.",
    )
    failure = serializers.CharField(source="call_log.failure", read_only=True, help_text="Why the call was given up, in words.")
    hangup_requested_at = serializers.DateTimeField(read_only=True, allow_null=True)
    settled_at = serializers.DateTimeField(
        source="call_log.settled_at", read_only=True, allow_null=True, help_text="Recording, transcript and costs are complete."
    )
    median_latency_ms = serializers.SerializerMethodField(help_text="The caller's last word to the agent's first audio, over the turns.")
    totals = serializers.SerializerMethodField(help_text="What the call cost so far, by currency.")
    unpriced = serializers.SerializerMethodField(help_text="Cost lines whose price nobody knows: they come on top.")

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "from": serializers.SerializerMethodField(method_name="get_from_phone", help_text=HELP)}

    @extend_schema_field(OpenApiTypes.STR)
    def get_from_phone(self, session: Session) -> str:
        return sides(session, self.context)[0]

    @extend_schema_field(OpenApiTypes.STR)
    def get_to_phone(self, session: Session) -> str:
        return sides(session, self.context)[1]

    @extend_schema_field(OpenApiTypes.STR)
    def get_end_words(self, session: Session) -> str:
        log = session.call_log
        return wording.ended_words(log.ended_by, session.end_reason) if log.ended_by else ""

    @extend_schema_field(OpenApiTypes.STR)
    def get_carrier_cause_words(self, session: Session) -> str:
        return wording.cause_words(session.call_log.carrier_cause)

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_median_latency_ms(self, session: Session) -> int | None:
        known = [turn.latency_ms for turn in session.turns.all() if turn.latency_ms is not None]
        return round(median(known)) if known else None

    @extend_schema_field(serializers.DictField(child=serializers.DecimalField(max_digits=18, decimal_places=9)))
    def get_totals(self, session: Session) -> dict[str, str]:
        totals: dict[str, Decimal] = {}
        for charge in session.charges.all():
            if charge.amount is not None:
                totals[charge.currency] = totals.get(charge.currency, Decimal(0)) + charge.amount
        return {currency: plain(amount) for currency, amount in sorted(totals.items())}

    @extend_schema_field(OpenApiTypes.INT)
    def get_unpriced(self, session: Session) -> int:
        return sum(charge.amount is None for charge in session.charges.all())


@extend_schema_serializer(many=False)
class CallPageSerializer(serializers.Serializer[Any]):
    results = CallSerializer(many=True)
    next = serializers.URLField(allow_null=True, help_text="The next page, or null on the last.")


class LatencySerializer(serializers.Serializer[Turn]):
    """From the caller's last word to the agent's first audio, in ms. The parts overlap: they do not add up to the total."""

    total_ms = serializers.IntegerField(source="latency_ms", read_only=True)
    endpointing_ms = serializers.IntegerField(read_only=True, allow_null=True)
    llm_ms = serializers.IntegerField(read_only=True, allow_null=True)
    tts_ms = serializers.IntegerField(read_only=True, allow_null=True)


class TurnSerializer(serializers.ModelSerializer[Turn]):
    latency = serializers.SerializerMethodField()

    class Meta:
        model = Turn
        fields = (
            "number", "speaker", "text", "generated_text", "interrupted", "started_ms", "ended_ms", "latency", "silence_after_ms",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(LatencySerializer(allow_null=True))
    def get_latency(self, turn: Turn) -> dict[str, Any] | None:
        return None if turn.latency_ms is None else dict(LatencySerializer(turn).data)


class DeletionSerializer(serializers.ModelSerializer[RecordingDeletion]):
    """The proof that a recording was deleted."""

    class Meta:
        model = RecordingDeletion
        fields = ("deleted_at", "reason", "bucket", "key", "sha256", "versions", "found_after", "carrier")
        read_only_fields = fields


class AnalysisSerializer(serializers.ModelSerializer[Analysis]):
    """What a language model made of the call. `extraction` is by the agent's own schema; `evidence` names turns."""

    class Meta:
        model = Analysis
        fields = ("summary", "outcome", "sentiment", "extraction", "evidence", "provider", "model", "request_id", "created_at")
        read_only_fields = fields


class RecordingSerializer(serializers.ModelSerializer[Recording]):
    deletions = DeletionSerializer(source="session.recording_deletions", many=True, read_only=True)
    url = serializers.SerializerMethodField(help_text="Plays the recording for a limited time; null until it is stored.")

    class Meta:
        model = Recording
        fields = (
            "state",
            "url",
            "bucket",
            "key",
            "content_type",
            "size_bytes",
            "sha256",
            "duration_ms",
            "channels",
            "transcript",
            "transcript_text",
            "alignment",
            "deletions",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_url(self, recording: Recording) -> str | None:
        return queries.recording_link(recording.session)


class CallEventSerializer(serializers.ModelSerializer[CallEvent]):
    facts = serializers.SerializerMethodField(help_text="What is told; of a recording only that there is one, its address is private.")

    class Meta:
        model = CallEvent
        fields = ("source", "kind", "facts", "carrier_time", "created_at")
        read_only_fields = fields

    @extend_schema_field(serializers.DictField())
    def get_facts(self, event: CallEvent) -> dict[str, Any]:
        call = event.facts.get("call")
        if not isinstance(call, dict) or "recording_url" not in call:
            return dict(event.facts)
        return {**event.facts, "call": {**call, "recording_url": True}}


class JobSerializer(serializers.ModelSerializer[Job]):
    class Meta:
        model = Job
        fields = ("kind", "state", "attempts", "run_at", "last_error", "finished_at")
        read_only_fields = fields


class ToolRunSerializer(serializers.ModelSerializer[ToolRun]):
    """What the agent asked of the world. Secret digits are names here."""

    class Meta:
        model = ToolRun
        fields = ("tool", "arguments", "state", "tries", "result", "started_at", "ended_at")
        read_only_fields = fields

    def to_representation(self, instance: ToolRun) -> dict[str, Any]:
        told = super().to_representation(instance)
        return {**told, **{name: without_callers(told[name], instance.session, self.context) for name in ("arguments", "result")}}


class TransferSerializer(serializers.ModelSerializer[Transfer]):
    class Meta:
        model = Transfer
        fields = ("destination_id", "name", "numbers", "decided_at", "asked_at", "outcome", "outcome_at")
        read_only_fields = fields


class CallDetailSerializer(CallSerializer):
    """One call with everything that is known of it. Takes what `queries.call_page` loads."""

    call_sid = serializers.CharField(source="call_log.call_sid", read_only=True, allow_null=True, help_text="The carrier's id.")
    turns = TurnSerializer(many=True, read_only=True)
    recording = serializers.SerializerMethodField()
    charges = serializers.SerializerMethodField()
    customer = serializers.SerializerMethodField(help_text="What was known about the human.")
    tools = ToolRunSerializer(source="tool_runs", many=True, read_only=True)
    transfer = serializers.SerializerMethodField(help_text="Whom the caller was handed over to, if anybody.")
    analysis = serializers.SerializerMethodField(help_text="Null until it was made, and where the agent does without.")
    events = CallEventSerializer(many=True, read_only=True)
    jobs = JobSerializer(many=True, read_only=True)

    @extend_schema_field(RecordingSerializer(allow_null=True))
    def get_recording(self, session: Session) -> dict[str, Any] | None:
        recording: Recording | None = getattr(session, "recording", None)
        return None if recording is None else dict(RecordingSerializer(recording).data)

    @extend_schema_field(TransferSerializer(allow_null=True))
    def get_transfer(self, session: Session) -> dict[str, Any] | None:
        transfer: Transfer | None = getattr(session, "transfer", None)
        return None if transfer is None else dict(TransferSerializer(transfer).data)

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_customer(self, session: Session) -> dict[str, Any]:
        return dict(without_callers(session.customer, session, self.context))

    @extend_schema_field(AnalysisSerializer(allow_null=True))
    def get_analysis(self, session: Session) -> dict[str, Any] | None:
        analysis: Analysis | None = getattr(session, "analysis", None)
        return None if analysis is None else dict(AnalysisSerializer(analysis).data)

    @extend_schema_field(ChargesSerializer)
    def get_charges(self, session: Session) -> dict[str, Any]:
        return charges_shown(session)


class HangupSerializer(serializers.Serializer[Any]):
    session_id = serializers.CharField()
    status = serializers.ChoiceField(choices=[(s.value, s.value) for s in CallStatus])
    detail = serializers.CharField(help_text="What happens now, in words.")
