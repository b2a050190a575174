"""What of a call was told to the operator's own systems, for its page. Reads rows that are already loaded."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from calls.models import OutgoingDelivery, WebhookMessage
from calls.sentences import in_readers_words

_State = OutgoingDelivery.State
_WORDS = {
    _State.QUEUED: (gettext_noop("Waits for its next try"), "wait"),
    _State.SENDING: (gettext_noop("Being sent"), "wait"),
    _State.DELIVERED: (gettext_noop("Delivered"), "good"),
    _State.DEAD: (gettext_noop("Given up"), "bad"),
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
            problem = _("Every endpoint that wants it was switched off at that moment.")
            lines.append(HookLine(message.type, message.message_id, "", None, _("Not sent"), "warn", "", problem, may_replay))
    return lines


def _line(message: WebhookMessage, delivery: OutgoingDelivery, may_replay: bool) -> HookLine:
    state = _State(delivery.state)
    words, tone = _WORDS[state]
    tries = ngettext("%(n)d try", "%(n)d tries", delivery.attempts)
    if state is _State.QUEUED:
        tries = ngettext("%(n)d try, next at %(at)s", "%(n)d tries, next at %(at)s", delivery.attempts)
    facts = {"n": delivery.attempts, "at": f"{timezone.localtime(delivery.run_at):%H:%M:%S}"}
    return HookLine(
        type=message.type,
        message_id=message.message_id,
        endpoint=str(delivery.endpoint),
        endpoint_pk=delivery.endpoint_id,
        state=_(words),
        tone=tone,
        tries=tries % facts if delivery.attempts else "",
        problem=in_readers_words(delivery.last_error) if state is not _State.DELIVERED else "",
        can_replay=may_replay and delivery.endpoint.active and state not in (_State.QUEUED, _State.SENDING),
    )
