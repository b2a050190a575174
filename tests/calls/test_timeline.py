"""How a call stands, from the set of its events alone: no order, no copy and no gap leads anywhere else."""

import random
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from calls.endings import EndedBy
from calls.status import TERMINAL, CallStatus
from calls.timeline import CallFacts, fold
from calls.told import REPORT, Event, claims
from engine.events import EndReason
from tests.calls import carrier_stories as stories

NOON = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
NAMES = [story.name for story in stories.STORIES]


def event(kind: str, source: str = "carrier", *, key: str = "", facts: dict | None = None, **said) -> Event:
    told = {**(facts or {}), **(claims(**said) if said else {})}
    return Event(key=key or f"{kind}:{sorted(map(str, told.items()))}", source=source, kind=kind, at=NOON, facts=told)


def report(door: str = "status", **said) -> Event:
    return event(REPORT, facts={"asked": True} if door == "details" else {"door": door}, **said)


# --- every order, every number of copies, gaps -------------------------------------------------------------------------------


@pytest.mark.parametrize("story", stories.STORIES, ids=NAMES)
def test_every_order_of_a_calls_reports_reaches_the_same_end(story):
    told, ours = [step.event(NOON) for step in story.steps], story.ours()
    assert len(told) <= 6
    ends = {fold([*order, *ours]) for order in permutations(told)}
    assert len(ends) == 1
    assert stories.is_right(story, ends.pop()) == {}


def test_ten_thousand_ways_of_a_bad_line_reach_the_end_of_the_clean_one():
    chance = random.Random(4)
    wrong = []
    for _ in range(10_000):
        story = chance.choice(stories.STORIES)
        told = stories.interleaving(story, chance)
        if amiss := stories.is_right(story, fold(stories.events_of(story, told, chance)), told=told):
            wrong.append((story.name, amiss))
    assert wrong == []


def test_an_end_is_never_taken_back_and_nothing_told_is_forgotten():
    chance = random.Random(5)
    for _ in range(300):
        story = chance.choice(stories.STORIES)
        events = stories.events_of(story, stories.interleaving(story, chance), chance)
        before = CallFacts()
        for number in range(len(events) + 1):
            now = fold(events[:number])
            assert now.status in TERMINAL or before.status not in TERMINAL
            assert before.confirmation != "confirmed" or now.confirmation == "confirmed"
            for known in ("started_at", "answered_at", "duration_s", "carrier_price"):
                assert getattr(now, known) is not None or getattr(before, known) is None
            before = now


def test_ten_thousand_copies_of_one_report_say_what_one_says():
    told = stories.STORIES[0].steps[3].event(NOON)
    later = [Event(told.key, told.source, told.kind, NOON + timedelta(seconds=n), told.facts) for n in range(10_000)]
    assert fold(later) == fold([told])


# --- who is believed -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], "queued"),
        ([report(status="completed"), report(status="in-progress")], "completed"),
        ([report(status="busy"), report(status="failed")], "busy"),
        ([report(status="completed"), report("details", status="busy")], "busy"),
        ([report("details", status="in-progress"), report(status="completed")], "completed"),
        ([report("passthru", status="completed"), report(status="no-answer")], "no-answer"),
        ([event("given-up", "sweeper", status="failed"), report("passthru", status="completed")], "completed"),
        ([event("dial-refused", status="failed"), report(status="busy")], "busy"),
        ([event("stream-reported", facts={"status": "completed"})], "queued"),
        ([report(status="teleported")], "queued"),
    ],
)
def test_the_better_source_is_believed_and_an_end_before_any_stage(events, status):
    assert fold(events).status == fold(reversed(events)).status == status


def test_details_are_believed_even_if_callbacks_say_more():
    told = [report(status="completed", duration_s=99, ended_at=NOON), report("details", status="completed", duration_s=61)]
    assert (fold(told).duration_s, fold(told).ended_at) == (61, NOON)


def test_of_equal_words_the_earliest_start_the_latest_end_and_the_longest_duration_stand():
    told = [
        report(status="completed", started_at=NOON + timedelta(seconds=n), ended_at=NOON + timedelta(seconds=60 + n), duration_s=60 + n)
        for n in (3, 9, 0, 5)
    ]
    for order in permutations(told):
        facts = fold(order)
        assert (facts.started_at, facts.ended_at, facts.duration_s) == (NOON, NOON + timedelta(seconds=69), 69)


def test_an_address_that_lasts_is_kept_before_a_signed_one():
    signed, plain = "https://recordings.example/a.mp3?Signature=x", "https://recordings.example/a.mp3"
    assert fold([report("details", recording_url=signed), report(recording_url=plain)]).recording_url == plain
    assert fold([report("details", recording_url=signed)]).recording_url == signed


@pytest.mark.parametrize(
    "said",
    [
        {"started_at": "1970-01-01T00:00:00+00:00", "ended_at": "0001-01-01T00:00:00", "answered_at": "9999-12-31T23:59:59-09:00"},
        {"duration_s": -5, "price": "-1", "currency": "INR"},
        {"duration_s": True, "price": "NaN", "currency": "INR"},
        {"duration_s": 10**12, "price": "1e99", "currency": "INR"},
        {"duration_s": "61", "price": 1.5, "recording_url": ["x"], "cause": 7, "started_at": 0},
    ],
)
def test_what_makes_no_sense_was_not_said(said):
    nonsense = Event("k", "carrier", REPORT, NOON, {"door": "status", "causes": "x", "call": {"status": "completed", **said}})
    assert fold([nonsense]) == fold([report(status="completed")])


def test_a_price_is_completed_and_keeps_its_currency():
    told = [report(price="0.60", currency="INR"), report(price="1.20", currency="INR"), report(price="9", currency="USD")]
    assert (str(fold(told).carrier_price), fold(told).carrier_currency) == ("1.2000", "INR")


# --- both sides of an end --------------------------------------------------------------------------------------------------------


def ended(reason: str, *, part: int = 0, at_s: int = 60) -> Event:
    at = (NOON + timedelta(seconds=at_s)).isoformat()
    return event("session-ended", "engine", key=f"session:ended:{part}", facts={"reason": reason, "at": at, "part": part})


STARTED = event("stream-started", "stream", status="in-progress", answered_at=NOON)
CLOSED_BY_USER = event("stream-reported", facts={"status": "cancelled", "disconnected_by": "user"})


@pytest.mark.parametrize(
    ("events", "who"),
    [
        ([STARTED], ""),
        ([STARTED, ended("caller-hangup")], "caller"),
        ([STARTED, ended("agent-goodbye")], "agent"),
        ([STARTED, ended("max-duration")], "watchdog"),
        ([STARTED, ended("crash"), CLOSED_BY_USER], "crash"),
        ([STARTED, ended("link-lost")], "carrier"),
        ([STARTED, ended("link-lost"), CLOSED_BY_USER], "caller"),
        ([STARTED, ended("something new")], "unknown"),
        ([STARTED, ended("operator-hangup")], "operator"),
        ([STARTED, ended("operator-hangup"), event("hangup-requested", "sweeper", facts={"by": "time limit"})], "watchdog"),
        ([STARTED, ended("operator-hangup"), event("hangup-requested", "operator", facts={"by": "asha"})], "operator"),
        ([STARTED, ended("link-lost"), event("stream-resumed", "stream", facts={"part": 1})], ""),
        ([STARTED, ended("link-lost"), event("stream-resumed", "stream", facts={"part": 1}), ended("caller-hangup", part=1)], "caller"),
        ([STARTED, report(status="completed")], "unknown"),
        ([STARTED, report(status="completed"), CLOSED_BY_USER], "caller"),
        ([report(status="busy")], "carrier"),
        ([report(status="canceled")], "caller"),
        ([event("call-canceled", "operator", status="canceled")], "operator"),
        ([event("call-canceled", "sweeper", status="canceled")], "watchdog"),
        ([event("given-up", "sweeper", status="failed")], "watchdog"),
        ([event("dial-refused", status="failed")], "carrier"),
    ],
)
def test_who_ended_the_call(events, who):
    assert fold(events).ended_by == fold(reversed(events)).ended_by == who


@pytest.mark.parametrize("reason", EndReason)
def test_every_reason_of_the_engine_is_somebodys(reason):
    assert fold([STARTED, ended(reason)]).ended_by in set(EndedBy) - {EndedBy.UNKNOWN}


@pytest.mark.parametrize(
    ("events", "confirmation"),
    [
        ([STARTED], ""),
        ([STARTED, ended("caller-hangup")], "not-confirmed"),
        ([STARTED, ended("caller-hangup"), report("passthru", status="completed")], "not-confirmed"),
        ([STARTED, ended("caller-hangup"), report(status="completed")], "confirmed"),
        ([STARTED, ended("crash"), report("details", status="completed")], "confirmed"),
        ([STARTED, ended("crash"), report("details", status="in-progress")], "not-confirmed"),
        ([event("dial-refused", status="failed")], "confirmed"),
        ([event("dial-claimed", "api", status="initiated"), event("given-up", "sweeper", status="failed")], "not-confirmed"),
        ([event("call-queued", "api", status="queued"), event("call-canceled", "operator", status="canceled")], ""),
    ],
)
def test_only_the_carriers_own_word_confirms_that_the_leg_is_down(events, confirmation):
    assert fold(events).confirmation == confirmation


@pytest.mark.parametrize(
    ("events", "outcome", "failure"),
    [
        ([event("dial-unknown", cause="no answer in 30 s")], "unknown", "no answer in 30 s"),
        ([event("dial-unknown", cause="no answer in 30 s"), event("dial-accepted")], "accepted", ""),
        ([event("dial-unknown", cause="no answer in 30 s"), STARTED], "accepted", ""),
        ([event("dial-unknown", cause="x"), event("dial-refused", status="failed", cause="not placed")], "refused", "not placed"),
    ],
)
def test_a_doubt_about_a_dial_ends_with_any_news(events, outcome, failure):
    assert (fold(events).dial_outcome, fold(events).failure) == (outcome, failure)


def test_without_the_carriers_time_a_call_ended_when_the_talk_did():
    assert fold([STARTED, ended("caller-hangup"), report("passthru", status="completed")]).ended_at == NOON + timedelta(seconds=60)
    assert fold([STARTED, ended("caller-hangup")]).ended_at is None


def test_the_stages_are_the_table_of_statuses_in_its_order():
    assert [fold([report(status=status)]).status for status in CallStatus] == list(CallStatus)
