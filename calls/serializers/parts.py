"""The parts of calls as flat lists show them, and what these lists are narrowed by."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from agents.serializers import StrictMixin
from calls.amounts import plain
from calls.models import Charge, Recording, Session, Turn
from calls.serializers.asked import MomentField
from calls.serializers.numbers import CallersField, without_callers
from calls.serializers.shown import RecordingSerializer, TurnSerializer
from calls.status import CallStatus


class Truth(serializers.BooleanField):
    """`true` or `false` in an address, and nothing else."""

    TRUE_VALUES = {"true"}
    FALSE_VALUES = {"false"}
    NULL_VALUES: set[Any] = set()
    default_empty_html = empty  # left out is left out, not false as on a form


class PartQuerySerializer(StrictMixin, serializers.Serializer[Any]):
    agent = serializers.IntegerField(min_value=1, max_value=2**63 - 1, required=False, help_text="An agent's id.")
    since = MomentField(required=False, help_text="Of calls from this date or time on.")
    until = MomentField(required=False, help_text="Of calls before this date or time.")
    limit = serializers.IntegerField(min_value=1, max_value=200, required=False, help_text="Rows on a page; 50 if left out.")
    cursor = serializers.CharField(required=False, help_text="Taken from `next` or `previous`.")


class SessionQuerySerializer(PartQuerySerializer):
    state = serializers.ChoiceField(choices=Session.State.choices, required=False)


class OfOneCall(PartQuerySerializer):
    session_id = serializers.CharField(max_length=40, required=False, help_text="Those of one call.")


class TurnQuerySerializer(OfOneCall):
    speaker = serializers.ChoiceField(choices=Turn.Speaker.choices, required=False)
    interrupted = Truth(required=False, help_text="Agent's turns that the caller cut off, or the others.")
    latency_least_ms = serializers.IntegerField(
        min_value=0, max_value=3_600_000, required=False, help_text="Turns that took as long or longer."
    )


class RecordingQuerySerializer(OfOneCall):
    state = serializers.ChoiceField(choices=Recording.State.choices, required=False)


class ChargeQuerySerializer(OfOneCall):
    kind = serializers.CharField(max_length=16, required=False, help_text="What was used: stt, llm, tts, telephony, …")
    provider = serializers.CharField(max_length=32, required=False)
    model = serializers.CharField(max_length=64, required=False)
    currency = serializers.CharField(min_length=3, max_length=3, required=False)
    unpriced = Truth(required=False, help_text="Those whose price nobody knows, or the others.")


class SessionSerializer(serializers.ModelSerializer[Session]):
    """A conversation: which agent's version talked, from when to when, and why it ended. What the carrier says of it stands in the call."""

    agent = serializers.IntegerField(source="agent_id", read_only=True)
    agent_version = serializers.IntegerField(source="agent_version.number", read_only=True)
    status = serializers.ChoiceField(
        source="call_log.status", choices=[(s.value, s.value) for s in CallStatus], read_only=True, help_text="The call's."
    )
    user_phone = CallersField()
    customer = serializers.SerializerMethodField(help_text="What was known about the human.")

    class Meta:
        model = Session
        fields = (
            "session_id", "agent", "agent_version", "user_phone", "agent_phone", "state", "status", "started_at", "ended_at",
            "end_reason", "hangup_requested_at", "customer", "created_at",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_customer(self, session: Session) -> dict[str, Any]:
        return dict(without_callers(session.customer, session, self.context))


class TurnOfCallSerializer(TurnSerializer):
    """A turn with the call it is of."""

    session_id = serializers.CharField(source="session.session_id", read_only=True)

    class Meta(TurnSerializer.Meta):
        fields = ("id", "session_id", *TurnSerializer.Meta.fields, "created_at")  # type: ignore[assignment]  # three more
        read_only_fields = fields  # type: ignore[assignment]  # as above


class RecordingLineSerializer(serializers.ModelSerializer[Recording]):
    """A recording on one line: what is stored, without words and link."""

    session_id = serializers.CharField(source="session.session_id", read_only=True)

    class Meta:
        model = Recording
        fields = ("session_id", "state", "content_type", "size_bytes", "sha256", "duration_ms", "channels", "created_at")
        read_only_fields = fields


class RecordingOfCallSerializer(RecordingSerializer):
    """A recording with its transcript, and a link that plays it."""

    session_id = serializers.CharField(source="session.session_id", read_only=True)

    class Meta(RecordingSerializer.Meta):
        fields = ("session_id", *RecordingSerializer.Meta.fields)  # type: ignore[assignment]  # one more
        read_only_fields = fields  # type: ignore[assignment]  # as above


class ChargeSerializer(serializers.ModelSerializer[Charge]):
    """What one use costs, with its frozen price. `amount` is null if no price is known: unpriced is not free."""

    session_id = serializers.CharField(source="session.session_id", read_only=True)
    kind = serializers.CharField(source="usage_line.kind", read_only=True)
    provider = serializers.CharField(source="usage_line.provider", read_only=True)
    model = serializers.CharField(source="usage_line.model", read_only=True)
    unit = serializers.CharField(source="usage_line.unit", read_only=True)
    quantity = serializers.IntegerField(source="usage_line.quantity", read_only=True)
    purpose = serializers.CharField(
        source="usage_line.purpose", read_only=True, help_text="Empty for what the caller heard; speculative or interrupted otherwise."
    )
    is_tax = serializers.SerializerMethodField(help_text="A tax on the carrier's price.")
    amount = serializers.SerializerMethodField()
    unit_price = serializers.SerializerMethodField()
    exchange_rate = serializers.SerializerMethodField(help_text="How much of `rate_currency` one of `currency` was; null: no rate.")

    class Meta:
        model = Charge
        fields = (
            "id", "session_id", "kind", "provider", "model", "unit", "quantity", "purpose", "is_tax", "amount", "currency", "unit_price",
            "price_per", "pulse", "price_source", "price_list", "exchange_rate", "rate_currency", "created_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_is_tax(self, charge: Charge) -> bool:
        return charge.part == Charge.Part.TAX

    @extend_schema_field(serializers.DecimalField(max_digits=18, decimal_places=9, allow_null=True))
    def get_amount(self, charge: Charge) -> str | None:
        return None if charge.amount is None else plain(charge.amount)

    @extend_schema_field(serializers.DecimalField(max_digits=18, decimal_places=9, allow_null=True))
    def get_unit_price(self, charge: Charge) -> str | None:
        return None if charge.unit_price is None else plain(charge.unit_price)

    @extend_schema_field(serializers.DecimalField(max_digits=20, decimal_places=10, allow_null=True))
    def get_exchange_rate(self, charge: Charge) -> str | None:
        return None if charge.exchange_rate is None else plain(charge.exchange_rate)
