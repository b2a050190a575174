"""What figures are added up from: the kept rollups, or the rows of the calls themselves. Both have the same columns."""
# ruff: noqa: S608 - statements are put together from our own words alone; every value goes beside them

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from calls.analytics import counting
from calls.analytics.buckets import ms_of

# Whoever asks for more than this gets told, not kept waiting.
PATIENCE_MS: Final = 20_000
MOST_EXACT_CALLS: Final = 100_000


class TooMuch(Exception):
    """It would take too long to read these calls."""

    message = f"That is too much to read at once: calls can be read one by one up to {MOST_EXACT_CALLS:,}. Choose fewer days."


@dataclass(frozen=True, slots=True)
class Source:
    """Three relations in SQL: the counts, the costs, and the latencies as (dimensions, place, turns); `ms_of`: which latency a place is.

    `by_day`: the same with whole days, for whoever does not ask for hours; its relations take the values `first_day` and `last_day`.
    """

    calls: str
    costs: str
    latencies: str
    ms_of: Callable[[int], float]
    by_day: "Source | None" = None


def _timed(calls: str) -> str:
    return f"""
(SELECT hour, owner_id, agent_id, version_id, exophone, direction, b.place, b.turns
 FROM {calls} r, unnest(r.latency_buckets, r.latency_counts) AS b (place, turns))"""


def _with_days(hours: str, days: str, columns: str) -> str:
    """Whole days, and the hours that are left before the first and after the last of them."""
    return (
        f"(SELECT {columns} FROM {hours} WHERE hour < %(first_day)s UNION ALL "
        f"SELECT {columns} FROM {days} WHERE hour >= %(first_day)s AND hour < %(last_day)s UNION ALL "
        f"SELECT {columns} FROM {hours} WHERE hour >= %(last_day)s)"
    )


_CALLS: Final = _with_days("calls_rollup", "calls_rollupday", counting.CALL_COLUMNS)
_COSTS: Final = _with_days("calls_rollupcost", "calls_rollupcostday", counting.COST_COLUMNS)
_DAYS: Final = Source(_CALLS, _COSTS, _timed(_CALLS), ms_of)
KEPT: Final = Source("calls_rollup", "calls_rollupcost", _timed("calls_rollup"), ms_of, _DAYS)


def up_to_now(*, of_owner: bool) -> Source:
    """The rollups, and instead of the hours that are asked as `waiting` their calls' rows, read anew by each question: for a few hours."""

    def mixed(rollups: str, columns: str, rows: str) -> str:
        return f"(SELECT {columns} FROM {rollups} WHERE hour <> ALL(%(waiting)s) UNION ALL SELECT {columns} FROM ({rows}) fresh)"

    calls = mixed("calls_rollup", counting.CALL_COLUMNS, counting.calls(of_owner=of_owner, of_hours=True))
    costs = mixed("calls_rollupcost", counting.COST_COLUMNS, counting.costs(of_owner=of_owner, of_hours=True))
    return Source(calls, costs, _timed(calls), ms_of)


@contextmanager
def patiently() -> Iterator[None]:
    """For reading alone: whatever takes too long raises `TooMuch`, and nothing that was set or made in here stays."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('jit', 'off', true), set_config('statement_timeout', %s, true)", [str(PATIENCE_MS)])
            yield
            transaction.set_rollback(True)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TooMuch from error
        raise


@contextmanager
def kept() -> Iterator[Source]:
    """The rollups. Raises `TooMuch`."""
    with patiently():
        yield KEPT


@contextmanager
def exactly(since: datetime, until: datetime, owner_id: int | None) -> Iterator[Source]:
    """Every call of the span is read, once, into tables that are gone afterwards. Raises `TooMuch`."""
    mine = owner_id is not None
    values: dict[str, Any] = {
        "zone": settings.TIME_ZONE,
        "since": since,
        "until": until,
        "currency": settings.BILLING_CURRENCY,
        "owner": owner_id,
    }
    made = {
        "exact_calls": counting.calls(of_owner=mine, with_latencies=False),
        "exact_costs": counting.costs(of_owner=mine),
        "exact_latencies": counting.latencies(of_owner=mine),
    }
    with patiently():
        with connection.cursor() as cursor:
            whose = "AND owner_id = %(owner)s" if mine else ""
            some = (
                f"SELECT FROM calls_calllog WHERE created_at >= %(since)s AND created_at < %(until)s {whose} LIMIT {MOST_EXACT_CALLS + 1}"
            )
            cursor.execute(f"SELECT count(*) FROM ({some}) found", values)
            if cursor.fetchone()[0] > MOST_EXACT_CALLS:
                raise TooMuch
            for name, select in made.items():
                cursor.execute(f"CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS {select}", values)
        yield Source("exact_calls", "exact_costs", "exact_latencies", float)
