"""Speech behind the fake vendors and the fake callers: one promise, two ways to keep it.

"real" speaks with Piper, listens for voice with Silero and hears with Whisper. "tones" writes text as tones that can be read back
from the audio alone: exact, deterministic and cheap enough for a hundred calls at once. Neither ever blocks the event loop.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

CALLER_VOICE = "caller"
"""The voice name of a simulated caller; it differs audibly from every agent's voice."""

RATES_HZ = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its place in the audio that was recognised. `confidence` is between 0 and 1."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was heard; both empty where nobody spoke."""

    text: str
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class SpeechOnset:
    """Somebody began to speak. `at_ms` counts from the first sample fed."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechOffset:
    """The speech ended at `at_ms`; it is reported once the quiet after it was long enough."""

    at_ms: int


class SpeechDetector(Protocol):
    """Finds speech in one stream. Synchronous and cheap: far below a millisecond for 20 ms of audio."""

    def feed(self, pcm: bytes) -> list[SpeechOnset | SpeechOffset]: ...


class Speech(Protocol):
    """PCM16LE mono everywhere."""

    name: str

    async def warm(self) -> None:
        """Loads what is slow to load, so that the first call does not pay for it."""

    async def synthesise(self, text: str, sample_rate_hz: int, *, voice: str = "", speed: float = 1.0) -> bytes: ...

    def synthesise_stream(self, text: str, sample_rate_hz: int, *, voice: str = "", speed: float = 1.0) -> AsyncIterator[bytes]:
        """The same audio in pieces, the first one early."""

    async def recognise(self, pcm: bytes, sample_rate_hz: int) -> Recognition: ...

    def detector(self, sample_rate_hz: int, *, quiet_ms: int = 300) -> SpeechDetector:
        """`quiet_ms`: how long it must be quiet before an end of speech is reported."""


class UnknownSpeech(ValueError):
    """The name of a speech back end that does not exist."""


def load(name: str, cache_dir: Path | None = None) -> Speech:
    """The back end `name` ("real" or "tones"). `cache_dir` keeps what "real" has spoken. Models load on `warm` or first use."""
    if name == "tones":
        from simulator.speech.tones import TonesSpeech

        return TonesSpeech()
    if name == "real":
        from simulator.speech.real import RealSpeech

        return RealSpeech(cache_dir)
    raise UnknownSpeech(f'speech must be "real" or "tones", not {name!r}')
