"""What OpenAI accepts and refuses: requests as typed values, or the refusal that the real API sends.

Pure. The rules are those that a client of the chat and speech endpoints can break; parameters that change nothing here are accepted.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TOOL_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
_ROLES = ("system", "developer", "user", "assistant", "tool")
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
_VOICES = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse")
_MOST_SPEECH_CHARACTERS = 4_096
_CHAT_PARAMETERS = frozenset(
    {
        *("audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens"),
        *("messages", "metadata", "modalities", "model", "n", "parallel_tool_calls", "prediction", "presence_penalty"),
        *("prompt_cache_key", "prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier", "seed"),
        *("service_tier", "stop", "store", "stream", "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p"),
        *("user", "verbosity", "web_search_options"),
    }
)
_SPEECH_PARAMETERS = frozenset(["input", "instructions", "model", "response_format", "speed", "stream_format", "voice"])


class Refused(Exception):
    """An error answer in OpenAI's words."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.param = param
        self.code = code
        self.headers = dict(headers or {})


def parsed_json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise Refused("We could not parse the JSON body of your request.") from error
    if not isinstance(value, dict):
        raise Refused("We could not parse the JSON body of your request: an object is expected.")
    return value


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request for a chat completion that the real API would serve."""

    model: str
    messages: tuple[Mapping[str, Any], ...]
    tools: frozenset[str]
    stream: bool
    include_usage: bool
    most_tokens: int | None
    raw: Mapping[str, Any]

    @property
    def wants_json(self) -> bool:
        """Whether the answer has to be JSON, of a given shape or of any."""
        wanted = self.raw.get("response_format")
        return isinstance(wanted, Mapping) and wanted.get("type") in ("json_object", "json_schema")

    @classmethod
    def parsed(cls, raw: Mapping[str, Any]) -> "ChatRequest":
        """Raises `Refused`."""
        model = _required_text(raw, "model")
        _known(raw, _CHAT_PARAMETERS)
        messages = _messages(raw)
        tools = _tools(raw)
        _shape(raw, messages)
        _range(raw, "temperature", 0, 2)
        _range(raw, "top_p", 0, 1)
        _reasoning(model, raw, bool(tools))
        stream = raw.get("stream") is True
        options = raw.get("stream_options")
        if options is not None and not stream:
            message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
            raise Refused(message, param="stream_options")
        most = raw.get("max_completion_tokens", raw.get("max_tokens"))
        if most is not None and (type(most) is not int or most < 1):
            name = "max_completion_tokens" if "max_completion_tokens" in raw else "max_tokens"
            raise Refused(f"Invalid '{name}': a whole number of at least 1 is expected.", param=name, code="integer_below_min_value")
        if raw.get("tool_choice") not in (None, "none", "auto") and not tools:
            raise Refused("'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice")
        offered = frozenset() if raw.get("tool_choice") == "none" else tools
        return cls(model, messages, offered, stream, bool((options or {}).get("include_usage")), most, raw)


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A request for speech; `response_format` is "pcm" (24 kHz) or "wav"."""

    model: str
    text: str
    voice: str
    response_format: str
    speed: float
    as_events: bool
    raw: Mapping[str, Any]

    @property
    def media_type(self) -> str:
        if self.as_events:
            return "text/event-stream"
        return "audio/wav" if self.response_format == "wav" else "audio/pcm"

    @classmethod
    def parsed(cls, raw: Mapping[str, Any]) -> "SpeechRequest":
        """Raises `Refused`."""
        model = _required_text(raw, "model")
        _known(raw, _SPEECH_PARAMETERS)
        text = _required_text(raw, "input")
        if len(text) > _MOST_SPEECH_CHARACTERS:
            message = f"Invalid 'input': string too long. Expected at most {_MOST_SPEECH_CHARACTERS} characters, got {len(text)}."
            raise Refused(message, param="input", code="string_above_max_length")
        voice = raw.get("voice")
        voice = voice.get("id") if isinstance(voice, Mapping) else voice
        if not voice:
            raise Refused("Missing required parameter: 'voice'.", param="voice", code="missing_required_parameter")
        if voice not in _VOICES and not str(voice).startswith("voice_"):
            raise Refused(f"Invalid value: '{voice}'. Supported values are: {_quoted(_VOICES)}.", param="voice", code="invalid_value")
        wanted = raw.get("response_format", "mp3")
        if wanted in ("mp3", "opus", "aac", "flac"):
            raise Refused(
                f"This simulator does not produce {wanted}; ask for 'pcm' or 'wav'.", param="response_format", code="invalid_value"
            )
        if wanted not in ("pcm", "wav"):
            raise Refused(f"Invalid value: '{wanted}'.", param="response_format", code="invalid_value")
        _range(raw, "speed", 0.25, 4)
        as_events = raw.get("stream_format", "audio") == "sse"
        if as_events and model.startswith("tts-1"):
            raise Refused("'sse' is not supported for this model.", param="stream_format", code="unsupported_value")
        return cls(model, text, str(voice), wanted, float(raw.get("speed", 1.0)), as_events, raw)


def reasons(model: str) -> bool:
    """Whether the model reasons: those refuse `max_tokens`, and `temperature` unless their effort is none."""
    return bool(re.match(r"(?:gpt-[5-9]|o\d)", model)) and "chat" not in model


def text_of(content: Any) -> str:
    """A message's content as text: it is a text, or a list of parts, or null."""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return ""


def _messages(raw: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    messages = raw.get("messages")
    if messages is None:
        raise Refused("Missing required parameter: 'messages'.", param="messages", code="missing_required_parameter")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise Refused("Invalid type for 'messages': expected an array of objects.", param="messages", code="invalid_type")
    if not messages:
        raise Refused("Invalid 'messages': empty array. Expected at least 1 element.", param="messages", code="empty_array")
    waiting: list[str] = []
    for place, message in enumerate(messages):
        where, role = f"messages[{place}]", message.get("role")
        if role not in _ROLES:
            raise Refused(f"Invalid value: '{role}'. Supported values are: {_quoted(_ROLES)}.", param=f"{where}.role", code="invalid_value")
        if role == "tool":
            if message.get("tool_call_id") not in waiting:
                why = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                raise Refused(f"Invalid parameter: {why}", param=f"{where}.role")
            waiting.remove(message["tool_call_id"])
        elif waiting:
            raise _unanswered(waiting, where)
        calls = message.get("tool_calls") if role == "assistant" else None
        if calls is not None and (not isinstance(calls, list) or not calls):
            raise Refused(
                f"Invalid '{where}.tool_calls': an array of at least 1 is expected.", param=f"{where}.tool_calls", code="empty_array"
            )
        for call in calls or ():
            _tool_call(call, where)
            waiting.append(call["id"])
        content = message.get("content")
        if not isinstance(content, str | list) and not (content is None and calls):
            kind = "null" if content is None else type(content).__name__
            raise Refused(f"Invalid value for 'content': expected a string, got {kind}.", param=f"{where}.content")
    if waiting:
        raise _unanswered(waiting, f"messages[{len(messages)}]")
    return tuple(messages)


def _shape(raw: Mapping[str, Any], messages: tuple[Mapping[str, Any], ...]) -> None:
    """The rules of `response_format`."""
    wanted, where = raw.get("response_format"), "response_format"
    if wanted is None:
        return
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    if kind not in ("text", "json_object", "json_schema"):
        supported = _quoted(("text", "json_object", "json_schema"))
        raise Refused(f"Invalid value: '{kind}'. Supported values are: {supported}.", param=f"{where}.type", code="invalid_value")
    if kind == "json_object" and not any("json" in text_of(message.get("content")).lower() for message in messages):
        raise Refused(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.", param="messages"
        )
    if kind != "json_schema":
        return
    described = wanted.get("json_schema")
    if not isinstance(described, Mapping) or not _TOOL_NAME.fullmatch(str(described.get("name", ""))):
        raise Refused(f"Missing required parameter: '{where}.json_schema.name'.", param=f"{where}.json_schema.name")
    if not isinstance(described.get("schema"), Mapping):
        raise Refused(f"Missing required parameter: '{where}.json_schema.schema'.", param=f"{where}.json_schema.schema")
    if described.get("strict") is True and described["schema"].get("additionalProperties") is not False:
        why = "'additionalProperties' is required to be supplied and to be false."
        raise Refused(f"Invalid schema for response_format '{described['name']}': {why}", param=where)


def _tool_call(call: Any, where: str) -> None:
    function = call.get("function") if isinstance(call, Mapping) else None
    if (
        not isinstance(function, Mapping)
        or not call.get("id")
        or not function.get("name")
        or not isinstance(function.get("arguments"), str)
    ):
        message = f"Invalid '{where}.tool_calls': each needs id, type, function.name and function.arguments (a text)."
        raise Refused(message, param=f"{where}.tool_calls", code="missing_required_parameter")


def _unanswered(waiting: Sequence[str], where: str) -> Refused:
    message = "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
    return Refused(f"{message} These have no response: {', '.join(waiting)}", param=f"{where}.role")


def _tools(raw: Mapping[str, Any]) -> frozenset[str]:
    tools = raw.get("tools")
    if tools is None:
        return frozenset()
    if not isinstance(tools, list) or not tools:
        raise Refused("Invalid 'tools': an array of at least 1 is expected.", param="tools", code="empty_array")
    names = set()
    for place, tool in enumerate(tools):
        where = f"tools[{place}]"
        function = tool.get("function") if isinstance(tool, Mapping) and tool.get("type") == "function" else None
        if not isinstance(function, Mapping):
            raise Refused(f"Missing required parameter: '{where}.function'.", param=f"{where}.function", code="missing_required_parameter")
        name = str(function.get("name", ""))
        if not _TOOL_NAME.match(name):
            message = f"Invalid '{where}.function.name': string does not match pattern '{_TOOL_NAME.pattern}'."
            raise Refused(message, param=f"{where}.function.name", code="invalid_value")
        parameters = function.get("parameters")
        if parameters is not None and (not isinstance(parameters, Mapping) or parameters.get("type") != "object"):
            message = f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"'."
            raise Refused(message, param=f"{where}.function.parameters", code="invalid_function_parameters")
        names.add(name)
    return frozenset(names)


def _reasoning(model: str, raw: Mapping[str, Any], has_tools: bool) -> None:
    effort = raw.get("reasoning_effort")
    if effort is not None and effort not in _EFFORTS:
        message = f"Invalid value: '{effort}'. Supported values are: {_quoted(_EFFORTS)}."
        raise Refused(message, param="reasoning_effort", code="invalid_value")
    if not reasons(model):
        if effort is not None:
            message = "Unsupported parameter: 'reasoning_effort' is not supported with this model."
            raise Refused(message, param="reasoning_effort", code="unsupported_parameter")
        return
    if raw.get("max_tokens") is not None:
        message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        raise Refused(message, param="max_tokens", code="unsupported_parameter")
    if effort == "none":
        return
    for name in ("temperature", "top_p"):
        if raw.get(name) not in (None, 1):
            message = f"Unsupported value: '{name}' does not support {raw[name]} with this model. Only the default (1) value is supported."
            raise Refused(message, param=name, code="unsupported_value")
    if has_tools and re.match(r"gpt-[6-9]", model):
        message = f"Function tools with reasoning_effort are not supported for {model} in /v1/chat/completions. Set it to 'none'."
        raise Refused(message, param="reasoning_effort", code="unsupported_value")


def _known(raw: Mapping[str, Any], names: frozenset[str]) -> None:
    for name in raw:
        if name not in names:
            raise Refused(f"Unrecognized request argument supplied: {name}", code="unknown_parameter", param=name)


def _required_text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if value is None:
        if name == "model":
            raise Refused("you must provide a model parameter")
        raise Refused(f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")
    if not isinstance(value, str):
        raise Refused(f"Invalid type for '{name}': expected a string.", param=name, code="invalid_type")
    if not value:
        raise Refused(f"Invalid '{name}': empty string. Expected at least 1 character.", param=name, code="empty_string")
    return value


def _range(raw: Mapping[str, Any], name: str, least: float, most: float) -> None:
    value = raw.get(name)
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Refused(f"Invalid type for '{name}': expected a decimal.", param=name, code="invalid_type")
    if value > most:
        raise Refused(f"Invalid '{name}': expected a value <= {most}, but got {value}.", param=name, code="decimal_above_max_value")
    if value < least:
        raise Refused(f"Invalid '{name}': expected a value >= {least}, but got {value}.", param=name, code="decimal_below_min_value")


def _quoted(values: Sequence[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)
