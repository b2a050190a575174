"""Deepgram's Aura voices as the engine's text to speech: an HTTP stream of PCM at the line's own 8 kHz, so that nothing is resampled.

Source: developers.deepgram.com/docs/text-to-speech, read 2026-11-22.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

import httpx
import msgspec

from engine.audio import AudioChunk
from engine.usage import Unit, UsageKind, UsageRecord
from providers import speech_stream
from providers.config import DeepgramConfig, Voice
from providers.connection import DEFAULT_DEADLINES, Deadlines, LoopClients, Patience
from providers.deepgram.messages import PROVIDER
from providers.evidence import SpokenRequests

_LINE_RATE_HZ = 8_000
_clients: LoopClients[httpx.AsyncClient] = LoopClients(httpx.AsyncClient.aclose)


class DeepgramTextToSpeech:
    provider = PROVIDER

    def __init__(self, config: DeepgramConfig, voice: Voice, deadlines: Deadlines = DEFAULT_DEADLINES) -> None:
        self.model = voice.model
        self.sample_rate_hz = voice.sample_rate_hz or _LINE_RATE_HZ
        self._config = config
        self._parameters = parameters(voice, self.sample_rate_hz)
        self._deadlines = deadlines
        self._spoken = SpokenRequests()

    def _client(self) -> httpx.AsyncClient:
        root, headers = self._config.base_url.rstrip("/"), {"Authorization": f"Token {self._config.api_key}"}
        return _clients.get((self._config, self._deadlines), lambda: speech_stream.make_client(root, headers, self._deadlines))

    async def warm(self) -> None:
        """Opens a connection before it is needed."""
        await speech_stream.warm(self._client(), "/v1/projects", Patience(self.provider, self._deadlines), code_of=error_code)

    def speak(self, text: str) -> AbstractAsyncContextManager[AsyncIterator[AudioChunk]]:
        return speech_stream.spoken(
            self._client().stream("POST", "/v1/speak", params=self._parameters, json={"text": text}),
            self.sample_rate_hz,
            Patience(self.provider, self._deadlines),
            code_of=error_code,
            request_id_of=lambda response: response.headers.get("dg-request-id", ""),
            on_request_id=lambda request_id: self._spoken.note(text, request_id),
        )

    def usage(self, text: str) -> Sequence[UsageRecord]:
        record = UsageRecord(UsageKind.TTS, self.provider, self.model, Unit.CHARACTERS, len(text), self._spoken.take(text))
        return (record,)


def parameters(voice: Voice, sample_rate_hz: int) -> dict[str, str]:
    asked = {"model": model_of(voice), "encoding": "linear16", "sample_rate": str(sample_rate_hz), "container": "none"}
    return asked if voice.speed == 1.0 else {**asked, "speed": f"{voice.speed:g}"}


def model_of(voice: Voice) -> str:
    """Deepgram's voices are models. Either name may be whole ("aura-2-thalia-en"), or model ("aura-2") and voice ("thalia") are joined."""
    if voice.voice_id.startswith((voice.model, "aura-")):
        return voice.voice_id
    if voice.voice_id in voice.model.split("-"):
        return voice.model
    return f"{voice.model}-{voice.voice_id}-{voice.language.partition('-')[0] or 'en'}"


def error_code(body: bytes) -> str:
    """The word in `{"err_code": word, …}`; empty for any other shape."""
    try:
        code = msgspec.json.decode(body).get("err_code")
    except (msgspec.DecodeError, AttributeError):
        return ""
    return code if isinstance(code, str) else ""
