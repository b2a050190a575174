"""Giving back what was reserved for a call in its budgets, once it cannot be needed any more.

A call that somebody answered keeps its reservation until its charges take its place: its line is billed minutes after its end. One that
nobody answered costs nothing, and of one that is never accounted nobody will ever tell more.
"""

from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db.models import F
from django.utils import timezone

from calls.models import CallSpend

logger = structlog.get_logger()

FORGOTTEN_AFTER: Final = timedelta(hours=6)  # the carrier cuts every call after four hours, and is asked for five


def release(session_pk: int) -> bool:
    """What the call has used counts from now on, and nothing beyond it. False if nothing was held."""
    held = CallSpend.objects.filter(session_id=session_pk, is_final=False, reserved__gt=0)
    released = 0
    for currency in sorted(held.values_list("currency", flat=True)):  # the days' rows are locked in this order, by everybody
        released += held.filter(currency=currency).update(amount=F("used"), reserved=0)
    return bool(released)


def forgotten(limit: int, now: datetime | None = None) -> list[int]:
    """Sessions that hold a reservation although their call must be long over, the oldest first."""
    before = (now or timezone.now()) - FORGOTTEN_AFTER
    held = CallSpend.objects.filter(is_final=False, reserved__gt=0, session__created_at__lt=before)
    return list(held.order_by("session_id").values_list("session_id", flat=True).distinct()[:limit])
