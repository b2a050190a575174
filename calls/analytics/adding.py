"""Adds figures up: exactly what counting the calls together gives, without reading them once more."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from calls.analytics import keeping
from calls.analytics.figures import ALL_PARTS, SUMS, Asked, By, Cost, Figures, Part, Tally, costs_of, tallies, turns_of
from calls.analytics.sources import KEPT, Source, calls_themselves


def together(found: Iterable[Tally]) -> Figures:
    """All of them as one: exactly what counting them together gives."""
    sums, turns, outcomes, costs = Counter[str](), Counter[float](), Counter[str](), dict[tuple[str, str, str], Cost]()
    last: datetime | None = None
    for tally in found:
        figures = tally.figures
        sums.update({name: getattr(figures, name) for name in SUMS})
        turns.update(tally.turns)
        outcomes.update(figures.outcomes)
        last = max((moment for moment in (last, figures.last_call_at) if moment is not None), default=None)
        for cost in figures.costs:
            key = (cost.kind, cost.provider, cost.currency)
            costs[key] = _added(costs[key], cost) if key in costs else cost
    values: dict[str, Any] = dict(sums)
    one = Figures(**values, last_call_at=last, outcomes=dict(outcomes), costs=tuple(costs[key] for key in sorted(costs)))
    return Tally(one, turns).told()


def _added(one: Cost, other: Cost) -> Cost:
    return replace(
        one,
        amount=one.amount + other.amount,
        converted=one.converted + other.converted,
        unconverted=one.unconverted + other.unconverted,
        unpriced=one.unpriced + other.unpriced,
    )


def whole(asked: Asked, counted: Iterable[Figures], source: Source = KEPT) -> Figures:
    """These counts together, with the latencies and costs of what was asked for, without outcomes: two queries."""
    turns, costs = turns_of(asked, By.ALL, source), costs_of(asked, By.ALL, source)
    one = together(Tally(figures, {}) for figures in counted)
    return Tally(replace(one, costs=costs.get(0, ())), turns.get(0, {})).told()


def up_to_now(asked: Asked, parts: Part = ALL_PARTS) -> Figures:
    """As of this moment, for a day or so: what is counted already, and from the calls' rows the hours that wait for being counted anew."""
    # The marks first: an hour that is counted meanwhile is read from its calls, and never told twice.
    waiting = keeping.marked_hours(asked.since, asked.until)
    rows = calls_themselves(of_owner=asked.owner_id is not None)
    found = [*tallies(replace(asked, without=tuple(waiting)), By.ALL, parts=parts).values()]
    for hour in waiting:
        found += tallies(replace(asked, since=hour, until=hour + keeping.HOUR), By.ALL, rows, parts).values()
    return together(found)
