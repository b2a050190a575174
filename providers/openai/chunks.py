"""A chunk of a chat completion, with the fields that mean something to us. Parsed in C; what else stands in it is passed over."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from providers.connection import nonsense
from providers.openai.client import PROVIDER, told_in_stream


class Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class Piece(msgspec.Struct):
    """A fragment of a tool call."""

    index: int
    id: str | None = None
    function: Function | None = None


class Delta(msgspec.Struct):
    content: str | None = None
    tool_calls: list[Piece] | None = None


class Choice(msgspec.Struct):
    delta: Delta
    finish_reason: str | None = None


class PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: PromptDetails | None = None


class Chunk(msgspec.Struct):
    id: str | None = None
    choices: list[Choice] = []  # msgspec copies it for each struct
    usage: Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(Chunk).decode


def chunk(payload: bytes) -> Chunk:
    """One event. Raises `ProviderError`: PROTOCOL for what cannot be read, else what the provider says has failed."""
    try:
        read = _decode(payload)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise nonsense(PROVIDER) from error
    if read.error:
        code = read.error.get("code") if isinstance(read.error, dict) else ""
        raise told_in_stream(code if isinstance(code, str) else "")
    return read


class Chunks:
    """The chunks of a stream, those that came at once together. An iterator without a frame that somebody would have to close."""

    def __init__(self, payloads: AsyncIterator[Sequence[bytes]]) -> None:
        self._payloads = payloads

    def __aiter__(self) -> "Chunks":
        return self

    async def __anext__(self) -> list[Chunk]:
        return [chunk(payload) for payload in await anext(self._payloads)]
