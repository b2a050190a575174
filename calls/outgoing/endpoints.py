"""What people do with endpoints and messages: see their own, rotate a secret, send a test, and send again what did not arrive.

Each deed is written into the admin's log of who did what, whichever door it came through.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import TypeVar

import structlog
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction
from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from agents.visibility import sees_everything
from calls import dispatch
from calls.models import OutgoingDelivery, Session, WebhookEndpoint, WebhookMessage
from calls.outgoing.announcing import DELIVER, send_to
from calls.outgoing.payloads import as_body, test_payload
from calls.outgoing.rules import EventType
from calls.outgoing.signing import new_secret

logger = structlog.get_logger()

User = AbstractBaseUser | AnonymousUser
M = TypeVar("M", bound=models.Model)

MOST_ENDPOINTS = 20
# How long both secrets sign after a rotation: time to bring the new one to every receiver.
ROTATION = timedelta(hours=24)
MOST_REPLAYED = 10_000

State = OutgoingDelivery.State
WAITING = (State.QUEUED, State.SENDING)


def visible_endpoints(user: User) -> QuerySet[WebhookEndpoint]:
    """Superusers see all, everybody else their own, nobody none."""
    return _visible(WebhookEndpoint.objects.all(), user)


def visible_messages(user: User) -> QuerySet[WebhookMessage]:
    return _visible(WebhookMessage.objects.all(), user)


def visible_deliveries(user: User) -> QuerySet[OutgoingDelivery]:
    return _visible(OutgoingDelivery.objects.all(), user, "endpoint__owner_id")


def _visible(rows: QuerySet[M], user: User, owner: str = "owner_id") -> QuerySet[M]:
    if sees_everything(user):
        return rows
    return rows.filter(**{owner: user.pk}) if user.pk else rows.none()


def told_of(session: Session, user: User) -> list[WebhookMessage]:
    """What was told of a call, in its order, with the deliveries that this user may see (`deliveries.all()`, endpoint loaded)."""
    shown = visible_deliveries(user).select_related("endpoint").order_by("endpoint_id")
    return list(visible_messages(user).filter(session=session).prefetch_related(Prefetch("deliveries", queryset=shown)).order_by("id"))


def listening(message: WebhookMessage) -> list[WebhookEndpoint]:
    """The active endpoints of its owner that want such messages."""
    rows = WebhookEndpoint.objects.filter(owner_id=message.owner_id, active=True)
    return [endpoint for endpoint in rows if message.type in endpoint.events]


def may_replay(user: User) -> bool:
    return isinstance(user, PermissionsMixin) and user.has_perm("calls.change_webhookendpoint")


def has_room(owner: User) -> bool:
    """Whether the owner may have one more: every event is sent to each of them."""
    return WebhookEndpoint.objects.filter(owner_id=owner.pk).count() < MOST_ENDPOINTS


def reveal_secret(endpoint: WebhookEndpoint, by: User) -> str | None:
    """The secret in the clear, once in its life; None if it was shown before."""
    with transaction.atomic():
        row = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
        if row.secret_shown:
            return None
        WebhookEndpoint.objects.filter(pk=row.pk).update(secret_shown=True)
        _write_down(row, by, "The secret was shown.")
        secret: str = row.secret
    return secret


def rotate_secret(endpoint: WebhookEndpoint, by: User) -> WebhookEndpoint:
    """A new secret, not shown yet. Messages are signed with the old one too for a day; one that was still older is forgotten at once."""
    with transaction.atomic():
        row = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
        row.previous_secret, row.previous_until = row.secret, timezone.now() + ROTATION
        row.secret, row.secret_shown = new_secret(), False
        row.save(update_fields=["secret", "secret_shown", "previous_secret", "previous_until"])
        _write_down(row, by, "The secret was rotated.")
    logger.info("webhook_secret_rotated", endpoint_id=row.pk)
    return row


def send_test(endpoint: WebhookEndpoint, by: User) -> WebhookMessage:
    """Sends one message that tells of no call, once, also to an endpoint that is switched off or resting."""
    with transaction.atomic():
        now = timezone.now()
        message = WebhookMessage.objects.create(
            owner_id=endpoint.owner_id, type=EventType.TEST, body=as_body(test_payload(now)), created_at=now
        )
        send_to([message], endpoint)
        _write_down(endpoint, by, f"A test was sent: {message.message_id}.")
    return message


def replay(messages: Sequence[WebhookMessage], endpoints: Sequence[WebhookEndpoint], by: User, *, delivered_too: bool = True) -> int:
    """Sends these messages to these endpoints again, under their old ids; returns how many deliveries that makes.

    An endpoint gets the kinds of events that it has chosen, and only those of its own owner. What is on its way already stays there;
    what has been delivered is sent again only with `delivered_too`.
    """
    queued = 0
    with transaction.atomic():
        for endpoint in sorted(endpoints, key=lambda one: one.pk):
            # The endpoint first and then its deliveries, in the order of whoever sends: none waits for the other.
            WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
            wanted = [message for message in messages if message.owner_id == endpoint.owner_id and message.type in endpoint.events]
            known = {
                delivery.message_id: delivery
                for delivery in OutgoingDelivery.objects.select_for_update(no_key=True).filter(endpoint=endpoint, message__in=wanted)
            }
            send_to([message for message in wanted if message.pk not in known], endpoint)
            again = [
                delivery
                for delivery in known.values()
                if delivery.state not in WAITING and (delivered_too or delivery.state != State.DELIVERED)
            ]
            for delivery in again:
                _queue_again(delivery)
            count = len(wanted) - len(known) + len(again)
            if count:
                _write_down(endpoint, by, f"Replayed: {count}.")
                logger.info("webhooks_replayed", endpoint_id=endpoint.pk, messages=count)
            queued += count
    return queued


def replay_range(
    endpoint: WebhookEndpoint, by: User, *, since: datetime, until: datetime | None = None, delivered_too: bool = False
) -> int:
    """Replays what the owner's calls and alerts had to tell between these moments, oldest first.

    Without `delivered_too` only what did not arrive.
    """
    messages = WebhookMessage.objects.filter(owner_id=endpoint.owner_id, created_at__gte=since).exclude(type=EventType.TEST)
    if until is not None:
        messages = messages.filter(created_at__lt=until)
    if not delivered_too:
        arrived = OutgoingDelivery.objects.filter(endpoint=endpoint, state__in=(*WAITING, State.DELIVERED))
        messages = messages.exclude(pk__in=arrived.values("message_id"))
    return replay(list(messages.order_by("id")[:MOST_REPLAYED]), [endpoint], by, delivered_too=delivered_too)


def replay_dead(deliveries: QuerySet[OutgoingDelivery], by: User) -> int:
    """Sends again what was given up, each to the endpoint that did not get it; returns how many.

    At most MOST_REPLAYED at once: do it again for the rest.
    """
    dead = deliveries.filter(state=State.DEAD).select_related("endpoint", "message").order_by("endpoint_id", "message_id")[:MOST_REPLAYED]
    of_each = groupby(dead, key=lambda delivery: delivery.endpoint)
    return sum(replay([delivery.message for delivery in group], [endpoint], by) for endpoint, group in of_each)


def _queue_again(delivery: OutgoingDelivery) -> None:
    delivery.state, delivery.attempts, delivery.run_at, delivery.finished_at = State.QUEUED, 0, timezone.now(), None
    delivery.save(update_fields=["state", "attempts", "run_at", "finished_at"])
    dispatch.nudge_row_on_commit(DELIVER, delivery.pk)


def _write_down(endpoint: WebhookEndpoint, by: User, what: str) -> None:
    LogEntry.objects.create(
        user_id=int(by.pk or 0),
        content_type=ContentType.objects.get_for_model(WebhookEndpoint),
        object_id=str(endpoint.pk),
        object_repr=str(endpoint)[:200],
        action_flag=CHANGE,
        change_message=what,
    )
