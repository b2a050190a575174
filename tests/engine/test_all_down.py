"""Every provider of a chain is down: stored words, then a person or a goodbye, all of it within seconds. One that stumbles ends nothing."""

import asyncio

import pytest

from engine.events import AgentTurnEnded, AgentTurnStarted, EndReason, ProviderFailed
from engine.tuning import Tuning
from providers.breakers import Health
from providers.fallback import FallbackLanguageModel
from tests.engine.carrier import HangsUp, Says
from tests.engine.stage import APOLOGY, GOODBYE, GREETING, STILL_THERE, perform, plan
from tests.engine.vendors import Ears, Memory, Mind, Thought, Voice

ASKS = Says(4000, "what does it cost")
REGRET = "Sorry, we have a technical problem."
HANDOVER = "One moment, I am connecting you."
DEADLINES = Tuning(llm_first_token_ms=2000, tts_first_audio_ms=2000)  # as providers keep them themselves
WORDS = plan(regret=REGRET, tuning=DEADLINES)
STORED = Memory(GREETING, APOLOGY, REGRET, HANDOVER, GOODBYE, STILL_THERE, "One moment.")
DEAD = Thought("", fails_after=0)
FINE = Thought("It costs five hundred.")


def asked(*, hand_over=None, session_plan=WORDS, prepared=STORED, **parts):
    return perform([ASKS, HangsUp(60_000)], session_plan=session_plan, prepared=prepared, hand_over=hand_over, **parts)


def known_ms(scene):
    """When the last provider of the turn had failed."""
    return scene.of(ProviderFailed)[-1].at_ms


async def person_found():
    return True


async def nobody_found():
    return False


async def never_says():
    await asyncio.sleep(3600)
    return True


@pytest.mark.parametrize("fault", ["error", "stall"])
@pytest.mark.parametrize("voice", [None, "open", "stall", "empty"])
@pytest.mark.parametrize("filler", ["", "One moment."])
def test_the_first_turn_in_which_everything_is_down_ends_the_call_with_stored_words(fault, voice, filler):
    scene = asked(
        thoughts=[Thought("", fails_after=0, fault=fault)],
        voice=Voice(always_fails=voice),
        session_plan=plan(regret=REGRET, filler=filler, tuning=DEADLINES),
    )
    said = [turn.heard for turn in scene.of(AgentTurnEnded) if turn.heard != filler]
    assert said == [GREETING, REGRET, GOODBYE]
    assert scene.reason is EndReason.PROVIDER_FAILED
    first_words_ms = min(scene.ms(sent.at_s) for sent in scene.line.sent if scene.ms(sent.at_s) >= ASKS.until_ms)
    assert first_words_ms - ASKS.until_ms < 5000
    assert scene.ended_ms - known_ms(scene) < 6000


def test_where_the_providers_refuse_the_whole_parting_takes_less_than_six_seconds_from_the_callers_last_word():
    scene = asked(thoughts=[DEAD])
    assert scene.dialogue[-2:] == [("agent", REGRET), ("agent", GOODBYE)]
    assert scene.ended_ms - ASKS.until_ms < 6000


@pytest.mark.parametrize("voice", ["open", "stall"])
def test_a_voice_that_is_down_ends_the_call_in_its_first_turn_with_stored_words(voice):
    scene = asked(thoughts=[FINE], voice=Voice(always_fails=voice))
    assert [turn.heard for turn in scene.of(AgentTurnEnded)] == [GREETING, REGRET, GOODBYE]
    assert scene.ended_ms - known_ms(scene) < 6000


@pytest.mark.parametrize("mind", ["error", "stall"])
@pytest.mark.parametrize("voice", [None, "stall"])
def test_with_a_fallback_destination_a_person_gets_the_caller(mind, voice):
    scene = asked(
        thoughts=[Thought("", fails_after=0, fault=mind)],
        voice=Voice(always_fails=voice),
        session_plan=plan(regret=REGRET, handover=HANDOVER, tuning=DEADLINES),
        hand_over=person_found,
    )
    assert [turn.heard for turn in scene.of(AgentTurnEnded)] == [GREETING, REGRET, HANDOVER]
    assert scene.reason is EndReason.TRANSFERRED
    assert scene.ended_ms - known_ms(scene) < 6000


def test_a_person_gets_the_caller_even_where_no_word_can_be_said():
    scene = asked(
        thoughts=[DEAD],
        voice=Voice(always_fails="open"),
        prepared=Memory(GREETING),
        session_plan=plan(regret=REGRET, handover=HANDOVER, tuning=DEADLINES),
        hand_over=person_found,
    )
    assert scene.dialogue == [("agent", GREETING), ("user", "what does it cost")]
    assert scene.reason is EndReason.TRANSFERRED


@pytest.mark.parametrize("hand_over", [nobody_found, never_says])
def test_a_hand_over_that_cannot_be_kept_becomes_a_goodbye_in_time(hand_over):
    scene = asked(thoughts=[DEAD], session_plan=plan(regret=REGRET, handover=HANDOVER, tuning=DEADLINES), hand_over=hand_over)
    assert [turn.heard for turn in scene.of(AgentTurnEnded)] == [GREETING, REGRET, GOODBYE]
    assert scene.reason is EndReason.PROVIDER_FAILED
    assert scene.ended_ms - known_ms(scene) < 6000


def test_recognition_that_is_lost_for_good_is_told_with_stored_words_before_the_goodbye():
    scene = perform([HangsUp(60_000)], session_plan=WORDS, prepared=STORED, ears=Ears([], fails=["open"] * 9))
    assert [turn.heard for turn in scene.of(AgentTurnEnded)][-2:] == [REGRET, GOODBYE]
    assert scene.reason is EndReason.PROVIDER_FAILED


@pytest.mark.parametrize("fault", ["error", "stall"])
def test_one_provider_that_is_down_ends_nothing_while_a_stand_in_works(fault):
    first, second = Mind([Thought("", fails_after=0, fault=fault)]), Mind([FINE], provider="stand-in")
    chain = FallbackLanguageModel([first, second], Health())
    chain.open_streams = 0  # type: ignore[attr-defined]  # what the stage counts; the ports' own counts are looked at below
    scene = perform([ASKS, HangsUp(14_000)], session_plan=plan(regret=REGRET), prepared=STORED, mind=chain)
    assert scene.dialogue == [("agent", GREETING), ("user", "what does it cost"), ("agent", FINE.text)]
    assert scene.reason is EndReason.CALLER_HANGUP
    assert (first.open_streams, second.open_streams) == (0, 0)


@pytest.mark.parametrize("fault", ["error", "stall"])
def test_a_chain_of_which_all_are_down_ends_the_call_in_its_first_turn(fault):
    down = Thought("", fails_after=0, fault=fault)
    chain = FallbackLanguageModel([Mind([down]), Mind([down], provider="stand-in")], Health())
    chain.open_streams = 0  # type: ignore[attr-defined]  # as above
    scene = perform([ASKS, HangsUp(60_000)], session_plan=plan(regret=REGRET), prepared=STORED, mind=chain)
    assert [turn.heard for turn in scene.of(AgentTurnEnded)] == [GREETING, REGRET, GOODBYE]
    assert scene.ended_ms - known_ms(scene) < 6000


def test_an_answer_that_is_only_slow_is_apologised_for_and_the_call_goes_on():
    slow = plan(regret=REGRET, tuning=Tuning(speculate=False, answer_budget_ms=4500))
    scene = perform(
        [ASKS, Says(14_000, "tell me the price"), HangsUp(24_000)],
        thoughts=[Thought("It costs five hundred", first_ms=1000, gap_ms=2000), FINE],
        session_plan=slow,
        prepared=STORED,
    )
    assert [turn.heard for turn in scene.of(AgentTurnEnded)] == [GREETING, APOLOGY, FINE.text]
    assert len(scene.of(AgentTurnStarted)) == 3


@pytest.mark.parametrize("parts", [{"thoughts": [Thought("It", fails_after=0, fault="stall"), FINE]}, {"voice": Voice(fails=["stall"])}])
def test_one_request_that_hangs_is_asked_again_within_the_turn(parts):
    scene = perform([ASKS, HangsUp(14_000)], session_plan=WORDS, prepared=STORED, **{"thoughts": [FINE]} | parts)
    assert scene.dialogue == [("agent", GREETING), ("user", "what does it cost"), ("agent", FINE.text)]
