"""Writes down what is to be told, in the very transaction that makes it true: either both are saved or neither is.

Asked after every change of a call, it tells what can be told and was not: asking twice changes nothing, and nothing is told twice.
Tests are nobody's business but the operator's.
"""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from calls import dispatch
from calls.models import CallLog, OutgoingDelivery, Session, WebhookEndpoint, WebhookMessage
from calls.outgoing.payloads import alert_payload, as_body, call_payload
from calls.outgoing.rules import EventType, due

DELIVER = "calls.deliver_webhook"


def announce(session: Session) -> int:
    """Makes the messages that the call's state calls for and sends them on their way once the transaction commits; returns how many.

    Whoever calls it holds the lock of the call log, or holds none of the call's.
    """
    with transaction.atomic():
        endpoints = list(WebhookEndpoint.objects.filter(owner_id=session.owner_id))
        if not endpoints:
            return 0
        log = (
            CallLog.objects.select_for_update(no_key=True, of=("self",))
            .select_related("session__agent", "session__agent_version")
            .get(session=session)
        )
        if log.is_test:
            return 0  # operators' own systems count calls: they hear of real ones alone
        call = log.session
        told = set(WebhookMessage.objects.filter(session=call).values_list("type", flat=True))
        events = due(
            log.status,
            answered=log.answered_at is not None or call.started_at is not None,
            session_ended=call.state == Session.State.ENDED,
            settled=log.settled_at is not None,
        )
        made = 0
        for event in events:
            # An endpoint that is switched off counts: what it misses can be replayed.
            listeners = [endpoint for endpoint in endpoints if event in endpoint.events]
            if event in told or not listeners:
                continue
            now = timezone.now()
            message = WebhookMessage.objects.create(
                owner_id=call.owner_id, session=call, type=event, body=as_body(call_payload(event, call, log, now)), created_at=now
            )
            for endpoint in listeners:
                if endpoint.active:
                    send_to([message], endpoint)
            made += 1
    return made


def announce_alert(owner_id: int, event: EventType, facts: dict[str, Any]) -> bool:
    """Makes the message of an alert for its owner's endpoints, inside the caller's transaction; False if none wants to hear of alerts."""
    listeners = [endpoint for endpoint in WebhookEndpoint.objects.filter(owner_id=owner_id) if event in endpoint.events]
    if not listeners:
        return False
    now = timezone.now()
    message = WebhookMessage.objects.create(owner_id=owner_id, type=event, body=as_body(alert_payload(event, facts, now)), created_at=now)
    for endpoint in listeners:
        if endpoint.active:
            send_to([message], endpoint)
    return True


def send_to(messages: Sequence[WebhookMessage], endpoint: WebhookEndpoint) -> None:
    """Queues messages for an endpoint that never had them; workers are nudged once the transaction commits."""
    for delivery in OutgoingDelivery.objects.bulk_create([OutgoingDelivery(message=message, endpoint=endpoint) for message in messages]):
        dispatch.nudge_row_on_commit(DELIVER, delivery.pk)
