"""Complaint 4: after each sentence of the caller there is a pause in which nothing seems to happen."""

from engine.events import AgentTurnStarted
from engine.tuning import Tuning
from tests.engine.carrier import HangsUp, Says
from tests.engine.stage import perform, plan
from tests.engine.vendors import Ears, Thought, Voice

ENDPOINTING_MS, LLM_MS, TTS_MS = 400, 350, 200
PLAIN_SUM_MS = ENDPOINTING_MS + LLM_MS + TTS_MS
TALK = [
    Says(4000, "do you have a table for two?"),
    Says(10_000, "and by the window please."),
    Says(16_000, "what does it cost?"),
    HangsUp(25_000),
]
ANSWERS = [
    "Yes, at eight.",
    "By the window, gladly.",
    "It costs five hundred rupees for each of you, and that is with the soup and a dessert.",
]


def answered(**tuning):
    scene = perform(
        TALK,
        thoughts=[Thought(text, first_ms=LLM_MS) for text in ANSWERS],
        ears=Ears([], endpointing_ms=ENDPOINTING_MS),
        voice=Voice(first_ms=TTS_MS),
        session_plan=plan(tuning=Tuning(**tuning)),
    )
    assert [text for who, text in scene.dialogue[1:] if who == "agent"] == ANSWERS
    return [event.latency.total_ms for event in scene.of(AgentTurnStarted)[1:]]


def test_each_answer_comes_sooner_than_endpointing_model_and_voice_take_together():
    assert max(answered()) < PLAIN_SUM_MS


def test_an_answer_that_cannot_be_begun_ahead_costs_no_more_than_its_parts():
    scenes = answered(speculate=False)
    assert max(scenes) <= PLAIN_SUM_MS + 10 * 20, "a long answer is spoken from its first clause on, not from its last token"
