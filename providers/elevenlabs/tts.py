"""ElevenLabs as the engine's text to speech: an HTTP stream of PCM at the line's own 8 kHz, so that nothing is resampled."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, cast
from urllib.parse import quote

import httpx

from engine.audio import AudioChunk
from engine.usage import Unit, UsageKind, UsageRecord
from providers.config import ElevenLabsConfig, Voice
from providers.connection import DEFAULT_DEADLINES, Deadlines, Patience, nonsense
from providers.elevenlabs import client
from providers.evidence import SpokenRequests
from providers.pcm import audio_chunks

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
        return self._speak(text)

    @asynccontextmanager
    async def _speak(self, text: str) -> AsyncIterator[AsyncIterator[AudioChunk]]:
        patience = Patience(self.provider, self._deadlines)
        request = client.shared_client(self._config, self._deadlines).stream(
            "POST",
            f"/v1/text-to-speech/{quote(self._voice.voice_id, safe='')}/stream",
            params={"output_format": f"pcm_{self.sample_rate_hz}"},
            json=request_json(text, self._voice),
        )
        async with AsyncExitStack() as stack:
            try:
                response = await patience.wait(stack.enter_async_context(request))
            except httpx.HTTPError as error:
                raise client.as_provider_error(error) from error
            if not response.is_success:
                raise await client.refusal(response, patience)
            if not _is_pcm(response.headers.get("content-type", "")):
                raise nonsense(self.provider)
            self._spoken.note(text, response.headers.get("request-id", ""))
            pieces = cast(AsyncGenerator[bytes], response.aiter_bytes())  # a generator, whatever its annotation says
            await stack.enter_async_context(aclosing(pieces))
            chunks = audio_chunks(pieces, self.sample_rate_hz, patience, (httpx.HTTPError,))
            yield await stack.enter_async_context(aclosing(chunks))

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


def _is_pcm(content_type: str) -> bool:
    """Compressed audio or text played as PCM would be a burst of noise in the caller's ear."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("", "application/octet-stream") or (kind.startswith("audio/") and kind not in ("audio/mpeg", "audio/mp3", "audio/ogg"))
