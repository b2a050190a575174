"""Keeps what the carrier delivers: each delivery once and raw, its copies counted. What it means is applied from here, now or later.

Never stores a secret, and never decides anything about a call.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from telephony.models import WebhookDelivery
from telephony.spool import Spooled

UNKNOWN_CALL = "unknown call"
MAX_ATTEMPTS = 12
_APPLIED_INLINE_WITHIN = timedelta(seconds=30)
_LATE_CALL_WITHIN = timedelta(minutes=15)


def fingerprint(door: str, session_id: str, params: Mapping[str, Any]) -> str:
    """Tells copies from different deliveries: the same door, path and parameters, in whatever order and encoding they came."""
    return hashlib.sha256(msgspec.json.encode([door, session_id, params], order="deterministic")).hexdigest()


def keep(told: Spooled) -> WebhookDelivery:
    """The row of this delivery: a new one, or the first copy's with `copies` counted up."""
    (pk,) = keep_all([told])
    return WebhookDelivery.objects.get(pk=pk)


_KEEP_ALL = """
INSERT INTO telephony_webhookdelivery
    (door, fingerprint, method, content_type, params, call_sid, session_id, received_at, copies, state, reason, attempts)
SELECT *, %s, '', 0 FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]::jsonb[], %s::text[], %s::text[], %s::timestamptz[], %s::int[])
ON CONFLICT (fingerprint) DO UPDATE SET copies = telephony_webhookdelivery.copies + EXCLUDED.copies
RETURNING id
"""


def keep_all(told: Sequence[Spooled]) -> list[int]:
    """The ids of their rows, those of copies once, in one statement. What is told is free of secrets already."""
    first: dict[str, tuple[Spooled, int]] = {}
    for each in told:
        print_of_it = fingerprint(each.door, each.session_id, each.params)
        known, copies = first.get(print_of_it, (each, 0))
        first[print_of_it] = known, copies + 1
    # In one order everywhere: two who keep the same deliveries must not wait for each other crosswise.
    prints = sorted(first)
    rows = [first[print_of_it] for print_of_it in prints]
    columns: list[list[Any]] = [
        [each.door for each, _ in rows],
        prints,
        [each.method[:8] for each, _ in rows],
        [each.content_type[:120] for each, _ in rows],
        [json.dumps(each.params) for each, _ in rows],
        [each.call_sid for each, _ in rows],
        [each.session_id for each, _ in rows],
        [each.received_at for each, _ in rows],
        [copies for _, copies in rows],
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_KEEP_ALL, [WebhookDelivery.State.RECEIVED, *columns])
        return [pk for (pk,) in cursor.fetchall()]


def mark(became: Mapping[int, tuple[WebhookDelivery.State, str]], *, session_id: str = "") -> None:
    """Notes what became of deliveries, by their keys, and why; in the transaction that applied them. An empty `session_id` changes none.

    What became alike is one statement.
    """
    alike: dict[tuple[WebhookDelivery.State, str], list[int]] = {}
    for pk, (state, reason) in became.items():
        alike.setdefault((state, reason[:300]), []).append(pk)
    known = {"session_id": session_id} if session_id else {}
    for (state, reason), pks in alike.items():
        WebhookDelivery.objects.filter(pk__in=pks).update(state=state, reason=reason, attempts=F("attempts") + 1, **known)


def left_over(limit: int) -> list[int]:
    """Deliveries that were not applied when they came: interrupted, failed, or about a call that we may have learned of since."""
    now = timezone.now()
    interrupted = Q(state=WebhookDelivery.State.RECEIVED, received_at__lt=now - _APPLIED_INLINE_WITHIN)
    failed = Q(state=WebhookDelivery.State.FAILED)
    early = Q(state=WebhookDelivery.State.IGNORED, reason=UNKNOWN_CALL, received_at__gt=now - _LATE_CALL_WITHIN)
    rows = WebhookDelivery.objects.filter(interrupted | failed | early, attempts__lt=MAX_ATTEMPTS)
    return list(rows.order_by("id").values_list("pk", flat=True)[:limit])
