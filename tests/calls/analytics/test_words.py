"""Figures in words, as tables."""

from decimal import Decimal

import pytest

from calls.analytics.words import change, minutes_words, percent_words, points, width


@pytest.mark.parametrize(
    ("rate", "words"), [(None, "–"), (0, "0 %"), (0.0004, "< 0.1 %"), (0.042, "4.2 %"), (0.5, "50 %"), (0.999, "100 %"), (1, "100 %")]
)
def test_shares(rate, words):
    assert percent_words(rate) == words


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 min"), (90, "1.5 min"), (5999, "100.0 min"), (7_200_000, "120,000 min")])
def test_minutes(seconds, words):
    assert minutes_words(seconds) == words


@pytest.mark.parametrize(
    ("new", "old", "better", "words", "tone"),
    [
        (110, 100, 1, "+10 %", "good"),
        (90, 100, 1, "−10 %", "bad"),
        (90, 100, -1, "−10 %", "good"),
        (90, 100, 0, "−10 %", ""),
        (1001, 1000, 1, "as before", ""),
        (5, 0, 1, "none before", ""),
        (5000, 10, 0, "500 times", ""),
        (Decimal("1.5"), Decimal("1.0"), -1, "+50 %", "bad"),
    ],
)
def test_what_changed(new, old, better, words, tone):
    found = change(new, old, better=better)
    assert found is not None and (found.words, found.tone) == (words, tone)


def test_what_is_not_known_has_not_changed():
    assert change(None, 3) is change(3, None) is change(0, 0) is points(None, 0.5) is points(0.5, None) is None


def test_shares_change_by_points():
    found = points(0.93, 0.905, better=1)
    assert found is not None and (found.words, found.tone) == ("+2.5 points", "good")
    same = points(0.5, 0.5)
    assert same is not None and same.words == "as before"


def test_what_is_more_than_nothing_can_be_seen():
    assert width(1, 10_000) == 0.5 and width(0, 10) == width(3, 0) == 0 and width(5, 10) == 50
