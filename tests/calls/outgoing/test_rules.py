"""What is told when, what an answer means, when it is tried again: the tables."""

import pytest

from calls.outgoing.addresses import problem
from calls.outgoing.rules import MOST_ATTEMPTS, RETRY_S, EventType, due, judge, rest_s, wait_s

STARTED, ENDED, SETTLED = EventType.STARTED, EventType.ENDED, EventType.SETTLED


@pytest.mark.parametrize(
    ("status", "answered", "session_ended", "settled", "told"),
    [
        ("queued", False, False, False, ()),
        ("ringing", False, False, False, ()),
        ("in-progress", False, False, False, (STARTED,)),
        ("in-progress", True, True, False, (STARTED,)),  # the agent has hung up; a person or the carrier may still have the line
        ("completed", True, False, False, (STARTED,)),  # the conversation has not written its end yet
        ("completed", True, True, False, (STARTED, ENDED)),
        ("completed", True, True, True, (STARTED, ENDED, SETTLED)),
        ("busy", False, True, False, (ENDED,)),
        ("no-answer", False, True, True, (ENDED, SETTLED)),
        ("in-progress", True, True, True, (STARTED, ENDED, SETTLED)),  # the carrier never told the end, and is asked no more
    ],
)
def test_what_can_be_told_follows_from_the_calls_state(status, answered, session_ended, settled, told):
    assert due(status, answered=answered, session_ended=session_ended, settled=settled) == told


@pytest.mark.parametrize(
    ("status", "delivered", "gone", "words"),
    [
        (200, True, False, ""),
        (204, True, False, ""),
        (299, True, False, ""),
        (301, False, False, "Redirects are not followed"),
        (307, False, False, "Redirects are not followed"),
        (401, False, False, "it refuses us"),
        (404, False, False, "nothing is at this address"),
        (410, False, True, "it wants no more messages"),
        (422, False, False, "does not take this message"),
        (429, False, False, "does not take this message"),
        (500, False, False, "it failed"),
        (503, False, False, "it failed"),
    ],
)
def test_only_2xx_is_delivered_and_only_410_is_a_farewell(status, delivered, gone, words):
    verdict = judge(status)
    assert (verdict.delivered, verdict.gone) == (delivered, gone)
    assert words in verdict.error


def test_tries_come_at_the_times_the_specification_advises_and_a_tenth_later_at_most():
    plan = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    assert plan == RETRY_S
    for attempt, wanted in enumerate(plan, 1):
        waits = [wait_s(attempt, str(key)) for key in range(50)]
        assert all(wait is not None and wanted <= wait <= wanted * 1.1 for wait in waits)
        assert len(set(waits)) > 40, "messages that failed together must not come back together"
    assert wait_s(MOST_ATTEMPTS, "x") is None
    assert wait_s(0, "x") is None


def test_an_endpoint_rests_after_three_failures_and_never_longer_than_five_minutes():
    assert [rest_s(failures) for failures in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1000)] == [0, 0, 0, 10, 20, 40, 80, 160, 300, 300, 300]


@pytest.mark.parametrize(
    ("url", "allowed", "words"),
    [
        ("https://example.com/hooks?a=1", (), ""),
        ("https://example.com:8443/", (), ""),
        ("http://example.com/", (), "starts with https://"),
        ("ftp://example.com/", (), "starts with https://"),
        ("https://", (), "starts with https://"),
        ("https://exa mple.com/", (), "starts with https://"),
        ("https://example.com:port/", (), "no address"),
        ("https://user:pass@example.com/", (), "no user name"),
        ("https://example.com/#here", (), "#"),
        ("https://127.0.0.1/", (), "private network"),
        ("https://[::1]/", (), "private network"),
        ("https://169.254.169.254/latest", (), "private network"),
        ("http://10.20.0.7/", ("10.20.0.0/16",), ""),
        ("http://10.21.0.7/", ("10.20.0.0/16",), "private network"),
    ],
)
def test_addresses_that_cannot_work_are_refused_with_what_to_write(url, allowed, words):
    found = problem(url, allowed)
    assert bool(found) == bool(words)
    assert words in found
