"""What OpenAI is told, and how a reply is put together from its chunks."""

from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from engine.errors import ErrorCategory, ProviderError
from engine.ports import Message, TextDelta, ToolCall, ToolSpec
from engine.usage import Unit, UsageRecord
from providers.config import LanguageModelOptions
from providers.openai.llm import Answer, OpenAILanguageModel, message_json, request_settings
from tests.providers.vendors import PATIENT, openai_config
from tests.simulator.serving import Served


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({"model": "gpt-4.1-mini"}, {}),
        ({"model": "gpt-4.1-mini", "temperature": 0.0, "max_tokens": 200}, {"temperature": 0.0, "max_completion_tokens": 200}),
        ({"model": "gpt-6-luna"}, {"reasoning_effort": "none"}),
        ({"model": "gpt-6-luna-2026-09-01", "temperature": 0.5}, {"reasoning_effort": "none", "temperature": 0.5}),
        ({"model": "gpt-6-luna", "reasoning_effort": "low", "temperature": 0.5}, {"reasoning_effort": "low"}),
    ],
)
def test_only_what_is_set_and_accepted_is_sent(options: dict[str, Any], settings: dict[str, Any]) -> None:
    assert request_settings(LanguageModelOptions("openai", **options)) == settings


async def test_the_request_on_the_wire(vendors: Served) -> None:
    options = LanguageModelOptions("openai", "gpt-6-luna", temperature=0.0, max_tokens=50)
    tool = ToolSpec("end_call", "Ends the call")
    async with OpenAILanguageModel(openai_config(vendors), options, PATIENT).reply([Message("user", "hello")], [tool]) as events:
        async for _ in events:
            pass
    seen = vendors.state.seen[-1].facts["request"]
    assert seen == {
        "model": "gpt-6-luna",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "reasoning_effort": "none",
        "temperature": 0.0,
        "max_completion_tokens": 50,
        "tools": [
            {
                "type": "function",
                "function": {"name": "end_call", "description": "Ends the call", "parameters": {"type": "object", "properties": {}}},
            }
        ],
    }


def test_an_assistants_tool_calls_and_their_result_keep_their_ids() -> None:
    call = ToolCall("call_1", "book", '{"day":"Friday"}')
    assert message_json(Message("assistant", "", tool_calls=(call,))) == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "book", "arguments": '{"day":"Friday"}'}}],
    }
    assert message_json(Message("tool", "done", tool_call_id="call_1")) == {"role": "tool", "tool_call_id": "call_1", "content": "done"}


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, usage: dict[str, Any] | None = None) -> ChatCompletionChunk:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    raw = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, "usage": usage}
    return ChatCompletionChunk.model_validate(raw)


def piece(index: int, **fields: Any) -> dict[str, Any]:
    function = {name: fields[name] for name in ("name", "arguments") if name in fields}
    return {"index": index, **({"id": fields["id"]} if "id" in fields else {}), "function": function}


def test_interleaved_fragments_become_whole_calls_in_order() -> None:
    answer = Answer("openai", "m")
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": "Wait."},
        {"tool_calls": [piece(0, id="a", name="first", arguments='{"x"')]},
        {"tool_calls": [piece(1, id="b", name="second", arguments="")]},
        {"tool_calls": [piece(0, arguments=":1}")]},
    ]
    events = [event for delta in deltas for event in answer.take(chunk(delta))]
    events += answer.take(chunk({}, finish="tool_calls"))
    assert events == [TextDelta("Wait."), ToolCall("a", "first", '{"x":1}'), ToolCall("b", "second", "{}")]
    assert answer.take(chunk({}, finish="tool_calls")) == []


def test_a_tool_call_cut_by_the_token_limit_is_no_tool_call() -> None:
    answer = Answer("openai", "m")
    answer.take(chunk({"tool_calls": [piece(0, id="a", name="first", arguments='{"x"')]}))
    with pytest.raises(ProviderError) as caught:
        answer.take(chunk({}, finish="length"))
    assert (caught.value.category, caught.value.retryable) == (ErrorCategory.TRUNCATED, False)


def test_a_reply_without_a_bill_is_a_reply_with_unknown_usage() -> None:
    answer = Answer("openai", "m")
    answer.take(chunk({"content": "Hi"}, finish="stop"))
    assert answer.finish().usage == ()


def test_input_and_cached_input_add_up_to_the_prompt() -> None:
    answer = Answer("openai", "m")
    answer.take(chunk({"content": "Hi"}, finish="stop"))
    details = {"cached_tokens": 64}
    answer.take(chunk(usage={"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107, "prompt_tokens_details": details}))
    found: dict[Unit, UsageRecord] = {record.unit: record for record in answer.finish().usage}
    assert {unit: record.quantity for unit, record in found.items()} == {
        Unit.INPUT_TOKENS: 36,
        Unit.CACHED_INPUT_TOKENS: 64,
        Unit.OUTPUT_TOKENS: 7,
    }


def test_an_answer_that_never_said_it_was_done_is_truncated() -> None:
    answer = Answer("openai", "m")
    answer.take(chunk({"content": "Hi"}))
    with pytest.raises(ProviderError) as caught:
        answer.finish()
    assert caught.value.category == ErrorCategory.TRUNCATED
