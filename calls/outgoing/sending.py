"""Sends one delivery and writes down what came of it. One may be sent twice, under the same message id: receivers are told so.

Claimed under the endpoint's lock, so that one endpoint has a bounded number on the way whatever the number of workers, and leased: if the
worker dies, another one sends it again. No database connection is held while the endpoint takes its time.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Max, Q, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from calls import dispatch
from calls.failures import describe, place
from calls.models import OutgoingDelivery, WebhookAttempt, WebhookEndpoint
from calls.outgoing.announcing import DELIVER
from calls.outgoing.rules import MOST_ATTEMPTS, RESTS_AFTER, EventType, Verdict, judge, rest_s, wait_s
from calls.outgoing.signing import headers
from providers.operator_http import NotSent, OutcomeUnknown, ServiceRequest, ask

logger = structlog.get_logger()

DEADLINE_MS = 15_000
# Longer than a try can take, name look-up included.
LEASE_S = 120
MOST_AT_ONCE = 2
_SWEPT_PER_ENDPOINT = 20

State = OutgoingDelivery.State


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is this worker's until its lease runs out."""

    pk: int
    endpoint_pk: int
    attempt_pk: int
    lease_until: datetime
    message_id: str
    body: str
    url: str
    once: bool


def deliver(delivery_pk: int) -> None:
    """One try, if the delivery is due and its endpoint can take it. Never raises for what the endpoint does; the rows say it."""
    claimed = claim(delivery_pk)
    if claimed is None:
        return
    began = time.monotonic()
    verdict = send(claimed)
    finish(claimed, verdict, ms=round((time.monotonic() - began) * 1000))


def send(claimed: Claimed) -> Verdict:
    """Signs and posts. The answer's body is read to its bound and thrown away."""
    try:
        now = timezone.now()
        signed = headers(claimed.message_id, now, claimed.body, WebhookEndpoint.objects.get(pk=claimed.endpoint_pk).secrets_at(now))
        if not connection.in_atomic_block:
            connection.close()  # back to the pool: the endpoint may take its time
        request = ServiceRequest("POST", claimed.url, signed, content=claimed.body.encode())
        allowed = settings.WEBHOOK_ALLOWED_NETWORKS
        answer = asyncio.run(ask(request, timeout_ms=DEADLINE_MS, allowed=allowed, allowed_by="WEBHOOK_ALLOWED_NETWORKS"))
    except (NotSent, OutcomeUnknown) as error:
        return Verdict(False, error=error.message)
    except Exception as error:  # noqa: BLE001 - a fault of ours is kept on the row and tried again like any other
        logger.error("webhook_not_made", delivery_id=claimed.pk, error=type(error).__name__, place=place(error))
        return Verdict(False, error=describe(error), at_fault=False)
    return judge(answer.status)


def claim(delivery_pk: int) -> Claimed | None:
    """A delivery with its try written down, or None: there is none that is due, or its endpoint cannot take it now.

    It is the one that was asked for, or if somebody has that already the next that waits for the same endpoint: no nudge is in vain.
    """
    now = timezone.now()
    with transaction.atomic():
        endpoint = WebhookEndpoint.objects.select_for_update(no_key=True, of=("self",)).filter(deliveries__pk=delivery_pk).first()
        delivery = _due_of(endpoint, delivery_pk, now) if endpoint is not None else None
        if endpoint is None or delivery is None or _must_wait(delivery, endpoint, now):
            return None
        lease_until = now + timedelta(seconds=LEASE_S)
        delivery.state, delivery.attempts, delivery.lease_until = State.SENDING, delivery.attempts + 1, lease_until
        delivery.save(update_fields=["state", "attempts", "lease_until"])
        number = (delivery.tries.aggregate(last=Max("number"))["last"] or 0) + 1
        attempt = WebhookAttempt.objects.create(delivery=delivery, number=number, at=now)
        return Claimed(
            pk=delivery.pk,
            endpoint_pk=endpoint.pk,
            attempt_pk=attempt.pk,
            lease_until=lease_until,
            message_id=delivery.message.message_id,
            body=delivery.message.body,
            url=endpoint.url,
            once=_is_test(delivery),
        )


def _due_of(endpoint: WebhookEndpoint, wanted_pk: int, now: datetime) -> OutgoingDelivery | None:
    free = Q(state=State.QUEUED, run_at__lte=now) | Q(state=State.SENDING, lease_until__lte=now)
    rows = OutgoingDelivery.objects.select_for_update(no_key=True, of=("self",)).select_related("message").filter(free, endpoint=endpoint)
    return rows.filter(pk=wanted_pk).first() or rows.order_by("run_at", "pk").first()


def _must_wait(delivery: OutgoingDelivery, endpoint: WebhookEndpoint, now: datetime) -> bool:
    """Whether it is not sent now; what cannot be sent at all is closed. A test goes to an endpoint that is off or resting too."""
    if not endpoint.active and not _is_test(delivery):
        _close(delivery, State.DEAD, "The endpoint is switched off. Switch it on, then replay this.")
        return True
    if delivery.attempts >= MOST_ATTEMPTS:
        _close(delivery, State.DEAD, delivery.last_error or "Its worker died in every try. Look at the worker's log, then replay this.")
        return True
    if endpoint.rest_until is not None and endpoint.rest_until > now and not _is_test(delivery):
        delivery.state, delivery.run_at, delivery.lease_until = State.QUEUED, endpoint.rest_until, None
        delivery.save(update_fields=["state", "run_at", "lease_until"])
        return True
    on_the_way = endpoint.deliveries.filter(state=State.SENDING, lease_until__gt=now).exclude(pk=delivery.pk).count()
    # Whichever ends first asks for the next one.
    return on_the_way >= (1 if endpoint.failures >= RESTS_AFTER else MOST_AT_ONCE)


def _is_test(delivery: OutgoingDelivery) -> bool:
    return delivery.message.type == EventType.TEST


def finish(claimed: Claimed, verdict: Verdict, *, ms: int) -> None:
    """Writes what one try came to, for the delivery and for its endpoint. Nothing, if the lease was lost meanwhile: it is another's now."""
    now = timezone.now()
    with transaction.atomic():
        endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=claimed.endpoint_pk).first()
        delivery = OutgoingDelivery.objects.select_for_update(no_key=True).filter(pk=claimed.pk).first()
        if endpoint is None or delivery is None:
            return  # deleted meanwhile
        next_at = None
        ours = delivery.state == State.SENDING and delivery.lease_until == claimed.lease_until
        if ours and verdict.delivered:
            _close(delivery, State.DELIVERED, "")
        elif ours:
            next_at = _try_later(delivery, verdict, now, once=claimed.once)
        WebhookAttempt.objects.filter(pk=claimed.attempt_pk).update(
            status=verdict.status, ms=ms, error=verdict.error[:300], next_try_at=next_at
        )
        if verdict.delivered or verdict.at_fault:
            note_health(endpoint, verdict, now)
        following = _next_of(endpoint, now)
        if following is not None:
            dispatch.nudge_row_on_commit(DELIVER, following)
    logger.info(
        "webhook_sent", delivery_id=claimed.pk, message_id=claimed.message_id, status=verdict.status, ms=ms, delivered=verdict.delivered
    )


def note_health(endpoint: WebhookEndpoint, verdict: Verdict, now: datetime) -> None:
    """Counts failures in a row: a few make the endpoint rest, days of them switch it off. One success forgets them all."""
    if verdict.delivered:
        endpoint.failures, endpoint.failing_since, endpoint.rest_until = 0, None, None
    else:
        endpoint.failures, endpoint.failing_since = endpoint.failures + 1, endpoint.failing_since or now
        endpoint.rest_until = now + timedelta(seconds=rest) if (rest := rest_s(endpoint.failures)) else None
        days = settings.WEBHOOK_OFF_AFTER_DAYS
        if endpoint.active and verdict.gone:
            _switch_off(endpoint, f"{verdict.error} Switched off at once.")
        elif endpoint.active and now - endpoint.failing_since >= timedelta(days=days):
            _switch_off(endpoint, f"Every try failed for {days} days. The last one: {verdict.error}")
    endpoint.save(update_fields=["failures", "failing_since", "rest_until", "active", "note"])


def due_deliveries(limit: int, late_by: timedelta) -> list[int]:
    """Deliveries that nobody works on although they should, oldest first, and of no endpoint so many that others have to wait."""
    now = timezone.now()
    late = Q(state=State.QUEUED, run_at__lte=now - late_by) | Q(state=State.SENDING, lease_until__lte=now)
    numbered = OutgoingDelivery.objects.filter(late).annotate(
        place=Window(RowNumber(), partition_by=[F("endpoint_id")], order_by=[F("run_at").asc(), F("pk").asc()])
    )
    return list(numbered.filter(place__lte=_SWEPT_PER_ENDPOINT).order_by("run_at", "pk").values_list("pk", flat=True)[:limit])


def _next_of(endpoint: WebhookEndpoint, now: datetime) -> int | None:
    if endpoint.rest_until is not None and endpoint.rest_until > now:
        return None
    waiting = endpoint.deliveries.filter(state=State.QUEUED, run_at__lte=now).order_by("run_at", "pk")
    return waiting.values_list("pk", flat=True).first()


def _try_later(delivery: OutgoingDelivery, verdict: Verdict, now: datetime, *, once: bool) -> datetime | None:
    wait = None if verdict.gone or once else wait_s(delivery.attempts, f"{delivery.pk}")
    if wait is None:
        _close(delivery, State.DEAD, verdict.error)
        return None
    delivery.state, delivery.run_at, delivery.lease_until = State.QUEUED, now + timedelta(seconds=wait), None
    delivery.last_error = verdict.error[:300]
    delivery.save(update_fields=["state", "run_at", "lease_until", "last_error"])
    dispatch.nudge_row_on_commit(DELIVER, delivery.pk, wait)
    return delivery.run_at


def _close(delivery: OutgoingDelivery, state: str, error: str) -> None:
    delivery.state, delivery.lease_until, delivery.last_error, delivery.finished_at = state, None, error[:300], timezone.now()
    delivery.save(update_fields=["state", "lease_until", "last_error", "finished_at"])
    if state == State.DEAD:
        logger.warning("webhook_given_up", delivery_id=delivery.pk, attempt=delivery.attempts)


def _switch_off(endpoint: WebhookEndpoint, note: str) -> None:
    endpoint.active, endpoint.note = False, note[:300]
    logger.error("webhook_endpoint_switched_off", endpoint_id=endpoint.pk, reason=note[:300])
