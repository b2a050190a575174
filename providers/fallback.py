"""One port made of several: the first healthy provider does the work, and the next one takes over if it fails in time.

In time means before the first useful byte: once the caller has heard half a sentence, another voice must not start it again. A provider
that failed is left alone for a while, so that only one turn pays for finding out.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, Protocol, TypeVar, runtime_checkable

from engine.audio import AudioChunk
from engine.errors import ProviderError
from engine.ports import LanguageModel, LanguageModelEvent, Message, SpeechToText, TextToSpeech, ToolSpec, TranscriptStream
from engine.resample import Resampler
from engine.usage import UsageRecord

P = TypeVar("P", SpeechToText, LanguageModel, TextToSpeech)
T = TypeVar("T")


@dataclass(slots=True)
class Health:
    """Which providers failed lately. May be shared by every call of a process; it only ever orders them, so it cannot block one."""

    rest_ms: int = 30_000
    _resting_until: dict[Hashable, float] = field(default_factory=dict)

    def failed(self, key: Hashable) -> None:
        self._resting_until[key] = monotonic() + self.rest_ms / 1000

    def worked(self, key: Hashable) -> None:
        self._resting_until.pop(key, None)

    def order(self, keys: Sequence[Hashable]) -> list[int]:
        """The places of `keys`: those that are well in the given order, then those that rest, in case nobody is well."""
        now = monotonic()
        return sorted(range(len(keys)), key=lambda place: self._resting_until.get(keys[place], 0.0) > now)


@runtime_checkable
class _Warmable(Protocol):
    async def warm(self) -> None: ...


class _Chain(Generic[P]):
    """`provider` and `model` name the port that is meant to work; usage records name the one that did."""

    def __init__(self, ports: Sequence[P], health: Health | None = None) -> None:
        if not ports:
            raise ValueError("a fallback needs at least one provider")
        self._ports: tuple[P, ...] = tuple(ports)
        self._keys = [(port.provider, port.model) for port in ports]
        self._health = health or Health()
        self.provider, self.model = self._keys[0]

    async def warm(self) -> None:
        """Warms every port that can be warmed, the stand-ins too; raises the first failure after all had their chance."""
        warmings = [port.warm() for port in self._ports if isinstance(port, _Warmable)]
        for outcome in await asyncio.gather(*warmings, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _first(self, stack: AsyncExitStack, begin: Callable[[P], AbstractAsyncContextManager[T]]) -> tuple[P, T]:
        """The first port that begins, entered on `stack`, and what it gave. Raises the last failure if none does."""
        failure: ProviderError | None = None
        for place in self._health.order(self._keys):
            port = self._ports[place]
            try:
                begun = await stack.enter_async_context(begin(port))
            except ProviderError as error:
                self._health.failed(self._keys[place])
                failure = error
                continue
            self._health.worked(self._keys[place])
            return port, begun
        assert failure is not None
        raise failure


@asynccontextmanager
async def _primed(source: AbstractAsyncContextManager[AsyncIterator[T]]) -> AsyncIterator[AsyncIterator[T]]:
    """Enters `source` and waits for its first item, so that entering means: it works."""
    async with source as items:
        try:
            first = await anext(items)
        except StopAsyncIteration:
            yield items
            return
        async with aclosing(_with_first(first, items)) as whole:
            yield whole


async def _with_first(first: T, rest: AsyncIterator[T]) -> AsyncGenerator[T]:
    yield first
    async for item in rest:
        yield item


class FallbackSpeechToText(_Chain[SpeechToText]):
    """Chooses when the stream opens. A stream lost later is reopened by whoever reads it, and the choice is then made again,
    without the one that was lost.
    """

    @asynccontextmanager
    async def stream(self, sample_rate_hz: int) -> AsyncIterator[TranscriptStream]:
        async with AsyncExitStack() as stack:
            port, opened = await self._first(stack, lambda port: port.stream(sample_rate_hz))
            try:
                yield opened
            except ProviderError:
                self._health.failed((port.provider, port.model))
                raise


class FallbackLanguageModel(_Chain[LanguageModel]):
    """Chooses when the first word, or the first tool call, is there."""

    @asynccontextmanager
    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[AsyncIterator[LanguageModelEvent]]:
        async with AsyncExitStack() as stack:
            _, events = await self._first(stack, lambda port: _primed(port.reply(messages, tools)))
            yield events


class FallbackTextToSpeech(_Chain[TextToSpeech]):
    """Chooses when the first audio is there. Speaks at the first voice's sample rate, whichever voice it is."""

    def __init__(self, ports: Sequence[TextToSpeech], health: Health | None = None) -> None:
        super().__init__(ports, health)
        self.sample_rate_hz = ports[0].sample_rate_hz
        self._spoken: deque[tuple[str, TextToSpeech]] = deque(maxlen=64)

    @asynccontextmanager
    async def speak(self, text: str) -> AsyncIterator[AsyncIterator[AudioChunk]]:
        async with AsyncExitStack() as stack:
            port, chunks = await self._first(stack, lambda port: _primed(port.speak(text)))
            self._spoken.append((text, port))
            if port.sample_rate_hz != self.sample_rate_hz:
                chunks = await stack.enter_async_context(aclosing(_at_rate(chunks, port.sample_rate_hz, self.sample_rate_hz)))
            yield chunks

    def usage(self, text: str) -> Sequence[UsageRecord]:
        """What the voice that spoke `text` used; before it was spoken, what the voice whose turn it is will use."""
        for place, (spoken, port) in enumerate(self._spoken):
            if spoken == text:
                del self._spoken[place]
                return port.usage(text)
        return self._ports[self._health.order(self._keys)[0]].usage(text)


async def _at_rate(chunks: AsyncIterator[AudioChunk], from_hz: int, to_hz: int) -> AsyncGenerator[AudioChunk]:
    resampler = Resampler(from_hz, to_hz)
    async for chunk in chunks:
        if pcm := resampler.convert(chunk.pcm):
            yield AudioChunk(pcm, to_hz)
    if tail := resampler.flush():
        yield AudioChunk(tail, to_hz)
