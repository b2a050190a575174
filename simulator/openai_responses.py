"""OpenAI's Responses interface on the wire: the scripted reply of a chat completion, in items and their events.

Requests become those of the chat door, so that both answer alike; what only this door accepts or refuses is decided here.
"""

import json
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any

from simulator.faults import Fault
from simulator.openai_chat import PlannedReply, paced
from simulator.openai_requests import ChatRequest, Refused, reasons
from simulator.state import Settings

_PARAMETERS = frozenset(
    {
        *("background", "conversation", "include", "input", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "model"),
        *("parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_retention", "reasoning"),
        *("safety_identifier", "service_tier", "store", "stream", "stream_options", "temperature", "text", "tool_choice", "tools"),
        *("top_logprobs", "top_p", "truncation", "user"),
    }
)
_LEAST_OUTPUT_TOKENS = 16
_ARGUMENTS_PIECE = 8


def as_chat(raw: Mapping[str, Any]) -> ChatRequest:
    """The request as the chat door would have it; raises `Refused`."""
    for name in raw:
        if name not in _PARAMETERS:
            raise Refused(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    most = raw.get("max_output_tokens")
    if most is not None and (type(most) is not int or most < _LEAST_OUTPUT_TOKENS):
        message = f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {_LEAST_OUTPUT_TOKENS}."
        raise Refused(message, param="max_output_tokens", code="integer_below_min_value")
    model, effort = str(raw.get("model") or ""), (raw.get("reasoning") or {}).get("effort")
    chat: dict[str, Any] = {"model": raw.get("model"), "messages": _messages(raw), "stream": raw.get("stream") is True}
    chat.update({name: raw[name] for name in ("temperature", "top_p", "tool_choice") if raw.get(name) is not None})
    if most is not None:
        chat["max_completion_tokens"] = most
    if raw.get("tools"):
        chat["tools"] = [_tool(tool, place) for place, tool in enumerate(raw["tools"])]
    if reasons(model):
        if effort != "none" and raw.get("temperature") not in (None, 1):
            raise Refused("Unsupported parameter: 'temperature' is not supported with this model.", param="temperature")
        chat["reasoning_effort"] = "none"  # here thinking and tools go together
    elif effort is not None:
        raise Refused("Unsupported parameter: 'reasoning.effort' is not supported with this model.", param="reasoning.effort")
    return ChatRequest.parsed(chat)


def _messages(raw: Mapping[str, Any]) -> Any:
    given = raw.get("input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise Refused("Missing required parameter: 'input'.", param="input", code="missing_required_parameter")
    messages: list[dict[str, Any]] = [{"role": "system", "content": raw["instructions"]}] if raw.get("instructions") else []
    for place, item in enumerate(given):
        kind = item.get("type", "message") if isinstance(item, Mapping) else ""
        if kind == "message":
            messages.append({"role": item.get("role"), "content": item.get("content")})
        elif kind == "function_call":
            call = {"id": item.get("call_id"), "type": "function", "function": {k: item.get(k) for k in ("name", "arguments")}}
            if messages and messages[-1]["role"] == "assistant" and "tool_calls" in messages[-1]:
                messages[-1]["tool_calls"].append(call)
            else:
                messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        elif kind == "function_call_output":
            messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")})
        else:
            raise Refused(f"Invalid value: '{kind}'.", param=f"input[{place}].type", code="invalid_value")
    return messages


def _tool(tool: Any, place: int) -> dict[str, Any]:
    """A function as the chat door has it; here it is flat, and strict unless told otherwise."""
    if not isinstance(tool, Mapping) or tool.get("type") != "function" or "function" in tool:
        where = f"tools[{place}].name"
        raise Refused(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
    parameters = tool.get("parameters")
    schema = parameters if isinstance(parameters, Mapping) else {}
    if tool.get("strict", True) and set(schema.get("properties", {})) - set(schema.get("required", [])):
        message = f"Invalid schema for function '{tool.get('name')}': 'required' has to name every property, because it is strict."
        raise Refused(message, param=f"tools[{place}].parameters", code="invalid_function_parameters")
    return {"type": "function", "function": {name: tool[name] for name in ("name", "description", "parameters") if name in tool}}


class ResponseWriter:
    """The items of one reply, and the events that tell of them."""

    def __init__(self, reply: PlannedReply, chat: ChatRequest) -> None:
        self._reply = reply
        self._chat = chat
        self._id = f"resp_{secrets.token_hex(24)}"
        self._message_id = f"msg_{secrets.token_hex(24)}"
        self._call_item_id = f"fc_{secrets.token_hex(24)}"
        self._sequence = 0

    def whole(self) -> dict[str, Any]:
        """The answer to a request that does not stream."""
        usage = self._reply.usage
        cut = self._reply.finish_reason == "length"
        told = {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": usage["prompt_tokens_details"]["cached_tokens"], "cache_write_tokens": 0},
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage["total_tokens"],
        }
        over = {"status": "incomplete" if cut else "completed", "output": self._items(), "usage": told}
        return {**self._frame(), **over, "incomplete_details": {"reason": "max_output_tokens"} if cut else None}

    async def events(self, settings: Settings, fault: Fault | None) -> AsyncIterator[bytes]:
        """The reply as server-sent events, at the pace of the settings. What comes before the first word is one piece."""
        beginning = [{"type": kind, "response": self._frame()} for kind in ("response.created", "response.in_progress")]
        yield b"".join(self._event(event) for event in beginning)
        count = 0
        async for event in paced(self._steps(), settings):
            if fault is not None and fault.fault == "error" and count >= fault.after:
                told = {"type": "error", "code": fault.code or "server_error", "message": "The server had an error.", "param": None}
                yield self._event(told)
                return
            count += 1
            yield b"".join(self._event(one) for one in event)
        whole = self.whole()
        yield self._event({"type": f"response.{whole['status']}", "response": whole})

    def _steps(self) -> list[list[dict[str, Any]]]:
        steps: list[list[dict[str, Any]]] = []
        items = self._items()
        if self._reply.tokens:
            place = {"item_id": self._message_id, "output_index": 0, "content_index": 0}
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            begun = {**items[0], "status": "in_progress", "content": []}
            opening = [
                {"type": "response.output_item.added", "output_index": 0, "item": begun},
                {"type": "response.content_part.added", **place, "part": part},
            ]
            deltas = [[{"type": "response.output_text.delta", **place, "delta": token, "logprobs": []}] for token in self._reply.tokens]
            steps += [[*opening, *deltas[0]], *deltas[1:]]
            text = "".join(self._reply.tokens)
            steps.append(
                [
                    {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
                    {"type": "response.content_part.done", **place, "part": {**part, "text": text}},
                    {"type": "response.output_item.done", "output_index": 0, "item": items[0]},
                ]
            )
        if self._reply.tool:
            index, place = len(items) - 1, {"item_id": self._call_item_id, "output_index": len(items) - 1}
            begun = {**items[-1], "status": "in_progress", "arguments": ""}
            steps.append([{"type": "response.output_item.added", "output_index": index, "item": begun}])
            arguments = self._reply.arguments
            for start in range(0, len(arguments), _ARGUMENTS_PIECE):
                piece = arguments[start : start + _ARGUMENTS_PIECE]
                steps.append([{"type": "response.function_call_arguments.delta", **place, "delta": piece}])
            done = {"type": "response.function_call_arguments.done", **place, "name": self._reply.tool, "arguments": arguments}
            steps.append([done, {"type": "response.output_item.done", "output_index": index, "item": items[-1]}])
        return steps

    def _items(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        status = "incomplete" if self._reply.finish_reason == "length" else "completed"
        if self._reply.tokens:
            part = {"type": "output_text", "text": "".join(self._reply.tokens), "annotations": [], "logprobs": []}
            items.append({"id": self._message_id, "type": "message", "role": "assistant", "status": status, "content": [part]})
        if self._reply.tool:
            call = {"call_id": self._reply.call_id, "name": self._reply.tool, "arguments": self._reply.arguments}
            items.append({"id": self._call_item_id, "type": "function_call", "status": status, **call})
        return items

    def _frame(self) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._reply.created,
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "model": self._chat.model,
            "output": [],
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "usage": None,
        }

    def _event(self, event: Mapping[str, Any]) -> bytes:
        payload = {**event, "sequence_number": self._sequence}
        self._sequence += 1
        data = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        return f"event: {event['type']}\ndata: {data}\n\n".encode()
