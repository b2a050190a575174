"""Complaint 19: the agent answers while the caller is still looking for the rest of the sentence or the number."""

import pytest

from engine.events import AgentTurnInterrupted
from tests.engine.carrier import HangsUp, Says
from tests.engine.stage import GREETING, perform
from tests.engine.vendors import Thought

NUMBER = "my number is 98765 43210"


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        ((Says(4000, "my number is"), Says(6200, "98765"), Says(7600, "43210")), NUMBER),
        ((Says(4000, "mera number hai"), Says(6100, "nau aath saat che paanch"), Says(8900, "chaar teen do ek shunya")), ""),
        ((Says(4000, "I want to come on monday and"), Says(6800, "my mother too.")), "I want to come on monday and my mother too."),
        ((Says(4000, "it is about um"), Says(6000, "my last bill.")), "it is about um my last bill."),
    ],
    ids=["a number in groups", "a number in Hindi", "a trailing and", "a word that is looked for"],
)
def test_a_caller_who_takes_a_breath_is_heard_out_and_answered_once(pieces, whole):
    scene = perform([*pieces, HangsUp(15_000)], thoughts=[Thought("Thank you, noted.")])
    said = whole or " ".join(piece.text for piece in pieces)
    assert scene.dialogue == [("agent", GREETING), ("user", said), ("agent", "Thank you, noted.")]
    assert not scene.of(AgentTurnInterrupted)
