"""The deadlines are about useful content: whoever only keeps the connection alive is late, before the first word and in the middle."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from engine.audio import AudioChunk, silence
from engine.errors import ErrorCategory, ProviderError
from engine.ports import LanguageModel, Message, TextToSpeech
from providers.config import DeepgramConfig, ElevenLabsConfig, LanguageModelOptions, OpenAIConfig, SpeechToTextOptions, Voice
from providers.connection import DEFAULT_DEADLINES, Deadlines
from providers.deepgram.live import DeepgramSpeechToText
from providers.deepgram.tts import DeepgramTextToSpeech
from providers.elevenlabs.live import ElevenLabsLiveTextToSpeech
from providers.elevenlabs.tts import ElevenLabsTextToSpeech
from providers.openai.llm import OpenAILanguageModel
from providers.openai.responses import OpenAIResponsesLanguageModel
from providers.openai.tts import OpenAITextToSpeech
from tests.providers.vendors import KEY, failure

# Short for what is late here, long for what a slow machine may need.
LATE = Deadlines(connect_ms=20_000, first_ms=400, between_ms=400, send_ms=20_000, close_ms=500, stall_ms=300)
EVERY_S = 0.02


def test_the_deadlines_are_those_that_were_promised() -> None:
    kept = DEFAULT_DEADLINES
    assert (kept.connect_ms, kept.first_ms, kept.between_ms, kept.send_ms, kept.close_ms) == (2_000, 2_000, 3_000, 2_000, 1_000)
    assert kept.stall_ms <= 5_000


# --- over HTTP --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drip:
    """An answer of `kind` that begins with `useful`, and then says `idle` for ever ("" for nothing at all)."""

    kind: str
    idle: bytes
    useful: bytes = b""


@asynccontextmanager
async def dripping(drip: Drip) -> AsyncIterator[str]:
    writers: list[asyncio.StreamWriter] = []
    done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

        def chunk(piece: bytes) -> None:
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")

        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {drip.kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            if drip.useful:
                chunk(drip.useful)
            while not done.is_set():
                if drip.idle:
                    chunk(drip.idle)
                await writer.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(done.wait(), EVERY_S)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        done.set()
        server.close()
        for writer in writers:
            with suppress(OSError):
                await writer.wait_closed()


async def _read(port: LanguageModel) -> int:
    async with port.reply([Message("user", "hello")], ()) as events:
        return len([event async for event in events])


async def _hear(port: TextToSpeech) -> int:
    async with port.speak("Please hold.") as chunks:
        return len([chunk async for chunk in chunks])


def _chat(url: str, deadlines: Deadlines) -> Awaitable[int]:
    return _read(OpenAILanguageModel(OpenAIConfig(KEY, f"{url}/v1"), LanguageModelOptions("openai", "gpt-6-luna"), deadlines))


def _responses(url: str, deadlines: Deadlines) -> Awaitable[int]:
    return _read(OpenAIResponsesLanguageModel(OpenAIConfig(KEY, f"{url}/v1"), LanguageModelOptions("openai", "gpt-6-luna"), deadlines))


def _openai_voice(url: str, deadlines: Deadlines) -> Awaitable[int]:
    return _hear(OpenAITextToSpeech(OpenAIConfig(KEY, f"{url}/v1"), Voice("openai", "marin", "tts-1"), deadlines))


def _aura(url: str, deadlines: Deadlines) -> Awaitable[int]:
    return _hear(DeepgramTextToSpeech(DeepgramConfig(KEY, url), Voice("deepgram", "thalia", "aura-2"), deadlines))


def _eleven(url: str, deadlines: Deadlines) -> Awaitable[int]:
    return _hear(ElevenLabsTextToSpeech(ElevenLabsConfig(KEY, url), Voice("elevenlabs", "v", "eleven_flash_v2_5"), deadlines))


def _sse(**body: object) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def _delta(**delta: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return _sse(id="c1", object="chat.completion.chunk", created=1, model="m", choices=[choice])


COMMENT = b": still here\n\n"
EVENTS = "text/event-stream"
WORD = _sse(type="response.output_text.delta", delta="Hi", item_id="i", output_index=0, content_index=0, sequence_number=1, logprobs=[])
EMPTY_WORD = _sse(type="response.output_text.delta", delta="", item_id="i", output_index=0, content_index=0, sequence_number=1, logprobs=[])
QUIET = silence(100, 8_000)


@pytest.mark.parametrize(
    ("use", "drip"),
    [
        (_chat, Drip(EVENTS, b"")),
        (_chat, Drip(EVENTS, COMMENT)),
        (_chat, Drip(EVENTS, _delta(role="assistant"))),
        (_chat, Drip(EVENTS, _delta(content=""))),
        (_chat, Drip(EVENTS, COMMENT, useful=_delta(content="Hello"))),
        (_chat, Drip(EVENTS, _delta(content=""), useful=_delta(content="Hello"))),
        (_responses, Drip(EVENTS, COMMENT)),
        (_responses, Drip(EVENTS, EMPTY_WORD)),
        (_responses, Drip(EVENTS, COMMENT, useful=WORD)),
        (_responses, Drip(EVENTS, EMPTY_WORD, useful=WORD)),
        (_openai_voice, Drip("audio/pcm", b"")),
        (_openai_voice, Drip("audio/pcm", b"", useful=QUIET)),
        (_aura, Drip("audio/l16", b"")),
        (_aura, Drip("audio/l16", b"", useful=QUIET)),
        (_eleven, Drip("audio/pcm", b"")),
        (_eleven, Drip("audio/pcm", b"", useful=QUIET)),
    ],
)
async def test_what_only_keeps_the_line_alive_is_late(use: Callable[[str, Deadlines], Awaitable[int]], drip: Drip) -> None:
    deadlines = replace(LATE, first_ms=20_000) if drip.useful else LATE
    async with dripping(drip) as url:
        error = await failure(lambda: use(url, deadlines))
    assert (error.category, error.retryable) == (ErrorCategory.TIMEOUT, True)
    assert ("middle" in error.message) is bool(drip.useful)


# --- over sockets -----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def talking(idle: str, useful: str = "") -> AsyncIterator[str]:
    """A socket that says `useful` once, then `idle` for ever; "" is a ping."""

    async def answer(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            if useful:
                await connection.send(useful)
            while True:
                await (connection.send(idle) if idle else connection.ping())
                await asyncio.sleep(EVERY_S)

    async with serve(answer, "127.0.0.1", 0, ping_interval=None, close_timeout=0.1) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


PIECE = json.dumps({"audio": "AAAAAAAA", "isFinal": None, "alignment": None})


@pytest.mark.parametrize("useful", ["", PIECE])
@pytest.mark.parametrize("idle", ["", '{"audio":null,"isFinal":null}', '{"audio":"","isFinal":false}'])
async def test_a_speech_socket_that_sends_no_audio_is_late(idle: str, useful: str) -> None:
    async with talking(idle, useful) as url:
        port = ElevenLabsLiveTextToSpeech(ElevenLabsConfig(KEY, url), Voice("elevenlabs-live", "v", "eleven_flash_v2_5"), LATE)
        error = await failure(lambda: _hear(port))
    assert (error.category, error.retryable) == (ErrorCategory.TIMEOUT, True)


@pytest.mark.parametrize("model", ["nova-3", "flux-general-en"])
@pytest.mark.parametrize("idle", ["", '{"type":"Connected","request_id":"r"}', '{"type":"Warning","code":"x"}', '{"type":"SomethingNew"}'])
async def test_a_recogniser_that_tells_nothing_of_the_audio_is_late(model: str, idle: str) -> None:
    async with talking(idle) as url:
        options = SpeechToTextOptions("deepgram", model)
        error = await failure(lambda: _speak_into(DeepgramSpeechToText(DeepgramConfig(KEY, url), options, LATE)))
    assert (error.category, error.retryable) == (ErrorCategory.TIMEOUT, True)


async def _speak_into(port: DeepgramSpeechToText) -> None:
    async with port.stream(8_000) as stream:

        async def read() -> None:
            with suppress(ProviderError):
                async for _event in stream:
                    pass

        reading = asyncio.create_task(read())
        try:
            while True:
                await stream.send(AudioChunk(silence(20, 8_000), 8_000))
                await asyncio.sleep(EVERY_S)
        finally:
            reading.cancel()
            await asyncio.wait([reading])
