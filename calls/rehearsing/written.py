"""The engine's ports for a conversation in writing: what is typed counts as heard, what is said is silence of the length of its words.

Nothing is recognised and nothing is spoken, so neither is used or charged. Times are those of a talk on the telephone.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from engine.audio import AudioChunk, duration_ms, silence
from engine.errors import LinkClosed
from engine.ports import (
    DtmfPressed,
    FinalTranscript,
    InterimTranscript,
    LinkEnded,
    LinkEvent,
    MarkReached,
    SpeechStarted,
    TranscriptEvent,
)
from engine.usage import UsageRecord

RATE_HZ = 8000
CHUNK_BYTES = 3200  # 200 ms
MS_PER_CHARACTER = 65  # people and voices say about fifteen characters a second
_BREATH_MS = 1000  # how often somebody who speaks is heard to
_MOST_WAITING = 4096
PROVIDER, MODEL = "writing", "none"


def spoken_ms(text: str) -> int:
    """How long it would take to say."""
    return max(200, len(text) * MS_PER_CHARACTER)


class WrittenLine:
    """The telephone line of a conversation in writing: it swallows the agent's sound at its pace and tells when it was played."""

    sample_rate_hz = RATE_HZ
    chunk_bytes = CHUNK_BYTES

    def __init__(self) -> None:
        self._events: asyncio.Queue[LinkEvent] = asyncio.Queue(_MOST_WAITING)
        self._played_until_s = 0.0
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[LinkEvent]:
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, LinkEnded):
                return

    def press(self, keys: str) -> None:
        for key in keys:
            self._events.put_nowait(DtmfPressed(key))

    def hang_up(self) -> None:
        self._events.put_nowait(LinkEnded("caller-hangup"))

    async def send_audio(self, pcm: bytes) -> None:
        if self.is_closed:
            raise LinkClosed
        now_s = asyncio.get_running_loop().time()
        self._played_until_s = max(self._played_until_s, now_s) + duration_ms(len(pcm), RATE_HZ) / 1000

    async def send_mark(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        loop.call_at(max(self._played_until_s, loop.time()), self._events.put_nowait, MarkReached(name))

    async def clear(self) -> None:
        self._played_until_s = 0.0

    async def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._events.put_nowait(LinkEnded("stopped"))


class Typing:
    """A recogniser that hears what is typed, at the pace of somebody who says it."""

    provider, model = PROVIDER, MODEL
    usage: Sequence[UsageRecord] = ()

    def __init__(self) -> None:
        self._heard: asyncio.Queue[TranscriptEvent | None] = asyncio.Queue(_MOST_WAITING)

    def say(self, text: str) -> None:
        """Somebody begins to say `text` now."""
        loop = asyncio.get_running_loop()
        length_ms = spoken_ms(text)
        self._heard.put_nowait(SpeechStarted(0))
        for breath_ms in range(_BREATH_MS, length_ms, _BREATH_MS):
            begun = text[: len(text) * breath_ms // length_ms].rpartition(" ")[0]
            if begun:
                loop.call_later(breath_ms / 1000, self._heard.put_nowait, InterimTranscript(begun))
        loop.call_later(length_ms / 1000, self._heard.put_nowait, FinalTranscript(text, end_of_turn=True, end_ms=0))

    @asynccontextmanager
    async def stream(self, sample_rate_hz: int) -> AsyncIterator["Typing"]:
        yield self

    async def send(self, chunk: AudioChunk) -> None:
        return None

    async def finish(self) -> None:
        self._heard.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[TranscriptEvent]:
        while (event := await self._heard.get()) is not None:
            yield event


class SilentVoice:
    """A voice without sound."""

    provider, model, sample_rate_hz = PROVIDER, MODEL, RATE_HZ

    @asynccontextmanager
    async def speak(self, text: str) -> AsyncIterator[AsyncIterator[AudioChunk]]:
        yield _silence(text)

    def usage(self, text: str) -> Sequence[UsageRecord]:
        return ()


async def _silence(text: str) -> AsyncIterator[AudioChunk]:
    yield AudioChunk(silence(spoken_ms(text), RATE_HZ), RATE_HZ)
