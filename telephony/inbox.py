"""Keeps what the carrier delivers: each delivery once and raw, its copies counted. What it means is applied from here, now or later.

Never stores a secret, and never decides anything about a call.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from telephony.models import WebhookDelivery

UNKNOWN_CALL = "unknown call"
MAX_ATTEMPTS = 12
_APPLIED_INLINE_WITHIN = timedelta(seconds=30)
_LATE_CALL_WITHIN = timedelta(minutes=15)


def fingerprint(door: str, session_id: str, params: Mapping[str, Any]) -> str:
    """Tells copies from different deliveries: the same door, path and parameters, in whatever order and encoding they came."""
    return hashlib.sha256(msgspec.json.encode([door, session_id, params], order="deterministic")).hexdigest()


def keep(
    *,
    door: str,
    method: str,
    content_type: str,
    params: Mapping[str, Any],
    call_sid: str,
    session_id: str = "",
    received_at: datetime | None = None,
) -> WebhookDelivery:
    """The row of this delivery: a new one, or the first copy's with `copies` counted up. `params` are free of secrets already."""
    print_of_it = fingerprint(door, session_id, params)
    same = WebhookDelivery.objects.filter(fingerprint=print_of_it)
    if not same.update(copies=F("copies") + 1):
        try:
            with transaction.atomic():
                return WebhookDelivery.objects.create(
                    door=door,
                    fingerprint=print_of_it,
                    method=method[:8],
                    content_type=content_type[:120],
                    params=dict(params),
                    call_sid=call_sid,
                    session_id=session_id,
                    received_at=received_at or timezone.now(),
                )
        except IntegrityError:
            # A copy came at the same moment and was first.
            same.update(copies=F("copies") + 1)
    return same.get()


def mark(delivery: WebhookDelivery, state: WebhookDelivery.State, reason: str = "", *, session_id: str = "") -> None:
    """Notes what became of a delivery, in the transaction that applied it."""
    delivery.state, delivery.reason = state, reason[:300]
    delivery.session_id = session_id or delivery.session_id
    delivery.attempts = F("attempts") + 1
    delivery.save(update_fields=["state", "reason", "session_id", "attempts"])
    delivery.refresh_from_db(fields=["attempts"])


def left_over(limit: int) -> list[int]:
    """Deliveries that were not applied when they came: interrupted, failed, or about a call that we may have learned of since."""
    now = timezone.now()
    interrupted = Q(state=WebhookDelivery.State.RECEIVED, received_at__lt=now - _APPLIED_INLINE_WITHIN)
    failed = Q(state=WebhookDelivery.State.FAILED)
    early = Q(state=WebhookDelivery.State.IGNORED, reason=UNKNOWN_CALL, received_at__gt=now - _LATE_CALL_WITHIN)
    rows = WebhookDelivery.objects.filter(interrupted | failed | early, attempts__lt=MAX_ATTEMPTS)
    return list(rows.order_by("id").values_list("pk", flat=True)[:limit])
