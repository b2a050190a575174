"""What keeping recordings costs: byte-months, written down once a month for the month before."""

import math
from calendar import monthrange
from datetime import date, datetime, time, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from calls import dispatch
from calls.commands.settlement import write_usage
from calls.models import CallEvent, Recording, UsageLine
from engine.usage import Unit, UsageKind, UsageRecord

logger = structlog.get_logger()

STORE = "s3"


def account_storage(limit: int = 500, today: date | None = None) -> int:
    """Notes what each stored recording used of the last whole month; returns how many it noted. Repeating it counts nothing twice.

    What is deleted before its month is over costs nothing here: the month's bill has it by the day, our books by the month.
    """
    last = (today or timezone.localdate()).replace(day=1) - timedelta(days=1)
    month = f"{last:%Y-%m}"
    noted = 0
    for recording in _unnoted(last, month)[:limit]:
        came_on = timezone.localtime(getattr(recording, "stored_at")).date()  # noqa: B009 - the query's own column
        kept_days = min((last - came_on).days + 1, last.day)
        with transaction.atomic():
            write_usage(recording.session_id, [storage_usage(recording, month, kept_days)])
            dispatch.enqueue(dispatch.JobKind.ACCOUNT, recording.session, again=True)
        noted += 1
    if noted:
        logger.info("storage_accounted", month=month, recordings=noted)
    return noted


def storage_usage(recording: Recording, month: str, kept_days: int) -> UsageRecord:
    """`kept_days` of that month of this recording, as whole byte-months."""
    days = monthrange(int(month[:4]), int(month[5:]))[1]
    quantity = math.ceil((recording.size_bytes or 0) * kept_days / days) if kept_days < days else recording.size_bytes or 0
    return UsageRecord(UsageKind.STORAGE, STORE, settings.AWS_REGION, Unit.BYTE_MONTHS, quantity, f"{recording.pk}:{month}")


def _unnoted(last: date, month: str) -> QuerySet[Recording]:
    """Recordings that lay in storage before the month was over and have no line for it yet; `stored_at` is when they came there."""
    stored = CallEvent.objects.filter(session=OuterRef("session"), kind="recording-stored").order_by("id").values("created_at")[:1]
    over = timezone.make_aware(datetime.combine(last + timedelta(days=1), time.min))
    done = UsageLine.objects.filter(kind=UsageKind.STORAGE, evidence__endswith=f":{month}", session=OuterRef("session")).values("session")
    rows = Recording.objects.filter(state=Recording.State.STORED, size_bytes__gt=0).annotate(
        stored_at=Subquery(stored), done=Subquery(done[:1])
    )
    return rows.filter(stored_at__lt=over, done=None).select_related("session").order_by("id")
