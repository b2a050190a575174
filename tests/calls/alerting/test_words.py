"""Every kind says what is wrong, with its figures, in the same words everywhere."""

from decimal import Decimal

import pytest

from calls.alerting import words
from calls.alerting.judging import Kind

FIGURES = {"limit": "20", "window_minutes": 30, "calls": 8}


@pytest.mark.parametrize(
    ("kind", "subject", "figures", "said"),
    [
        (
            "latency",
            "",
            {"value": "2410", "limit": "2000", "window_minutes": 15, "calls": 12},
            "5 of 100 answers of the last 15 minutes took 2.41 s or longer, over 12 calls; the limit is 2.00 s.",
        ),
        (
            "failures",
            "",
            {**FIGURES, "value": "25.00", "failed": 2},
            "2 of 8 calls that ended in the last 30 minutes failed: 25 %; the limit is 20 %.",
        ),
        (
            "spend",
            "",
            {
                "value": "5210.00",
                "limit": "5000.00",
                "window_minutes": 60,
                "calls": 1,
                "currency": "INR",
                "uncounted": {"USD": "3.2"},
            },
            "1 call that began in the last hour cost ₹5,210.00 so far; the limit is ₹5,000.00. On top come $3.20: no rate is known.",
        ),
        (
            "unconfirmed",
            "",
            {"value": "3", "limit": "3.00", "window_minutes": 1440, "calls": 3},
            "The carrier does not confirm the end of 3 calls of the last 24 hours; the limit is 3 calls.",
        ),
        (
            "provider",
            "deepgram",
            {**FIGURES, "value": "62.50", "failed": 5, "requests": 8, "categories": {"timeout": 4, "server": 1}},
            "5 of 8 requests to deepgram in the last 30 minutes failed: 62.5 %; the limit is 20 %. Why: timeout 4, server 1.",
        ),
        (
            "retiring",
            "gpt-4o-mini",
            {"value": "53", "limit": "60", "on": "2027-01-14", "use": "gpt-6-luna", "agents": ["Desk"], "more_agents": 2},
            "gpt-4o-mini is shut down on 2027-01-14, in 53 days. Used by “Desk” and 2 more. Move to gpt-6-luna.",
        ),
        (
            "retiring",
            "gpt-4o-mini",
            {"value": "-1", "limit": "60", "on": "2027-01-14", "use": "gpt-6-luna", "agents": ["Desk"], "more_agents": 0},
            "gpt-4o-mini was shut down on 2027-01-14. Used by “Desk”. Move to gpt-6-luna.",
        ),
    ],
)
def test_what_an_alert_says(kind, subject, figures, said):
    assert words.sentence(kind, subject, figures) == said


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_its_words(kind):
    assert words.title(kind, "x").endswith(": x")
    assert words.ADVICE[kind]
    assert kind in dict(words.KIND_CHOICES)
    assert words.rule_words(kind, Decimal(20), 60, "INR", 5).endswith(".")
    assert words.sentence(kind, "x", {})  # rows of an older version have less


@pytest.mark.parametrize(("minutes", "said"), [(1, "minute"), (15, "15 minutes"), (60, "hour"), (90, "90 minutes"), (1440, "24 hours")])
def test_windows(minutes, said):
    assert words.window(minutes) == said
