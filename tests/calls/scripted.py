"""A line and providers that do what a test tells them to, for conversations held by the real engine in real time, only shorter."""

import asyncio
from collections.abc import Sequence
from contextlib import asynccontextmanager
from itertools import count

from engine.audio import AudioChunk, duration_ms, silence
from engine.errors import LinkClosed
from engine.ports import (
    FinalTranscript,
    InterimTranscript,
    LinkEnded,
    MarkReached,
    ReplyFinished,
    SpeechStarted,
    TextDelta,
    ToolCall,
)
from engine.session import SessionParts, SessionPlan
from engine.usage import Unit, UsageKind, UsageRecord

RATE_HZ = 8000
_keys = count(1)


class Line:
    """An `AudioLink` whose far side is the test. It plays what it gets in real time and echoes marks behind it."""

    sample_rate_hz = RATE_HZ
    chunk_bytes = 3200

    def __init__(self) -> None:
        self._events: asyncio.Queue = asyncio.Queue()
        self._played_until = 0.0
        self.sent_bytes = 0
        self.is_closed = False

    def __aiter__(self):
        return self._iterate()

    async def _iterate(self):
        while True:
            event = await self._events.get()
            if isinstance(event, Exception):
                raise event
            yield event
            if isinstance(event, LinkEnded):
                return

    def hang_up(self) -> None:
        self._events.put_nowait(LinkEnded("caller-hangup"))

    def lose(self) -> None:
        self._events.put_nowait(LinkEnded("lost"))

    def break_down(self, error: Exception) -> None:
        """A bug in the link: it raises what no link may raise."""
        self._events.put_nowait(error)

    async def send_audio(self, pcm: bytes) -> None:
        if self.is_closed:
            raise LinkClosed
        now = asyncio.get_running_loop().time()
        self._played_until = max(self._played_until, now) + duration_ms(len(pcm), RATE_HZ) / 1000
        self.sent_bytes += len(pcm)

    async def send_mark(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        loop.call_at(max(self._played_until, loop.time()), self._events.put_nowait, MarkReached(name))

    async def clear(self) -> None:
        self._played_until = 0.0

    async def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._events.put_nowait(LinkEnded("stopped"))


class Ears:
    """Hears what the test says, when it says it."""

    provider, model = "deepgram", "nova-3"

    def __init__(self) -> None:
        self.events: asyncio.Queue = asyncio.Queue()
        self.usage: Sequence[UsageRecord] = ()

    def hear(self, text: str) -> None:
        for event in (SpeechStarted(100), InterimTranscript(text.split()[0]), FinalTranscript(text, end_of_turn=True, end_ms=400)):
            self.events.put_nowait(event)

    def interim(self, text: str) -> None:
        """Words that are not final, and may never be."""
        for event in (SpeechStarted(100), InterimTranscript(text)):
            self.events.put_nowait(event)

    @asynccontextmanager
    async def stream(self, sample_rate_hz: int):
        yield self

    async def send(self, chunk: AudioChunk) -> None:
        return None

    async def finish(self) -> None:
        self.usage = (UsageRecord(UsageKind.STT, self.provider, self.model, Unit.AUDIO_MS, 5000, f"stt-{next(_keys)}"),)
        self.events.put_nowait(None)

    def __aiter__(self):
        return self

    async def __anext__(self):
        event = await self.events.get()
        if event is None:
            raise StopAsyncIteration
        return event


class Mind:
    """Answers from a list; "END" after a text is a call of `end_call`."""

    provider, model = "openai", "gpt-6-luna"

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.told: list = []  # what each reply was asked with

    @asynccontextmanager
    async def reply(self, messages, tools):
        self.told.append(list(messages))
        yield self._stream(self.answers.pop(0) if self.answers else "I have nothing more to say.")

    async def _stream(self, answer: str):
        text = answer.removesuffix("END").strip()
        for word in text.split(" "):
            yield TextDelta(word + " ")
        if answer.endswith("END"):
            yield ToolCall("call-1", "end_call", "{}")
        used = UsageRecord(UsageKind.LLM, self.provider, self.model, Unit.OUTPUT_TOKENS, len(text.split()), f"llm-{next(_keys)}")
        yield ReplyFinished("stop", (used,))


class Voice:
    """Says every sentence in `length_ms` of silence."""

    provider, model, sample_rate_hz = "elevenlabs", "eleven_flash_v2_5", RATE_HZ

    def __init__(self, length_ms: int = 200) -> None:
        self.length_ms = length_ms

    @asynccontextmanager
    async def speak(self, text: str):
        yield self._stream()

    async def _stream(self):
        yield AudioChunk(silence(self.length_ms, RATE_HZ), RATE_HZ)

    def usage(self, text: str):
        return (UsageRecord(UsageKind.TTS, self.provider, self.model, Unit.CHARACTERS, len(text), f"tts-{next(_keys)}"),)


class Scene:
    """A line, scripted ports and the plan around them. `assemble` takes the place of `agents.assembly.assemble`."""

    def __init__(self, *answers: str, greeting: str = "Hello.", speech_ms: int = 200) -> None:
        self.line, self.ears, self.mind, self.voice = Line(), Ears(), Mind(*answers), Voice(speech_ms)
        self.greeting = greeting

    def assemble(self, spec, call=None, prepared_audio=None):
        plan = SessionPlan(
            instructions=spec.prompt,
            first_message=self.greeting,
            max_duration_ms=60_000,
            silence_timeout_ms=20_000,
            mode="live",
            apology="Sorry.",
            goodbye="Goodbye.",
            still_there="Are you there?",
        )
        return plan, SessionParts(stt=self.ears, llm=self.mind, tts=self.voice)
