"""OpenAI's speech endpoint as the engine's text to speech: 24 kHz PCM, streamed from the first byte."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, cast

import httpx2
import openai

from engine.audio import AudioChunk
from engine.usage import Unit, UsageKind, UsageRecord
from providers.config import OpenAIConfig, Voice
from providers.connection import DEFAULT_DEADLINES, Deadlines, Patience
from providers.evidence import SpokenRequests
from providers.openai import client
from providers.pcm import audio_chunks


class OpenAITextToSpeech:
    provider = client.PROVIDER
    sample_rate_hz = 24_000  # the only rate of its pcm

    def __init__(self, config: OpenAIConfig, voice: Voice, deadlines: Deadlines = DEFAULT_DEADLINES) -> None:
        self.model = voice.model
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
        speech = client.shared_client(self._config, self._deadlines).audio.speech.with_streaming_response
        extra: dict[str, Any] = {} if self._voice.speed == 1.0 else {"speed": self._voice.speed}
        request = speech.create(model=self.model, voice=self._voice.voice_id, input=text, response_format="pcm", **extra)
        async with AsyncExitStack() as stack:
            try:
                response = await patience.wait(stack.enter_async_context(request))
            except openai.APIError as error:
                raise client.as_provider_error(error, started=False) from None
            self._spoken.note(text, response.headers.get("x-request-id", ""))
            pieces = cast(AsyncGenerator[bytes], response.iter_bytes())  # a generator, whatever its annotation says
            await stack.enter_async_context(aclosing(pieces))
            chunks = audio_chunks(pieces, self.sample_rate_hz, patience, (httpx2.HTTPError, openai.APIError))
            yield await stack.enter_async_context(aclosing(chunks))

    def usage(self, text: str) -> Sequence[UsageRecord]:
        record = UsageRecord(UsageKind.TTS, self.provider, self.model, Unit.CHARACTERS, len(text), self._spoken.take(text))
        return (record,)
