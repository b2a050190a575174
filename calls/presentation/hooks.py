"""What of a call was told to the operator's own systems, for its page. Reads rows that are already loaded."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from calls.models import OutgoingDelivery, WebhookMessage

_State = OutgoingDelivery.State
_WORDS = {
    _State.QUEUED: ("Waits for its next try", "wait"),
    _State.SENDING: ("Being sent", "wait"),
    _State.DELIVERED: ("Delivered", "good"),
    _State.DEAD: ("Given up", "bad"),
}


@dataclass(frozen=True, slots=True)
class HookLine:
    """One message to one endpoint. `endpoint_pk` is None if it never was for any; `can_replay`: it may be sent again now."""

    type: str
    message_id: str
    endpoint: str
    endpoint_pk: int | None
    state: str
    tone: str
    tries: str
    problem: str
    can_replay: bool


def hook_lines(told: Iterable[WebhookMessage], *, may_replay: bool) -> list[HookLine]:
    lines = []
    for message in told:
        deliveries = list(message.deliveries.all())
        lines += [_line(message, delivery, may_replay) for delivery in deliveries]
        if not deliveries:
            problem = "Every endpoint that wants it was switched off at that moment."
            lines.append(HookLine(message.type, message.message_id, "", None, "Not sent", "warn", "", problem, may_replay))
    return lines


def _line(message: WebhookMessage, delivery: OutgoingDelivery, may_replay: bool) -> HookLine:
    state = _State(delivery.state)
    words, tone = _WORDS[state]
    next_at = f", next at {timezone.localtime(delivery.run_at):%H:%M:%S}" if state is _State.QUEUED and delivery.attempts else ""
    return HookLine(
        type=message.type,
        message_id=message.message_id,
        endpoint=str(delivery.endpoint),
        endpoint_pk=delivery.endpoint_id,
        state=words,
        tone=tone,
        tries=f"{delivery.attempts} tr{'y' if delivery.attempts == 1 else 'ies'}{next_at}" if delivery.attempts else "",
        problem=delivery.last_error if state is not _State.DELIVERED else "",
        can_replay=may_replay and delivery.endpoint.active and state not in (_State.QUEUED, _State.SENDING),
    )
