"""Complaint 18: the transcript, and the model's own memory, hold words that the caller never heard."""

import pytest

from engine.events import AgentTurnEnded
from engine.ports import Message
from tests.engine.carrier import HangsUp, Line, Says
from tests.engine.stage import perform
from tests.engine.vendors import Thought, Voice

OFFER = "The first doctor is free on Monday at ten. The second doctor is free on Friday at four. Which one do you want?"
TALK = [Says(4000, "when can I come"), Says(8300, "wait what was that"), Says(13_000, "and the second"), HangsUp(19_000)]


@pytest.mark.parametrize("aligns", [True, False], ids=["a voice that tells where each character ends", "a voice that does not"])
@pytest.mark.parametrize("marks", [True, False], ids=["marks", "no marks"])
def test_row_and_memory_end_at_the_word_that_was_heard_last(aligns, marks):
    scene = perform(
        line=Line(TALK, returns_marks=marks),
        thoughts=[Thought(OFFER), Thought("On Monday at ten."), Thought("On Friday.")],
        voice=Voice(aligns=aligns),
    )
    cut = next(turn for turn in scene.of(AgentTurnEnded) if turn.interrupted)
    assert cut.generated == OFFER
    assert cut.heard.startswith("The first doctor is free on Monday")
    assert OFFER.startswith(cut.heard) and "Friday" not in cut.heard
    for later in scene.mind.asked[1:]:
        assert Message("assistant", cut.heard) in later, "the model believes what the caller heard"
        assert not [message for message in later if message.role == "assistant" and "second doctor" in message.content]
