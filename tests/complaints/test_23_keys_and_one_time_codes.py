"""Complaint 23: keys are ignored or cut a sentence in two, and one-time codes end up in transcripts."""

import asyncio
import json
import re
from typing import Any

import pytest

from agents.tools import SecretDigits, collect_digits
from engine.digits import DigitRules
from engine.events import AgentTurnEnded, DtmfReceived
from engine.keypad import Keypad
from engine.plan import SessionParts
from engine.ports import ToolSpec
from engine.session import ConversationSession
from engine.tools import Tool
from tests.engine.carrier import HangsUp, Line, Presses, Says
from tests.engine.stage import GREETING, Scene, perform, plan
from tests.engine.vendors import Ears, Mind, Thought, Voice
from tests.engine.virtual_loop import play

CODE = "739164"
PROMPT = "I will log you in now. Please press your code."
SLOWLY: dict[str, Any] = {"first_ms": 500, "gap_ms": 300}  # thought of from 5.8 s on, heard from 8.3 s on, written at 9.3 s


def test_an_order_number_pressed_in_one_go_is_one_turn_of_the_caller():
    keys = [Presses(4000 + 400 * place, key) for place, key in enumerate("40817#")]
    scene = perform([*keys, HangsUp(12_000)], thoughts=[Thought("Order 40817 is on its way.")])
    assert len(scene.mind.asked) == 1
    assert "40817" in scene.dialogue[1][1]
    assert scene.dialogue[2] == ("agent", "Order 40817 is on its way.")


def logging_in(rules: dict, presses: list[Presses], *says: Says, prompt: Thought | None = None) -> tuple[Scene, list, SecretDigits]:
    """The caller is asked for a code, presses something, and the code is checked."""
    keypad, secrets, checked = Keypad(), SecretDigits(), []

    async def check(arguments):
        checked.append(secrets.get(arguments["code"]))
        return "right"

    tools = (collect_digits(keypad, secrets, None), Tool(ToolSpec("check", "Checks a code."), check))
    asking = prompt or Thought(PROMPT)
    thoughts = [asking, *([asking] if says else [])]
    if rules:
        asking.calls = [("collect_digits", json.dumps(rules))]
        thoughts += [Thought("Thank you.", calls=[("check", '{"code": "secret_digits_1"}')])]
    thoughts += [Thought("That is right.")]
    spoken = [Says(4000, "log me in"), *says]
    scene = Scene(line=Line([*spoken, *presses, HangsUp(24_000)]))

    async def run():
        scene.ears, scene.mind, scene.voice = Ears(spoken), Mind(thoughts), Voice()
        parts = SessionParts(scene.ears, scene.mind, scene.voice, keypad=keypad)
        await ConversationSession(plan(tools=tools), parts, scene.line, scene.events.append).run()

    play(run())
    return scene, checked, secrets


def told_of(scene: Scene, secrets: SecretDigits) -> str:
    """All that leaves the session, without its moments: they are digits too."""
    told = " ".join([repr(scene.events), repr(scene.mind.asked), repr(scene.voice.spoken), repr(secrets)])
    return re.sub(r"_ms=\d+|quantity=\d+", "", told)


def in_a_row(keys: str, begin_ms: int, every_ms: int = 300) -> list[Presses]:
    return [Presses(begin_ms + every_ms * place, key) for place, key in enumerate(keys)]


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
    presses = [key for begin_ms, keys in pressed for key in in_a_row(keys, begin_ms)]
    scene, checked, secrets = logging_in({"secret": True, **rules}, presses)
    assert checked == [entered]
    assert scene.dialogue[2] == ("agent", f"{PROMPT} Thank you. That is right.")
    assert [text for who, text in scene.dialogue if who == "user"] == ["log me in"], "no key is a turn, none cuts an answer"
    assert len(scene.of(DtmfReceived)) == len(presses), "that keys were pressed is known"
    told = told_of(scene, secrets)
    assert "secret_digits_1" in told
    assert not [part for part in (CODE, CODE[:3], CODE[3:], CODE[4:], "pressed #") if part in told]


@pytest.mark.parametrize(
    ("rules", "begin_ms", "keys", "entered"),
    [
        ({"length": 6}, 5000, CODE, CODE),
        ({"length": 6}, 7300, CODE, CODE),
        ({"length": 6}, 8500, CODE, CODE),
        ({}, 5300, f"{CODE}#", CODE),
        ({}, 5300, f"#{CODE}#", CODE),
        ({"length": 4}, 5300, f"{CODE}#", CODE[:4]),
    ],
    ids=["behind the own words", "before a word of the question", "across the beginning", "closed early", "# to cut it short", "too many"],
)
def test_a_code_pressed_before_it_is_asked_for_belongs_to_the_entry_and_to_nobody_else(rules, begin_ms, keys, entered):
    """Callers who know the house press their code while the model still writes and says the question."""
    scene, checked, secrets = logging_in({"secret": True, **rules}, in_a_row(keys, begin_ms), prompt=Thought(PROMPT, **SLOWLY))
    assert checked == [entered]
    assert scene.dialogue[:3] == [("agent", GREETING), ("user", "log me in"), ("agent", f"{PROMPT} Thank you. That is right.")]
    told = told_of(scene, secrets)
    assert not [part for part in (CODE, CODE[:2], CODE[2:], "[pressed") if part in told]


def test_a_code_begun_early_waits_for_a_caller_who_hears_the_question_out():
    keys = [*in_a_row(CODE[:2], 6300), *in_a_row(CODE[2:], 15_000)]
    scene, checked, secrets = logging_in({"secret": True, "length": 6}, keys, prompt=Thought(PROMPT, **SLOWLY))
    assert checked == [CODE]
    assert CODE[2:] not in told_of(scene, secrets)


def test_words_in_the_middle_of_a_code_cost_none_of_its_keys():
    keys = [*in_a_row(CODE[:3], 6100), *in_a_row(CODE[3:], 8000)]
    scene, checked, secrets = logging_in(
        {"secret": True, "length": 6}, keys, Says(6500, "one moment please"), prompt=Thought(PROMPT, **SLOWLY)
    )
    assert checked == [CODE]
    assert "[pressed" not in told_of(scene, secrets)


def test_keys_into_an_answer_that_asks_for_none_stop_it_and_are_the_callers_words():
    scene, checked, _secrets = logging_in({}, in_a_row("42#", 8400), prompt=Thought("One is for sales. Two is for help.", **SLOWLY))
    assert not checked
    assert ("user", "[pressed 42]") in scene.dialogue
    assert scene.mind.asked[1][-1].content == "[pressed 42]"
    assert [turn for turn in scene.of(AgentTurnEnded) if turn.interrupted]


def test_what_is_no_secret_may_be_pressed_freely_before_and_after():
    keypad = Keypad()
    assert not keypad.keys.press("1", 0)

    async def scene():
        entry = asyncio.create_task(keypad.collect(DigitRules(length=1)))
        await asyncio.sleep(0)
        assert keypad.keys.press("2", 1000)
        return (await entry).digits

    assert play(scene()) == "2"
    assert [keypad.keys.press(key, 1500) for key in "##3"] == [True, False, False]
