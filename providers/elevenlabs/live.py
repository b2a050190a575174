"""ElevenLabs' `stream-input` socket as the engine's text to speech: warm before it is needed, and it tells which character sounds when.

Where the socket cannot be used the same voice speaks over HTTP, without that knowledge.
Source: elevenlabs.io/docs/api-reference/websocket, read 2026-11-22.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from engine.audio import AudioChunk
from engine.errors import ErrorCategory, ProviderError
from engine.usage import UsageRecord
from providers.config import ElevenLabsConfig, Voice
from providers.connection import DEFAULT_DEADLINES, Deadlines, Patience, cut_off, unreachable, within
from providers.elevenlabs import client
from providers.elevenlabs.alignment import Utterance, complaint
from providers.elevenlabs.spares import INACTIVITY_S, Spares, end, spares_of
from providers.elevenlabs.tts import ElevenLabsTextToSpeech, request_json

_NO_USE_OVER_HTTP = frozenset(
    {ErrorCategory.TIMEOUT, ErrorCategory.AUTHENTICATION, ErrorCategory.QUOTA, ErrorCategory.RATE_LIMITED}
)  # the same over HTTP, or too late for it
_POLICY_VIOLATION = 1008


class ElevenLabsLiveTextToSpeech:
    provider = client.PROVIDER

    def __init__(self, config: ElevenLabsConfig, voice: Voice, deadlines: Deadlines = DEFAULT_DEADLINES) -> None:
        self._over_http = ElevenLabsTextToSpeech(config, voice, deadlines)
        self.model = voice.model
        self.sample_rate_hz = self._over_http.sample_rate_hz
        self._url = f"{config.websocket_url}{path(voice, self.sample_rate_hz)}"
        self._config = config
        self._voice = voice
        self._deadlines = deadlines

    @property
    def _spares(self) -> Spares:
        return spares_of(self._url, self._config.api_key, self._deadlines)

    async def warm(self) -> None:
        """Opens a socket, and a connection for HTTP, before they are needed."""
        await self._over_http.warm()
        await self._spares.add(quietly=False)

    def speak(self, text: str) -> AbstractAsyncContextManager[AsyncIterator[AudioChunk]]:
        return self._speak(text)

    @asynccontextmanager
    async def _speak(self, text: str) -> AsyncIterator[AsyncIterator[AudioChunk]]:
        async with AsyncExitStack() as stack:
            try:
                chunks = await self._begin(stack, text)
            except ProviderError as error:
                if error.category in _NO_USE_OVER_HTTP:
                    raise
                chunks = await stack.enter_async_context(self._over_http.speak(text))
            yield chunks

    async def _begin(self, stack: AsyncExitStack, text: str) -> AsyncIterator[AudioChunk]:
        """The audio, once its first piece is there. Until then every failure may still be mended over HTTP."""
        patience = Patience(self.provider, self._deadlines)
        socket = await patience.wait(self._spares.take())
        stack.push_async_callback(end, socket)
        audio = _audio(socket, Utterance(text, self.sample_rate_hz), patience)
        await stack.enter_async_context(aclosing(audio))
        try:
            for message in (opening_message(self._voice), text_message(text), _THE_END):
                await within(self._deadlines.send_ms, self.provider, "did not take our text", socket.send(message))
        except ConnectionClosed as error:
            raise unreachable(self.provider) from error
        first = await anext(audio)
        self._over_http.note(text, socket.response.headers.get("request-id", "") if socket.response is not None else "")
        return await stack.enter_async_context(aclosing(_with_first(first, audio)))

    def usage(self, text: str) -> Sequence[UsageRecord]:
        return self._over_http.usage(text)


async def _audio(socket: ClientConnection, utterance: Utterance, patience: Patience) -> AsyncGenerator[AudioChunk]:
    """The pieces as they come. Raises `ProviderError`: TRUNCATED if the end was never said, or there was no audio at all."""
    spoke = False
    while True:
        try:
            said = utterance.read(await patience.wait(socket.recv()))
        except ConnectionClosed as error:
            raise _closed(error, spoke=spoke) from error
        if said.is_useful:
            patience.useful()
        if said.chunk is not None:
            spoke = spoke or bool(said.chunk.pcm)
            yield said.chunk
        if said.is_last:
            if not spoke:
                raise cut_off(patience.provider)
            return


async def _with_first(first: AudioChunk, rest: AsyncIterator[AudioChunk]) -> AsyncGenerator[AudioChunk]:
    yield first
    async for chunk in rest:
        yield chunk


def _closed(error: ConnectionClosed, *, spoke: bool) -> ProviderError:
    if error.rcvd is not None and error.rcvd.code == _POLICY_VIOLATION:
        return complaint(error.rcvd.reason)
    return cut_off(client.PROVIDER) if spoke else unreachable(client.PROVIDER)


def path(voice: Voice, sample_rate_hz: int) -> str:
    """Where the socket of a voice is, with what it has to know before any text. Whole sentences come, so it need not wait for more."""
    asked = request_json("", voice)
    parameters: dict[str, Any] = {
        "model_id": voice.model,
        "output_format": f"pcm_{sample_rate_hz}",
        "auto_mode": "true",
        "sync_alignment": "true",
        "inactivity_timeout": INACTIVITY_S,
    }
    if "language_code" in asked:
        parameters["language_code"] = asked["language_code"]
    return f"/v1/text-to-speech/{quote(voice.voice_id, safe='')}/stream-input?{urlencode(parameters)}"


def opening_message(voice: Voice) -> str:
    """The first message has to hold a space and carries the voice's settings."""
    settings = {name: value for name, value in request_json(" ", voice).items() if name == "voice_settings"}
    return _json({"text": " ", **settings})


def text_message(text: str) -> str:
    """A text must end with a space, or it may be waited for the rest of its last word."""
    return _json({"text": f"{text} "})


def _json(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()


_THE_END = _json({"text": ""})
