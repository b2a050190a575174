"""Answering ahead of the end of turn, with the messages that Deepgram really sends and when: what is gained, what a wrong guess costs."""

import pytest

from engine.events import AgentTurnStarted, UsageRecorded
from engine.tuning import Tuning
from providers.deepgram.flux import FluxWire
from providers.deepgram.messages import ListenWire
from tests.engine.carrier import HangsUp, Says
from tests.engine.stage import GREETING, perform, plan
from tests.engine.tape import Tape, results, started, turn, utterance_end
from tests.engine.vendors import Memory, Thought, Voice

LLM_MS, TTS_MS, CHUNK_MS = 400, 200, 20
ASKED = "what does the visit cost?"  # five words of 300 ms: from 4000 to 5500
SPOKEN_MS = 5500
ENDPOINTING_MS, RECOGNISED_MS = 300, 150  # the pause that is asked for, and how long a message takes to be made and to arrive
TOLD_MS = SPOKEN_MS + ENDPOINTING_MS + RECOGNISED_MS
HALF = "what does the visit"

# Nova: an interim for each second of the segment, the final when the pause has lasted.
NOVA = [(4150, started(4000)), (5150, results(HALF, 5000))]
TAPES = {
    "an interim inside the pause": [*NOVA, (5650, results(ASKED, 5500)), (TOLD_MS, results(ASKED, 5800, final=True, speech_final=True))],
    "a final inside the pause, its end told later": [
        *NOVA,
        (5700, results(ASKED, 5550, final=True)),
        (TOLD_MS, results("", 5800, from_ms=5550, final=True, speech_final=True)),
    ],
    "a final, and only the gap between words ends the turn": [
        *NOVA,
        (5750, results(ASKED, 5600, final=True)),
        (SPOKEN_MS + 1000 + RECOGNISED_MS, utterance_end(SPOKEN_MS)),
    ],
}
FLUX = [
    (4400, turn("StartOfTurn", "what", 4240)),
    *((at_ms + 160, turn("Update", " ".join(ASKED.split()[: (at_ms - 4000) // 300]), at_ms)) for at_ms in range(4480, 5600, 240)),
    (5840, turn("EagerEndOfTurn", ASKED, 5680, confidence=0.45)),
    (6160, turn("EndOfTurn", ASKED, 6000, confidence=0.78)),
]


def asked(wire, tape, *, speculate=True, says=ASKED):
    return perform(
        [Says(4000, says), HangsUp(14_000)],
        ears=Tape(wire, tape),
        thoughts=[Thought("It costs five hundred.", first_ms=LLM_MS)],
        voice=Voice(first_ms=TTS_MS),
        session_plan=plan(tuning=Tuning(speculate=speculate)),
        prepared=Memory(GREETING),
    )


def latency(scene):
    return scene.of(AgentTurnStarted)[1].latency


def wasted(scene):
    return [event.record for event in scene.of(UsageRecorded) if event.record.purpose == "speculative"]


@pytest.mark.parametrize(("wire", "tape"), [*((ListenWire, tape) for tape in TAPES.values()), (FluxWire, FLUX)], ids=[*TAPES, "flux"])
def test_voice_to_voice_is_less_than_the_sum_of_its_parts(wire, tape):
    ahead, plain = latency(asked(wire, tape)), latency(asked(wire, tape, speculate=False))
    in_sum_ms = plain.endpointing_ms + LLM_MS + TTS_MS
    assert plain.total_ms >= in_sum_ms
    assert ahead.endpointing_ms == plain.endpointing_ms  # the turn is over when it is over: the gain is none of patience
    assert ahead.total_ms <= in_sum_ms - 150
    assert wasted(asked(wire, tape)) == []


def test_the_gain_is_the_time_between_the_words_and_the_word_that_they_are_all():
    gains = {name: latency(asked(ListenWire, tape, speculate=False)).total_ms - latency(asked(ListenWire, tape)).total_ms
             for name, tape in TAPES.items()}  # fmt: skip
    frame_ms = 20
    assert abs(gains["an interim inside the pause"] - (TOLD_MS - 5650)) <= frame_ms
    assert abs(gains["a final inside the pause, its end told later"] - (TOLD_MS - 5700)) <= frame_ms
    assert gains["a final, and only the gap between words ends the turn"] >= LLM_MS


def test_flux_is_gained_from_as_soon_as_its_words_are_whole():
    gain_ms = latency(asked(FluxWire, FLUX, speculate=False)).total_ms - latency(asked(FluxWire, FLUX)).total_ms
    assert gain_ms >= 6160 - 5840  # its own eager word, at the latest


def test_an_interim_without_the_last_word_costs_no_time_is_never_heard_and_its_tokens_are_told_as_wasted():
    early = "I want to see the doctor"
    whole = f"{early} tomorrow."
    tape = [(4150, started(4000)), (5950, results(early, 5800)), (6550, results(whole, 6100, final=True, speech_final=True))]
    ahead, plain = (asked(ListenWire, tape, says=whole, speculate=each) for each in (True, False))
    assert latency(ahead).total_ms == latency(plain).total_ms
    assert ahead.dialogue == plain.dialogue
    assert bytes(ahead.line.played) == bytes(plain.line.played)
    assert len(ahead.mind.asked) <= 1 + Tuning().max_guesses
    assert bool(wasted(ahead)) == (len(ahead.mind.asked) > 1)
    assert wasted(plain) == []


def test_flux_that_takes_its_eager_word_back_is_believed():
    tape = [
        (4400, turn("StartOfTurn", "what", 4240)),
        (5300, turn("Update", "what does it cost", 5140)),
        (5600, turn("EagerEndOfTurn", "what does it cost", 5440, confidence=0.45)),
        (5900, turn("TurnResumed", "what does it cost", 5740)),
        (6300, turn("Update", "what does it cost for two", 6140)),
        (6700, turn("EagerEndOfTurn", "what does it cost for two?", 6540, confidence=0.5)),
        (7000, turn("EndOfTurn", "what does it cost for two?", 6840, confidence=0.8)),
    ]
    scene = asked(FluxWire, tape, says="what does it cost")
    assert [text for who, text in scene.dialogue if who == "user"] == ["what does it cost for two?"]
    assert len(scene.mind.asked) == 2
    assert {record.kind for record in wasted(scene)} == {"llm", "tts"} or {record.kind for record in wasted(scene)} == {"llm"}


@pytest.mark.parametrize("most", [1, 2, 3])
def test_however_a_caller_hesitates_a_turn_is_guessed_at_so_often_and_no_more(most):
    words = ["yes.", "please.", "tomorrow.", "morning.", "there.", "thanks."]
    tape = [(4150, started(4000))]
    script = []
    for count in range(1, len(words) + 1):
        began_ms = 4000 + (count - 1) * 900
        script.append(Says(began_ms, words[count - 1]))
        tape.append((began_ms + 500, results(" ".join(words[:count]), began_ms + 300)))
    tape.append((10_000, results(" ".join(words), 9000, final=True, speech_final=True)))
    scene = perform(
        [*script, HangsUp(16_000)],
        ears=Tape(ListenWire, tape),
        session_plan=plan(tuning=Tuning(max_guesses=most)),
        prepared=Memory(GREETING),
    )
    assert len(scene.mind.asked) <= most + 1
    assert len(scene.mind.asked) >= most
    assert wasted(scene)
