"""What ElevenLabs' speech socket says: pieces of audio with the place of each character in it. Pure: messages in, chunks out."""

from dataclasses import dataclass

import msgspec

from engine.audio import duration_ms
from engine.errors import ErrorCategory, ProviderError
from engine.ports import SpokenAudio
from providers.connection import nonsense, status_error
from providers.elevenlabs.client import PROVIDER
from providers.pcm import SampleAligner

_STATUS_OF = {
    "invalid_api_key": 401,
    "needs_authorization": 401,
    "quota_exceeded": 402,
    "too_many_concurrent_requests": 429,
    "system_busy": 503,
}


class _Alignment(msgspec.Struct):
    """Times count from the beginning of the piece of audio that they come with."""

    chars: list[str] = []  # msgspec copies them for each struct
    charStartTimesMs: list[float] = []
    charDurationsMs: list[float] = []


class _Message(msgspec.Struct):
    audio: bytes | None = None  # base64 on the wire
    isFinal: bool | None = None
    alignment: _Alignment | None = None
    error: str = ""


_decoder = msgspec.json.Decoder(_Message)


@dataclass(frozen=True, slots=True)
class Said:
    """What one message holds; a chunk may be empty of audio or of characters, but not of both.

    `is_useful`: audio came, even if it is but half a sample.
    """

    chunk: SpokenAudio | None
    is_last: bool
    is_useful: bool


class Utterance:
    """One text being spoken, message by message. Characters of our own padding behind the text are left out."""

    def __init__(self, text: str, sample_rate_hz: int) -> None:
        self._left = len(text)
        self._rate_hz = sample_rate_hz
        self._aligner = SampleAligner()
        self._received_bytes = 0

    def read(self, raw: str | bytes) -> Said:
        """Raises `ProviderError`: PROTOCOL for what cannot be read, else what ElevenLabs complains of."""
        try:
            message = _decoder.decode(raw)
        except msgspec.DecodeError as error:
            raise nonsense(PROVIDER) from error
        if message.error:
            raise complaint(message.error)
        begin_ms = duration_ms(self._received_bytes, self._rate_hz)
        audio = message.audio or b""
        self._received_bytes += len(audio)
        pcm, characters = self._aligner.feed(audio), self._characters(message.alignment, begin_ms)
        chunk = SpokenAudio(pcm, self._rate_hz, characters) if pcm or characters else None
        return Said(chunk, bool(message.isFinal), bool(audio))

    def _characters(self, alignment: _Alignment | None, begin_ms: float) -> tuple[tuple[str, int], ...]:
        if alignment is None:
            return ()
        timed = zip(alignment.chars, alignment.charStartTimesMs, alignment.charDurationsMs, strict=False)
        placed = [(character, round(begin_ms + start_ms + length_ms)) for character, start_ms, length_ms in timed]
        kept, self._left = placed[: self._left], max(0, self._left - len(placed))
        return tuple(kept)


def complaint(word: str) -> ProviderError:
    """An error that came as a message. Only a word that is known decides; its text is not repeated."""
    if word in _STATUS_OF:
        return status_error(PROVIDER, _STATUS_OF[word], code=word)
    return ProviderError(PROVIDER, ErrorCategory.SERVER, "reported an error on the speech socket", retryable=True)
