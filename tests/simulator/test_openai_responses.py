"""The fake Responses interface, asked by the official SDK, whose stream helper insists on every event in its place."""

import openai
import pytest
from openai import AsyncOpenAI

from simulator.replies import parse

MODEL = "gpt-6-luna"
SAID = "Certainly. Friday at ten is free. Shall I book it?"
ASKED = [{"role": "user", "content": "An appointment on Friday, please"}]
TOOL = {"type": "function", "name": "book", "description": "Books", "strict": False, "parameters": {"type": "object", "properties": {}}}


@pytest.fixture
async def client(vendors):
    async with AsyncOpenAI(api_key="sim", base_url=f"{vendors.http}/openai/v1", max_retries=0, timeout=60) as sdk:
        yield sdk


async def test_the_sdks_stream_helper_is_content_with_the_order_of_events(client):
    async with client.responses.stream(model=MODEL, input=ASKED, reasoning={"effort": "none"}, store=False) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert kinds[:4] == ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    assert kinds[-4:] == ["response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"]
    assert final.output_text == SAID
    assert final.usage.input_tokens > 0 and final.usage.output_tokens > 5


async def test_events_are_numbered_without_a_gap(client):
    stream = await client.responses.create(model=MODEL, input="hello", stream=True, store=False)
    numbers = [event.sequence_number async for event in stream]
    assert numbers == list(range(len(numbers)))


async def test_without_streaming_the_same_is_said_at_once(client):
    answer = await client.responses.create(model=MODEL, input=ASKED, store=False)
    assert (answer.status, answer.output_text) == ("completed", SAID)


async def test_a_tool_is_called_in_pieces_and_its_result_is_answered(client, vendors):
    vendors.state.replies.push(parse([{"heard": "", "tool": {"name": "book", "arguments": {"day": "Friday"}}, "after_tool": "Booked."}]))
    async with client.responses.stream(model=MODEL, input=ASKED, tools=[TOOL], reasoning={"effort": "low"}, store=False) as stream:
        kinds = [event.type async for event in stream]
        (call,) = (await stream.get_final_response()).output
    assert kinds.count("response.function_call_arguments.delta") > 1
    assert (call.name, call.arguments) == ("book", '{"day": "Friday"}')
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "ok"}
    asked = {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments}
    answer = await client.responses.create(model=MODEL, input=[*ASKED, asked, result], tools=[TOOL], store=False)
    assert answer.output_text == "Booked."


async def test_a_limit_ends_the_reply_as_incomplete(client, vendors):
    vendors.state.replies.push(parse([{"heard": "", "say": "one two three four five six seven eight nine ten " * 3}]))
    answer = await client.responses.create(model=MODEL, input="count", max_output_tokens=16, store=False)
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")


@pytest.mark.parametrize(
    "request_fields",
    [
        {"max_output_tokens": 3},
        {"messages": []},
        {"input": []},
        {"temperature": 0.5, "reasoning": {"effort": "low"}},
        {"tools": [{"type": "function", "function": {"name": "book"}}]},
        {"tools": [{**TOOL, "strict": True, "parameters": {"type": "object", "properties": {"day": {"type": "string"}}}}]},
        {"input": [{"type": "function_call_output", "call_id": "nobody", "output": "x"}]},
    ],
)
async def test_what_the_real_one_would_refuse_is_refused(client, request_fields):
    body = {"model": MODEL, "input": ASKED, "store": False, **request_fields}
    with pytest.raises(openai.BadRequestError):
        await client.post("/responses", body=body, cast_to=object)


async def test_an_ordered_error_comes_in_the_middle_of_the_stream(client, vendors):
    vendors.state.faults.add({"target": "openai.chat", "fault": "error", "after": 2})
    stream = await client.responses.create(model=MODEL, input=ASKED, stream=True, store=False)
    kinds = [event.type async for event in stream]
    assert kinds[-1] == "error"
    assert "response.completed" not in kinds
