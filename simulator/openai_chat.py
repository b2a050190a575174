"""A scripted chat completion on OpenAI's wire: tokens, tool-call fragments, usage, and the prompt cache that usage tells of."""

import asyncio
import json
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from simulator import openai_shapes
from simulator.faults import Fault
from simulator.openai_requests import ChatRequest, text_of
from simulator.replies import Heard, Replies
from simulator.state import Settings

T = TypeVar("T")

_TOKEN = re.compile(r"\s?[^\W_]{1,6}|\s?[^\w\s]|\s|\w")
_CACHE_LEAST, _CACHE_STEP, _CACHE_SIZE = 1_024, 128, 4_096
_ARGUMENTS_PIECE = 8
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class PlannedReply:
    """What will be answered: the tokens of the words, and perhaps a tool call; `usage` as OpenAI reports it."""

    tokens: tuple[str, ...]
    tool: str
    arguments: str
    finish_reason: str
    usage: dict[str, Any]
    completion_id: str
    call_id: str
    created: int


class PromptCache:
    """Remembers prompts by their beginnings, as OpenAI does for 1,024 tokens and more, in steps of 128."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, None] = OrderedDict()

    def hit(self, model: str, tokens: list[str]) -> int:
        """How many of the prompt's first tokens were seen before; from now on all of them are."""
        cached = 0
        for length in range(_CACHE_LEAST, len(tokens) + 1, _CACHE_STEP):
            key = hash((model, *tokens[:length]))
            if key in self._known:
                cached = length
            self._known[key] = None
            self._known.move_to_end(key)
        while len(self._known) > _CACHE_SIZE:
            self._known.popitem(last=False)
        return cached


def plan(chat: ChatRequest, replies: Replies, cache: PromptCache) -> PlannedReply:
    """The reply that the rules choose, cut at the token limit, with its usage."""
    scripted = openai_shapes.answer(chat, replies, _heard(chat)) if chat.wants_json else replies.choose(_heard(chat))
    tokens = tokenised(scripted.say)
    tool = scripted.tool if scripted.tool in chat.tools else ""
    arguments = json.dumps(dict(scripted.arguments), ensure_ascii=False) if tool else ""
    finish = "tool_calls" if tool else "stop"
    if chat.most_tokens is not None and len(tokens) > chat.most_tokens:
        tokens, tool, arguments, finish = tokens[: chat.most_tokens], "", "", "length"
    prompt = _prompt_tokens(chat)
    written = len(tokens) + (len(tokenised(tool + arguments)) + 8 if tool else 0)
    usage = {
        "prompt_tokens": len(prompt),
        "completion_tokens": written,
        "total_tokens": len(prompt) + written,
        "prompt_tokens_details": {"cached_tokens": cache.hit(chat.model, prompt), "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
    ids = _random_id(), _random_id()
    return PlannedReply(tuple(tokens), tool, arguments, finish, usage, f"chatcmpl-{ids[0]}", f"call_{ids[1]}", int(time.time()))


async def complete(reply: PlannedReply, chat: ChatRequest, settings: Settings) -> dict[str, Any]:
    """The answer to a request that does not stream, after the time that streaming it would take."""
    await asyncio.sleep((settings.llm_first_token_ms + settings.llm_token_gap_ms * len(reply.tokens)) / 1000)
    message: dict[str, Any] = {"role": "assistant", "content": "".join(reply.tokens), "refusal": None, "annotations": []}
    if reply.tool:
        message["content"] = message["content"] or None
        function = {"name": reply.tool, "arguments": reply.arguments}
        message["tool_calls"] = [{"id": reply.call_id, "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
    return {**_frame(reply, chat, "chat.completion"), "choices": [choice], "usage": reply.usage}


async def chat_events(reply: PlannedReply, chat: ChatRequest, settings: Settings, fault: Fault | None) -> AsyncIterator[bytes]:
    """The reply as server-sent events, at the pace of the settings. An `error` fault ends it with OpenAI's error event."""
    await asyncio.sleep(settings.llm_first_token_ms / 1000)
    frame = _frame(reply, chat, "chat.completion.chunk")
    if chat.include_usage:
        frame["usage"] = None
    for count, (delta, finish_reason) in enumerate(_deltas(reply)):
        if fault is not None and fault.fault == "error" and count >= fault.after:
            error = {
                "type": "server_error",
                "code": fault.code or None,
                "message": "The server had an error while processing your request.",
                "param": None,
            }
            yield _event({"error": error})
            return
        if count > 1 and settings.llm_token_gap_ms:
            await asyncio.sleep(settings.llm_token_gap_ms / 1000)
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        yield _event({**frame, "choices": [choice]})
    if chat.include_usage:
        yield _event({**frame, "choices": [], "usage": reply.usage})
    yield b"data: [DONE]\n\n"


async def paced(steps: Sequence[T], settings: Settings) -> AsyncIterator[T]:
    """The steps at the pace of the settings: the first token's time, then the gap before each further one."""
    await asyncio.sleep(settings.llm_first_token_ms / 1000)
    for place, step in enumerate(steps):
        if place and settings.llm_token_gap_ms:
            await asyncio.sleep(settings.llm_token_gap_ms / 1000)
        yield step


@lru_cache(4_096)
def tokenised(text: str) -> list[str]:
    """Pieces about as long as a real tokeniser's; joined they are the text again. Shared: not to be changed."""
    return _TOKEN.findall(text)


def _heard(chat: ChatRequest) -> Heard:
    system = "\n".join(text_of(message.get("content")) for message in chat.messages if message["role"] in ("system", "developer"))
    users = tuple(text_of(message.get("content")) for message in chat.messages if message["role"] == "user")
    return Heard(system, users, after_tool=chat.messages[-1]["role"] == "tool")


def _prompt_tokens(chat: ChatRequest) -> list[str]:
    parts = [json.dumps(chat.raw["tools"], ensure_ascii=False)] if chat.raw.get("tools") else []
    for message in chat.messages:
        calls = message.get("tool_calls")
        parts.append(f"{message['role']} {text_of(message.get('content'))}{json.dumps(calls) if calls else ''}")
    return [token for part in parts for token in (*tokenised(part), "\n", "\n")]


def _deltas(reply: PlannedReply) -> Iterator[tuple[dict[str, Any], str | None]]:
    yield {"role": "assistant", "content": "" if reply.tokens or not reply.tool else None, "refusal": None}, None
    for token in reply.tokens:
        yield {"content": token}, None
    if reply.tool:
        function = {"name": reply.tool, "arguments": ""}
        yield {"tool_calls": [{"index": 0, "id": reply.call_id, "type": "function", "function": function}]}, None
        for start in range(0, len(reply.arguments), _ARGUMENTS_PIECE):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": reply.arguments[start : start + _ARGUMENTS_PIECE]}}]}, None
    yield {}, reply.finish_reason


def _frame(reply: PlannedReply, chat: ChatRequest, kind: str) -> dict[str, Any]:
    return {
        "id": reply.completion_id,
        "object": kind,
        "created": reply.created,
        "model": chat.model,
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _event(payload: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def _random_id() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(24))
