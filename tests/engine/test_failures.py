"""Providers that fail, each port at each stage: the caller is never left in silence, and the call ends with a reason."""

import pytest

from engine.events import AgentTurnEnded, AgentTurnStarted, EndReason, ProviderFailed, UserTurnEnded
from engine.ports import Message
from engine.tuning import Tuning
from tests.complaints.caller_side import longest_quiet_ms
from tests.engine.carrier import HangsUp, Says
from tests.engine.stage import APOLOGY, GOODBYE, GREETING, perform, plan
from tests.engine.vendors import Ears, Memory, Thought, Voice

ASKS = [Says(4000, "what does it cost"), HangsUp(14_000)]
ASKS_TWICE = [Says(4000, "what does it cost"), Says(11_000, "tell me the price"), HangsUp(30_000)]
FINE = Thought("It costs five hundred.")

# --- the model --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["error", "truncate", "stall"])
def test_a_model_that_fails_before_a_sentence_is_asked_once_more_within_the_turn(fault):
    impatient = plan(tuning=Tuning(llm_between_tokens_ms=1500, speculate=False))
    scene = perform(ASKS, thoughts=[Thought("It costs", fails_after=1, fault=fault), FINE], session_plan=impatient)

    assert scene.failed_providers == ["mind"]
    assert scene.dialogue[1:] == [("user", "what does it cost"), ("agent", "It costs five hundred.")]
    assert scene.mind.asked[1] == scene.mind.asked[0]  # nothing was said yet: there is nothing to go on from


def test_a_model_that_stumbles_twice_is_apologised_for_and_the_talk_goes_on():
    impatient = plan(tuning=Tuning(llm_between_tokens_ms=1500, speculate=False))
    broken = Thought("It costs", fails_after=1, fault="truncate")
    scene = perform(ASKS_TWICE, thoughts=[broken, broken, FINE], session_plan=impatient)

    assert scene.failed_providers == ["mind", "mind"]
    assert scene.dialogue[1:5] == [
        ("user", "what does it cost"),
        ("agent", APOLOGY),
        ("user", "tell me the price"),
        ("agent", "It costs five hundred."),
    ]


@pytest.mark.parametrize(("fault", "category"), [("error", "server"), ("truncate", "truncated"), ("stall", "timeout")])
def test_why_the_model_failed_is_told(fault, category):
    scene = perform(ASKS, thoughts=[Thought("It costs", fails_after=0, fault=fault)])
    assert {event.category for event in scene.of(ProviderFailed)} == {category}


def test_a_silent_model_is_given_up_when_its_time_is_over():
    impatient = plan(tuning=Tuning(llm_first_token_ms=1500, speculate=False))
    scene = perform(ASKS, thoughts=[Thought("It", fails_after=0, fault="stall")], session_plan=impatient)
    assert scene.of(ProviderFailed)[0].at_ms == 5500 + 200 - 200 + 1500


@pytest.mark.parametrize("fault", ["error", "truncate", "stall"])
def test_what_was_said_before_the_model_broke_off_stays_and_needs_no_apology(fault):
    answer = Thought("It costs five hundred. And you could also", fails_after=6, fault=fault)
    scene = perform(ASKS, thoughts=[answer])
    assert scene.dialogue == [("agent", GREETING), ("user", "what does it cost"), ("agent", "It costs five hundred.")]
    assert set(scene.failed_providers) == {"mind"}


def test_an_answer_that_keeps_the_caller_waiting_in_its_middle_and_never_ends_is_apologised_for():
    filler = "One moment, please."
    answer = Thought("It costs five hundred. And you could also", fails_after=6, fault="stall")
    manners = Tuning(llm_first_token_ms=2000, llm_between_tokens_ms=3000)
    asks = Says(4000, "what does it cost")
    words = {"session_plan": plan(filler=filler, tuning=manners), "prepared": Memory(GREETING, filler)}
    scene = perform([asks, HangsUp(18_000)], thoughts=[answer], **words)
    assert scene.dialogue[2:] == [("agent", f"It costs five hundred. {filler}"), ("agent", APOLOGY)]
    assert longest_quiet_ms(scene, asks.until_ms, scene.of(AgentTurnStarted)[-1].at_ms) < 5000


@pytest.mark.parametrize("again", ["And for children half.", "It costs five hundred. And for children half."])
def test_a_model_that_breaks_off_goes_on_where_it_was_and_repeats_no_sentence(again):
    answer = Thought("It costs five hundred. And you", fails_after=5)
    scene = perform(ASKS, thoughts=[answer, Thought(again)], session_plan=plan(tuning=Tuning(speculate=False)))

    assert scene.dialogue[-1] == ("agent", "It costs five hundred. And for children half.")
    assert scene.voice.spoken[1:] == ["It costs five hundred.", "And for children half."]
    assert scene.mind.asked[1][-2] == Message("assistant", "It costs five hundred.")
    assert scene.mind.asked[1][-1].role == "system"
    assert scene.failed_providers == ["mind"]


def test_an_answer_that_nothing_is_heard_of_in_time_is_given_up():
    slow = plan(tuning=Tuning(answer_budget_ms=2000, speculate=False))
    scene = perform(ASKS, thoughts=[Thought("It costs five hundred.", first_ms=1500)], voice=Voice(first_ms=900), session_plan=slow)

    assert scene.of(ProviderFailed)[0].at_ms == 5500 + 2000
    assert scene.of(ProviderFailed)[0].category == "timeout"
    assert scene.dialogue[-1] == ("agent", APOLOGY)


def test_a_model_that_says_nothing_at_all_has_failed():
    scene = perform(ASKS, thoughts=[Thought("")])
    assert scene.dialogue[-1] == ("agent", APOLOGY)


def test_two_failed_turns_in_a_row_end_the_call_with_a_goodbye():
    scene = perform(ASKS_TWICE, thoughts=[Thought("", fails_after=0, fault="truncate")])
    assert scene.dialogue == [
        ("agent", GREETING),
        ("user", "what does it cost"),
        ("agent", APOLOGY),
        ("user", "tell me the price"),
        ("agent", GOODBYE),
    ]
    assert scene.reason is EndReason.PROVIDER_FAILED


def test_a_good_turn_between_two_failed_ones_forgives():
    script = [*ASKS_TWICE[:2], Says(17_000, "and for two people"), HangsUp(24_000)]
    lost = Thought("", fails_after=0, fault="truncate")
    scene = perform(script, thoughts=[lost, lost, FINE, lost], session_plan=plan(tuning=Tuning(speculate=False)))
    assert scene.dialogue[-1] == ("agent", APOLOGY)
    assert scene.reason is EndReason.CALLER_HANGUP


def test_a_model_that_only_calls_tools_is_made_to_speak():
    tireless = Thought("", calls=[("no_such_tool", "{}")])
    scene = perform(ASKS, thoughts=[tireless, tireless, tireless, tireless, FINE])
    assert scene.dialogue[-1] == ("agent", "It costs five hundred.")
    assert scene.mind.offered[-1] == ["end_call"]


# --- the voice --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["open", "empty"])
def test_a_voice_that_fails_once_is_asked_once_more(fault):
    scene = perform(ASKS, thoughts=[FINE], voice=Voice(fails=[None, fault]))
    assert scene.failed_providers == ["voice"]
    assert scene.dialogue[-1] == ("agent", "It costs five hundred.")


def test_a_voice_that_stumbles_twice_is_apologised_for():
    voice = Voice(fails=[None, "empty", "empty"])
    scene = perform(ASKS, thoughts=[FINE], voice=voice, session_plan=plan(silence_timeout_ms=20_000))
    assert set(scene.failed_providers) == {"voice"}
    assert scene.dialogue == [("agent", GREETING), ("user", "what does it cost"), ("agent", APOLOGY)]
    assert scene.reason is EndReason.CALLER_HANGUP


def test_a_voice_that_breaks_off_in_the_last_sentence_leaves_what_was_heard_and_the_caller_is_told():
    answer = Thought("It costs five hundred. That is with the doctor and all.")
    scene = perform(ASKS, thoughts=[answer], voice=Voice(fails=[None, None, "mid"]))
    _greeting, turn, apology = scene.of(AgentTurnEnded)
    assert apology.heard == APOLOGY

    assert turn.generated == answer.text
    assert turn.heard.startswith("It costs five hundred. That is")
    assert len(turn.heard) < len(turn.generated)
    assert scene.reason is EndReason.CALLER_HANGUP


def test_a_voice_that_breaks_off_leaves_that_sentence_and_goes_on_with_the_next():
    answer = Thought("It costs five hundred. That is with the doctor and all. You can also pay by card.")
    scene = perform(ASKS, thoughts=[answer], voice=Voice(fails=[None, None, "mid"]))
    turn = scene.of(AgentTurnEnded)[-1]

    assert turn.generated == answer.text
    assert turn.heard.startswith("It costs five hundred. That is")
    assert turn.heard.endswith(" You can also pay by card.")
    assert "and all" not in turn.heard
    assert scene.failed_providers == ["voice"]
    assert scene.voice.spoken[1:] == ["It costs five hundred.", "That is with the doctor and all.", "You can also pay by card."]


def test_an_aligned_voice_that_breaks_off_speaks_the_rest_of_the_sentence_and_no_word_twice():
    answer = Thought("It costs five hundred. That is with the doctor and all.")
    scene = perform(ASKS, thoughts=[answer], voice=Voice(fails=[None, None, "mid"], aligns=True))
    turn = scene.of(AgentTurnEnded)[-1]

    assert scene.dialogue[-1] == ("agent", answer.text)
    assert turn.heard == turn.generated
    assert scene.voice.spoken[2:] == ["That is with the doctor and all.", " doctor and all."]


@pytest.mark.parametrize("fault", ["open", "stall"])
def test_without_any_voice_the_call_ends_since_nothing_can_be_said(fault):
    scene = perform([], voice=Voice(always_fails=fault))
    assert scene.reason is EndReason.PROVIDER_FAILED
    assert scene.dialogue == []
    assert scene.ended_ms < 12_000


def test_a_voice_that_dies_in_mid_call_ends_it():
    scene = perform(ASKS, thoughts=[FINE], voice=Voice(fails=[None] + ["open"] * 9))
    assert scene.reason is EndReason.PROVIDER_FAILED
    assert set(scene.failed_providers) == {"voice"}


# --- the ears ---------------------------------------------------------------------------------------------------------


def test_recognition_that_is_lost_is_opened_again_and_no_word_is_missed():
    scene = perform(ASKS, thoughts=[FINE], ears=Ears([], fails=[("after", 4500)]))
    assert scene.dialogue == [("agent", GREETING), ("user", "what does it cost"), ("agent", "It costs five hundred.")]
    assert scene.failed_providers == ["ears"]
    assert len(scene.ears.streams) == 2


def test_words_already_final_are_not_heard_twice_after_a_loss():
    script = [Says(3000, "good morning to you"), Says(7500, "what does it cost"), HangsUp(16_000)]
    scene = perform(script, thoughts=[FINE], ears=Ears([], fails=[("after", 7000)]))
    assert [text for who, text in scene.dialogue if who == "user"] == ["good morning to you", "what does it cost"]


def test_the_times_of_a_turn_are_right_after_a_loss():
    scene = perform(ASKS, thoughts=[FINE], ears=Ears([], fails=[("after", 3000)]))
    turn = scene.of(UserTurnEnded)[0]
    assert (turn.started_ms, turn.ended_ms) == (4000, 5200)


def test_recognition_that_never_opens_ends_the_call_with_a_goodbye():
    scene = perform([], ears=Ears([], fails=["open"] * 9))
    assert scene.failed_providers == ["ears"] * 4
    assert scene.dialogue == [("agent", GREETING), ("agent", APOLOGY), ("agent", GOODBYE)]
    assert scene.reason is EndReason.PROVIDER_FAILED


def test_recognition_that_refuses_us_is_not_asked_again():
    scene = perform([], ears=Ears([], fails=["open"] * 9, retryable=False))
    assert scene.failed_providers == ["ears"]
    assert scene.dialogue == [("agent", GREETING), ("agent", APOLOGY), ("agent", GOODBYE)]
    assert scene.reason is EndReason.PROVIDER_FAILED


def test_recognition_that_is_lost_in_an_answer_lets_it_be_heard_to_its_end():
    ears = Ears([], fails=[("after", 6500)], retryable=False)
    scene = perform(ASKS, thoughts=[Thought("It costs five hundred, and for children half of that, every day.")], ears=ears)
    assert [text for who, text in scene.dialogue if who == "agent"][1:3] == [
        "It costs five hundred, and for children half of that, every day.",
        APOLOGY,
    ]


def test_recognition_that_hangs_while_opening_is_given_up_and_tried_again():
    scene = perform(ASKS, thoughts=[FINE], ears=Ears([], fails=["hang"]))
    assert [event.category for event in scene.of(ProviderFailed)] == ["timeout"]
    assert ("user", "what does it cost") in scene.dialogue
