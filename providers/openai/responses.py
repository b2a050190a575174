"""OpenAI's Responses interface as the engine's language model: the one where a model may think and use tools in the same reply.

Nothing is stored at OpenAI; the conversation goes along each time, as it was heard.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import openai
from openai import AsyncStream
from openai.types.responses import Response, ResponseFunctionToolCall, ResponseStreamEvent

from engine.errors import ErrorCategory, ProviderError
from engine.ports import LanguageModelEvent, Message, ReplyFinished, TextDelta, ToolCall, ToolSpec
from engine.usage import UsageRecord
from providers.config import LanguageModelOptions, OpenAIConfig
from providers.connection import Deadlines, Patience, cut_off
from providers.openai import client
from providers.openai.streams import Json, OneByOne, effort_of, events_of, token_records

_LEAST_OUTPUT_TOKENS = 16  # less is refused
_DELTAS = frozenset({"response.output_text.delta", "response.refusal.delta", "response.function_call_arguments.delta"})
_STEPS = frozenset({"response.output_item.done", "response.completed", "response.incomplete", "response.failed", "error"})


class OpenAIResponsesLanguageModel:
    provider = client.PROVIDER

    def __init__(self, config: OpenAIConfig, options: LanguageModelOptions, deadlines: Deadlines = client.LANGUAGE_MODEL_DEADLINES) -> None:
        self.model = options.model
        self._config = config
        self._deadlines = deadlines
        self._settings = request_settings(options)

    async def warm(self) -> None:
        """Opens a connection before it is needed."""
        await client.warm(self._config, self._deadlines)

    def reply(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AbstractAsyncContextManager[AsyncIterator[LanguageModelEvent]]:
        return self._reply([item for message in messages for item in input_items(message)], [tool_json(tool) for tool in tools])

    @asynccontextmanager
    async def _reply(self, items: list[Any], tools: list[Any]) -> AsyncIterator[AsyncIterator[LanguageModelEvent]]:
        patience = Patience(self.provider, self._deadlines)
        responses = client.shared_client(self._config, self._deadlines).responses
        extra = {**self._settings, **({"tools": tools} if tools else {})}
        try:
            stream: AsyncStream[ResponseStreamEvent] = await patience.wait(
                responses.create(model=self.model, input=items, stream=True, store=False, **extra)
            )
        except (openai.APIError, AttributeError) as error:  # the latter: how a connection reset at once shows through the HTTP client
            raise client.as_provider_error(error, started=False) from None
        answer = ResponseAnswer(self.model)
        async with stream, aclosing(events_of(OneByOne(stream), answer, patience, _says_something)) as events:
            yield events


def _says_something(event: ResponseStreamEvent) -> bool:
    """Whether an event carries words, a piece of a tool call or an end; news of the work in progress and empty pieces do not count."""
    return event.type in _STEPS or (event.type in _DELTAS and bool(getattr(event, "delta", "")))


@dataclass(slots=True)
class ResponseAnswer:
    """One reply being put together from its events. No I/O."""

    model: str
    reason: str | None = None
    _calls: list[ToolCall] = field(default_factory=list)
    _usage: tuple[UsageRecord, ...] = ()

    def take(self, event: ResponseStreamEvent) -> list[LanguageModelEvent]:
        """What the event completes. Tool calls come out when the model says that it is done."""
        match event.type:
            case "response.output_text.delta" | "response.refusal.delta":
                return [TextDelta(event.delta)] if event.delta else []
            case "response.output_item.done":
                if isinstance(event.item, ResponseFunctionToolCall) and event.item.status != "incomplete":
                    self._calls.append(ToolCall(event.item.call_id, event.item.name, event.item.arguments or "{}"))
            case "response.completed":
                self.reason, self._usage = "tool_calls" if self._calls else "stop", usage_of(self.model, event.response)
                return list(self._calls)
            case "response.incomplete":
                return self._cut(event.response)
            case "response.failed":
                code = event.response.error.code if event.response.error else ""
                raise client.told_in_stream(code)
            case "error":
                raise client.told_in_stream(event.code or "")
        return []

    def finish(self) -> ReplyFinished:
        if self.reason is None:
            raise cut_off(client.PROVIDER)
        return ReplyFinished(self.reason, self._usage)

    def _cut(self, response: Response) -> list[LanguageModelEvent]:
        """The model had to stop. Words are good as far as they go; half a tool call is no tool call."""
        why = response.incomplete_details.reason if response.incomplete_details else None
        if any(isinstance(item, ResponseFunctionToolCall) for item in response.output):
            message = "reached its token limit in the middle of a tool call; raise the agent's maximum tokens"
            raise ProviderError(client.PROVIDER, ErrorCategory.TRUNCATED, message, retryable=False)
        self.reason, self._usage = "length" if why == "max_output_tokens" else why or "incomplete", usage_of(self.model, response)
        return []


def usage_of(model: str, response: Response) -> tuple[UsageRecord, ...]:
    usage = response.usage
    if usage is None:
        return ()
    details = usage.input_tokens_details
    cached = (details.cached_tokens or 0) if details is not None else 0
    return token_records(model, response.id, input_tokens=usage.input_tokens, cached=cached, output_tokens=usage.output_tokens)


def request_settings(options: LanguageModelOptions) -> Json:
    """The options as the wire names them; what is not set is not sent."""
    effort = effort_of(options.model, options.reasoning_effort)
    settings: Json = {}
    if effort:
        settings["reasoning"] = {"effort": effort}
    if options.temperature is not None and effort in ("", "none"):  # a model that thinks refuses a temperature
        settings["temperature"] = options.temperature
    if options.max_tokens is not None:
        settings["max_output_tokens"] = max(_LEAST_OUTPUT_TOKENS, options.max_tokens)
    return settings


def input_items(message: Message) -> list[Json]:
    """A message as the wire has it: words and each tool call are items of their own."""
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": message.content}]
    words: list[Json] = [{"role": message.role, "content": message.content}] if message.content or not message.tool_calls else []
    calls = [
        {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments} for call in message.tool_calls
    ]
    return words + calls


def tool_json(tool: ToolSpec) -> Json:
    """Not strict: a strict schema must require every property, and operators' schemas do not."""
    return {"type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters, "strict": False}
