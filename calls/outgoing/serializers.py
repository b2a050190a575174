"""Endpoints, messages and tries as the API shows and takes them. A secret is shown once, when it is made."""

from typing import Any

from django.core.exceptions import ValidationError as ModelInvalid
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.serializers import StrictMixin
from calls.models import OutgoingDelivery, WebhookAttempt, WebhookEndpoint, WebhookMessage
from calls.outgoing.rules import ENDPOINT_EVENTS, EventType
from calls.serializers.numbers import without_callers


class EndpointSerializer(StrictMixin, serializers.ModelSerializer[WebhookEndpoint]):
    """Judged by the model, with its own words."""

    events = serializers.ListField(
        child=serializers.CharField(), required=False, help_text=f"Some of {', '.join(ENDPOINT_EVENTS)}; left out: all of them."
    )
    signs_with_two_secrets_until = serializers.SerializerMethodField()

    class Meta:
        model = WebhookEndpoint
        fields = (
            "id", "url", "description", "events", "active", "note", "failures", "failing_since", "rest_until",
            "signs_with_two_secrets_until", "created_at",
        )  # fmt: skip
        read_only_fields = ("note", "failures", "failing_since", "rest_until", "created_at")

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_signs_with_two_secrets_until(self, endpoint: WebhookEndpoint) -> Any:
        return endpoint.previous_until

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        known = self.instance
        candidate = WebhookEndpoint(
            url=attrs.get("url", known.url if known else ""),
            **({"events": attrs["events"]} if "events" in attrs else {}),
        )
        try:
            candidate.clean()
        except ModelInvalid as error:
            raise serializers.ValidationError(error.message_dict) from error
        if attrs.get("active") is False:
            attrs["note"] = ""  # off on purpose: no alarm any more
        return {**attrs, "events": candidate.events} if "events" in attrs else attrs


class NewEndpointSerializer(EndpointSerializer):
    """An endpoint with its secret, as the answer to its creation or its rotation and never again."""

    secret = serializers.CharField(read_only=True, help_text="Keep it now: it is not shown again.")

    class Meta(EndpointSerializer.Meta):
        fields = (*EndpointSerializer.Meta.fields, "secret")  # type: ignore[assignment]  # one more than the others show


class AttemptSerializer(serializers.ModelSerializer[WebhookAttempt]):
    message_id = serializers.CharField(source="delivery.message.message_id", read_only=True)
    type = serializers.CharField(source="delivery.message.type", read_only=True)

    class Meta:
        model = WebhookAttempt
        fields = ("message_id", "type", "number", "at", "status", "ms", "error", "next_try_at")
        read_only_fields = fields


class DeliverySerializer(serializers.ModelSerializer[OutgoingDelivery]):
    class Meta:
        model = OutgoingDelivery
        fields = ("endpoint", "state", "attempts", "run_at", "last_error", "finished_at")
        read_only_fields = fields


class MessageSerializer(serializers.ModelSerializer[WebhookMessage]):
    session_id = serializers.CharField(source="session.session_id", read_only=True, allow_null=True, default=None)
    deliveries = DeliverySerializer(many=True, read_only=True)

    class Meta:
        model = WebhookMessage
        fields = ("message_id", "type", "session_id", "created_at", "deliveries")
        read_only_fields = fields


class MessageDetailSerializer(MessageSerializer):
    """A message with what it says and every try to say it."""

    body = serializers.SerializerMethodField(
        help_text="The very bytes that are signed and sent; to those who may not see callers' numbers, with these masked."
    )
    attempts = serializers.SerializerMethodField()

    class Meta(MessageSerializer.Meta):
        fields = (*MessageSerializer.Meta.fields, "body", "attempts")  # type: ignore[assignment]  # two more than the list shows

    def get_body(self, message: WebhookMessage) -> str:
        return str(message.body if message.session is None else without_callers(message.body, message.session, self.context))

    @extend_schema_field(AttemptSerializer(many=True))
    def get_attempts(self, message: WebhookMessage) -> list[Any]:
        tries = WebhookAttempt.objects.filter(delivery__message=message).select_related("delivery__message")
        return list(AttemptSerializer(tries.order_by("-id")[:100], many=True).data)


class MessageQuerySerializer(StrictMixin, serializers.Serializer[Any]):
    session_id = serializers.CharField(max_length=40, required=False, help_text="Messages of one call.")
    type = serializers.ChoiceField(choices=[(event.value, event.value) for event in EventType], required=False)
    state = serializers.ChoiceField(choices=OutgoingDelivery.State.choices, required=False, help_text="With a delivery in this state.")
    limit = serializers.IntegerField(min_value=1, max_value=200, required=False, help_text="Messages on a page; 50 if left out.")
    cursor = serializers.CharField(required=False)


class RangeSerializer(StrictMixin, serializers.Serializer[Any]):
    """Which messages to send again."""

    since = serializers.DateTimeField(help_text="Messages made from then on.")
    until = serializers.DateTimeField(required=False, help_text="Messages made before then; left out: up to now.")
    delivered_too = serializers.BooleanField(default=False, help_text="Also what has arrived already, not only what has not.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "until" in attrs and attrs["until"] <= attrs["since"]:
            raise serializers.ValidationError({"until": [_("The end must come after the beginning.")]})
        return attrs


class ReplaySerializer(StrictMixin, serializers.Serializer[Any]):
    """To which endpoints: of one, or of every active one of the message's owner."""

    endpoint = serializers.IntegerField(min_value=1, required=False, help_text="Left out: every active endpoint that wants such messages.")


class ReplayedSerializer(serializers.Serializer[Any]):
    replayed = serializers.IntegerField(help_text="Deliveries that are on their way again.")


class TestSentSerializer(serializers.Serializer[Any]):
    message_id = serializers.CharField(help_text="Look at this message for what came of it.")
