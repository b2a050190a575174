"""OpenAI's chat completions as the engine's language model.

Streams from the first token, puts tool calls together from their fragments and refuses to call a cut stream a reply.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall

from engine.errors import ErrorCategory, ProviderError
from engine.ports import LanguageModelEvent, Message, ReplyFinished, TextDelta, ToolCall, ToolSpec
from engine.usage import UsageRecord
from providers.config import LanguageModelOptions, OpenAIConfig
from providers.connection import Deadlines, Patience, cut_off
from providers.openai import client
from providers.openai.chunks import Chunk, Chunks, Piece, Usage
from providers.openai.events import EventStream
from providers.openai.streams import effort_of, events_of, token_records


class OpenAILanguageModel:
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
        return self._reply([message_json(message) for message in messages], [tool_json(tool) for tool in tools])

    @asynccontextmanager
    async def _reply(self, messages: list[Any], tools: list[Any]) -> AsyncIterator[AsyncIterator[LanguageModelEvent]]:
        patience = Patience(self.provider, self._deadlines)
        sdk = client.shared_client(self._config, self._deadlines)
        body = {"model": self.model, "messages": messages, "stream": True, "stream_options": {"include_usage": True}, **self._settings}
        if tools:
            body["tools"] = tools
        # Not `chat.completions.create`: it walks the whole history by its types on every turn, a third of the CPU of a reply.
        try:
            stream = await patience.wait(sdk.post("/chat/completions", cast_to=object, body=body, stream=True, stream_cls=EventStream))
        except (openai.APIError, AttributeError) as error:  # the latter: how a connection reset at once shows through the HTTP client
            raise client.as_provider_error(error, started=False) from None
        answer = Answer(self.provider, self.model)
        async with stream, aclosing(events_of(Chunks(stream), answer, patience, _says_something)) as events:
            yield events


def _says_something(chunk: Chunk | ChatCompletionChunk) -> bool:
    """Whether a chunk carries words, a piece of a tool call, the end or the bill; a bare role does not count."""
    if chunk.usage is not None:
        return True
    return any(choice.finish_reason or choice.delta.content or choice.delta.tool_calls for choice in chunk.choices)


@dataclass(slots=True)
class _Fragments:
    call_id: str = ""
    name: str = ""
    arguments: str = ""

    def add(self, piece: Piece | ChoiceDeltaToolCall) -> None:
        """Id and name come once, in the first fragment; arguments in pieces."""
        self.call_id = piece.id or self.call_id
        if piece.function is not None:
            self.name = piece.function.name or self.name
            self.arguments += piece.function.arguments or ""


@dataclass(slots=True)
class Answer:
    """One reply being put together from its chunks, ours or the SDK's. No I/O."""

    provider: str
    model: str
    reason: str | None = None
    _response_id: str = ""
    _calls: dict[int, _Fragments] = field(default_factory=dict)
    _usage: Usage | CompletionUsage | None = None

    def take(self, chunk: Chunk | ChatCompletionChunk) -> list[LanguageModelEvent]:
        """What the chunk completes. Tool calls come out when the model says that it is done, not with the bill behind it."""
        self._response_id = chunk.id or self._response_id
        self._usage = chunk.usage or self._usage
        events: list[LanguageModelEvent] = []
        for choice in chunk.choices[:1]:
            if choice.delta.content:
                events.append(TextDelta(choice.delta.content))
            for piece in choice.delta.tool_calls or ():
                self._calls.setdefault(piece.index, _Fragments()).add(piece)
            if choice.finish_reason and self.reason is None:
                self.reason = choice.finish_reason
                events.extend(self._tool_calls())
        return events

    def finish(self) -> ReplyFinished:
        """The end of a whole reply; raises `ProviderError(TRUNCATED)` if the model never said that it was done."""
        if self.reason is None:
            raise cut_off(self.provider)
        return ReplyFinished(self.reason, usage_records(self.model, self._response_id, self._usage))

    def _tool_calls(self) -> list[ToolCall]:
        if self._calls and self.reason == "length":
            message = "reached its token limit in the middle of a tool call; raise the agent's maximum tokens"
            raise ProviderError(self.provider, ErrorCategory.TRUNCATED, message, retryable=False)
        return [ToolCall(call.call_id, call.name, call.arguments or "{}") for _, call in sorted(self._calls.items())]


def usage_records(model: str, response_id: str, usage: Usage | CompletionUsage | None) -> tuple[UsageRecord, ...]:
    """The bill of one reply; empty where the provider sent none."""
    if usage is None:
        return ()
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details is not None else 0
    return token_records(model, response_id, input_tokens=usage.prompt_tokens, cached=cached, output_tokens=usage.completion_tokens)


def request_settings(options: LanguageModelOptions) -> dict[str, Any]:
    """The options as the wire names them; what is not set is not sent."""
    effort = effort_of(options.model, options.reasoning_effort)
    settings: dict[str, Any] = {}
    if effort:
        settings["reasoning_effort"] = effort
    if options.temperature is not None and effort in ("", "none"):  # a model that thinks refuses a temperature
        settings["temperature"] = options.temperature
    if options.max_tokens is not None:
        settings["max_completion_tokens"] = options.max_tokens
    return settings


def message_json(message: Message) -> Mapping[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.content}
    if not message.tool_calls:
        return {"role": message.role, "content": message.content}
    calls = [
        {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in message.tool_calls
    ]
    return {"role": message.role, "content": message.content or None, "tool_calls": calls}


def tool_json(tool: ToolSpec) -> Mapping[str, Any]:
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
    }
