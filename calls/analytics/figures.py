"""Figures of many calls, added up by day, hour, agent, version or number. Reads rollups, or the calls' own rows; writes nothing."""
# ruff: noqa: S608 - statements are put together from our own words alone; every value goes beside them

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import Flag, StrEnum, auto
from typing import Any, Final

from django.conf import settings
from django.db import connection

from calls.analytics.buckets import Latencies, latencies
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
    By.ALL: "0",
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
    of these versions, if any are; but for the hours in `without`.
    """

    since: datetime
    until: datetime
    owner_id: int | None
    agent_id: int | None = None
    exophone: str = ""
    direction: str = ""
    versions: tuple[int, ...] = ()
    without: tuple[datetime, ...] = ()


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
    found = _rows(
        f"SELECT {_KEY[by]} AS key, {', '.join(f'sum(r.{name})' for name in SUMS)}, max(r.last_call_at) FROM {source.calls} r "
        f"WHERE {_where(asked)} GROUP BY 1",
        asked,
    )
    return {key: _counted(sums, last) for key, *sums, last in found}


def _counted(sums: Iterable[Any], last_call_at: datetime | None) -> Figures:
    values: dict[str, Any] = dict(zip(SUMS, map(int, sums), strict=True))
    return Figures(**values, last_call_at=last_call_at)


def costs_of(asked: Asked, by: By, source: Source) -> dict[Any, tuple[Cost, ...]]:
    costs: dict[Any, list[Cost]] = {}
    for key, *cost in _rows(
        f"SELECT {_KEY[by]} AS key, r.kind, r.provider, r.currency, sum(r.amount), sum(r.converted), sum(r.unconverted), "
        f"sum(r.unpriced)::bigint FROM {source.costs} r WHERE {_where(asked)} GROUP BY 1, 2, 3, 4 ORDER BY 2, 3, 4",
        asked,
    ):
        costs.setdefault(key, []).append(Cost(*cost))
    return {key: tuple(found) for key, found in costs.items()}


def turns_of(asked: Asked, by: By, source: Source) -> dict[Any, Counter[float]]:
    """How many turns have which latency, in ms."""
    turns: dict[Any, Counter[float]] = {}
    for key, place, count in _rows(
        f"SELECT {_KEY[by]} AS key, r.place, sum(r.turns) FROM {source.latencies} r WHERE {_where(asked)} GROUP BY 1, 2", asked
    ):
        turns.setdefault(key, Counter())[source.ms_of(place)] += int(count)
    return turns


def outcomes_of(asked: Asked, by: By, source: Source) -> dict[Any, dict[str, int]]:
    outcomes: dict[Any, dict[str, int]] = {}
    for key, outcome, calls in _rows(
        f"SELECT {_KEY[by]} AS key, o.key, sum(o.value::integer) FROM {source.calls} r, jsonb_each_text(r.outcomes) o "
        f"WHERE {_where(asked)} GROUP BY 1, 2",
        asked,
    ):
        outcomes.setdefault(key, {})[outcome] = int(calls)
    return outcomes


class Part(Flag):
    """What figures have beside the counts: one query each."""

    TURNS = auto()
    OUTCOMES = auto()
    COSTS = auto()


ALL_PARTS: Final = Part.TURNS | Part.OUTCOMES | Part.COSTS


@dataclass(frozen=True, slots=True)
class Tally:
    """Figures before their percentiles are taken, so that they can be added up: `figures.latency` is empty."""

    figures: Figures
    turns: Mapping[float, int]

    def told(self) -> Figures:
        return replace(self.figures, latency=latencies(self.turns.items()))


def tallies(asked: Asked, by: By, source: Source = KEPT, parts: Part = ALL_PARTS) -> dict[Any, Tally]:
    """As `counts`, with these parts."""
    found = counts(asked, by, source)
    turns = turns_of(asked, by, source) if Part.TURNS in parts else {}
    outcomes = outcomes_of(asked, by, source) if Part.OUTCOMES in parts else {}
    costs = costs_of(asked, by, source) if Part.COSTS in parts else {}
    return {
        key: Tally(replace(one, outcomes=outcomes.get(key, {}), costs=costs.get(key, ())), turns.get(key, {})) for key, one in found.items()
    }


def figures(asked: Asked, by: By, source: Source = KEPT, parts: Part = ALL_PARTS) -> dict[Any, Figures]:
    """As `counts`, with these parts."""
    return {key: one.told() for key, one in tallies(asked, by, source, parts).items()}


def _where(asked: Asked) -> str:
    parts = ["r.hour >= %(since)s AND r.hour < %(until)s"]
    parts += ["r.owner_id = %(owner)s"] if asked.owner_id is not None else []
    parts += ["r.agent_id = %(agent)s"] if asked.agent_id is not None else []
    parts += ["r.exophone = %(exophone)s"] if asked.exophone else []
    parts += ["r.direction = %(direction)s"] if asked.direction else []
    parts += ["r.version_id = ANY(%(versions)s)"] if asked.versions else []
    parts += ["r.hour <> ALL(%(without)s)"] if asked.without else []
    return " AND ".join(parts)


def _rows(statement: str, asked: Asked) -> Iterable[tuple[Any, ...]]:
    values: dict[str, Any] = {
        "zone": settings.TIME_ZONE,
        "currency": settings.BILLING_CURRENCY,
        "since": asked.since,
        "until": asked.until,
        "owner": asked.owner_id,
        "agent": asked.agent_id,
        "exophone": asked.exophone,
        "direction": asked.direction,
        "versions": list(asked.versions),
        "without": list(asked.without),
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found
