"""Complaint 23: keys are ignored or cut a sentence in two, and one-time codes end up in transcripts."""

import asyncio
import json

import pytest

from agents.tools import SecretDigits, collect_digits
from engine.digits import DigitRules
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


def logging_in(rules: dict, presses: list[Presses]) -> tuple[Scene, list, SecretDigits]:
    """The caller is asked for a code, presses something, and the code is checked."""
    keypad, secrets, checked = Keypad(), SecretDigits(), []

    async def check(arguments):
        checked.append(secrets.get(arguments["code"]))
        return "right"

    tools = (collect_digits(keypad, secrets, None), Tool(ToolSpec("check", "Checks a code."), check))
    thoughts = [
        Thought("Please press your code.", calls=[("collect_digits", json.dumps(rules))]),
        Thought("Thank you.", calls=[("check", '{"code": "secret_digits_1"}')]),
        Thought("That is right."),
    ]
    scene = Scene(line=Line([Says(4000, "log me in"), *presses, HangsUp(19_000)]))

    async def run():
        scene.ears, scene.mind, scene.voice = Ears([scene.line.script[0]]), Mind(thoughts), Voice()
        parts = SessionParts(scene.ears, scene.mind, scene.voice, keypad=keypad)
        await ConversationSession(plan(tools=tools), parts, scene.line, scene.events.append).run()

    play(run())
    return scene, checked, secrets


@pytest.mark.parametrize(
    ("rules", "pressed", "entered"),
    [
        ({"length": 6}, [(8000, CODE)], CODE),
        ({"length": 6}, [(8000, f"{CODE}#")], CODE),
        ({"length": 4}, [(8000, CODE)], CODE[:4]),
        ({"length": 6}, [(8000, CODE[:3]), (14_500, CODE[3:])], CODE[:3]),
    ],
    ids=["as expected", "with a # out of habit", "longer than expected", "with a long pause"],
)
def test_a_one_time_code_reaches_the_tool_that_needs_it_and_nothing_else(rules, pressed, entered):
    presses = [Presses(begin_ms + 300 * place, key) for begin_ms, keys in pressed for place, key in enumerate(keys)]
    scene, checked, secrets = logging_in({"secret": True, **rules}, presses)
    assert checked == [entered]
    assert scene.dialogue[2] == ("agent", "Please press your code. Thank you. That is right.")
    assert [text for who, text in scene.dialogue if who == "user"] == ["log me in"], "no key is a turn, none cuts an answer"
    assert len(scene.of(DtmfReceived)) == len(presses), "that keys were pressed is known"
    told = " ".join([repr(scene.events), repr(scene.mind.asked), repr(scene.voice.spoken), repr(secrets)])
    assert "secret_digits_1" in told
    assert not [part for part in (CODE, CODE[:3], CODE[3:], CODE[4:], "pressed #") if part in told]


def test_what_is_no_secret_may_be_pressed_freely_before_and_after():
    keypad = Keypad()
    assert not keypad.press("1")

    async def scene():
        entry = asyncio.create_task(keypad.collect(DigitRules(length=1)))
        await asyncio.sleep(0)
        assert keypad.press("2")
        return (await entry).digits

    assert play(scene()) == "2"
    assert [keypad.press(key) for key in "##3"] == [True, False, False]
