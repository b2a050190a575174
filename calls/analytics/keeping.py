"""Keeps the rollups: whatever hour was marked by a change of one of its calls is counted anew, whole, and its day in the same transaction.

Repeatable and harmless at any time: two workers that count the same day do it one after the other, and a change that commits while an
hour is counted leaves its mark for the next run.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from calls.analytics import counting
from calls.analytics.rows import Rollup, RollupCost, RollupCostDay, RollupDay, RollupMark, RollupState, midnight_of

HOUR: Final = timedelta(hours=1)
# One run of the periodic job ends before the next one begins.
RUN_S: Final = 45
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOCK: Final = 0x726F6C6C  # "roll": nobody else's advisory locks
_MARKED: Final = "SELECT DISTINCT date_trunc('hour', moment, %s) FROM calls_rollupmark ORDER BY 1 DESC"
_MARK_ALL: Final = """
INSERT INTO calls_rollupmark (moment)
SELECT DISTINCT date_trunc('hour', created_at, %(zone)s) FROM calls_calllog WHERE created_at >= %(since)s
UNION SELECT DISTINCT hour FROM calls_rollup WHERE hour >= %(since)s
"""


def keep(*, for_s: float | None = RUN_S) -> int:
    """Counts the marked hours, the newest first, for so many seconds (None: all of them); returns how many were counted."""
    began, counted_at = time.monotonic(), timezone.now()
    _follow_settings()
    hours, done = marked_hours(), 0

    def goes_on() -> bool:
        return for_s is None or time.monotonic() - began <= for_s

    for day, of_day in groupby(hours, midnight_of):
        if done and not goes_on():
            break
        done += len(count_day(day, list(of_day), goes_on))
    facts = {**_settings(), "counted_at": counted_at, "hours_left": len(hours) - done}
    RollupState.objects.update_or_create(pk=1, defaults=facts)
    return done


def marked_hours() -> list[datetime]:
    """Which hours must be counted anew, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(_MARKED, [settings.TIME_ZONE])
        return [hour for (hour,) in cursor.fetchall()]


def mark_since(since: datetime) -> None:
    """Every hour from then on that has calls, or has counted some, is counted anew by the next run."""
    with connection.cursor() as cursor:
        cursor.execute(_MARK_ALL, {"zone": settings.TIME_ZONE, "since": since})


def count_day(day: datetime, hours: Sequence[datetime], goes_on: Callable[[], bool] = lambda: True) -> list[datetime]:
    """Counts these hours of one day of the operator's time zone from their calls' rows, and adds the day up; returns which were counted."""
    done: list[datetime] = []
    with transaction.atomic(), connection.cursor() as cursor:
        # A quarter of an hour: time zones do not agree on when an hour begins.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s), set_config('jit', 'off', true)", [_LOCK, int(day.timestamp()) // 900])
        for hour in hours:
            if done and not goes_on():
                break
            _count_hour(cursor, hour)
            done.append(hour)
        # Days are not always of twenty-four hours.
        values: dict[str, Any] = {"zone": settings.TIME_ZONE, "since": day, "until": midnight_of(day + HOUR * 36)}
        RollupDay.objects.filter(hour=day).delete()
        RollupCostDay.objects.filter(hour=day).delete()
        cursor.execute(f"INSERT INTO calls_rollupday ({counting.CALL_COLUMNS}) {counting.days_of_calls()}", values)
        cursor.execute(f"INSERT INTO calls_rollupcostday ({counting.COST_COLUMNS}) {counting.days_of_costs()}", values)
    return done


def _count_hour(cursor: Any, hour: datetime) -> None:
    values: dict[str, Any] = {"zone": settings.TIME_ZONE, "since": hour, "until": hour + HOUR, "currency": settings.BILLING_CURRENCY}
    # Before anything is counted: who commits later leaves a mark that stays.
    RollupMark.objects.filter(moment__gte=hour, moment__lt=hour + HOUR).delete()
    Rollup.objects.filter(hour=hour).delete()
    RollupCost.objects.filter(hour=hour).delete()
    cursor.execute(f"INSERT INTO calls_rollup ({counting.CALL_COLUMNS}) {counting.calls()}", values)
    cursor.execute(f"INSERT INTO calls_rollupcost ({counting.COST_COLUMNS}) {counting.costs()}", values)


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
