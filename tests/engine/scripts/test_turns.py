"""What callers of voice agents complain about, as scripted calls: whose turn it is. Each script fails without the manner that cures it."""

import pytest

from engine.events import AgentTurnEnded, AgentTurnInterrupted, AgentTurnStarted, EndReason, UserTurnEnded
from engine.tuning import Tuning
from engine.usage import UsageKind
from providers.deepgram.messages import ListenWire
from tests.engine.carrier import HangsUp, Says
from tests.engine.stage import GREETING, STILL_THERE, perform, plan
from tests.engine.tape import Tape, results
from tests.engine.vendors import Ears, Thought

STORY = "First you take the train to Pune. Then you walk along the river for ten minutes. At last you ring the bell."
ASKED = Says(4000, "tell me the way")  # the story is audible from about 5.7 s to 11 s


def told(*script, story=STORY, **rest):
    return perform([ASKED, *script, HangsUp(18_500)], thoughts=[Thought(story), Thought("Of course.")], **rest)


def voiced_samples(scene):
    return bytes(scene.line.played).count(b"\x01\x10")


def bought_samples(scene):
    return sum(len(text) * 50 for text in scene.voice.spoken) * 8


# --- 1: the call does not end -----------------------------------------------------------------------------------------


def test_a_model_that_takes_leave_and_forgets_to_hang_up_does_not_keep_the_line_open():
    scene = perform([Says(4000, "no that is all")], thoughts=[Thought("Thank you for calling, goodbye!")])
    last = scene.of(AgentTurnEnded)[-1]
    assert last.heard == "Thank you for calling, goodbye!"
    assert scene.reason is EndReason.AGENT_GOODBYE
    assert scene.ended_ms - last.ended_ms <= Tuning().farewell_wait_ms + 50


def test_a_caller_who_comes_back_after_the_farewell_is_answered():
    scene = perform(
        [Says(4000, "no that is all"), Says(9000, "oh what time do you open"), HangsUp(20_000)],
        thoughts=[Thought("Thank you for calling, goodbye!"), Thought("We open at nine. Anything else?")],
    )
    assert scene.dialogue[-1] == ("agent", "We open at nine. Anything else?")
    assert scene.reason is EndReason.CALLER_HANGUP


def test_a_television_is_no_caller_the_silence_ends_the_call():
    noise = [Says(3000 + index * 1700, "", noise_ms=400) for index in range(60)]
    scene = perform(noise, session_plan=plan(silence_timeout_ms=5000, max_duration_ms=110_000))
    assert scene.reason is EndReason.SILENCE
    assert scene.ended_ms < 60_000


# --- 3: false interruptions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["hmm", "ok", "haan", "haan ji", "achha", "theek hai", "अच्छा", "ठीक है", "haan ok sahi"])
def test_an_acknowledgement_costs_a_breath_and_not_a_word(word):
    scene = told(Says(8000, word))
    assert not scene.of(AgentTurnInterrupted)
    assert scene.dialogue == [("agent", GREETING), ("user", "tell me the way"), ("agent", STORY)]
    assert voiced_samples(scene) == bought_samples(scene)


@pytest.mark.parametrize("word", ["ruko", "wait", "stop", "रुकिए"])
def test_a_word_that_objects_stops_the_agent_however_many_words_are_asked_for(word):
    scene = told(Says(8000, word), HangsUp(14_000), session_plan=plan(tuning=Tuning(interrupt_min_words=3)))
    assert len(scene.of(AgentTurnInterrupted)) == 1
    assert scene.dialogue[-2:] == [("user", word), ("agent", "Of course.")]


@pytest.mark.parametrize("word", ["hello", "haan hello", "namaste"])
def test_a_hello_at_pick_up_does_not_cost_the_greeting(word):
    scene = perform([Says(500, word), HangsUp(8000)])
    assert scene.dialogue[0] == ("agent", GREETING)
    assert not scene.of(AgentTurnInterrupted)


def test_a_haan_into_the_end_of_a_question_is_its_answer():
    scene = perform(
        [ASKED, Says(7000, "haan"), HangsUp(16_000)],
        thoughts=[Thought("Shall I book it for tomorrow morning?"), Thought("It is booked.")],
    )
    assert not scene.of(AgentTurnInterrupted)
    assert scene.dialogue[2:] == [("agent", "Shall I book it for tomorrow morning?"), ("user", "haan"), ("agent", "It is booked.")]


def test_a_noisy_line_pauses_the_agent_twice_and_then_asks_for_words():
    coughs = [Says(6250 + index * 1670, "", noise_ms=200) for index in range(5)]
    scene = told(*coughs)
    assert len(scene.line.cleared_at_s) == 2
    assert voiced_samples(scene) == bought_samples(scene)


# --- 4: slow turns ----------------------------------------------------------------------------------------------------


def test_an_answer_that_was_begun_ahead_is_audible_sooner_and_costs_nothing_more():
    def total_ms(speculate):
        script = [Says(4000, "What does it cost?"), HangsUp(12_000)]
        scene = perform(
            script,
            ears=Ears([], endpointing_ms=700),
            thoughts=[Thought("Ten rupees.")],
            session_plan=plan(tuning=Tuning(speculate=speculate)),
        )
        assert scene.dialogue == [("agent", GREETING), ("user", "What does it cost?"), ("agent", "Ten rupees.")]
        assert len(scene.mind.asked) == 1
        return scene.of(AgentTurnStarted)[-1].latency.total_ms

    plain_ms = total_ms(False)
    assert plain_ms >= 700 + 200 + 150  # the wait, the first token, the first audio
    assert total_ms(True) <= plain_ms - 350


def test_an_answer_begun_too_early_is_never_heard_and_is_paid_for_by_its_name():
    whole = "I want tea. Two cups and a biscuit."
    heard = [(5080, results("I want tea.", 4900)), (5900, results("I want tea. Two cups", 5800))]
    scene = perform(
        [Says(4000, "I want tea."), Says(5300, "Two cups and a biscuit."), HangsUp(16_000)],
        ears=Tape(ListenWire, [*heard, (7250, results(whole, 7100, final=True, speech_final=True))]),
        thoughts=[Thought("Tea it is."), Thought("Two teas and a biscuit, gladly.")],
        session_plan=plan(tuning=Tuning(eager_stable_ms=200)),
    )
    assert scene.dialogue[-2:] == [("user", whole), ("agent", "Two teas and a biscuit, gladly.")]
    purposes = [event.record.purpose for event in scene.events if hasattr(event, "record") and event.record.kind is UsageKind.LLM]
    assert "speculative" in purposes


# --- 6: the carrier's buffer keeps talking ----------------------------------------------------------------------------


def test_the_line_is_silent_as_soon_as_a_sound_of_speech_is_known():
    scene = told(Says(8000, "what about tomorrow morning"))
    assert scene.ms(scene.line.cleared_at_s[0]) == 8100
    assert not [sent for sent in scene.line.sent if 8100 < scene.ms(sent.at_s) < 9000]
    assert scene.of(AgentTurnInterrupted)[0].silence_after_ms == 0


# --- 18: the transcript is not what was heard -------------------------------------------------------------------------


def test_after_a_false_start_and_a_true_interruption_the_transcript_holds_what_was_heard():
    scene = told(Says(6500, "", noise_ms=200), Says(10_000, "what about tomorrow"))
    cut = next(event for event in scene.of(AgentTurnEnded) if event.interrupted)
    heard_characters = voiced_samples(scene) / 8 / 50 - len(GREETING) - len("Of course.")
    assert STORY.startswith(cut.heard)
    assert heard_characters - 16 <= len(cut.heard) <= heard_characters + 1


# --- 19: the caller is cut off ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("my mobile number is 98765", "43210"),
        ("mera number hai", "9876543210"),
        ("I want a table for two and", "one for my mother"),
        ("मुझे कल सुबह आना है और", "परसों भी"),
        ("nine eight seven", "six five four three two one zero"),
    ],
)
def test_a_pause_inside_a_thought_is_not_its_end(first, then):
    goes_on_ms = Says(4000, first).until_ms + 750
    scene = perform([Says(4000, first), Says(goes_on_ms, then), HangsUp(20_000)])
    assert [event.text for event in scene.of(UserTurnEnded)] == [f"{first} {then}"]
    assert len(scene.mind.asked) == 1


def test_who_was_cut_off_once_is_given_more_time_from_then_on():
    def waits_ms(*script):
        scene = perform([*script, Says(12_000, "and where is it"), HangsUp(18_000)])
        return scene.of(AgentTurnStarted)[-1].latency.endpointing_ms

    assert waits_ms(Says(4000, "what does it cost")) == 300
    assert waits_ms(Says(4000, "what does it cost"), Says(5700, "for two")) > 300


# --- 26: echo on a speakerphone ---------------------------------------------------------------------------------------


def test_the_agents_own_words_from_a_loudspeaker_neither_stop_it_nor_are_answered():
    scene = told(Says(6400, "you take the train to Pune"))
    assert not scene.of(AgentTurnInterrupted)
    assert scene.dialogue == [("agent", GREETING), ("user", "tell me the way"), ("agent", STORY)]
    assert voiced_samples(scene) == bought_samples(scene)


def test_the_end_of_the_agents_words_that_comes_back_late_is_not_taken_for_the_caller():
    scene = perform(
        [Says(4000, "tell me the way"), Says(7200, "ring the bell at the gate"), HangsUp(14_000)],
        thoughts=[Thought("You have to ring the bell at the gate.")],
        ears=Ears([], tells_onset=False, interims=False),
    )
    assert [text for who, text in scene.dialogue if who == "user"] == ["tell me the way"]
    assert STILL_THERE not in [text for _, text in scene.dialogue]
