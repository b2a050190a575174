"""Complaint 20: the agent looks something up and says nothing, so the caller says "hello?" and hangs up."""

import asyncio

import pytest

from engine.ports import ToolSpec
from engine.tools import Tool
from tests.complaints.caller_side import longest_quiet_ms
from tests.engine.carrier import HangsUp, Says
from tests.engine.stage import perform, plan
from tests.engine.vendors import Memory, Thought

FILLER, OWN_WORDS = "One moment, please.", "I am asking the hotel."
ASKS = Says(4000, "is there a room tonight")


@pytest.mark.parametrize(("meanwhile", "said"), [(None, FILLER), (OWN_WORDS, OWN_WORDS)], ids=["our filler", "the tool's own words"])
def test_a_caller_who_waits_nine_seconds_for_a_tool_is_never_left_in_silence(meanwhile, said):
    async def look(arguments):
        await asyncio.sleep(9)
        return "one room, 4000 rupees"

    tool = Tool(ToolSpec("look", "looks"), look, 15_000, meanwhile)
    scene = perform(
        [ASKS, HangsUp(24_000)],
        thoughts=[Thought("", calls=[("look", "{}")]), Thought("There is one room.")],
        session_plan=plan(tools=(tool,), filler=FILLER),
        prepared=Memory(FILLER, OWN_WORDS),
    )
    answer = scene.dialogue[-1][1]
    assert answer.endswith("There is one room.")
    assert answer.count(said) >= 2
    assert longest_quiet_ms(scene, ASKS.until_ms, ASKS.until_ms + 12_000) < 4100
