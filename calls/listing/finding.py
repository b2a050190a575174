"""Finds one page of calls among any number of them.

Two steps, each with a bound of its own, because no single plan is quick for common and for rare things:

1. *Walk*: the next `WALKED` calls along the index that gives them in the list's order. Whatever at least one call in five hundred has is
   found here, and nobody sorts anything. For words, whose frequency Postgres can guess, `calls.listing.way` says how far, if at all.
2. *Gather*: what the walk did not find is rare, so all of it is fetched by the indexes of what was asked for, and then sorted. What is rare
   only together is found by `calls.listing.facets`.

A planner that chose between the two by its statistics would now and then walk ten million calls for a word that nobody ever said.

Whoever wants every call (an export) walks on, `WALKED` calls at a time: each statement is bounded, and nothing is too broad.
"""
# ruff: noqa: S608 - statements are put together from our own words alone; what people typed is always among the values

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from calls.listing.filters import CallFilters, Conditions
from calls.listing.way import WALKED, walk

# Nobody waits longer for a page; what would take longer is narrowed by the one who asks.
PATIENCE_MS: Final = 8000


class Order(StrEnum):
    """How the list is sorted. Calls of which nobody knows the duration, cost or latency are not in a list sorted by it."""

    NEWEST = "newest"
    OLDEST = "oldest"
    LONGEST = "longest"
    SHORTEST = "shortest"
    COSTLIEST = "costliest"
    CHEAPEST = "cheapest"
    SLOWEST = "slowest"
    FASTEST = "fastest"

    @property
    def column(self) -> str:
        return _COLUMN[self]

    @property
    def is_descending(self) -> bool:
        return self in (Order.NEWEST, Order.LONGEST, Order.COSTLIEST, Order.SLOWEST)


_COLUMN: Final = {
    Order.NEWEST: "created_at", Order.OLDEST: "created_at", Order.LONGEST: "talk_s", Order.SHORTEST: "talk_s",
    Order.COSTLIEST: "cost", Order.CHEAPEST: "cost", Order.SLOWEST: "latency_ms", Order.FASTEST: "latency_ms",
}  # fmt: skip


class SearchTooBroad(Exception):
    """It took too long to find these calls."""

    message = "This combination takes too long to search. Narrow it: fewer days, one agent, or a rarer word."


Place = tuple[Any, int]  # what the list is sorted by, and the session


@dataclass(frozen=True, slots=True)
class Found:
    """Primary keys of sessions in the list's order, and whether there is more on either side."""

    pks: list[int]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for: whose calls (None: everybody's), which, and in which order."""

    owner_id: int | None
    filters: CallFilters
    order: Order = Order.NEWEST


def find(
    wish: Wish,
    *,
    after: int | None = None,
    before: int | None = None,
    limit: int,
    patience_ms: int = PATIENCE_MS,
) -> Found:
    """The `limit` calls that follow the session `after`, or precede `before`; the first ones if neither is known.

    By key: calls that arrive meanwhile neither shift a page nor repeat a row. Raises `SearchTooBroad`.
    """
    if wish.filters.senseless:
        return Found([], False, False)
    with _patiently(patience_ms) as cursor:
        place = _place(cursor, wish, after or before)
        backwards = place is not None and not after
        places = _search(cursor, wish, place, backwards, limit + 1)
        if backwards and not places:
            # Nothing before it: whoever turns back this far wants the beginning.
            place, backwards = None, False
            places = _search(cursor, wish, place, backwards, limit + 1)
    more, places = len(places) > limit, places[:limit]
    if backwards:
        places = places[::-1]
    return Found([pk for _, pk in places], has_next=backwards or more, has_previous=more if backwards else place is not None)


def every(wish: Wish, *, at_once: int, patience_ms: int) -> Iterator[list[int]]:
    """All of them in their order, at most so many primary keys of sessions at a time; a list is empty where a long way had none.

    A statement reads at most `WALKED` calls, so there is no combination that would take too long; what comes or leaves meanwhile
    neither shifts nor repeats a call. Raises `SearchTooBroad` only where Postgres does not even read these within `patience_ms`.
    """
    if wish.filters.senseless:
        return
    direction = "DESC" if wish.order.is_descending else "ASC"
    place: Place | None = None
    while True:
        with _patiently(patience_ms) as cursor:
            statement, values = _walk(wish, _beyond(wish.order, place, direction), direction, WALKED, with_end=True)
            cursor.execute(statement, values)
            rows: list[tuple[Any, int, bool]] = cursor.fetchall()
        places = sorted(((key, pk) for key, pk, is_end in rows if not is_end), reverse=wish.order.is_descending)
        for first in range(0, max(len(places), 1), at_once):
            yield [pk for _, pk in places[first : first + at_once]]
        place = next(((key, pk) for key, pk, is_end in rows if is_end), None)
        if place is None:
            return


@contextmanager
def _patiently(patience_ms: int) -> Iterator[Any]:
    """A cursor for reading alone, with the manners below. Raises `SearchTooBroad`."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_MANNERS, [str(patience_ms)])
            yield cursor
            transaction.set_rollback(True)  # nothing was written, and the manners end here even inside somebody else's transaction
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise SearchTooBroad from error
        raise


def estimate(wish: Wish) -> int:
    """About how many calls that are, by Postgres' statistics: nothing is counted, so it costs the same for any number."""
    if wish.filters.senseless:
        return 0
    with connection.cursor() as cursor:
        return _guessed(cursor, *_whole(wish))


# --- the two steps ----------------------------------------------------------------------------------------------------------

# Compiling a plan takes longer than these take, and a bitmap that does not fit into memory makes Postgres read far more rows than it must.
# Rows are looked up for each other one by one, by their keys: a hash or a merge would read a whole table for the sake of a few.
_MANNERS: Final = (
    "SELECT set_config('jit', 'off', true), set_config('work_mem', '64MB', true), set_config('max_parallel_workers_per_gather', '0', true),"
    " set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), set_config('statement_timeout', %s, true)"
)


def _search(cursor: Any, wish: Wish, place: Place | None, backwards: bool, limit: int) -> list[Place]:
    direction = "DESC" if wish.order.is_descending is not backwards else "ASC"
    beyond, places = _beyond(wish.order, place, direction), list[Place]()
    far = _how_far(cursor, wish, limit)
    for statement, values in ([_walk(wish, beyond, direction, far)] if far else []) + [_gather(wish, beyond, direction)]:
        cursor.execute(f"{statement} LIMIT %s", [*values, limit])
        places = cursor.fetchall()
        if len(places) == limit:
            break
    return places


def _how_far(cursor: Any, wish: Wish, limit: int) -> int:
    if wish.filters.said is None:
        return WALKED
    along, by_time = _along(wish), wish.order.column == "created_at"
    everything = _guessed(cursor, "calls_callwords w", Conditions())
    return walk(
        wanted=limit,
        found=_guessed(cursor, *_whole(wish)),
        gathered=_guessed(cursor, "calls_callwords w", wish.filters.on_words() + along),
        among=_guessed(cursor, "calls_callwords w", along) if by_time else everything,  # in another order everybody's are walked along
        everything=everything,
        by_time=by_time,
    )


def _whole(wish: Wish) -> tuple[str, Conditions]:
    source = "calls_calllog c"
    if wish.filters.said is not None:
        source += " JOIN calls_callwords w ON w.session_id = c.session_id"
    return source, _on_call(wish) + wish.filters.on_words()


def _guessed(cursor: Any, source: str, where: Conditions) -> int:
    """How many rows that are, by Postgres' statistics: the same time for any number."""
    cursor.execute(f"EXPLAIN (FORMAT JSON) SELECT FROM {source} WHERE {where}", where.values)
    return _rows_of(cursor.fetchone()[0])


def _rows_of(plan: Any) -> int:
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return int(plan[0]["Plan"]["Plan Rows"])


def _along(wish: Wish) -> Conditions:
    return _whose(wish, "w") + wish.filters.on_agent().on("w") + wish.filters.between("w")


def _walk(wish: Wish, beyond: Conditions, direction: str, far: int, *, with_end: bool = False) -> tuple[str, list[Any]]:
    """Calls along one index and nothing else: any other condition inside could make Postgres read ten million rows for `far`.

    `with_end` adds a third column and a last row in which it is true: where the walk ended, if there is more to walk.
    """
    column, filters = wish.order.column, wish.filters
    by_time, said = column == "created_at", filters.said is not None
    row = "w" if by_time and said else "c"
    whose, rest = _whose(wish, row), filters.on_call()
    if by_time:
        drive = (filters.on_agent() if said else filters.driving()).on(row)
        drive, beside = (drive, whose) if drive.parts else (whose, Conditions())
        drive += filters.between(row)
    else:
        drive, beside = Conditions(), whose + filters.between(row)
    drive += beyond.on(row)
    order = f"ORDER BY {row}.{column} {direction}, {row}.session_id {direction}"
    table = "calls_callwords" if row == "w" else "calls_calllog"
    join = ""
    if row == "w" and rest.parts:
        join = "JOIN calls_calllog c ON c.session_id = w.session_id"
    elif row == "c" and said:
        join = "JOIN calls_callwords w ON w.session_id = c.session_id"
    where = beside + rest + filters.on_words()
    walked = f"SELECT {row}.* FROM {table} {row} WHERE {drive} {order} LIMIT {far}"
    values = [*drive.values, *where.values]
    if not with_end:
        return f"SELECT {row}.{column}, {row}.session_id FROM ({walked}) {row} {join} WHERE {where} {order}", values
    turned = order.replace(direction, "ASC" if direction == "DESC" else "DESC")
    return (
        f"WITH walked AS MATERIALIZED ({walked}) "
        f"SELECT {row}.{column}, {row}.session_id, false FROM walked {row} {join} WHERE {where} UNION ALL "
        f"(SELECT {row}.{column}, {row}.session_id, true FROM walked {row} WHERE (SELECT count(*) FROM walked) = {far} {turned} LIMIT 1)"
    ), values


def _gather(wish: Wish, beyond: Conditions, direction: str) -> tuple[str, list[Any]]:
    """Everything that there is, by whatever indexes serve, and then sorted."""
    column, filters = wish.order.column, wish.filters
    where = _on_call(wish) + filters.in_words(wish.owner_id)
    source, values = "calls_calllog c", list[Any]()
    if filters.said is not None:
        # Fenced: by the words alone, which their index finds; the planner must not walk instead.
        words = wish.filters.on_words() + _along(wish)
        by_time = column == "created_at"
        if by_time:
            words += beyond.on("w")
        else:
            where += beyond
        fenced = f"(SELECT w.session_id, w.created_at FROM calls_callwords w WHERE {words} OFFSET 0)"
        if by_time:
            # In their order, so that only as many calls are looked up as the page needs.
            order = f"ORDER BY w.created_at {direction}, w.session_id {direction}"
            fenced = f"(SELECT w.session_id, w.created_at FROM {fenced} w {order} OFFSET 0)"
        source, values = f"{fenced} w JOIN calls_calllog c ON c.session_id = w.session_id", words.values
        if by_time:
            return f"SELECT w.created_at, w.session_id FROM {source} WHERE {where} {order}", [*values, *where.values]
    else:
        where += beyond
    gathered = f"WITH gathered AS MATERIALIZED (SELECT c.session_id, c.{column} FROM {source} WHERE {where})"
    order = f"ORDER BY {column} {direction}, session_id {direction}"
    return f"{gathered} SELECT {column}, session_id FROM gathered {order}", [*values, *where.values]


# --- parts ------------------------------------------------------------------------------------------------------------------


def _on_call(wish: Wish) -> Conditions:
    return _whose(wish, "c") + wish.filters.on_call() + wish.filters.between("c")


def _whose(wish: Wish, row: str) -> Conditions:
    found = Conditions()
    if wish.owner_id is not None:
        found.add(f"{row}.owner_id = %s", wish.owner_id)
    return found


def _place(cursor: Any, wish: Wish, session_pk: int | None) -> Place | None:
    """Where in the order a call stands now; None if it has no place in it, or is somebody else's: that would tell what it cost."""
    if session_pk is None:
        return None
    column, whose = wish.order.column, _whose(wish, "c")
    whose.add(f"c.session_id = %s AND c.{column} IS NOT NULL", session_pk)
    cursor.execute(f"SELECT c.{column}, c.session_id FROM calls_calllog c WHERE {whose}", whose.values)
    found: Place | None = cursor.fetchone()
    return found


def _beyond(order: Order, place: Place | None, direction: str) -> Conditions:
    found = Conditions()
    if order.column != "created_at":
        found.add(f"c.{order.column} IS NOT NULL")
    if place is not None:
        found.add(f"(c.{order.column}, c.session_id) {'<' if direction == 'DESC' else '>'} (%s, %s)", *place)
    return found
