"""ElevenLabs as the engine's text to speech: an HTTP stream of PCM at the line's own 8 kHz, so that nothing is resampled."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import quote

from engine.audio import AudioChunk
from engine.usage import Unit, UsageKind, UsageRecord
from providers.config import ElevenLabsConfig, Voice
from providers.connection import DEFAULT_DEADLINES, Deadlines, Patience
from providers.elevenlabs import client
from providers.evidence import SpokenRequests
from providers.speech_stream import spoken

_LINE_RATE_HZ = 8_000
# Only these take `language_code`; the others refuse the request over it.
_TAKES_LANGUAGE = ("eleven_flash_v2_5", "eleven_turbo_v2_5", "eleven_v3")


class ElevenLabsTextToSpeech:
    provider = client.PROVIDER

    def __init__(self, config: ElevenLabsConfig, voice: Voice, deadlines: Deadlines = DEFAULT_DEADLINES) -> None:
        self.model = voice.model
        self.sample_rate_hz = voice.sample_rate_hz or _LINE_RATE_HZ
        self._config = config
        self._voice = voice
        self._deadlines = deadlines
        self._spoken = SpokenRequests()

    async def warm(self) -> None:
        """Opens a connection before it is needed."""
        await client.warm(self._config, self._deadlines)

    def speak(self, text: str) -> AbstractAsyncContextManager[AsyncIterator[AudioChunk]]:
        request = client.shared_client(self._config, self._deadlines).stream(
            "POST",
            f"/v1/text-to-speech/{quote(self._voice.voice_id, safe='')}/stream",
            params={"output_format": f"pcm_{self.sample_rate_hz}"},
            json=request_json(text, self._voice),
        )
        return spoken(
            request,
            self.sample_rate_hz,
            Patience(self.provider, self._deadlines),
            code_of=client.error_code,
            request_id_of=lambda response: response.headers.get("request-id", ""),
            on_request_id=lambda request_id: self.note(text, request_id),
        )

    def note(self, text: str, request_id: str) -> None:
        """Remembers the request in which `text` was spoken, for its usage."""
        self._spoken.note(text, request_id)

    def usage(self, text: str) -> Sequence[UsageRecord]:
        record = UsageRecord(UsageKind.TTS, self.provider, self.model, Unit.CHARACTERS, len(text), self._spoken.take(text))
        return (record,)


def request_json(text: str, voice: Voice) -> dict[str, Any]:
    """The body of one request; what the voice leaves open is left to the voice's own settings."""
    body: dict[str, Any] = {"text": text, "model_id": voice.model}
    if voice.speed != 1.0:
        body["voice_settings"] = {"speed": voice.speed}
    if voice.language and voice.model.startswith(_TAKES_LANGUAGE):
        body["language_code"] = voice.language.partition("-")[0]
    return body
