"""What every language model promises the engine, whoever thinks."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from engine.errors import ErrorCategory
from engine.ports import LanguageModel, LanguageModelEvent, Message, ReplyFinished, TextDelta, ToolCall, ToolSpec
from engine.usage import Unit, UsageKind
from providers.config import LanguageModelOptions, OpenAIConfig
from providers.connection import Deadlines
from providers.fallback import FallbackLanguageModel
from providers.openai.llm import OpenAILanguageModel
from providers.openai.responses import OpenAIResponsesLanguageModel
from simulator.replies import parse
from tests.providers.vendors import HURRIED, KEY, NOWHERE, PATIENT, expect_key, failure, no_task_left, openai_config, order
from tests.simulator.serving import Served, settled

TARGET = "openai.chat"
MODEL = "gpt-6-luna"
ASKED = (Message("system", "You are a receptionist."), Message("user", "An appointment on Friday, please"))
ANSWER = "Certainly. Friday at ten is free. Shall I book it?"
BOOKING = ToolSpec("book", "Books an appointment", {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]})


def openai_llm(server: Served, deadlines: Deadlines, key: str = KEY, **options: Any) -> LanguageModel:
    chosen = LanguageModelOptions("openai", **{"model": MODEL, **options})
    return OpenAILanguageModel(openai_config(server, key), chosen, deadlines)


def responses_llm(server: Served, deadlines: Deadlines, key: str = KEY, **options: Any) -> LanguageModel:
    chosen = LanguageModelOptions("openai-responses", **{"model": MODEL, **options})
    return OpenAIResponsesLanguageModel(openai_config(server, key), chosen, deadlines)


def chained_llm(server: Served, deadlines: Deadlines, key: str = KEY, **options: Any) -> LanguageModel:
    return FallbackLanguageModel([openai_llm(server, deadlines, key, **options)])


Make = Callable[..., LanguageModel]


@pytest.fixture(params=[openai_llm, responses_llm, chained_llm], ids=["openai", "openai-responses", "fallback"])
def make(request: pytest.FixtureRequest) -> Make:
    return cast(Make, request.param)


async def answered(port: LanguageModel, messages: Sequence[Message] = ASKED, tools: Sequence[ToolSpec] = ()) -> list[LanguageModelEvent]:
    async with port.reply(messages, tools) as events:
        return [event async for event in events]


def words(events: Sequence[LanguageModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def script(server: Served, **rule: Any) -> None:
    server.state.replies.push(parse([{"heard": "", **rule}]))


async def test_a_reply_streams_its_words_and_ends_with_the_reason(vendors: Served, make: Make) -> None:
    async with no_task_left():
        events = await answered(make(vendors, PATIENT))
    assert words(events) == ANSWER
    assert sum(isinstance(event, TextDelta) for event in events) > 3
    assert isinstance(events[-1], ReplyFinished)
    assert events[-1].reason == "stop"
    assert sum(isinstance(event, ReplyFinished) for event in events) == 1


async def test_usage_counts_cached_input_apart_with_the_response_id_as_evidence(vendors: Served, make: Make) -> None:
    port = make(vendors, PATIENT)
    long = (Message("system", "Be kind. " * 2_000), ASKED[1])
    first, second = [(await answered(port, long))[-1] for _ in range(2)]
    assert isinstance(first, ReplyFinished)
    assert isinstance(second, ReplyFinished)
    fresh = {record.unit: record.quantity for record in first.usage}
    again = {record.unit: record.quantity for record in second.usage}

    assert Unit.CACHED_INPUT_TOKENS not in fresh
    assert again[Unit.CACHED_INPUT_TOKENS] > 1_000
    assert again[Unit.INPUT_TOKENS] + again[Unit.CACHED_INPUT_TOKENS] == fresh[Unit.INPUT_TOKENS]
    assert fresh[Unit.OUTPUT_TOKENS] == again[Unit.OUTPUT_TOKENS] > 0
    records = (*first.usage, *second.usage)
    assert {(record.kind, record.provider, record.model) for record in records} == {(UsageKind.LLM, "openai", MODEL)}
    assert len({record.evidence for record in first.usage}) == 1
    assert first.usage[0].evidence.startswith(("chatcmpl-", "resp_"))
    assert first.usage[0].evidence != second.usage[0].evidence


async def test_a_tool_call_comes_whole_behind_the_words_and_before_the_end(vendors: Served, make: Make) -> None:
    script(vendors, say="One moment.", tool={"name": "book", "arguments": {"day": "Friday", "note": 'naïve "quotes" ₹'}})
    events = await answered(make(vendors, PATIENT), tools=[BOOKING])
    call, end = events[-2:]
    assert words(events) == "One moment."
    assert isinstance(call, ToolCall)
    assert (call.name, json.loads(call.arguments)) == ("book", {"day": "Friday", "note": 'naïve "quotes" ₹'})
    assert call.call_id
    assert isinstance(end, ReplyFinished)
    assert end.reason == "tool_calls"


async def test_the_conversation_goes_on_after_a_tools_result(vendors: Served, make: Make) -> None:
    script(vendors, tool={"name": "book", "arguments": {}}, after_tool="Booked for you.")
    port = make(vendors, PATIENT)
    call = next(event for event in await answered(port, tools=[BOOKING]) if isinstance(event, ToolCall))
    results = (Message("assistant", "", tool_calls=(call,)), Message("tool", '{"ok": true}', tool_call_id=call.call_id))
    assert words(await answered(port, (*ASKED, *results), tools=[BOOKING])) == "Booked for you."


async def test_leaving_early_stops_the_provider_at_once(vendors: Served, make: Make) -> None:
    vendors.state.change_settings({"llm_token_gap_ms": 30_000})
    async with no_task_left(), make(vendors, PATIENT).reply(ASKED, ()) as events:
        await anext(events)
    assert settled(vendors, TARGET, within_s=25)


async def test_cancelling_passes_through_and_leaves_nothing_open(vendors: Served, make: Make) -> None:
    vendors.state.change_settings({"llm_token_gap_ms": 30_000})
    talking = asyncio.Event()

    async def talk() -> None:
        async with make(vendors, PATIENT).reply(ASKED, ()) as events:
            async for _ in events:
                talking.set()

    async with no_task_left():
        task = asyncio.create_task(talk())
        await talking.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert settled(vendors, TARGET, within_s=25)


async def test_cancelling_before_the_first_word_leaves_nothing_open(vendors: Served, make: Make) -> None:
    order(vendors, TARGET, "hang")
    async with no_task_left():
        task = asyncio.create_task(answered(make(vendors, PATIENT)))
        while not vendors.state.open_now[TARGET]:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert settled(vendors, TARGET)


@pytest.mark.parametrize(
    ("fault", "category", "retryable"),
    [
        ({"status": 429}, ErrorCategory.RATE_LIMITED, True),
        ({"status": 429, "retry_after_s": 60}, ErrorCategory.RATE_LIMITED, True),
        ({"status": 429, "code": "insufficient_quota"}, ErrorCategory.QUOTA, False),
        ({"status": 500}, ErrorCategory.SERVER, True),
        ({"status": 503}, ErrorCategory.SERVER, True),
        ({"status": 400}, ErrorCategory.BAD_REQUEST, False),
        ({"status": 403}, ErrorCategory.AUTHENTICATION, False),
        ({"status": 404}, ErrorCategory.NOT_FOUND, False),
    ],
)
async def test_a_refusal_says_what_it_means_and_is_not_repeated(
    vendors: Served, make: Make, fault: dict[str, Any], category: ErrorCategory, retryable: bool
) -> None:
    order(vendors, TARGET, "status", **fault)
    error = await failure(lambda: answered(make(vendors, PATIENT)))
    assert (error.category, error.retryable) == (category, retryable)
    assert error.request_id.startswith("req_")
    assert vendors.state.faults.taken[f"{TARGET} status"] == 1


async def test_a_wrong_key_is_an_authentication_error_that_repeats_neither_key_nor_prompt(vendors: Served, make: Make) -> None:
    expect_key(vendors)
    port = make(vendors, PATIENT, key="wrong-key-9876543210")
    error = await failure(lambda: answered(port))
    assert (error.category, error.retryable) == (ErrorCategory.AUTHENTICATION, False)
    for shown in (str(error), repr(error), repr(port), repr(vars(error)), repr(error.__cause__)):
        assert "3210" not in shown
        assert "receptionist" not in shown


async def test_silence_of_the_provider_is_a_time_out_in_time(vendors: Served, make: Make) -> None:
    order(vendors, TARGET, "hang")
    async with no_task_left():
        error = await failure(lambda: answered(make(vendors, HURRIED)))
    assert (error.category, error.retryable) == (ErrorCategory.TIMEOUT, True)
    assert settled(vendors, TARGET)


async def test_an_open_stream_without_words_is_a_time_out_too(vendors: Served, make: Make) -> None:
    vendors.state.change_settings({"llm_first_token_ms": 30_000})
    error = await failure(lambda: answered(make(vendors, HURRIED)))
    assert error.category == ErrorCategory.TIMEOUT


async def test_a_stall_in_the_middle_is_a_time_out(vendors: Served, make: Make) -> None:
    order(vendors, TARGET, "drip", every_ms=800)
    error = await failure(lambda: answered(make(vendors, replace(HURRIED, first_ms=20_000))))
    assert error.category == ErrorCategory.TIMEOUT


@pytest.mark.parametrize("how", ["drop", "truncate"])
async def test_a_stream_that_ends_early_is_never_a_whole_reply(vendors: Served, make: Make, how: str) -> None:
    order(vendors, TARGET, how, after=4)
    heard: list[LanguageModelEvent] = []

    async def talk() -> None:
        async with make(vendors, PATIENT).reply(ASKED, ()) as events:
            async for event in events:
                heard.append(event)

    error = await failure(talk)
    assert (error.category, error.retryable) == (ErrorCategory.TRUNCATED, True)
    assert ANSWER.startswith(words(heard))
    assert words(heard)
    assert not any(isinstance(event, ReplyFinished) for event in heard)


async def test_an_error_inside_the_stream_is_told(vendors: Served, make: Make) -> None:
    order(vendors, TARGET, "error", after=3)
    error = await failure(lambda: answered(make(vendors, PATIENT)))
    assert (error.category, error.retryable) == (ErrorCategory.SERVER, True)


async def test_nobody_there_is_a_connection_error() -> None:
    port = OpenAILanguageModel(OpenAIConfig(KEY, f"{NOWHERE}/v1"), LanguageModelOptions("openai", MODEL), PATIENT)
    error = await failure(lambda: answered(port))
    assert (error.category, error.retryable) == (ErrorCategory.CONNECTION, True)


async def test_a_reply_cut_at_the_token_limit_is_whole_as_far_as_it_goes(vendors: Served, make: Make) -> None:
    long = "One after the other I can read you every day of the month on which somebody is here for you."
    script(vendors, say=long)
    events = await answered(make(vendors, PATIENT, max_tokens=16))
    assert isinstance(events[-1], ReplyFinished)
    assert events[-1].reason == "length"
    assert long.startswith(words(events))
    assert long != words(events)


async def test_a_slow_reader_of_ours_is_not_the_providers_time_out(vendors: Served, make: Make) -> None:
    hurried = replace(PATIENT, between_ms=1_000)
    async with make(vendors, hurried).reply(ASKED, ()) as events:
        await anext(events)
        await asyncio.sleep(1.1)
        rest = [event async for event in events]
    assert isinstance(rest[-1], ReplyFinished)


def test_one_port_works_on_one_event_loop_after_the_other(vendors: Served, make: Make) -> None:
    port = make(vendors, PATIENT)
    assert [words(asyncio.run(answered(port))) for _ in range(2)] == [ANSWER, ANSWER]
