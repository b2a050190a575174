"""Keeps the rollups: whatever hour was marked by a change of one of its calls is counted anew, whole, and its day in the same transaction.

Repeatable and harmless at any time: two workers that count the same day do it one after the other, and a change that commits while an
hour is counted leaves its mark for the next run.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from calls.analytics import counting
from calls.analytics.rows import Rollup, RollupCost, RollupCostDay, RollupDay, RollupMark, RollupState, midnight_of
from calls.failures import place

logger = structlog.get_logger()

HOUR: Final = timedelta(hours=1)
# One run of the periodic job ends before the next one begins.
RUN_S: Final = 45
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOCK: Final = 0x726F6C6C  # "roll": nobody else's advisory locks
_FAULTS: Final = (DatabaseError, ArithmeticError, ValueError)
_MARKED: Final = """
SELECT DISTINCT date_trunc('hour', moment, %(zone)s) FROM calls_rollupmark
WHERE moment >= %(since)s AND (%(until)s::timestamptz IS NULL OR moment < %(until)s) ORDER BY 1 DESC
"""
_MARK_ALL: Final = """
INSERT INTO calls_rollupmark (moment)
SELECT DISTINCT date_trunc('hour', created_at, %(zone)s) FROM calls_calllog WHERE created_at >= %(since)s
UNION SELECT DISTINCT hour FROM calls_rollup WHERE hour >= %(since)s
"""


def keep(*, for_s: float | None = RUN_S) -> int:
    """Counts the marked hours, the newest first, for so many seconds (None: all of them); returns how many were counted.

    One that cannot be counted keeps its marks and no other from being counted.
    """
    began, counted_at = time.monotonic(), timezone.now()
    _follow_settings()
    hours = marked_hours()
    left, done = len(hours), 0

    def goes_on() -> bool:
        return for_s is None or time.monotonic() - began <= for_s

    for tried, (day, of_day) in enumerate(groupby(hours, midnight_of)):
        if tried and not goes_on():
            break
        try:
            over = count_day(day, list(of_day), goes_on)
            left, done = left - len(over), done + sum(over.values())
        except _FAULTS as error:
            _not_counted("day_not_counted", error, day)
    facts = {**_settings(), "counted_at": counted_at, "hours_left": left}
    RollupState.objects.update_or_create(pk=1, defaults=facts)
    return done


def marked_hours(since: datetime = BEGINNING, until: datetime | None = None) -> list[datetime]:
    """Which hours of this span must be counted anew, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(_MARKED, {"zone": settings.TIME_ZONE, "since": since, "until": until})
        return [hour for (hour,) in cursor.fetchall()]


def mark_since(since: datetime) -> None:
    """Every hour from then on that has calls, or has counted some, is counted anew by the next run."""
    with connection.cursor() as cursor:
        cursor.execute(_MARK_ALL, {"zone": settings.TIME_ZONE, "since": since})


def count_day(day: datetime, hours: Sequence[datetime], goes_on: Callable[[], bool] = lambda: True) -> dict[datetime, bool]:
    """Counts these hours of one day of the operator's time zone from their calls' rows, takes their marks away and adds the day up.

    Returns which of them wait no more: True if counted here, False if another run just did.
    """
    over: dict[datetime, bool] = {}
    with transaction.atomic(), connection.cursor() as cursor:
        # A quarter of an hour: time zones do not agree on when an hour begins.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s), set_config('jit', 'off', true)", [_LOCK, int(day.timestamp()) // 900])
        for tried, hour in enumerate(hours):
            if tried and not goes_on():
                break
            try:
                with transaction.atomic():
                    over[hour] = _count_hour(cursor, hour)
            except _FAULTS as error:
                _not_counted("hour_not_counted", error, hour)
        if not any(over.values()):
            return over
        # Days are not always of twenty-four hours.
        values: dict[str, Any] = {"zone": settings.TIME_ZONE, "since": day, "until": midnight_of(day + HOUR * 36)}
        RollupDay.objects.filter(hour=day).delete()
        RollupCostDay.objects.filter(hour=day).delete()
        cursor.execute(f"INSERT INTO calls_rollupday ({counting.CALL_COLUMNS}) {counting.days_of_calls()}", values)
        cursor.execute(f"INSERT INTO calls_rollupcostday ({counting.COST_COLUMNS}) {counting.days_of_costs()}", values)
    return over


def _not_counted(what: str, error: Exception, began: datetime) -> None:
    """Without a database nothing can be counted: that ends the run."""
    logger.error(what, began=began.isoformat(), error=type(error).__name__, place=place(error))
    if not connection.is_usable():
        raise error


def _count_hour(cursor: Any, hour: datetime) -> bool:
    """False if it has no marks any more."""
    values: dict[str, Any] = {"zone": settings.TIME_ZONE, "since": hour, "until": hour + HOUR, "currency": settings.BILLING_CURRENCY}
    # Before anything is counted: who commits later leaves a mark that stays.
    if not RollupMark.objects.filter(moment__gte=hour, moment__lt=hour + HOUR).delete()[0]:
        return False
    Rollup.objects.filter(hour=hour).delete()
    RollupCost.objects.filter(hour=hour).delete()
    cursor.execute(f"INSERT INTO calls_rollup ({counting.CALL_COLUMNS}) {counting.calls()}", values)
    cursor.execute(f"INSERT INTO calls_rollupcost ({counting.COST_COLUMNS}) {counting.costs()}", values)
    return True


def _settings() -> dict[str, str]:
    return {"zone": settings.TIME_ZONE, "currency": settings.BILLING_CURRENCY}


def _follow_settings() -> None:
    """Hours of another time zone and sums in another currency are of no use: everything is counted anew."""
    known = RollupState.objects.filter(pk=1).first()
    if known is None or {"zone": known.zone, "currency": known.currency} == _settings():
        return
    with transaction.atomic():
        mark_since(BEGINNING)
        for rows in (Rollup, RollupCost, RollupDay, RollupCostDay):
            rows.objects.all().delete()
        RollupState.objects.filter(pk=1).delete()
