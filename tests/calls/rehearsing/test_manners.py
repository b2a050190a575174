"""When the simulated caller of a rehearsal by voice speaks, and how much of it they have said."""

import pytest

from calls.rehearsing.lines import Heard
from calls.rehearsing.manners import Move, Situation, move, said_of


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (Situation(Heard(now_ms=300), opens=True), Move.WAIT),
        (Situation(Heard(now_ms=900), opens=True), Move.ANSWER),
        (Situation(Heard(now_ms=9000, quiet_ms=100), has_news=True), Move.WAIT),
        (Situation(Heard(now_ms=9000, quiet_ms=700), has_news=True), Move.ANSWER),
        (Situation(Heard(now_ms=9000, quiet_ms=2000)), Move.WAIT),
        (Situation(Heard(now_ms=9000, quiet_ms=800), is_asked_for_keys=True), Move.ANSWER),
        (Situation(Heard(now_ms=9000, quiet_ms=0, is_speaking=True, overlap_ms=200), has_news=True), Move.WAIT),
        (Situation(Heard(now_ms=9000, quiet_ms=0, is_speaking=True, overlap_ms=800)), Move.GIVE_WAY),
        (Situation(Heard(now_ms=44_000), idle_ms=44_000), Move.WAIT),
        (Situation(Heard(now_ms=45_000), idle_ms=45_000), Move.GIVE_UP),
        (Situation(Heard(now_ms=45_000, quiet_ms=100), idle_ms=100), Move.WAIT),
    ],
)
def test_a_caller_speaks_when_people_would(now, expected):
    assert move(now) == expected


def test_what_was_broken_off_is_cut_at_a_word():
    assert said_of("I would like an appointment", 1.0) == "I would like an appointment"
    assert said_of("I would like an appointment", 0.5) == "I would like"
    assert said_of("Hello", 0.5) == ""
