"""What both of OpenAI's language interfaces share: how a stream is read to its end, and what its bill means."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import httpx2
import openai
from openai import AsyncStream

from engine.errors import ProviderError
from engine.ports import LanguageModelEvent, ReplyFinished
from engine.usage import Unit, UsageKind, UsageRecord
from providers.connection import Patience
from providers.evidence import is_plausible, name_of, own_name
from providers.openai import client

T = TypeVar("T", contravariant=True)
C = TypeVar("C")


class Assembly(Protocol[T]):
    """One reply being put together. `reason` is None until the model said that it is done."""

    @property
    def reason(self) -> str | None: ...

    def take(self, piece: T) -> list[LanguageModelEvent]:
        """What `piece` completes."""

    def finish(self) -> ReplyFinished:
        """The end of a whole reply; raises `ProviderError(TRUNCATED)` if it is not whole."""


async def events_of(
    stream: AsyncIterator[Sequence[C]], answer: Assembly[C], patience: Patience, is_useful: Callable[[C], bool]
) -> AsyncGenerator[LanguageModelEvent]:
    """The reply, event by event; `stream` gives what came at once together. Raises `ProviderError`."""
    try:
        async for pieces in patience.each(stream, is_useful=lambda pieces: any(map(is_useful, pieces))):
            for piece in pieces:
                for event in answer.take(piece):
                    yield event
    except (openai.APIError, httpx2.HTTPError, httpx2.StreamError, ValueError) as error:
        if answer.reason is None:
            raise client.as_provider_error(error, started=patience.started) from None
        # The reply itself was complete: only its bill is missing.
    except ProviderError:
        if answer.reason is None:
            raise
    yield answer.finish()


class OneByOne(Generic[C]):
    """`AsyncStream.__aiter__` wraps itself in a generator that nobody closes; its `__anext__` is the same stream without one."""

    def __init__(self, stream: AsyncStream[C]) -> None:
        self._stream = stream

    def __aiter__(self) -> "OneByOne[C]":
        return self

    async def __anext__(self) -> tuple[C]:
        return (await self._stream.__anext__(),)


def token_records(model: str, evidence: str, *, input_tokens: int, cached: int, output_tokens: int) -> tuple[UsageRecord, ...]:
    """The bill of one reply. Cached input is counted apart from the rest of the input; what is 0 is left out. One without sense is none."""
    if not all(map(is_plausible, (input_tokens, cached, output_tokens))):
        return ()
    evidence = name_of(evidence) or own_name()
    cached = min(input_tokens, cached)
    quantities = {Unit.INPUT_TOKENS: input_tokens - cached, Unit.CACHED_INPUT_TOKENS: cached, Unit.OUTPUT_TOKENS: output_tokens}
    return tuple(UsageRecord(UsageKind.LLM, client.PROVIDER, model, unit, n, evidence) for unit, n in quantities.items() if n)


def effort_of(model: str, asked: str) -> str:
    """How hard the model should think: as asked, else not at all where it would otherwise think before it talks."""
    return asked or ("none" if model.startswith(_THINKS_UNLESS_TOLD) else "")


# Models that think before they talk unless told not to, and then refuse `temperature`, and tools on chat completions
# (help.openai.com article 20001600, read 2026-11-22). Anything else is sent no effort at all: older models reject the field.
_THINKS_UNLESS_TOLD = ("gpt-6-luna",)

Json = dict[str, Any]
