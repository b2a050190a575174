"""Complaint 23: keys are ignored or cut a sentence in two, and one-time codes end up in transcripts."""

import json

from agents.tools import SecretDigits, collect_digits
from engine.events import DtmfReceived
from engine.keypad import Keypad
from engine.plan import SessionParts
from engine.ports import ToolSpec
from engine.session import ConversationSession
from engine.tools import Tool
from tests.engine.carrier import HangsUp, Line, Presses, Says
from tests.engine.stage import Scene, perform, plan
from tests.engine.vendors import Ears, Mind, Thought, Voice
from tests.engine.virtual_loop import play

CODE = "739164"


def test_an_order_number_pressed_in_one_go_is_one_turn_of_the_caller():
    keys = [Presses(4000 + 400 * place, key) for place, key in enumerate("40817#")]
    scene = perform([*keys, HangsUp(12_000)], thoughts=[Thought("Order 40817 is on its way.")])
    assert len(scene.mind.asked) == 1
    assert "40817" in scene.dialogue[1][1]
    assert scene.dialogue[2] == ("agent", "Order 40817 is on its way.")


def test_a_one_time_code_reaches_the_tool_that_needs_it_and_nothing_else():
    keypad, secrets, checked = Keypad(), SecretDigits(), []

    async def check(arguments):
        checked.append(secrets.get(arguments["code"]))
        return "right"

    tools = (collect_digits(keypad, secrets, None), Tool(ToolSpec("check", "Checks a code."), check))
    ask_for = ("collect_digits", json.dumps({"secret": True, "length": 6}))
    thoughts = [
        Thought("Please press your code.", calls=[ask_for]),
        Thought("Thank you.", calls=[("check", '{"code": "secret_digits_1"}')]),
        Thought("That is right."),
    ]
    scene = Scene(
        line=Line([Says(4000, "log me in"), *(Presses(8000 + 300 * place, key) for place, key in enumerate(CODE)), HangsUp(15_000)])
    )

    async def run():
        scene.ears, scene.mind, scene.voice = Ears([scene.line.script[0]]), Mind(thoughts), Voice()
        parts = SessionParts(scene.ears, scene.mind, scene.voice, keypad=keypad)
        await ConversationSession(plan(tools=tools), parts, scene.line, scene.events.append).run()

    play(run())
    assert checked == [CODE]
    assert scene.dialogue[-1] == ("agent", "Please press your code. Thank you. That is right.")
    assert len(scene.of(DtmfReceived)) == len(CODE), "that keys were pressed is known"
    told = " ".join([repr(scene.events), repr(scene.mind.asked), repr(scene.voice.spoken), repr(secrets)])
    assert CODE not in told
    assert "secret_digits_1" in told
