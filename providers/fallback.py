"""One port made of several: the first healthy provider does the work, and the next one takes over if it fails in time.

In time means while nothing of it can have been heard: a voice is replaced between two pieces of speech, a language model until its
first piece can be spoken. After that a failure is told, and whoever asks again is answered by the next one. A chain is made for one
session and remembers who failed in it; breakers remember it for the process.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Generic, Protocol, TypeVar, runtime_checkable

from engine.audio import AudioChunk
from engine.errors import ProviderError
from engine.ports import (
    LanguageModel,
    LanguageModelEvent,
    Message,
    SpeechToText,
    SpokenAudio,
    TextDelta,
    TextToSpeech,
    ToolSpec,
    TranscriptStream,
)
from engine.resample import Resampler
from engine.sentences import SentenceCutter
from engine.usage import UsageRecord
from providers.breakers import PROCESS_HEALTH, Health
from providers.connection import timed_out

P = TypeVar("P", SpeechToText, LanguageModel, TextToSpeech)
T = TypeVar("T")

PATIENCE_MS = 2_000
"""How long a provider may take to be useful while a stand-in waits. The last one of a chain has its own deadlines."""
_SHUNNED_S = 60.0


@runtime_checkable
class Warmable(Protocol):
    async def warm(self) -> None: ...


class _Chain(Generic[P]):
    """`provider` and `model` name the port that is meant to work, `working` both of the one that was asked last.

    Usage records name the port that did the work. `switches` counts how often another port than the best one had to be turned to.
    """

    def __init__(self, ports: Sequence[P], health: Health | None = None, *, patience_ms: int = PATIENCE_MS) -> None:
        if not ports:
            raise ValueError("a fallback needs at least one provider")
        self._ports: tuple[P, ...] = tuple(ports)
        self._keys = [(port.provider, port.model) for port in ports]
        self._health = PROCESS_HEALTH if health is None else health
        self._patience_ms = patience_ms
        self._shunned_until: dict[int, float] = {}
        self.provider, self.model = self.working = self._keys[0]
        self.switches = 0

    async def warm(self) -> None:
        """Warms every port that can be warmed, the stand-ins too; raises the first failure after all had their chance."""
        warmings = [port.warm() for port in self._ports if isinstance(port, Warmable)]
        for outcome in await asyncio.gather(*warmings, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    def _order(self) -> list[int]:
        now = asyncio.get_running_loop().time()
        return self._health.order(self._keys, frozenset(place for place, until in self._shunned_until.items() if until > now))

    def _has_stand_in(self) -> bool:
        """Whether some port has not failed in this session, or not lately."""
        now = asyncio.get_running_loop().time()
        return any(self._shunned_until.get(place, 0.0) <= now for place in range(len(self._ports)))

    def _failed(self, place: int, error: ProviderError) -> None:
        self._health.failed(self._keys[place], error)
        self._shunned_until[place] = asyncio.get_running_loop().time() + _SHUNNED_S

    def _worked(self, place: int) -> None:
        self._health.worked(self._keys[place])
        self._shunned_until.pop(place, None)

    async def _first(self, stack: AsyncExitStack, begin: Callable[[P], AbstractAsyncContextManager[T]]) -> tuple[int, T]:
        """The place of the first port that begins, and what it gave, entered on `stack`.

        If none does it raises the last failure, of those that another attempt may mend if there is one.
        """
        failure: ProviderError | None = None
        order = self._order()
        for place in order:
            if failure is not None:
                self.switches += 1
            self._health.tried(self._keys[place])
            self.working = self._keys[place]
            try:
                begun = await self._begin(stack, begin(self._ports[place]), place, has_stand_in=place != order[-1])
            except ProviderError as error:
                self._failed(place, error)
                failure = error if failure is None or error.retryable or not failure.retryable else failure
                continue
            return place, begun
        assert failure is not None
        raise failure

    async def _begin(self, stack: AsyncExitStack, source: AbstractAsyncContextManager[T], place: int, *, has_stand_in: bool) -> T:
        scope = asyncio.timeout(self._patience_ms / 1000 if has_stand_in else None)
        try:
            async with scope:
                return await stack.enter_async_context(source)
        except TimeoutError:
            if not scope.expired():
                raise
            raise timed_out(self._keys[place][0], f"was not useful within {self._patience_ms} ms, and another provider is there") from None

    @asynccontextmanager
    async def _blaming(self, place: int) -> AsyncIterator[None]:
        """What happens inside is the doing of the port at `place`: its failures are remembered, and so is that it worked."""
        try:
            yield
        except ProviderError as error:
            self._failed(place, error)
            raise
        self._worked(place)


def _replaceable(error: ProviderError) -> ProviderError:
    """The same failure as one that is worth another try: with another provider."""
    return ProviderError(error.provider, error.category, error.message, retryable=True, request_id=error.request_id)


@asynccontextmanager
async def _primed(
    source: AbstractAsyncContextManager[AsyncIterator[T]], prime: Callable[[AsyncIterator[T]], Awaitable[list[T]]]
) -> AsyncIterator[AsyncIterator[T]]:
    """Enters `source` and waits for its beginning, so that entering means: it works."""
    async with source as items, aclosing(_with_beginning(await prime(items), items)) as whole:
        yield whole


async def _with_beginning(beginning: list[T], rest: AsyncIterator[T]) -> AsyncGenerator[T]:
    for item in beginning:
        yield item
    async for item in rest:
        yield item


async def _until_first(items: AsyncIterator[T]) -> list[T]:
    async for item in items:
        return [item]
    return []


async def _until_speakable(events: AsyncIterator[LanguageModelEvent]) -> list[LanguageModelEvent]:
    """Everything up to the first piece that can be spoken: cut as the session cuts it, so holding it back delays no sound."""
    cutter = SentenceCutter()
    beginning: list[LanguageModelEvent] = []
    async for event in events:
        beginning.append(event)
        if not isinstance(event, TextDelta) or cutter.feed(event.text):
            break
    return beginning


class FallbackSpeechToText(_Chain[SpeechToText]):
    """Chooses when the stream opens. A stream lost later is reopened by whoever reads it, and the choice is then made again,
    without the one that was lost.
    """

    @asynccontextmanager
    async def stream(self, sample_rate_hz: int) -> AsyncIterator[TranscriptStream]:
        async with AsyncExitStack() as stack:
            place, opened = await self._first(stack, lambda port: port.stream(sample_rate_hz))
            try:
                async with self._blaming(place):
                    yield opened
            except ProviderError as error:
                if error.retryable or not self._has_stand_in():
                    raise
                raise _replaceable(error) from error  # hopeless there, but somebody else may listen


class FallbackLanguageModel(_Chain[LanguageModel]):
    """Chooses when the first piece of speech, the first tool call or a whole reply is there: until then nothing was said, so the next
    model may begin anew. A chain of one has nobody to wait for and passes everything on at once.
    """

    @asynccontextmanager
    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[AsyncIterator[LanguageModelEvent]]:
        prime = _until_speakable if len(self._ports) > 1 else _until_first
        async with AsyncExitStack() as stack:
            place, events = await self._first(stack, lambda port: _primed(port.reply(messages, tools), prime))
            async with self._blaming(place):
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
            place, chunks = await self._first(stack, lambda port: _primed(port.speak(text), _until_first))
            port = self._ports[place]
            self._spoken.append((text, port))
            if port.sample_rate_hz != self.sample_rate_hz:
                chunks = await stack.enter_async_context(aclosing(_at_rate(chunks, port.sample_rate_hz, self.sample_rate_hz)))
            async with self._blaming(place):
                yield chunks

    def usage(self, text: str) -> Sequence[UsageRecord]:
        """What the voice that spoke `text` used; before it was spoken, what the voice whose turn it is will use."""
        for place, (spoken, port) in enumerate(self._spoken):
            if spoken == text:
                del self._spoken[place]
                return port.usage(text)
        return self._ports[self._health.order(self._keys, frozenset(self._shunned_until))[0]].usage(text)


async def _at_rate(chunks: AsyncIterator[AudioChunk], from_hz: int, to_hz: int) -> AsyncGenerator[AudioChunk]:
    resampler = Resampler(from_hz, to_hz)
    async for chunk in chunks:
        pcm = resampler.convert(chunk.pcm)
        if isinstance(chunk, SpokenAudio):
            yield replace(chunk, pcm=pcm, sample_rate_hz=to_hz)  # its words count, whatever the resampler holds back
        elif pcm:
            yield AudioChunk(pcm, to_hz)
    if tail := resampler.flush():
        yield AudioChunk(tail, to_hz)
