"""Complaint 3: "hmm", "haan", "ok" or a cough stops the agent, and the caller never hears the rest."""

import pytest

from engine.events import AgentTurnInterrupted
from tests.complaints.caller_side import samples_of
from tests.engine.carrier import HangsUp, Says
from tests.engine.stage import GREETING, perform
from tests.engine.vendors import Thought

ASKS = Says(4000, "what must I bring")
ANSWER = "Bring your card and your last report. Come ten minutes early. The desk is on the first floor, left of the lift."


def heard_along(*while_it_speaks):
    return perform([ASKS, *while_it_speaks, HangsUp(24_000)], thoughts=[Thought(ANSWER), Thought("Yes, I wait.")])


@pytest.mark.parametrize(
    ("first", "second"), [("hmm", "ok"), ("haan", "ji achha"), ("theek hai", "haan ji"), ("हाँ जी", "अच्छा ठीक है")], ids=lambda text: text
)
def test_a_caller_who_listens_along_hears_the_whole_answer(first, second):
    scene = heard_along(Says(7000, first), Says(9300, second))
    assert not scene.of(AgentTurnInterrupted)
    assert scene.dialogue[:3] == [("agent", GREETING), ("user", ASKS.text), ("agent", ANSWER)]
    assert bytes(scene.line.played).count(b"\x01\x10") == samples_of(scene.voice.spoken), "nothing is lost, nothing is said twice"


def test_a_cough_and_a_door_cost_a_breath_and_not_the_sentence():
    scene = heard_along(Says(7000, "", noise_ms=300), Says(10_000, "", noise_ms=200))
    assert not scene.of(AgentTurnInterrupted)
    assert scene.dialogue[2] == ("agent", ANSWER)
    assert bytes(scene.line.played).count(b"\x01\x10") == samples_of(scene.voice.spoken)


@pytest.mark.parametrize("words", ["ruko", "wait", "haan but how much", "रुकिए"])
def test_a_caller_who_wants_to_speak_is_let_speak(words):
    scene = heard_along(Says(7000, "haan"), Says(9300, words))
    assert len(scene.of(AgentTurnInterrupted)) == 1
    assert scene.dialogue[3:5] == [("user", words), ("agent", "Yes, I wait.")]
