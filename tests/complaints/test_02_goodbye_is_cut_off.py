"""Complaint 2: the line is closed while the agent still says goodbye."""

import pytest

from engine.events import AgentTurnInterrupted, EndReason
from tests.complaints.caller_side import samples_of
from tests.engine.carrier import Line, Says
from tests.engine.stage import GOODBYE, perform, plan
from tests.engine.vendors import Thought

FAREWELL = "Your table is booked for eight. We look forward to seeing you, goodbye!"
BOTH_AT_ONCE = [Says(4000, "that is all"), Says(6500, "thank you bye bye"), Says(9500, "ok bye")]


@pytest.mark.parametrize("marks", [{"mark_delay_ms": 30}, {"mark_delay_ms": 900}, {"returns_marks": False}], ids=["prompt", "late", "none"])
def test_a_goodbye_is_heard_to_its_last_sample_though_the_caller_says_goodbye_too(marks):
    line = Line(BOTH_AT_ONCE, **marks)
    scene = perform(line=line, thoughts=[Thought(FAREWELL, calls=[("end_call", "{}")])])
    heard_from_carrier = bytes(line.played).count(b"\x01\x10")
    assert heard_from_carrier == samples_of(scene.voice.spoken)
    assert ("agent", FAREWELL) in scene.dialogue
    assert not scene.of(AgentTurnInterrupted)
    assert scene.reason is EndReason.AGENT_GOODBYE


def test_the_goodbye_at_the_longest_duration_is_heard_to_its_end_too():
    scene = perform([Says(6000, "and then")], session_plan=plan(max_duration_ms=8_000))
    assert scene.dialogue[-1] == ("agent", GOODBYE)
    assert bytes(scene.line.played).rstrip(b"\x00").endswith(b"\x01\x10" * (samples_of([GOODBYE]) // 2))
