import asyncio

import pytest

from engine.ports import ToolCall, ToolSpec
from engine.schema import problems
from engine.tools import END_CALL, Tool, Toolbox
from tests.engine.virtual_loop import play

BOOKING = {
    "type": "object",
    "properties": {
        "hour": {"type": "integer", "minimum": 9, "maximum": 17},
        "name": {"type": "string", "minLength": 1, "maxLength": 40, "pattern": "^[A-Z]"},
        "kind": {"enum": ["new", "follow-up"]},
        "notes": {"type": ["string", "null"]},
        "slots": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
        "urgent": {"type": "boolean"},
    },
    "required": ["hour"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "value",
    [
        {"hour": 9},
        {"hour": 17.0},
        {"hour": 10, "name": "Ravi", "kind": "new", "notes": None, "slots": ["a"], "urgent": True},
    ],
)
def test_arguments_that_fit_have_no_problems(value):
    assert problems(BOOKING, value) == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({}, "arguments.hour is missing"),
        ({"hour": "9"}, "arguments.hour must be integer"),
        ({"hour": True}, "arguments.hour must be integer"),
        ({"hour": 9.5}, "arguments.hour must be integer"),
        ({"hour": 8}, "arguments.hour must be at least 9"),
        ({"hour": 18}, "arguments.hour must be at most 17"),
        ({"hour": 9, "name": ""}, "arguments.name must have at least 1 characters"),
        ({"hour": 9, "name": "ravi"}, "arguments.name must match ^[A-Z]"),
        ({"hour": 9, "kind": "old"}, "arguments.kind must be one of new, follow-up"),
        ({"hour": 9, "notes": 3}, "arguments.notes must be string or null"),
        ({"hour": 9, "slots": []}, "arguments.slots must have at least 1 items"),
        ({"hour": 9, "slots": ["a", 2]}, "arguments.slots[1] must be string"),
        ({"hour": 9, "urgent": 1}, "arguments.urgent must be boolean"),
        ({"hour": 9, "extra": 1}, "arguments.extra is not known"),
        ([], "arguments must be object"),
    ],
)
def test_arguments_that_do_not_fit_are_named(value, problem):
    assert problem in problems(BOOKING, value)


def toolbox(call, timeout_ms=8000):
    return Toolbox([Tool(ToolSpec("book", "books", BOOKING), call, timeout_ms)])


def asked(arguments='{"hour": 9}', name="book"):
    return ToolCall("c1", name, arguments)


async def echo(arguments):
    return f"booked at {arguments['hour']}"


def test_end_call_is_always_offered_last():
    assert [spec.name for spec in toolbox(echo).specs] == ["book", END_CALL.name]


@pytest.mark.parametrize(
    ("call", "ok", "says"),
    [
        (asked(), True, "booked at 9"),
        (asked('{"hour": 3}'), False, "arguments.hour must be at least 9"),
        (asked("{hour"), False, "not valid JSON"),
        (asked("[]"), False, "arguments must be object"),
        (asked(name="fly"), False, "There are: book, end_call"),
    ],
)
def test_the_model_is_told_what_became_of_its_call(call, ok, says):
    result = play(toolbox(echo).call(call))
    assert result.ok is ok
    assert says in result.content


def test_a_tool_that_takes_too_long_is_stopped():
    stopped = []

    async def slow(arguments):
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append(asyncio.get_running_loop().time())
        return ""

    async def scene():
        start = asyncio.get_running_loop().time()
        result = await toolbox(slow, timeout_ms=1500).call(asked())
        return result, stopped[0] - start

    result, after_s = play(scene())
    assert not result.ok
    assert after_s == pytest.approx(1.5)


def test_a_tool_that_breaks_tells_the_model_but_not_what_it_was_given():
    async def broken(arguments):
        raise ValueError(f"secret {arguments}")

    result = play(toolbox(broken).call(asked()))
    assert not result.ok
    assert "ValueError" in result.content
    assert "secret" not in result.content


def test_a_call_cut_off_goes_on_and_is_not_made_again():
    runs = []

    async def slow(arguments):
        runs.append(arguments)
        await asyncio.sleep(2)
        return "done"

    async def scene():
        box = toolbox(slow)
        first = asyncio.create_task(box.call(asked()))
        await asyncio.sleep(1)
        first.cancel()
        await asyncio.wait({first})
        again = await box.call(asked())
        later = await box.call(asked())
        await box.close()
        return again.content, later.content

    assert play(scene()) == ("done", "done")
    assert len(runs) == 2  # the first wish once, though asked twice; the later wish anew


def test_closing_stops_what_runs():
    async def endless(arguments):
        await asyncio.sleep(3600)
        return ""

    async def scene():
        box = toolbox(endless, timeout_ms=3_600_000)
        caller = asyncio.create_task(box.call(asked()))
        await asyncio.sleep(1)
        caller.cancel()
        await box.close()

    play(scene())


def test_a_result_without_end_is_cut():
    async def long(arguments):
        return "x" * 100_000

    assert len(play(toolbox(long).call(asked())).content) == 8000
