"""What OpenAI's Responses interface is told, and how a reply is put together from its events."""

from typing import Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from engine.errors import ErrorCategory, ProviderError
from engine.ports import LanguageModelEvent, Message, ReplyFinished, TextDelta, ToolCall, ToolSpec
from engine.usage import Unit
from providers.config import LanguageModelOptions
from providers.openai.responses import OpenAIResponsesLanguageModel, ResponseAnswer, input_items, request_settings
from tests.providers.test_language_model_contract import BOOKING, answered, script
from tests.providers.vendors import PATIENT, openai_config
from tests.simulator.serving import Served


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({"model": "gpt-4.1-mini"}, {}),
        ({"model": "gpt-4.1-mini", "temperature": 0.0, "max_tokens": 200}, {"temperature": 0.0, "max_output_tokens": 200}),
        ({"model": "gpt-6-luna"}, {"reasoning": {"effort": "none"}}),
        ({"model": "gpt-6-luna", "temperature": 0.5}, {"reasoning": {"effort": "none"}, "temperature": 0.5}),
        ({"model": "gpt-6-luna", "reasoning_effort": "low", "temperature": 0.5}, {"reasoning": {"effort": "low"}}),
        ({"model": "gpt-4.1-mini", "max_tokens": 3}, {"max_output_tokens": 16}),
    ],
)
def test_only_what_is_set_and_accepted_is_sent(options: dict[str, Any], settings: dict[str, Any]) -> None:
    assert request_settings(LanguageModelOptions("openai-responses", **options)) == settings


async def test_the_request_on_the_wire(vendors: Served) -> None:
    options = LanguageModelOptions("openai-responses", "gpt-6-luna", temperature=0.0, max_tokens=50)
    port = OpenAIResponsesLanguageModel(openai_config(vendors), options, PATIENT)
    await answered(port, [Message("system", "Be kind."), Message("user", "hello")], [ToolSpec("end_call", "Ends the call")])
    assert vendors.state.seen[-1].facts["request"] == {
        "model": "gpt-6-luna",
        "input": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hello"}],
        "stream": True,
        "store": False,
        "reasoning": {"effort": "none"},
        "temperature": 0.0,
        "max_output_tokens": 50,
        "tools": [
            {
                "type": "function",
                "name": "end_call",
                "description": "Ends the call",
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            }
        ],
    }


async def test_a_model_may_think_and_use_tools_in_one_reply(vendors: Served) -> None:
    script(vendors, tool={"name": "book", "arguments": {"day": "Friday"}})
    options = LanguageModelOptions("openai-responses", "gpt-6-luna", reasoning_effort="low")
    events = await answered(OpenAIResponsesLanguageModel(openai_config(vendors), options, PATIENT), tools=[BOOKING])
    assert [type(event) for event in events] == [ToolCall, ReplyFinished]


def test_words_and_calls_are_items_of_their_own_and_results_name_their_call() -> None:
    calls = (ToolCall("call_1", "book", '{"day":"Friday"}'), ToolCall("call_2", "note", "{}"))
    assert input_items(Message("assistant", "One moment.", tool_calls=calls)) == [
        {"role": "assistant", "content": "One moment."},
        {"type": "function_call", "call_id": "call_1", "name": "book", "arguments": '{"day":"Friday"}'},
        {"type": "function_call", "call_id": "call_2", "name": "note", "arguments": "{}"},
    ]
    assert [item["type"] for item in input_items(Message("assistant", "", tool_calls=calls))] == ["function_call"] * 2
    assert input_items(Message("tool", "done", tool_call_id="call_1")) == [
        {"type": "function_call_output", "call_id": "call_1", "output": "done"}
    ]
    assert input_items(Message("user", "")) == [{"role": "user", "content": ""}]


CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "book", "arguments": '{"day"', "status": "incomplete"}
_EVENTS: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)


def response(**fields: Any) -> dict[str, Any]:
    frame = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": [], "parallel_tool_calls": True}
    return {**frame, "tool_choice": "auto", "tools": [], "status": "completed", **fields}


def event(kind: str, **fields: Any) -> ResponseStreamEvent:
    return _EVENTS.validate_python({"type": kind, "sequence_number": 1, **fields})


def taken(answer: ResponseAnswer, *events: ResponseStreamEvent) -> list[LanguageModelEvent]:
    return [made for one in events for made in answer.take(one)]


def delta(text: str) -> ResponseStreamEvent:
    return event("response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta=text, logprobs=[])


def test_words_come_at_once_and_calls_when_the_model_is_done() -> None:
    answer = ResponseAnswer("m")
    call = {**CALL, "arguments": '{"day":"Friday"}', "status": "completed"}
    assert taken(answer, delta("Wait."), event("response.output_item.done", output_index=1, item=call)) == [TextDelta("Wait.")]
    assert taken(answer, event("response.completed", response=response())) == [ToolCall("call_1", "book", '{"day":"Friday"}')]
    assert answer.finish().reason == "tool_calls"


def test_a_refusal_is_words_too() -> None:
    refused = event("response.refusal.delta", item_id="msg_1", output_index=0, content_index=0, delta="I cannot.")
    assert taken(ResponseAnswer("m"), refused) == [TextDelta("I cannot.")]


def test_input_and_cached_input_add_up_and_a_missing_bill_is_unknown_usage() -> None:
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 107,
    }
    answer = ResponseAnswer("m")
    taken(answer, event("response.completed", response=response(usage=usage)))
    found = {record.unit: (record.quantity, record.evidence) for record in answer.finish().usage}
    assert found == {Unit.INPUT_TOKENS: (36, "resp_1"), Unit.CACHED_INPUT_TOKENS: (64, "resp_1"), Unit.OUTPUT_TOKENS: (7, "resp_1")}
    unbilled = ResponseAnswer("m")
    taken(unbilled, event("response.completed", response=response()))
    assert unbilled.finish().usage == ()


@pytest.mark.parametrize(("why", "reason"), [("max_output_tokens", "length"), ("content_filter", "content_filter")])
def test_a_reply_that_had_to_stop_is_whole_as_far_as_it_goes(why: str, reason: str) -> None:
    answer = ResponseAnswer("m")
    taken(answer, delta("Well"), event("response.incomplete", response=response(status="incomplete", incomplete_details={"reason": why})))
    assert answer.finish().reason == reason


def test_a_tool_call_cut_by_the_token_limit_is_no_tool_call() -> None:
    cut = response(status="incomplete", incomplete_details={"reason": "max_output_tokens"}, output=[CALL])
    with pytest.raises(ProviderError) as caught:
        taken(ResponseAnswer("m"), event("response.incomplete", response=cut))
    assert (caught.value.category, caught.value.retryable) == (ErrorCategory.TRUNCATED, False)


@pytest.mark.parametrize(
    ("broken", "category"),
    [
        (event("error", code="server_error", message="secret", param=None), ErrorCategory.SERVER),
        (event("error", code="rate_limit_exceeded", message="secret", param=None), ErrorCategory.RATE_LIMITED),
        (event("error", code="insufficient_quota", message="secret", param=None), ErrorCategory.QUOTA),
        (
            event("response.failed", response=response(status="failed", error={"code": "server_error", "message": "secret"})),
            ErrorCategory.SERVER,
        ),
    ],
)
def test_an_error_in_the_stream_says_what_it_means_and_repeats_nothing(broken: ResponseStreamEvent, category: ErrorCategory) -> None:
    with pytest.raises(ProviderError) as caught:
        taken(ResponseAnswer("m"), broken)
    assert caught.value.category == category
    assert "secret" not in str(caught.value)


def test_an_answer_that_never_said_it_was_done_is_truncated() -> None:
    answer = ResponseAnswer("m")
    taken(answer, delta("Hi"))
    with pytest.raises(ProviderError) as caught:
        answer.finish()
    assert caught.value.category == ErrorCategory.TRUNCATED
    assert Response.model_validate(response()).id == "resp_1"
