"""What operators complain about, as scripted calls: machines that answer, keys, the limit of time."""

import pytest

from engine.digits import DigitRules
from engine.events import AgentTurnEnded, DtmfReceived, EndReason, UserTurnEnded
from engine.keypad import Keypad
from engine.ports import ToolSpec
from engine.session import ConversationSession, SessionParts
from engine.tools import Tool
from engine.tuning import Tuning
from tests.engine.carrier import Beeps, HangsUp, Line, Presses, Says
from tests.engine.stage import GOODBYE, GREETING, Scene, perform, plan
from tests.engine.vendors import Ears, Mind, Thought, Voice
from tests.engine.virtual_loop import play

MACHINE = "the person you are calling is busy please leave a message after the tone"
MESSAGE = "This is Sunrise Clinic. Please call us back."


def outbound(policy, **more):
    return plan(outbound=True, voicemail_message=MESSAGE, tuning=Tuning(voicemail=policy, **more))


# --- 16: the voicemail verdict is wrong -------------------------------------------------------------------------------


def test_a_machine_is_hung_up_on_without_a_further_word():
    scene = perform([Says(500, MACHINE)], session_plan=outbound("hang-up"))
    assert scene.reason is EndReason.VOICEMAIL_DETECTED
    assert scene.ended_ms < 500 + 15 * 300
    assert scene.mind.asked == []


def test_the_message_is_left_at_the_tone_and_heard_whole():
    scene = perform([Says(500, MACHINE), Beeps(5500, 6000)], session_plan=outbound("leave-message"))
    assert scene.reason is EndReason.VOICEMAIL_DETECTED
    assert scene.dialogue[-1] == ("agent", MESSAGE)
    assert 5700 <= scene.of(AgentTurnEnded)[-1].started_ms <= 6000
    assert scene.mind.asked == []


def test_without_a_tone_the_message_is_left_when_the_announcement_is_over():
    scene = perform([Says(500, MACHINE)], session_plan=outbound("leave-message"))
    assert scene.dialogue[-1] == ("agent", MESSAGE)
    assert scene.of(AgentTurnEnded)[-1].started_ms >= Says(500, MACHINE).until_ms + 2000


def test_a_tone_alone_is_a_machine_too():
    scene = perform([Beeps(3500, 4200)], session_plan=outbound("leave-message"))
    assert scene.dialogue[-1] == ("agent", MESSAGE)
    assert scene.reason is EndReason.VOICEMAIL_DETECTED


@pytest.mark.parametrize(
    ("script", "session_plan"),
    [
        ([Says(3500, "he is not here would you like to leave a message?")], outbound("hang-up")),
        ([Says(3500, "hello who is this")], outbound("hang-up")),
        ([Says(30_000, MACHINE)], plan(outbound=True, silence_timeout_ms=40_000, tuning=Tuning(voicemail="hang-up"))),
        ([Says(3500, MACHINE)], outbound("off")),
        ([Says(3500, MACHINE), Beeps(8500, 9000)], plan(tuning=Tuning(voicemail="hang-up"))),
    ],
    ids=["a secretary", "a person", "later in the call", "switched off", "an inbound call"],
)
def test_a_person_is_not_taken_for_a_machine(script, session_plan):
    scene = perform([*script, HangsUp(45_000)], session_plan=session_plan, thoughts=[Thought("I see. May I ask who is speaking?")])
    assert scene.reason is not EndReason.VOICEMAIL_DETECTED
    assert scene.mind.asked


# --- 23: keys and one-time passwords ----------------------------------------------------------------------------------


def test_keys_are_told_to_the_model_as_one_entry():
    scene = perform([Presses(4000, "4"), Presses(4300, "2"), Presses(4600, "#"), HangsUp(12_000)])
    assert [event.text for event in scene.of(UserTurnEnded)] == ["[pressed 42]"]
    assert scene.mind.asked[0][-1].content == "[pressed 42]"


def test_a_key_stops_the_prompt_it_answers():
    scene = perform([Presses(800, "1"), HangsUp(12_000)], thoughts=[Thought("You chose appointments.")])
    cut = scene.of(AgentTurnEnded)[0]
    assert cut.interrupted
    assert GREETING.startswith(cut.heard)
    assert scene.dialogue[1:] == [("user", "[pressed 1]"), ("agent", "You chose appointments.")]


def test_secret_digits_reach_the_tool_and_nobody_else():
    keypad, entries, scene = Keypad(), [], Scene()

    async def collect(arguments):
        entries.append(await keypad.collect(DigitRules(length=4, terminator="#", secret=True)))
        return "the caller has entered it"

    async def run():
        keys = [Presses(7500 + index * 300, key) for index, key in enumerate("7391")]
        scene.line = Line([Says(4000, "I want to pay"), *keys, HangsUp(16_000)])
        scene.mind = Mind([Thought("Please enter your PIN.", calls=[("collect", "{}")]), Thought("Thank you, that worked.")])
        parts = SessionParts(Ears([scene.line.script[0]]), scene.mind, Voice(), keypad=keypad)
        tools = (Tool(ToolSpec("collect", "collects keys"), collect, timeout_ms=20_000),)
        await ConversationSession(plan(tools=tools), parts, scene.line, scene.events.append).run()

    play(run())
    assert [entry.digits for entry in entries] == ["7391"]
    assert len(scene.of(DtmfReceived)) == 4
    assert scene.dialogue[-1][1].endswith("Thank you, that worked.")
    for secret in ("7391", "73", "91"):
        assert secret not in repr(scene.events)
        assert secret not in repr(scene.mind.asked)
        assert secret not in repr(entries)


# --- the limit of time ------------------------------------------------------------------------------------------------


def test_the_caller_is_told_before_the_longest_duration_comes():
    warning = "We have half a minute left."
    script = [Says(4000 + index * 6000, "tell me more about it") for index in range(30)]
    scene = perform(script, session_plan=plan(max_duration_ms=90_000, time_warning=warning))
    said = [event for event in scene.of(AgentTurnEnded) if event.heard == warning]
    assert len(said) == 1
    assert 60_000 <= said[0].started_ms < 70_000
    assert scene.reason is EndReason.MAX_DURATION
    assert ("agent", GOODBYE) in scene.dialogue[-2:]
