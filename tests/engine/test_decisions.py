"""Endpointing, barge-in, the local ear and the latency of a turn: facts in, decisions out."""

import math

import pytest

from engine.audio import AudioChunk, silence
from engine.barge_in import Verdict, is_backchannel, judge, words_of
from engine.endpointing import EndSignal, looks_unfinished, wait_ms
from engine.events import TurnLatency
from engine.latency import AudioClock, TurnMoments
from engine.patience import Patience
from engine.ports import EagerEndOfTurn, FinalTranscript, InterimTranscript, SpeechStarted, TurnResumed, UtteranceEnded
from engine.tuning import Tuning
from engine.vad import EnergyDetector, SpeechEdge

TUNING = Tuning()
PATIENT = Tuning(interrupt_on_speech=False, interrupt_min_words=2)


@pytest.mark.parametrize(
    ("text", "unfinished"),
    [
        ("My number is", True),
        ("I want tea and", True),
        ("I want tea,", True),
        ("um", True),
        ("", True),
        ("well...", True),
        ("मेरा नाम और", True),
        ("I want tea.", False),
        ("I want tea", False),
        ("What are you looking for?", False),
        ("yes", False),
        ("मुझे चाय चाहिए।", False),
    ],
)
def test_whether_words_sound_unfinished(text, unfinished):
    assert looks_unfinished(text) is unfinished


@pytest.mark.parametrize(
    ("text", "signal", "quiet_ms", "wait"),
    [
        ("I want tea.", EndSignal.END_OF_TURN, 300, 0),
        ("I want tea and", EndSignal.END_OF_TURN, 300, TUNING.unfinished_wait_ms),
        ("My number is", EndSignal.END_OF_TURN, 300, TUNING.dictation_wait_ms),
        ("My mobile number is 98765", EndSignal.END_OF_TURN, 300, TUNING.dictation_wait_ms),
        ("My mobile number is 9876543210", EndSignal.END_OF_TURN, 300, 0),
        ("I want tea and", EndSignal.UTTERANCE_ENDED, 1000, 0),
        ("My mobile number is 98765", EndSignal.UTTERANCE_ENDED, 1000, TUNING.dictation_wait_ms - 1000),
        ("I want tea.", EndSignal.FINAL_WORDS, 0, TUNING.quiet_gap_ms),
        ("My mobile number is 98765", EndSignal.FINAL_WORDS, 0, TUNING.dictation_wait_ms),
        ("I want tea.", EndSignal.INTERIM_WORDS, 0, TUNING.stale_interim_ms),
    ],
)
def test_how_long_to_wait_for_more(text, signal, quiet_ms, wait):
    assert wait_ms(text, signal, TUNING, quiet_ms=quiet_ms) == wait


def test_an_operator_may_ask_for_more_patience_and_a_slow_caller_gets_it():
    unhurried = Tuning(complete_wait_ms=400)
    assert wait_ms("I want tea.", EndSignal.END_OF_TURN, unhurried) == 400
    assert wait_ms("I want tea.", EndSignal.END_OF_TURN, TUNING, extra_ms=250) == 250
    assert wait_ms("98765", EndSignal.END_OF_TURN, TUNING, asked="What is your phone number?") == TUNING.dictation_wait_ms


def test_patience_grows_when_we_cut_somebody_off_and_goes_back_turn_by_turn():
    patience = Patience(most_ms=600)
    for _ in range(4):
        patience.cut_off()
    assert patience.extra_ms == 600
    for _ in range(7):
        patience.heard_out()
    assert patience.extra_ms == 0


SAYING = "First you take the train to Pune. Then you walk along the river."


@pytest.mark.parametrize(
    ("event", "tuning", "verdict"),
    [
        (SpeechStarted(0), TUNING, Verdict.SOUND),
        (InterimTranscript("ok"), TUNING, Verdict.ACKNOWLEDGEMENT),
        (InterimTranscript("  "), TUNING, Verdict.NOTHING),
        (FinalTranscript("", True, 10), TUNING, Verdict.NOTHING),
        (UtteranceEnded(10), TUNING, Verdict.NOTHING),
        (TurnResumed(), TUNING, Verdict.NOTHING),
        (EagerEndOfTurn("what about tomorrow"), TUNING, Verdict.INTERRUPTION),
        (InterimTranscript("tomorrow"), TUNING, Verdict.INTERRUPTION),
        (SpeechStarted(0), PATIENT, Verdict.NOTHING),
        (InterimTranscript("tomorrow"), PATIENT, Verdict.FEW_WORDS),
        (InterimTranscript("wait"), PATIENT, Verdict.INTERRUPTION),
        (InterimTranscript("ruko"), PATIENT, Verdict.INTERRUPTION),
        (InterimTranscript("रुको"), PATIENT, Verdict.INTERRUPTION),
        (InterimTranscript("tomorrow please"), PATIENT, Verdict.INTERRUPTION),
        (FinalTranscript("haan ji", True, 10), PATIENT, Verdict.ACKNOWLEDGEMENT),
        (FinalTranscript("हाँ ठीक है", True, 10), TUNING, Verdict.ACKNOWLEDGEMENT),
        (FinalTranscript("theek hai", True, 10), TUNING, Verdict.ACKNOWLEDGEMENT),
        (FinalTranscript("Okay, yeah.", True, 10), PATIENT, Verdict.ACKNOWLEDGEMENT),
        (FinalTranscript("okay but stop", True, 10), PATIENT, Verdict.INTERRUPTION),
        (FinalTranscript("haan lekin kal", True, 10), TUNING, Verdict.INTERRUPTION),
        (InterimTranscript("take the"), TUNING, Verdict.PERHAPS_ECHO),
        (FinalTranscript("take the train to Pune", True, 10), TUNING, Verdict.ECHO),
        (FinalTranscript("take a train to Poona", True, 10), TUNING, Verdict.ECHO),
        (FinalTranscript("take the bus or the metro", True, 10), TUNING, Verdict.INTERRUPTION),
        (FinalTranscript("take the train to Pune", True, 10), Tuning(echo_similarity=0), Verdict.INTERRUPTION),
        (
            FinalTranscript("नहीं", True, 10),
            Tuning(interrupting_words=frozenset(), backchannels=frozenset({"नहीं"})),
            Verdict.ACKNOWLEDGEMENT,
        ),
    ],
)
def test_what_a_sound_from_the_caller_is(event, tuning, verdict):
    assert judge(event, SAYING, tuning) is verdict


def test_acknowledgements_are_known_in_both_scripts():
    assert is_backchannel("हाँ जी", TUNING)
    assert is_backchannel("Hmm. OK!", TUNING)
    assert not is_backchannel("no", TUNING)
    assert words_of("ठीक है, it's fine") == ["ठीक", "है", "it's", "fine"]


def tone(amplitude, frames=1):
    samples = [int(amplitude * math.sin(index * 2 * math.pi * 440 / 8000)) for index in range(160)]
    return [AudioChunk(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples), 8000)] * frames


QUIET = AudioChunk(silence(20, 8000), 8000)


def edges(chunks):
    detector = EnergyDetector()
    return [(index * 20 + 20, edge) for index, chunk in enumerate(chunks) if (edge := detector.feed(chunk))]


def test_the_local_ear_hears_speech_after_60_ms_and_quiet_after_300():
    assert edges([QUIET] * 50 + tone(4000, 25) + [QUIET] * 50) == [(1060, SpeechEdge.STARTED), (1800, SpeechEdge.STOPPED)]


def test_the_local_ear_is_deaf_to_a_click_and_to_steady_noise():
    assert edges([QUIET] * 50 + tone(8000, 2) + [QUIET] * 50) == []
    assert edges(tone(200, 500)) == []


def test_the_local_ear_still_hears_speech_in_noise():
    noisy = tone(300, 500) + tone(6000, 20)
    assert [edge for at_ms, edge in edges(noisy) if at_ms > 10_000] == [SpeechEdge.STARTED]


def test_a_turns_latency_is_measured_part_by_part_and_as_a_whole():
    moments = TurnMoments(last_word_ms=1000, decided_ms=1300, first_token_ms=1700, sentence_ms=1800, tts_audio_ms=1950)
    assert moments.latency(2000) == TurnLatency(endpointing_ms=300, llm_ms=400, tts_ms=150, total_ms=1000)


def test_parts_that_never_happened_are_zero_and_none_is_negative():
    assert TurnMoments(last_word_ms=1500, decided_ms=1300).latency(1400) == TurnLatency(0, 0, 0, 0)


def test_offsets_of_the_recogniser_are_mapped_across_a_stall_of_the_audio():
    clock = AudioClock()
    for frame in range(100):
        clock.advance(20, 100 + frame * 20)  # the first frame was complete at 100
    for frame in range(100):
        clock.advance(20, 5000 + frame * 20)  # then nothing for three seconds
    assert clock.at(0) == 80
    assert clock.at(1000) == 1080
    assert clock.at(3000) == 5000 - 20 + 1000
    assert clock.at(-5) == 80


def test_the_clock_of_a_long_call_stays_small_and_right():
    clock = AudioClock()
    for frame in range(60 * 60 * 50):
        clock.advance(20, frame * 20 + 20)
    assert clock.at(3_599_000) == 3_599_000
    assert len(clock._offsets_ms) <= 240
