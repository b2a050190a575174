"""The fake chat completions, asked by the official client over a real socket."""

import asyncio

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from simulator.replies import parse
from tests.simulator.serving import settled

END_CALL = {"type": "function", "function": {"name": "end_call", "parameters": {"type": "object", "properties": {}}}}
MODEL = "gpt-6-luna"


@pytest.fixture
async def client(vendors):
    async with AsyncOpenAI(api_key="sim-openai", base_url=f"{vendors.http}/openai/v1", max_retries=0, timeout=60) as official:
        yield official


def said(*texts):
    return [{"role": "system", "content": "You answer the phone."}, *({"role": "user", "content": text} for text in texts)]


async def streamed(client, **request):
    calls: dict = {}
    text, finish, usage = "", None, None
    async with await client.chat.completions.create(model=MODEL, stream=True, **request) as stream:
        async for chunk in stream:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
                for part in choice.delta.tool_calls or ():
                    call = calls.setdefault(part.index, {"id": "", "name": "", "arguments": ""})
                    call["id"] += part.id or ""
                    call["name"] += part.function.name or ""
                    call["arguments"] += part.function.arguments or ""
    return text, list(calls.values()), finish, usage


async def test_a_streamed_reply_answers_from_what_was_heard(client):
    text, calls, finish, usage = await streamed(client, messages=said("I want an appointment for Friday"))
    assert text == "Certainly. Friday at ten is free. Shall I book it?"
    assert (calls, finish, usage) == ([], "stop", None)


async def test_a_tool_call_comes_in_fragments_behind_the_words_only_if_declared(client, vendors):
    rule = {"heard": "bye", "say": "Goodbye.", "tool": {"name": "end_call", "arguments": {"reason": "caller is done"}}}
    vendors.state.replies.push(parse([rule]))
    request = {"messages": said("ok bye"), "reasoning_effort": "none"}
    text, calls, finish, _ = await streamed(client, tools=[END_CALL], **request)
    assert (text, finish) == ("Goodbye.", "tool_calls")
    assert calls[0]["id"].startswith("call_")
    assert (calls[0]["name"], calls[0]["arguments"]) == ("end_call", '{"reason": "caller is done"}')
    text, calls, finish, _ = await streamed(client, **request)
    assert (text, calls, finish) == ("Goodbye.", [], "stop")


async def test_after_the_tool_result_it_says_what_the_rule_says_then(client, vendors):
    rule = {"heard": "weather", "say": "Let me see.", "tool": {"name": "weather"}, "after_tool": "It is sunny."}
    vendors.state.replies.push(parse([rule]))
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    _, calls, _, _ = await streamed(client, messages=said("the weather"), tools=[tool], reasoning_effort="none")
    asked = {"id": calls[0]["id"], "type": "function", "function": {"name": "weather", "arguments": calls[0]["arguments"]}}
    turn = [{"role": "assistant", "content": None, "tool_calls": [asked]}, {"role": "tool", "tool_call_id": asked["id"], "content": "sun"}]
    text, calls, finish, _ = await streamed(client, messages=[*said("the weather"), *turn], tools=[tool], reasoning_effort="none")
    assert (text, calls, finish) == ("It is sunny.", [], "stop")


async def test_usage_comes_last_when_asked_for_and_counts_the_cached_beginning(client):
    long_prompt = [{"role": "system", "content": "Be kind and short. " * 600}, {"role": "user", "content": "hello"}]
    *_, first = await streamed(client, messages=long_prompt, stream_options={"include_usage": True})
    *_, second = await streamed(client, messages=long_prompt, stream_options={"include_usage": True})
    assert first.prompt_tokens == second.prompt_tokens > 2_000
    assert first.prompt_tokens_details.cached_tokens == 0
    assert second.prompt_tokens - 128 < second.prompt_tokens_details.cached_tokens <= second.prompt_tokens
    assert second.total_tokens == second.prompt_tokens + second.completion_tokens and second.completion_tokens > 0


async def test_a_reply_that_is_not_streamed_is_the_same(client):
    answer = await client.chat.completions.create(model=MODEL, messages=said("bye"), tools=[END_CALL], reasoning_effort="none")
    choice = answer.choices[0]
    assert choice.message.content == "Thank you for calling. Goodbye."
    assert (choice.message.tool_calls[0].function.name, choice.finish_reason) == ("end_call", "tool_calls")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_the_token_limit_cuts_the_reply(client):
    text, _, finish, _ = await streamed(client, messages=said("I want an appointment for Friday"), max_completion_tokens=3)
    assert finish == "length"
    assert "Certainly. Friday at ten is free. Shall I book it?".startswith(text) and text


async def test_streaming_and_unstreamed_answers_carry_a_request_id(client):
    raw = await client.chat.completions.with_raw_response.create(model=MODEL, messages=said("hello"))
    assert raw.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("request_", "error", "param", "words"),
    [
        ({"temperature": 0.2}, openai.BadRequestError, "temperature", "does not support 0.2"),
        ({"temperature": 0.2, "reasoning_effort": "low"}, openai.BadRequestError, "temperature", "default"),
        ({"temperature": 3, "reasoning_effort": "none"}, openai.BadRequestError, "temperature", "<= 2"),
        ({"max_tokens": 10}, openai.BadRequestError, "max_tokens", "max_completion_tokens"),
        ({"tools": [END_CALL]}, openai.BadRequestError, "reasoning_effort", "none"),
        ({"reasoning_effort": "huge"}, openai.BadRequestError, "reasoning_effort", "Supported values"),
        ({"messages": []}, openai.BadRequestError, "messages", "empty array"),
        ({"messages": [{"role": "narrator", "content": "x"}]}, openai.BadRequestError, "messages[0].role", "Supported values"),
        ({"messages": [{"role": "user", "content": None}]}, openai.BadRequestError, "messages[0].content", "got null"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": ""}]}, openai.BadRequestError, "messages[0].role", "preceding"),
        ({"stream_options": {"include_usage": True}}, openai.BadRequestError, "stream_options", "stream"),
        ({"extra_body": {"temprature": 1}}, openai.BadRequestError, "temprature", "Unrecognized"),
        ({"model": "gpt-4-turbo"}, openai.NotFoundError, None, "does not exist"),
        ({"model": "gpt-4o", "reasoning_effort": "none"}, openai.BadRequestError, "reasoning_effort", "not supported"),
    ],
)
async def test_what_the_real_one_refuses_is_refused(client, request_, error, param, words):
    with pytest.raises(error) as refused:
        await client.chat.completions.create(**{"model": MODEL, "messages": said("hello"), **request_})
    assert words in refused.value.message
    assert refused.value.body["param"] == param
    assert refused.value.request_id.startswith("req_")


async def test_zero_is_a_temperature_where_reasoning_is_off(client):
    assert (await streamed(client, messages=said("hello"), temperature=0, reasoning_effort="none"))[0]
    answer = await client.chat.completions.create(model="gpt-4o", messages=said("hello"), temperature=0, max_tokens=50)
    assert answer.choices[0].message.content


async def test_an_unanswered_tool_call_is_refused(client):
    call = {"id": "call_1", "type": "function", "function": {"name": "end_call", "arguments": "{}"}}
    turn = [{"role": "assistant", "content": "", "tool_calls": [call]}, {"role": "user", "content": "and now?"}]
    with pytest.raises(openai.BadRequestError, match="call_1"):
        await client.chat.completions.create(model=MODEL, messages=[*said("hi"), *turn])


async def test_a_wrong_or_missing_key_is_refused(client, vendors):
    vendors.state.change_settings({"openai_key": "sk-right"})
    with pytest.raises(openai.AuthenticationError) as refused:
        await client.chat.completions.create(model=MODEL, messages=said("hello"))
    assert refused.value.code == "invalid_api_key"
    assert "sim-openai" not in refused.value.message
    async with httpx.AsyncClient() as plain:
        answer = await plain.post(f"{vendors.http}/openai/v1/chat/completions", json={})
        assert answer.status_code == 401
        key = {"authorization": "Bearer sk-right"}
        unreadable = await plain.post(f"{vendors.http}/openai/v1/chat/completions", content=b"{", headers=key)
        assert unreadable.status_code == 400


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (401, "invalid_api_key", openai.AuthenticationError),
        (429, "rate_limit_exceeded", openai.RateLimitError),
        (500, None, openai.InternalServerError),
        (503, None, openai.InternalServerError),
    ],
)
async def test_an_ordered_status_comes_in_openais_shape(client, vendors, status, code, error):
    vendors.state.faults.add({"target": "openai.chat", "fault": "status", "status": status, "times": 1, "retry_after_s": 7})
    with pytest.raises(error) as refused:
        await client.chat.completions.create(model=MODEL, messages=said("hello"), stream=True)
    assert (refused.value.code, refused.value.response.headers["retry-after"]) == (code, "7")
    assert (await streamed(client, messages=said("hello")))[0]


async def test_quota_and_rate_are_told_apart(client, vendors):
    vendors.state.faults.add({"target": "openai.chat", "fault": "status", "status": 429, "code": "insufficient_quota"})
    with pytest.raises(openai.RateLimitError) as refused:
        await client.chat.completions.create(model=MODEL, messages=said("hello"))
    assert (refused.value.code, refused.value.type) == ("insufficient_quota", "insufficient_quota")


async def test_a_dropped_stream_breaks_after_so_many_events(client, vendors):
    vendors.state.faults.add({"target": "openai.chat", "fault": "drop", "after": 3})
    seen = 0
    with pytest.raises(openai.APIConnectionError):
        async for _ in await client.chat.completions.create(model=MODEL, messages=said("hello"), stream=True):
            seen += 1
    assert seen == 3


async def test_a_truncated_stream_ends_without_a_finish_reason(client, vendors):
    vendors.state.faults.add({"target": "openai.chat", "fault": "truncate", "after": 3})
    text, _, finish, _ = await streamed(client, messages=said("I want an appointment for Friday"))
    assert text and finish is None


async def test_an_error_event_inside_the_stream_is_openais(client, vendors):
    vendors.state.faults.add({"target": "openai.chat", "fault": "error", "after": 2})
    with pytest.raises(openai.APIError) as broken:
        await streamed(client, messages=said("hello"))
    assert not isinstance(broken.value, openai.APIStatusError | openai.APIConnectionError)


async def test_a_hanging_request_says_nothing_and_is_forgotten_when_the_client_leaves(client, vendors):
    vendors.state.faults.add({"target": "openai.chat", "fault": "hang"})
    with pytest.raises(openai.APITimeoutError):
        await client.with_options(timeout=0.3).chat.completions.create(model=MODEL, messages=said("hello"), stream=True)
    assert await asyncio.to_thread(settled, vendors, "openai.chat")


async def test_leaving_a_stream_early_stops_it_at_the_server(client, vendors):
    vendors.state.change_settings({"llm_token_gap_ms": 30_000})
    async with await client.chat.completions.create(model=MODEL, messages=said("hello"), stream=True) as stream:
        await anext(aiter(stream))
        assert vendors.state.open_now["openai.chat"] == 1
    assert await asyncio.to_thread(settled, vendors, "openai.chat")


async def test_a_hundred_replies_stream_at_once(client):
    replies = await asyncio.gather(*(streamed(client, messages=said(f"an appointment for day{number}")) for number in range(100)))
    assert [text.split()[1] for text, *_ in replies] == [f"day{number}" for number in range(100)]


async def test_models_are_listed_with_their_end(client):
    models = {model.id: model async for model in await client.models.list()}
    assert MODEL in models and models["gpt-4o"].shutdown_date == "2027-01-14"
    assert (await client.models.retrieve(MODEL)).id == MODEL
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("gpt-3.5-turbo")


async def test_what_the_client_asked_is_kept_for_its_tests(client, vendors):
    await streamed(client, messages=said("hello"), temperature=0, reasoning_effort="none")
    seen = vendors.state.seen[-1]
    assert (seen.target, seen.facts["request"]["temperature"]) == ("openai.chat", 0)
