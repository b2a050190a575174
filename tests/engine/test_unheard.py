"""The caller speaks and the recogniser says nothing: no silence over 5 s. And sound alone is no speech."""

import pytest

from engine.events import AgentTurnEnded, AgentTurnInterrupted, EndReason, UserTurnEnded
from engine.moves import AgentAudioStarted, Prepared, ReplyEnded, SayPrepared, SessionOpened, SoundBegan, SoundEnded, TimePassed
from engine.ports import InterimTranscript
from engine.tuning import Tuning
from engine.turn_taking import Phase, TurnRules, TurnTaking
from engine.unheard import Unheard
from tests.engine.carrier import HangsUp, Says
from tests.engine.stage import GREETING, STILL_THERE, perform, plan
from tests.engine.vendors import Ears, Memory

NOT_CAUGHT = "Sorry, I did not catch that."
WORDS = plan(not_caught=NOT_CAUGHT, silence_timeout_ms=12_000)
STORED = Memory(GREETING, NOT_CAUGHT, STILL_THERE)


class Stuck(Ears):
    """Takes all audio and never says a word."""

    def __init__(self):
        super().__init__([], tells_onset=False, interims=False, ends="interims-only")


def said(scene):
    return [turn.heard for turn in scene.of(AgentTurnEnded)]


def first_sound_after(scene, at_ms):
    return min(scene.ms(sent.at_s) for sent in scene.line.sent if scene.ms(sent.at_s) >= at_ms)


@pytest.mark.parametrize("text", ["hello", "what does it cost", "I wanted to ask whether the doctor is there tomorrow morning at nine"])
def test_who_spoke_to_a_recogniser_that_is_stuck_hears_so_within_five_seconds(text):
    speech = Says(4000, text, noise_ms=500 if text == "hello" else 0)
    scene = perform([speech, HangsUp(14_000)], ears=Stuck(), session_plan=WORDS, prepared=STORED)
    assert said(scene)[:2] == [GREETING, NOT_CAUGHT]
    assert 3000 < first_sound_after(scene, speech.until_ms) - speech.until_ms < 5000


def test_it_is_said_twice_and_then_the_ladder_of_silence_goes_on():
    script = [*(Says(at_ms, "can you hear me") for at_ms in (4000, 12_000, 20_000)), HangsUp(60_000)]
    scene = perform(script, ears=Stuck(), session_plan=WORDS, prepared=STORED)
    assert said(scene)[:4] == [GREETING, NOT_CAUGHT, NOT_CAUGHT, STILL_THERE]
    assert scene.reason is EndReason.SILENCE


@pytest.mark.parametrize(
    "noise",
    [
        pytest.param([Says(4000, "", noise_ms=200)], id="a cough"),
        pytest.param([Says(4000, "", noise_ms=200), Says(6000, "", noise_ms=200)], id="two coughs"),
        pytest.param([Says(4000, "", noise_ms=9000)], id="a television"),
    ],
)
def test_noise_is_not_asked_about_and_no_speech(noise):
    scene = perform([*noise, HangsUp(11_000)], ears=Stuck(), session_plan=WORDS, prepared=STORED)
    assert said(scene) == [GREETING]
    assert not scene.of(UserTurnEnded)


def test_audio_that_only_arrives_answers_nothing_interrupts_nobody_and_keeps_no_call_open():
    noise = [Says(at_ms, "", noise_ms=600) for at_ms in range(1000, 58_000, 1500)]
    scene = perform([*noise, HangsUp(60_000)], ears=Stuck(), session_plan=plan(silence_timeout_ms=6000), prepared=STORED)
    assert not scene.of(UserTurnEnded)
    assert not scene.of(AgentTurnInterrupted)
    assert scene.mind.asked == []
    assert scene.reason is EndReason.SILENCE


def test_nothing_is_said_where_the_recogniser_understood():
    scene = perform([Says(4000, "what does it cost"), HangsUp(14_000)], session_plan=WORDS, prepared=STORED)
    assert NOT_CAUGHT not in said(scene)


def test_zero_switches_it_off_and_so_does_a_plan_without_the_words():
    off = plan(not_caught=NOT_CAUGHT, silence_timeout_ms=12_000, tuning=Tuning(unheard_wait_ms=0))
    for words in (off, plan(silence_timeout_ms=12_000)):
        assert said(perform([Says(4000, "hello are you there"), HangsUp(12_000)], ears=Stuck(), session_plan=words, prepared=STORED)) == [
            GREETING
        ]


# --- the decision by itself -------------------------------------------------------------------------------------------


def listening():
    turns = TurnTaking(TurnRules("live", True, 20_000, 120_000, has_not_caught=True), Tuning())
    turns.feed(SessionOpened(), 0)
    turns.feed(AgentAudioStarted(1), 100)
    turns.feed(ReplyEnded(1, failed=False, spoke=True), 2000)
    return turns


def test_words_that_come_after_all_take_the_question_back():
    turns = listening()
    turns.feed(SoundBegan(3000), 3000)
    turns.feed(SoundEnded(800), 3920)
    assert turns.deadline_ms() == 3920 + Tuning().unheard_wait_ms
    turns.feed(InterimTranscript("hello there"), 5000)
    assert Prepared.NOT_CAUGHT not in [
        action.sentence for action in turns.feed(TimePassed(), turns.deadline_ms()) if isinstance(action, SayPrepared)
    ]


def test_sound_while_the_agent_speaks_is_no_question_of_the_callers():
    turns = TurnTaking(TurnRules("live", True, 20_000, 120_000, has_not_caught=True), Tuning())
    turns.feed(SessionOpened(), 0)
    turns.feed(AgentAudioStarted(1), 100)
    turns.feed(SoundBegan(500), 500)
    turns.feed(SoundEnded(900), 1520)
    assert turns.phase is Phase.SPEAKING
    turns.feed(ReplyEnded(1, failed=False, spoke=True), 2000)
    assert turns.deadline_ms() == 22_000


def test_pieces_of_one_sentence_count_together_and_far_ones_do_not():
    unheard = Unheard(Tuning(), is_on=True)
    for began_ms in (1000, 1500):
        unheard.sound(began_ms)
        unheard.quiet(250, began_ms + 370)
    assert unheard.due_ms == 1870 + Tuning().unheard_wait_ms
    unheard.begin()
    for began_ms in (10_000, 13_000):
        unheard.sound(began_ms)
        unheard.quiet(250, began_ms + 370)
    assert unheard.due_ms is None


def test_a_short_word_to_a_recogniser_that_failed_is_asked_about_until_it_understands_something():
    unheard = Unheard(Tuning(), is_on=True)
    dues = []
    for happens in (lambda: None, unheard.doubt, unheard.words):
        happens()
        unheard.sound(1000)
        unheard.quiet(120, 1240)
        dues.append(unheard.due_ms)
        unheard.begin()
    assert dues == [None, 1240 + Tuning().unheard_wait_ms, None]
