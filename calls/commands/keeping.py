"""What keeping recordings costs: byte-months, written down once a month for the month before."""

import math
from calendar import monthrange
from datetime import date, datetime, time, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from calls import dispatch
from calls.commands.settlement import write_usage
from calls.models import CallEvent, Recording, UsageLine
from engine.usage import Unit, UsageKind, UsageRecord

logger = structlog.get_logger()

STORE = "s3"
_PLACE: Final = "storage-noted:%s"
_ALL: Final = 2**63 - 1
_KNOWN_FOR_S: Final = 24 * 3600


def account_storage(limit: int = 500, today: date | None = None) -> int:
    """Notes what each stored recording used of the last whole month; returns how many it noted. Repeating it counts nothing twice.

    What is deleted before its month is over costs nothing here: the month's bill has it by the day, our books by the month.
    """
    last = (today or timezone.localdate()).replace(day=1) - timedelta(days=1)
    month = f"{last:%Y-%m}"
    if (place := _place(month)) == _ALL:
        return 0
    noted = 0
    for recording in _unnoted(last, month).filter(pk__gt=place)[:limit]:
        came_on = timezone.localtime(getattr(recording, "stored_at")).date()  # noqa: B009 - the query's own column
        kept_days = min((last - came_on).days + 1, last.day)
        with transaction.atomic():
            write_usage(recording.session_id, [storage_usage(recording, month, kept_days)])
            dispatch.enqueue(dispatch.JobKind.ACCOUNT, recording.session, again=True)
        noted, place = noted + 1, recording.pk
    _keep_place(month, place if noted == limit else _ALL)
    if noted:
        logger.info("storage_accounted", month=month, recordings=noted)
    return noted


def _place(month: str) -> int:
    """The recording up to which all are noted. A month that is over has no recordings more: whoever knows the place need not look again.

    It is forgotten every day, for what was stored in the month's last moment and written after it, and with the cache, which only saves
    work.
    """
    try:
        return int(cache.get(_PLACE % month) or 0)
    except Exception as error:  # noqa: BLE001 - then all are looked at
        logger.warning("cache_unavailable", error=type(error).__name__)
        return 0


def _keep_place(month: str, place: int) -> None:
    try:
        cache.set(_PLACE % month, place, _KNOWN_FOR_S)
    except Exception as error:  # noqa: BLE001 - as above
        logger.warning("cache_unavailable", error=type(error).__name__)


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
