"""Complaint 1: everything is said, or nobody is there any more, and the line stays open and is paid for."""

import asyncio

import pytest

from engine.events import EndReason
from engine.tuning import Tuning
from tests.engine.carrier import Says
from tests.engine.stage import GOODBYE, STILL_THERE, perform, plan
from tests.engine.vendors import Thought

BYE = [Says(4000, "no that is all thank you")]
TELEVISION = [Says(4000 + 2500 * number, "", noise_ms=900) for number in range(60)]


def test_a_model_that_takes_leave_and_forgets_to_hang_up_does_not_keep_the_line_open():
    scene = perform(BYE, thoughts=[Thought("You are welcome. Have a nice day!")])
    assert scene.reason is EndReason.AGENT_GOODBYE
    assert scene.dialogue[-1] == ("agent", "You are welcome. Have a nice day!")
    assert scene.ended_ms < 14_000


def test_a_caller_who_walked_away_from_a_television_is_asked_and_then_let_go():
    """A sound of speech without words may put the question off for a moment, never for ever."""
    scene = perform(TELEVISION, session_plan=plan(silence_timeout_ms=6000, max_duration_ms=150_000))
    assert scene.reason is EndReason.SILENCE
    assert [text for _, text in scene.dialogue].count(STILL_THERE) == 2
    assert scene.dialogue[-1] == ("agent", GOODBYE)
    assert scene.ended_ms < 45_000


@pytest.mark.parametrize("closes", [True, False], ids=["a model that talks on", "a model that never ends its sentence"])
def test_two_who_talk_for_ever_are_warned_and_then_parted(closes):
    story = " ".join(["and then they went on to the next town"] * 40) + ("." if closes else "")
    script = [Says(4000 + 9000 * number, "and what came then") for number in range(30)]
    manners = Tuning(warning_ms=20_000)
    scene = perform(
        script, thoughts=[Thought(story)], session_plan=plan(max_duration_ms=90_000, tuning=manners, time_warning="Little time is left.")
    )
    assert scene.reason is EndReason.MAX_DURATION
    assert scene.dialogue[-1] == ("agent", GOODBYE)
    assert 90_000 < scene.ms(scene.line.closed_at_s) < 95_000


def test_an_operator_who_hangs_up_is_obeyed_while_the_agent_tells_a_story():
    async def operator(session):
        await asyncio.sleep(9)
        session.request_end(EndReason.OPERATOR_HANGUP)

    scene = perform([Says(4000, "tell me everything")], thoughts=[Thought("Once upon a time there was a king. " * 20)], during=operator)
    assert scene.reason is EndReason.OPERATOR_HANGUP
    assert scene.ms(scene.line.closed_at_s) < 12_000
