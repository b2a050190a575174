"""When an alert fires, stays, and is over; when it is mailed, and when a mail that failed is tried again. Pure: no Django, no clock.

Two things keep it from crying wolf: it fires at its limit and is over only well below it, and only after a while. And what cannot be
measured is never taken for well: without figures an alert stays as it is, and one that lapses says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    LATENCY = "latency"
    FAILURES = "failures"
    SPEND = "spend"
    UNCONFIRMED = "unconfirmed"
    PROVIDER = "provider"
    RETIRING = "retiring"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a rule of one kind may say. `falls`: it fires at or below its limit. `from_calls`: too few calls tell nothing."""

    low: Decimal
    high: Decimal
    is_whole: bool
    has_window: bool = True
    from_calls: bool = False
    falls: bool = False


SHAPES: Final[Mapping[Kind, Shape]] = {
    Kind.LATENCY: Shape(Decimal(100), Decimal(60_000), is_whole=True, from_calls=True),
    Kind.FAILURES: Shape(Decimal("0.1"), Decimal(100), is_whole=False, from_calls=True),
    Kind.SPEND: Shape(Decimal("0.01"), Decimal(99_999_999), is_whole=False),
    Kind.UNCONFIRMED: Shape(Decimal(1), Decimal(1_000_000), is_whole=True),
    Kind.PROVIDER: Shape(Decimal("0.1"), Decimal(100), is_whole=False, from_calls=True),
    Kind.RETIRING: Shape(Decimal(1), Decimal(730), is_whole=True, has_window=False, falls=True),
}
LONGEST_WINDOW: Final = timedelta(days=1)

# A figure must come down to so much of the limit, and stay there for so long, before the alert is over.
CLEAR_AT: Final = Decimal("0.9")
WELL_FOR: Final = timedelta(minutes=5)
# Without figures for so long, an alert is closed as lapsed: it is not known to be well, but nobody can act on it any more.
LAPSES_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Limit:
    """`least_calls`: with fewer calls a figure says nothing."""

    threshold: Decimal
    least_calls: int = 0
    falls: bool = False

    def is_beyond(self, value: Decimal) -> bool:
        return value <= self.threshold if self.falls else value >= self.threshold

    def is_well(self, value: Decimal) -> bool:
        return value > self.threshold if self.falls else value < self.threshold * CLEAR_AT


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured. `value` None: nothing could be. `is_gone`: what it was about is no more, so nothing is left to be wrong."""

    value: Decimal | None
    calls: int = 0
    is_gone: bool = False


NO_FIGURES: Final = Reading(None)


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert that is open: since when it looks well again, and when there were figures last."""

    known_at: datetime
    well_since: datetime | None = None


class Step(StrEnum):
    """What becomes of an alert, or of its absence."""

    NOTHING = "nothing"
    FIRE = "fire"
    STAY = "stay"
    BLIND = "blind"  # no figures: it stays, and looks no better than before
    RECOVER = "recover"  # well for the first time
    WAIT = "wait"  # well, but not for long enough
    RESOLVE = "resolve"
    LAPSE = "lapse"


def judge(reading: Reading, limit: Limit, standing: Standing | None, now: datetime) -> Step:
    """What these figures mean for an alert that is open (`standing`), or is not."""
    value = reading.value if reading.value is not None and reading.calls >= limit.least_calls else None
    if standing is None:
        return Step.FIRE if value is not None and not reading.is_gone and limit.is_beyond(value) else Step.NOTHING
    if reading.is_gone:
        return Step.RESOLVE
    if value is None:
        return Step.LAPSE if now - standing.known_at >= LAPSES_AFTER else Step.BLIND
    if not limit.is_well(value):
        return Step.STAY
    if standing.well_since is None:
        return Step.RECOVER
    return Step.RESOLVE if now - standing.well_since >= WELL_FOR else Step.WAIT


def is_mail_due(now: datetime, *, last: datetime | None, quiet: timedelta, is_acknowledged: bool) -> bool:
    """Whether an alert that was never mailed is mailed now. `last`: when one of the same rule and subject was."""
    return not is_acknowledged and (last is None or now - last >= quiet)


# A day in all: mail servers are away for hours at times, and a mail of yesterday's trouble is of no use.
RETRY_S: Final = (30, 2 * 60, 10 * 60, 30 * 60, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
MOST_ATTEMPTS: Final = len(RETRY_S) + 1


def wait_s(attempts: int) -> int | None:
    """How long after the failed try number `attempts` a mail is tried again; None: it is given up."""
    return RETRY_S[attempts - 1] if 1 <= attempts <= len(RETRY_S) else None
