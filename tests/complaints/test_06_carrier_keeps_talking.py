"""Complaint 6: the agent has stopped, but the carrier goes on playing what it was sent ahead."""

import pytest

from engine.events import AgentTurnEnded
from tests.engine.carrier import HangsUp, Line, Says
from tests.engine.stage import perform
from tests.engine.vendors import Thought, Voice

STORY = "First you take the train to Pune. Then you walk along the river for ten minutes. At last you ring the bell."
SPEAKS_MS, KNOWN_MS = 9000, 9100  # the recogniser needs 100 ms of speech


@pytest.mark.parametrize("chunk_bytes", [3200, 6400], ids=["200 ms messages", "400 ms messages"])
def test_the_caller_hears_nothing_of_the_old_answer_behind_the_message_in_play(chunk_bytes):
    """A voice ten times faster than speech has written the whole story long before: it must not be at the carrier."""
    line = Line([Says(4000, "tell me the way"), Says(SPEAKS_MS, "no no stop please"), HangsUp(11_500)], chunk_bytes=chunk_bytes)
    scene = perform(line=line, thoughts=[Thought(STORY), Thought("Of course.", first_ms=9000)], voice=Voice(speed=10))
    begun_ms = scene.of(AgentTurnEnded)[-1].started_ms
    greeting_ms = len(scene.voice.spoken[0]) * 50
    story_ms = len(bytes(line.played).rstrip(b"\x00")) / 16 - greeting_ms
    assert story_ms <= KNOWN_MS - begun_ms + chunk_bytes / 16 + 1, "what the carrier played of the story after the interruption"
    ahead_ms = max(sent.lead_ms for sent in line.sent)
    assert ahead_ms < max(400, chunk_bytes / 16) + 1, "and no more than that is ever in the carrier's hands"
