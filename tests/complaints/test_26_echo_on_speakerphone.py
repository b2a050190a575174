"""Complaint 26: on a speakerphone the agent hears itself, interrupts itself and answers its own words."""

from engine.events import AgentTurnInterrupted
from tests.engine.carrier import HangsUp, Says
from tests.engine.stage import GREETING, perform
from tests.engine.vendors import Thought

ANSWER = "The clinic is open from nine to five on weekdays. On Saturday the doctor is here until noon."


def test_our_own_voice_from_the_loudspeaker_neither_stops_us_nor_is_answered_and_the_caller_still_may():
    """The echo comes back half a second late and badly recognised; its tail comes when we are silent already."""
    script = [
        Says(4000, "when are you open?"),
        Says(6100, "clinic is open from nine two five"),
        Says(9300, "on saturday the docter is here"),
        Says(15_000, "is there parking at the clinic"),
        HangsUp(22_000),
    ]
    scene = perform(script, thoughts=[Thought(ANSWER), Thought("Yes, behind the house.")])
    assert scene.dialogue == [
        ("agent", GREETING),
        ("user", "when are you open?"),
        ("agent", ANSWER),
        ("user", "is there parking at the clinic"),
        ("agent", "Yes, behind the house."),
    ]
    assert not scene.of(AgentTurnInterrupted)


def test_the_callers_own_words_interrupt_through_the_echo():
    script = [Says(4000, "when are you open?"), Says(6100, "clinic is open from nine"), Says(8600, "no I mean tomorrow"), HangsUp(15_000)]
    scene = perform(script, thoughts=[Thought(ANSWER), Thought("Tomorrow is a holiday.")])
    assert len(scene.of(AgentTurnInterrupted)) == 1
    assert scene.dialogue[-2:] == [("user", "no I mean tomorrow"), ("agent", "Tomorrow is a holiday.")]
