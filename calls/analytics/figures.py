"""Figures of many calls, added up by day, hour, agent, version or number. Reads rollups, or the calls' own rows; writes nothing."""
# ruff: noqa: S608 - statements are put together from our own words alone; every value goes beside them

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Flag, StrEnum, auto
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.db import connection

from calls.analytics.buckets import Latencies, latencies
from calls.analytics.rows import midnight_of
from calls.analytics.sources import KEPT, Source


class By(StrEnum):
    """What calls are put together by."""

    ALL = "all"
    DAY = "day"
    HOUR = "hour"
    CLOCK = "clock"  # the hour of the day
    AGENT = "agent"
    VERSION = "version"
    NUMBER = "number"


_KEY: Final = {
    By.DAY: "(r.hour AT TIME ZONE %(zone)s)::date",
    By.HOUR: "r.hour",
    By.CLOCK: "EXTRACT(hour FROM r.hour AT TIME ZONE %(zone)s)::integer",
    By.AGENT: "r.agent_id",
    By.VERSION: "r.version_id",
    By.NUMBER: "r.exophone",
}
SUMS: Final = (
    "calls", "answered", "waiting", "failed", "unconfirmed", "seconds", "charged_seconds", "talks", "silent", "answers", "interruptions",
    "unpriced", "unsettled",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """Which calls: begun from `since` up to `until`; of one owner (None: everybody's), agent, number or direction, if one is named;
    of these versions, if any are. `waiting`: which hours `sources.up_to_now` reads from their calls.
    """

    since: datetime
    until: datetime
    owner_id: int | None
    agent_id: int | None = None
    exophone: str = ""
    direction: str = ""
    versions: tuple[int, ...] = ()
    waiting: tuple[datetime, ...] = ()


class Part(Flag):
    """What figures have beside the counts: one query each."""

    TURNS = auto()
    OUTCOMES = auto()
    COSTS = auto()


ALL_PARTS: Final = Part.TURNS | Part.OUTCOMES | Part.COSTS


@dataclass(frozen=True, slots=True)
class Cost:
    """What one kind of work of one provider cost in one currency; `unpriced` charges come on top. See `RollupCost`."""

    kind: str
    provider: str
    currency: str
    amount: Decimal
    converted: Decimal
    unconverted: Decimal
    unpriced: int


@dataclass(frozen=True, slots=True)
class Figures:
    """How some calls went. Rates are shares of one, None where there is nothing to divide by."""

    calls: int = 0
    answered: int = 0
    waiting: int = 0
    failed: int = 0
    unconfirmed: int = 0
    seconds: int = 0
    charged_seconds: int = 0
    talks: int = 0
    silent: int = 0
    answers: int = 0
    interruptions: int = 0
    unpriced: int = 0
    unsettled: int = 0
    last_call_at: datetime | None = None
    latency: Latencies = field(default_factory=Latencies)
    outcomes: Mapping[str, int] = field(default_factory=dict)
    costs: tuple[Cost, ...] = ()

    @property
    def answer_rate(self) -> float | None:
        """Of the calls that are decided: one that still rings is neither answered nor missed."""
        return self.answered / (self.calls - self.waiting) if self.calls > self.waiting else None

    @property
    def interruption_rate(self) -> float | None:
        return self.interruptions / self.answers if self.answers else None

    @property
    def silent_rate(self) -> float | None:
        return self.silent / self.talks if self.talks else None

    @property
    def cost(self) -> Decimal | None:
        """In the billing currency; None if nothing is accounted. What has no rate or no price is not in it."""
        priced = [cost.converted for cost in self.costs if cost.currency]
        return sum(priced, Decimal(0)) if priced and (any(priced) or not self.without_rate) else None

    @property
    def without_rate(self) -> dict[str, Decimal]:
        """By currency: what cannot be told in the billing currency because nobody entered a rate."""
        found: dict[str, Decimal] = {}
        for cost in self.costs:
            if cost.unconverted:
                found[cost.currency] = found.get(cost.currency, Decimal(0)) + cost.unconverted
        return found

    def per_minute(self, amount: Decimal | None) -> Decimal | None:
        """Of the minutes of those calls that are accounted."""
        return amount * 60 / self.charged_seconds if amount is not None and self.charged_seconds else None


def counts(asked: Asked, by: By, source: Source = KEPT) -> dict[Any, Figures]:
    """By key: a date, the beginning of an hour, an hour of the day, a primary key, a number; 0 for `By.ALL`. What has no calls is missing.

    Without latencies, outcomes and costs: one query.
    """
    return counts_by(asked, (by,), source)[by]


def figures(asked: Asked, by: By, source: Source = KEPT, parts: Part = ALL_PARTS) -> dict[Any, Figures]:
    """As `counts`, with these parts."""
    return figures_by(asked, (by,), source, parts)[by]


def counts_by(asked: Asked, ways: Sequence[By], source: Source = KEPT) -> dict[By, dict[Any, Figures]]:
    """As `counts`, put together in several ways at once: the rollups are read once, and that is what takes the time."""
    if source.by_day is not None:
        return _with_days(counts_by, asked, ways, source, source.by_day)
    found: dict[By, dict[Any, Figures]] = {by: {} for by in ways}
    sums = f"{', '.join(f'sum({name})' for name in SUMS)}, max(last_call_at)"
    for by, key, *values, last in _grouped(f"{source.calls} r", (*SUMS, "last_call_at"), (), sums, ways, asked):
        found[by][key] = _counted(values, last)
    return found


def _counted(sums: Iterable[Any], last_call_at: datetime | None) -> Figures:
    values: dict[str, Any] = dict(zip(SUMS, map(int, sums), strict=True))
    return Figures(**values, last_call_at=last_call_at)


def figures_by(asked: Asked, ways: Sequence[By], source: Source = KEPT, parts: Part = ALL_PARTS) -> dict[By, dict[Any, Figures]]:
    """As `counts_by`, with these parts: four queries for all of them however many ways, or eight where some of the ways need hours."""
    if source.by_day is not None:
        return _with_days(partial(figures_by, parts=parts), asked, ways, source, source.by_day)
    timed = _timed(asked, ways, source) if Part.TURNS in parts else {}
    outcomes = _outcomes(asked, ways, source) if Part.OUTCOMES in parts else {}
    costs = _costs(asked, ways, source) if Part.COSTS in parts else {}
    return {
        by: {
            key: replace(
                one,
                latency=latencies(timed.get((by, key), ())),
                outcomes=outcomes.get((by, key), {}),
                costs=tuple(sorted(costs.get((by, key), ()), key=lambda cost: (cost.kind, cost.provider, cost.currency))),
            )
            for key, one in found.items()
        }
        for by, found in counts_by(asked, ways, source).items()
    }


_Keyed = tuple[By, Any]


def _timed(asked: Asked, ways: Sequence[By], source: Source) -> dict[_Keyed, list[tuple[float, int]]]:
    """How many turns have which latency, in ms."""
    timed: dict[_Keyed, list[tuple[float, int]]] = {}
    for by, key, place, turns in _grouped(f"{source.latencies} r", ("place", "turns"), ("place",), "sum(turns)", ways, asked):
        timed.setdefault((by, key), []).append((source.ms_of(place), int(turns)))
    return timed


def _outcomes(asked: Asked, ways: Sequence[By], source: Source) -> dict[_Keyed, dict[str, int]]:
    outcomes: dict[_Keyed, dict[str, int]] = {}
    ended = f"{source.calls} r, jsonb_each_text(r.outcomes) o (outcome, ended)"
    for by, key, outcome, calls in _grouped(ended, ("outcome", "ended"), ("outcome",), "sum(ended::integer)", ways, asked):
        outcomes.setdefault((by, key), {})[outcome] = int(calls)
    return outcomes


def _costs(asked: Asked, ways: Sequence[By], source: Source) -> dict[_Keyed, list[Cost]]:
    costs: dict[_Keyed, list[Cost]] = {}
    parts, amounts = ("kind", "provider", "currency"), ("amount", "converted", "unconverted", "unpriced")
    sums = "sum(amount), sum(converted), sum(unconverted), sum(unpriced)::bigint"
    for by, key, *cost in _grouped(f"{source.costs} r", (*parts, *amounts), parts, sums, ways, asked):
        costs.setdefault((by, key), []).append(Cost(*cost))
    return costs


_Counting = Callable[[Asked, Sequence[By], Source], dict[By, dict[Any, Figures]]]
_BY_THE_HOUR: Final = (By.HOUR, By.CLOCK)


def _with_days(count: _Counting, asked: Asked, ways: Sequence[By], source: Source, days: Source) -> dict[By, dict[Any, Figures]]:
    """From whole days whatever can be told from them: they are a twentieth of the hours' rows."""
    coarse, fine = [by for by in ways if by not in _BY_THE_HOUR], [by for by in ways if by in _BY_THE_HOUR]
    found = count(asked, coarse, days) if coarse else {}
    return found | (count(asked, fine, replace(source, by_day=None)) if fine else {})


def _grouped(
    relation: str, columns: Sequence[str], parts: Sequence[str], sums: str, ways: Sequence[By], asked: Asked
) -> Iterator[tuple[Any, ...]]:
    """(by, key, the values of `parts`, `sums`) for each way and key that has any of `columns`."""
    keyed = [by for by in ways if by != By.ALL]
    keys = [f"key_{by}" for by in keyed]
    # A bit for each key, the first the highest; it is set where that is not what a row is put together by.
    mask = f"GROUPING({', '.join(keys)})" if keys else "0"
    way_of = {(1 << len(keys)) - 1 - (1 << (len(keys) - 1 - place)): place for place in range(len(keys))}
    sets = [f"({', '.join((*([f'key_{by}'] if by != By.ALL else []), *parts))})" for by in ways]
    inner = ", ".join((*(f"{_KEY[by]} AS key_{by}" for by in keyed), *columns))
    statement = (
        f"SELECT {', '.join((mask, *keys, *parts, sums))} FROM (SELECT {inner} FROM {relation} WHERE {_where(asked)}) picked "
        f"GROUP BY GROUPING SETS ({', '.join(sets)}) HAVING count(*) > 0"
    )
    for which, *rest in _rows(statement, asked):
        place = way_of.get(which) if keys else None
        by, key = (By.ALL, 0) if place is None else (keyed[place], rest[place])
        yield by, key, *rest[len(keys) :]


def _where(asked: Asked) -> str:
    parts = ["r.hour >= %(since)s AND r.hour < %(until)s"]
    parts += ["r.owner_id = %(owner)s"] if asked.owner_id is not None else []
    parts += ["r.agent_id = %(agent)s"] if asked.agent_id is not None else []
    parts += ["r.exophone = %(exophone)s"] if asked.exophone else []
    parts += ["r.direction = %(direction)s"] if asked.direction else []
    parts += ["r.version_id = ANY(%(versions)s)"] if asked.versions else []
    return " AND ".join(parts)


def _rows(statement: str, asked: Asked) -> Iterable[tuple[Any, ...]]:
    first_day = midnight_of(asked.since)
    if first_day < asked.since:
        first_day = min(midnight_of(first_day + timedelta(hours=36)), asked.until)
    values: dict[str, Any] = {
        "zone": settings.TIME_ZONE,
        "currency": settings.BILLING_CURRENCY,
        "first_day": first_day,
        "last_day": max(midnight_of(asked.until), first_day),
        "since": asked.since,
        "until": asked.until,
        "owner": asked.owner_id,
        "agent": asked.agent_id,
        "exophone": asked.exophone,
        "direction": asked.direction,
        "versions": list(asked.versions),
        "waiting": list(asked.waiting),
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found
