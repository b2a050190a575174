"""Decisions as tables: when an alert fires, stays, is over; when it is mailed; when a mail is tried again."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from calls.alerting.judging import (
    LAPSES_AFTER,
    MOST_ATTEMPTS,
    NO_FIGURES,
    RETRY_S,
    SHAPES,
    WELL_FOR,
    Kind,
    Limit,
    Reading,
    Standing,
    Step,
    is_mail_due,
    judge,
    wait_s,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LIMIT = Limit(Decimal(2000), least_calls=5)
DAYS = Limit(Decimal(60), falls=True)


def reading(value: object, calls: int = 9) -> Reading:
    return Reading(Decimal(str(value)), calls)


@pytest.mark.parametrize(
    ("limit", "found", "step"),
    [
        (LIMIT, reading(1999), Step.NOTHING),
        (LIMIT, reading(2000), Step.FIRE),
        (LIMIT, reading(9000), Step.FIRE),
        (LIMIT, reading(9000, calls=4), Step.NOTHING),
        (LIMIT, reading(9000, calls=5), Step.FIRE),
        (LIMIT, NO_FIGURES, Step.NOTHING),
        (LIMIT, Reading(Decimal(9000), 9, is_gone=True), Step.NOTHING),
        (DAYS, reading(61, calls=0), Step.NOTHING),
        (DAYS, reading(60, calls=0), Step.FIRE),
        (DAYS, reading(-3, calls=0), Step.FIRE),
    ],
)
def test_when_it_fires(limit, found, step):
    assert judge(found, limit, None, NOW) is step


@pytest.mark.parametrize(
    ("limit", "found", "well_for", "known_ago", "step"),
    [
        (LIMIT, reading(2500), None, SECOND, Step.STAY),
        # Just below the limit is not well: it would fire again the next minute.
        (LIMIT, reading(1900), None, SECOND, Step.STAY),
        (LIMIT, reading(1800), None, SECOND, Step.STAY),
        (LIMIT, reading(1799), None, SECOND, Step.RECOVER),
        (LIMIT, reading(1799), WELL_FOR - SECOND, SECOND, Step.WAIT),
        (LIMIT, reading(1799), WELL_FOR, SECOND, Step.RESOLVE),
        # A relapse begins the waiting anew.
        (LIMIT, reading(1900), WELL_FOR, SECOND, Step.STAY),
        # No figures, or too few calls, are not well, however long it looked so.
        (LIMIT, NO_FIGURES, WELL_FOR * 3, SECOND, Step.BLIND),
        (LIMIT, reading(0, calls=4), WELL_FOR, LAPSES_AFTER - SECOND, Step.BLIND),
        (LIMIT, reading(0, calls=4), None, LAPSES_AFTER, Step.LAPSE),
        (LIMIT, Reading(None, is_gone=True), None, SECOND, Step.RESOLVE),
        (DAYS, reading(60, calls=0), None, SECOND, Step.STAY),
        (DAYS, reading(61, calls=0), WELL_FOR, SECOND, Step.RESOLVE),
    ],
)
def test_when_it_stays_and_when_it_is_over(limit, found, well_for, known_ago, step):
    standing = Standing(NOW - known_ago, NOW - well_for if well_for is not None else None)
    assert judge(found, limit, standing, NOW) is step


@pytest.mark.parametrize("kind", list(Kind))
def test_a_figure_at_the_limit_of_any_kind_fires_and_never_looks_well(kind):
    shape = SHAPES[kind]
    for threshold in (shape.low, shape.high):
        limit = Limit(threshold, falls=shape.falls)
        assert limit.is_beyond(threshold)
        assert not limit.is_well(threshold)


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("last", "is_acknowledged", "is_due"),
    [
        (None, False, True),
        (None, True, False),
        (NOW - HOUR, False, True),
        (NOW - HOUR + SECOND, False, False),
        (NOW - 9 * HOUR, True, False),
    ],
)
def test_when_it_is_mailed(last, is_acknowledged, is_due):
    assert is_mail_due(NOW, last=last, quiet=HOUR, is_acknowledged=is_acknowledged) is is_due


def test_mails_are_tried_for_about_a_day_and_no_longer():
    waits = [wait_s(attempt) for attempt in range(1, MOST_ATTEMPTS + 1)]
    assert waits == [*RETRY_S, None]
    assert timedelta(hours=20) < timedelta(seconds=sum(RETRY_S)) < timedelta(hours=26)
    assert wait_s(0) is None
