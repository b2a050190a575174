"""Exotel's words for states and times."""

from datetime import UTC, datetime

import pytest

from calls.status import CallStatus, Direction
from providers.exotel import statuses
from providers.exotel.times import from_stamp, to_stamp


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("queued", "initiated"),
        ("ringing", "ringing"),
        ("in-progress", "in-progress"),
        ("completed", "completed"),
        ("busy", "busy"),
        ("failed", "failed"),
        ("no-answer", "no-answer"),
        ("canceled", "canceled"),
        ("Cancelled", "canceled"),
        ("NO_ANSWER", "no-answer"),
        ("from_leg_unanswered", "no-answer"),
        (' "completed" ', "completed"),
        ("", None),
        (None, None),
        ("null", None),
        ("exploded", None),
    ],
)
def test_a_status_word_becomes_ours_or_nothing(word, status):
    assert statuses.call_status(word) == status


def test_every_word_of_the_table_is_one_of_ours():
    assert set(statuses._CALL_STATUS.values()) <= set(CallStatus)
    assert set(statuses._DIRECTION.values()) == set(Direction)
    assert set(CallStatus) >= statuses.TERMINAL


@pytest.mark.parametrize("word", ["incoming", "inbound"])
def test_both_words_for_incoming(word):
    assert statuses.direction(word) == "inbound"


@pytest.mark.parametrize("word", ["outbound-dial", "outbound-api", "Outbound"])
def test_all_words_for_outgoing(word):
    assert statuses.direction(word) == "outbound"


@pytest.mark.parametrize(
    ("stamp", "moment"),
    [
        ("2025-08-12 10:48:33", datetime(2025, 8, 12, 5, 18, 33, tzinfo=UTC)),
        ("2025-08-13 00:36:00", datetime(2025, 8, 12, 19, 6, tzinfo=UTC)),
        ("Wed, 23 Feb 2022 12:31:59", datetime(2022, 2, 23, 7, 1, 59, tzinfo=UTC)),
        ("2025-08-12T10:48:33+05:30", datetime(2025, 8, 12, 5, 18, 33, tzinfo=UTC)),
        ("2025-08-12T05:18:33Z", datetime(2025, 8, 12, 5, 18, 33, tzinfo=UTC)),
        ("1970-01-01 05:30:00", None),
        ("0000-00-00 00:00:00", None),
        ("null", None),
        ("", None),
        (None, None),
        ("2025-13-45 99:99:99", None),
        ("yesterday" * 50, None),
    ],
)
def test_a_stamp_is_indian_time_and_some_stamps_mean_nothing(stamp, moment):
    assert from_stamp(stamp) == moment


def test_a_moment_is_written_in_indian_time():
    assert to_stamp(datetime(2025, 8, 12, 19, 6, tzinfo=UTC)) == "2025-08-13 00:36:00"
