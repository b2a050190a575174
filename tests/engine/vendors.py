"""Providers that play a script: they keep the ports' contracts, take time, and fail where they are told to."""

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from engine.audio import AudioChunk, silence
from engine.errors import ErrorCategory, ProviderError
from engine.ports import (
    FinalTranscript,
    InterimTranscript,
    ReplyFinished,
    SpeechStarted,
    SpokenAudio,
    TextDelta,
    ToolCall,
    UtteranceEnded,
)
from engine.usage import Unit, UsageKind, UsageRecord
from tests.engine.carrier import MS_PER_WORD


def broken(provider="scripted", *, retryable=True, category=ErrorCategory.SERVER):
    return ProviderError(provider, category, "it does not work", retryable=retryable)


# --- ears -------------------------------------------------------------------------------------------------------------


@dataclass
class Ears:
    """Recognises what the audio carries. `ends`: how a turn's end is told: "speech-final", "utterance-ended" or "never".

    `fails`: one entry per opening of a stream: None, "open", "hang", or ("after", ms of audio).
    """

    lines: list
    ends: str = "speech-final"
    onset_ms: int = 100
    endpointing_ms: int = 300
    tells_onset: bool = True
    interims: bool = True
    fails: list = field(default_factory=list)
    retryable: bool = True
    provider: str = "ears"
    model: str = "ears-1"
    streams: list = field(default_factory=list)

    @asynccontextmanager
    async def stream(self, sample_rate_hz):
        fault = self.fails[len(self.streams)] if len(self.streams) < len(self.fails) else None
        stream = _EarStream(self, fault)
        self.streams.append(stream)
        if fault == "open":
            raise broken(self.provider, retryable=self.retryable)
        if fault == "hang":
            await asyncio.sleep(3600)
        try:
            yield stream
        finally:
            stream.is_closed = True


class _EarStream:
    def __init__(self, ears, fault):
        self.ears = ears
        self.fault = fault
        self.events: asyncio.Queue = asyncio.Queue()
        self.heard_ms = 0.0
        self.is_closed = False
        self._line = 0
        self._speech_ms = 0.0
        self._quiet_ms = 0.0
        self._last_sound_ms = 0.0
        self._told_onset = False
        self._words_told = 0

    async def send(self, chunk):
        for start in range(0, len(chunk.pcm), 320):
            self._hear(chunk.pcm[start : start + 320])
        if isinstance(self.fault, tuple) and self.heard_ms >= self.fault[1]:
            raise broken(self.ears.provider, retryable=self.ears.retryable)

    def _hear(self, frame):
        self.heard_ms += len(frame) / 16
        number = int.from_bytes(frame[:2], "little", signed=True) // 1000
        if number:
            self._line, self._quiet_ms, self._last_sound_ms = number, 0.0, self.heard_ms
            self._speech_ms += 20
            self._while_speaking()
        elif self._line:
            self._quiet_ms += 20
            if self._quiet_ms >= self.ears.endpointing_ms:
                self._end()

    def _while_speaking(self):
        line = self.ears.lines[self._line - 1]
        if self._speech_ms >= self.ears.onset_ms and not self._told_onset:
            self._told_onset = True
            if self.ears.tells_onset:
                self.events.put_nowait(SpeechStarted(int(self.heard_ms - self._speech_ms)))
        words = min(int(self._speech_ms // MS_PER_WORD), len(line.text.split()))
        if self.ears.interims and words > self._words_told:
            self._words_told = words
            self.events.put_nowait(InterimTranscript(" ".join(line.text.split()[:words])))

    def _end(self):
        line, ends = self.ears.lines[self._line - 1], self.ears.ends
        spoken = int(self._last_sound_ms)
        text = " ".join(line.text.split()[: max(1, round(self._speech_ms / MS_PER_WORD))]) if line.text else ""
        self._line, self._speech_ms, self._words_told, self._told_onset = 0, 0.0, 0, False
        if text and ends != "interims-only":
            self.events.put_nowait(FinalTranscript(text, ends == "speech-final", spoken))
        if text and ends == "utterance-ended":
            self.events.put_nowait(UtteranceEnded(spoken))

    async def finish(self):
        if self._line:
            self._end()
        self.events.put_nowait(None)

    async def __aiter__(self):
        while (event := await self.events.get()) is not None:
            yield event

    @property
    def usage(self):
        return [UsageRecord(UsageKind.STT, self.ears.provider, self.ears.model, Unit.AUDIO_MS, int(self.heard_ms), "stream-1")]


# --- mind -------------------------------------------------------------------------------------------------------------


@dataclass
class Thought:
    """One reply of the model. `fails_after` words: "truncate", "error" or "stall" happens then."""

    text: str = ""
    calls: list = field(default_factory=list)
    first_ms: int = 200
    gap_ms: int = 20
    fails_after: int | None = None
    fault: str = "error"


@dataclass
class Mind:
    thoughts: list
    provider: str = "mind"
    model: str = "mind-1"
    asked: list = field(default_factory=list)
    offered: list = field(default_factory=list)
    open_streams: int = 0

    @asynccontextmanager
    async def reply(self, messages, tools):
        self.asked.append(list(messages))
        self.offered.append([spec.name for spec in tools])
        thought = self.thoughts[min(len(self.asked), len(self.thoughts)) - 1]
        self.open_streams += 1
        try:
            yield self._think(thought, len(self.asked))
        finally:
            self.open_streams -= 1

    async def _think(self, thought, number):
        tokens = re.findall(r"\S+\s*", thought.text)
        await asyncio.sleep(thought.first_ms / 1000)
        for index, token in enumerate([*tokens, None]):
            if thought.fails_after is not None and index == thought.fails_after:
                if thought.fault == "stall":
                    await asyncio.sleep(3600)
                if thought.fault == "truncate":
                    return
                raise broken(self.provider)
            if token is not None:
                yield TextDelta(token)
                await asyncio.sleep(thought.gap_ms / 1000)
        for index, (name, arguments) in enumerate(thought.calls):
            yield ToolCall(f"call-{number}-{index}", name, arguments)
        yield ReplyFinished(
            "stop",
            (UsageRecord(UsageKind.LLM, self.provider, self.model, Unit.OUTPUT_TOKENS, len(tokens), f"reply-{number}"),),
        )


# --- voice ------------------------------------------------------------------------------------------------------------


@dataclass
class Voice:
    """Speaks 50 ms a character, five times faster than real time. `fails`: per request None, "open", "mid", "stall" or "empty".

    With `aligns` it tells where each character ends.
    """

    sample_rate_hz: int = 8000
    first_ms: int = 150
    ms_per_character: int = 50
    speed: float = 5.0
    fails: list = field(default_factory=list)
    always_fails: str | None = None
    aligns: bool = False
    provider: str = "voice"
    model: str = "voice-1"
    spoken: list = field(default_factory=list)
    asked_at_s: list = field(default_factory=list)
    open_streams: int = 0

    @asynccontextmanager
    async def speak(self, text):
        fault = self.always_fails or (self.fails[len(self.spoken)] if len(self.spoken) < len(self.fails) else None)
        self.spoken.append(text)
        self.asked_at_s.append(asyncio.get_running_loop().time())
        if fault == "open":
            raise broken(self.provider)
        self.open_streams += 1
        try:
            yield self._audio(text, len(text) * self.ms_per_character, fault)
        finally:
            self.open_streams -= 1

    async def _audio(self, text, whole_ms, fault):
        await asyncio.sleep(self.first_ms / 1000)
        if fault == "stall":
            await asyncio.sleep(3600)
        if fault == "empty":
            return
        done_ms = 0
        while done_ms < whole_ms:
            if fault == "mid" and done_ms >= whole_ms / 2:
                raise broken(self.provider)
            part_ms = min(100, whole_ms - done_ms)
            pcm = b"\x01\x10" * (len(silence(part_ms, self.sample_rate_hz)) // 2)
            if self.aligns:
                ends = [(index + 1) * self.ms_per_character for index in range(len(text))]
                now = tuple((each, end) for each, end in zip(text, ends, strict=True) if done_ms < end <= done_ms + part_ms)
                yield SpokenAudio(pcm, self.sample_rate_hz, now)
            else:
                yield AudioChunk(pcm, self.sample_rate_hz)
            done_ms += part_ms
            await asyncio.sleep(part_ms / self.speed / 1000)

    def usage(self, text):
        number = len(self.spoken) + 1
        return [UsageRecord(UsageKind.TTS, self.provider, self.model, Unit.CHARACTERS, len(text), f"speech-{number}")]


class Memory:
    """Prepared audio at 8 kHz: 50 ms a character, as the scripted voice takes."""

    def __init__(self, *texts):
        self.texts = texts

    def get(self, text):
        return b"\x02\x20" * (len(text) * 50 * 8) if text in self.texts else None
