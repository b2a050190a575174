"""Deepgram's live wire: what is asked for, what its messages mean, and what happens on a bad socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.utils import accept_key

from engine.audio import AudioChunk
from engine.errors import ErrorCategory, ProviderError
from engine.ports import FinalTranscript, InterimTranscript, SpeechStarted, TranscriptEvent, UtteranceEnded, Word
from providers.config import DeepgramConfig, SpeechToTextOptions
from providers.connection import Deadlines
from providers.deepgram import live
from providers.deepgram.live import DeepgramSpeechToText
from providers.deepgram.messages import closed, read
from tests.providers.vendors import KEY, PATIENT, failure, no_task_left

OPTIONS = SpeechToTextOptions("deepgram", "nova-3", language="hi", endpointing_ms=250, utterance_end_ms=500, keyterms=("Dr. Rao", "Exotel"))


def results(text: str, *, is_final: bool, speech_final: bool = False, words: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "type": "Results",
        "channel_index": [0, 1],
        "start": 1.0,
        "duration": 2.5,
        "is_final": is_final,
        "speech_final": speech_final,
        "from_finalize": False,
        "channel": {"alternatives": [{"transcript": text, "confidence": 0.9, "words": words or []}]},
        "metadata": {"request_id": "req-1", "model_uuid": "m", "model_info": {"name": "nova-3"}},
    }


WORDS = [{"word": "hello", "start": 1.2, "end": 1.64, "confidence": 0.9, "punctuated_word": "Hello."}]


def test_words_are_told_with_their_places_as_they_are_written() -> None:
    for is_final in (True, False):
        (event,) = read(json.dumps(results("Hello.", is_final=is_final, words=WORDS))).events
        assert isinstance(event, FinalTranscript | InterimTranscript)
        assert event.words == (Word("Hello.", 1_200, 1_640),)


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (results("hel", is_final=False), InterimTranscript("hel")),
        (results("", is_final=False), None),
        (results("", is_final=True), None),
        (results("Hello.", is_final=True, words=WORDS), FinalTranscript("Hello.", end_of_turn=False, end_ms=1_640)),
        (results("Hello.", is_final=True, speech_final=True, words=WORDS), FinalTranscript("Hello.", end_of_turn=True, end_ms=1_640)),
        (results("Hello.", is_final=True), FinalTranscript("Hello.", end_of_turn=False, end_ms=3_500)),
        (results("", is_final=True, speech_final=True), FinalTranscript("", end_of_turn=True, end_ms=3_500)),
        ({"type": "Results", "is_final": True, "channel": {"alternatives": []}}, None),
        ({"type": "SpeechStarted", "channel": [0, 1], "timestamp": 9.54}, SpeechStarted(9_540)),
        ({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 2.395}, UtteranceEnded(2_395)),
        ({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": -1}, UtteranceEnded(0)),
        ({"type": "Metadata", "request_id": "req-1", "duration": 3.0, "channels": 1, "models": ["x"]}, None),
        ({"type": "ConfigureSuccess", "request_id": "", "keyterms": None}, None),
        ({"type": "SomethingNew", "channel": None, "payload": {"deep": [1, 2, {"x": None}]}}, None),
    ],
)
def test_what_a_message_means(message: dict[str, Any], event: TranscriptEvent | None) -> None:
    assert read(json.dumps(message)).events == (() if event is None else (event,))


def test_the_request_id_is_taken_from_results_and_metadata() -> None:
    assert read(json.dumps(results("x", is_final=False))).request_id == "req-1"
    farewell = read(b'{"type":"Metadata","request_id":"req-2","duration":1.0}')
    assert (farewell.request_id, farewell.is_farewell) == ("req-2", True)


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b'{"type":"Results","is_final":"maybe"}', b"\xff\xfe"])
def test_nonsense_is_a_protocol_error(raw: bytes) -> None:
    with pytest.raises(ProviderError) as caught:
        read(raw)
    assert caught.value.category == ErrorCategory.PROTOCOL


def test_a_reported_error_does_not_repeat_what_was_reported() -> None:
    with pytest.raises(ProviderError) as caught:
        read('{"type":"Error","description":"secret words","message":"m","variant":"v"}')
    assert caught.value.category == ErrorCategory.SERVER
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "reason", "category", "retryable"),
    [
        (1011, "NET-0001 no audio", ErrorCategory.TIMEOUT, True),
        (1011, "Deepgram did not receive audio data within the timeout window. (NET-0001)", ErrorCategory.TIMEOUT, True),
        (1008, "DATA-0000: cannot decode", ErrorCategory.BAD_REQUEST, False),
        (1008, "policy", ErrorCategory.BAD_REQUEST, False),
        (1011, "NET-0000", ErrorCategory.SERVER, True),
        (1000, "", ErrorCategory.CONNECTION, True),
        (None, "", ErrorCategory.CONNECTION, True),
    ],
)
def test_why_a_socket_was_closed(code: int | None, reason: str, category: ErrorCategory, retryable: bool) -> None:
    error = closed(code, reason)
    assert (error.category, error.retryable) == (category, retryable)


# --- a server of our own, that shows every frame and can misbehave below the level of messages --------------------------


Frames = list[str | bytes]


@asynccontextmanager
async def deepgram_like(serve_one: Callable[[ServerConnection], Awaitable[None]], **options: Any) -> AsyncIterator[DeepgramConfig]:
    async with serve(serve_one, "127.0.0.1", 0, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield DeepgramConfig(KEY, f"http://127.0.0.1:{port}")


async def test_the_handshake_names_everything_and_offers_no_compression() -> None:
    asked: list[ServerConnection] = []

    async def remember(connection: ServerConnection) -> None:
        asked.append(connection)
        await connection.wait_closed()

    async with deepgram_like(remember) as config, DeepgramSpeechToText(config, OPTIONS, PATIENT).stream(8_000):
        pass
    request = asked[0].request
    assert request is not None
    path, _, query = request.path.partition("?")
    assert path == "/v1/listen"
    assert set(query.split("&")) == {
        "model=nova-3",
        "language=hi",
        "encoding=linear16",
        "sample_rate=8000",
        "channels=1",
        "interim_results=true",
        "punctuate=true",
        "smart_format=true",
        "endpointing=250",
        "utterance_end_ms=1000",
        "vad_events=true",
        "keyterm=Dr.+Rao",
        "keyterm=Exotel",
    }
    assert request.headers["Authorization"] == f"Token {KEY}"
    assert "Sec-WebSocket-Extensions" not in request.headers


async def test_audio_goes_as_binary_and_silence_is_kept_alive_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_KEEP_ALIVE_S", 0.05)
    got: Frames = []
    enough = asyncio.Event()

    async def collect(connection: ServerConnection) -> None:
        async for frame in connection:
            got.append(frame)
            if len(got) >= 3:
                enough.set()

    async with no_task_left(), deepgram_like(collect) as config, DeepgramSpeechToText(config, OPTIONS, PATIENT).stream(8_000) as stream:
        await stream.send(AudioChunk(b"\x01\x02" * 160, 8_000))
        async with asyncio.timeout(60):
            await enough.wait()
    assert got[:3] == [b"\x01\x02" * 160, '{"type":"KeepAlive"}', '{"type":"KeepAlive"}']


async def test_a_peer_that_stops_reading_is_a_time_out_and_leaving_does_not_hang() -> None:
    over = asyncio.Event()

    async def never_read(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await over.wait()
        connection.transport.abort()

    hurried = Deadlines(send_ms=200, close_ms=200, stall_ms=10**9)
    async with deepgram_like(never_read) as config:

        async def flood() -> None:
            async with DeepgramSpeechToText(config, OPTIONS, hurried).stream(8_000) as stream:
                while True:
                    await stream.send(AudioChunk(bytes(1 << 20), 8_000))

        error = await failure(flood)
        over.set()
    assert (error.category, error.retryable) == (ErrorCategory.TIMEOUT, True)


async def test_cancelling_during_the_farewell_cuts_the_connection_at_once() -> None:
    gone = asyncio.Event()

    async def never_say_goodbye(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        key = next(line.split(b": ")[1] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        accept = accept_key(key.decode())
        writer.write(f"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        with suppress(ConnectionError):
            while await reader.read(65_536):
                pass
        gone.set()
        writer.close()

    leaving = asyncio.Event()
    server = await asyncio.start_server(never_say_goodbye, "127.0.0.1", 0)
    config = DeepgramConfig(KEY, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    async def listen() -> None:
        async with DeepgramSpeechToText(config, OPTIONS, replace(PATIENT, close_ms=60_000)).stream(8_000):
            leaving.set()

    task = asyncio.create_task(listen())
    await leaving.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(60):
        await gone.wait()
    server.close()


async def test_a_server_that_leaves_before_we_are_done_is_an_error_not_an_end() -> None:
    async def leave(connection: ServerConnection) -> None:
        await connection.close(1000)

    async with deepgram_like(leave) as config:

        async def listen() -> None:
            async with DeepgramSpeechToText(config, OPTIONS, PATIENT).stream(8_000) as stream:
                async for _ in stream:
                    pass

        error = await failure(listen)
    assert (error.category, error.retryable) == (ErrorCategory.CONNECTION, True)


async def test_no_answer_to_the_handshake_is_a_time_out() -> None:
    async def swallow(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    config = DeepgramConfig(KEY, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    port = DeepgramSpeechToText(config, OPTIONS, replace(PATIENT, connect_ms=150))

    async def listen() -> None:
        async with port.stream(8_000):
            pass

    error = await failure(listen)
    server.close()
    assert error.category == ErrorCategory.TIMEOUT


def test_the_socket_goes_to_the_same_place_as_http() -> None:
    assert DeepgramConfig(KEY, "https://api.deepgram.com").websocket_url == "wss://api.deepgram.com"
    assert DeepgramConfig(KEY, "http://localhost:9000/deepgram/").websocket_url == "ws://localhost:9000/deepgram"


async def test_frames_sent_at_once_arrive_in_order_and_are_billed_like_the_others() -> None:
    arrived: Frames = []

    async def keep(connection: ServerConnection) -> None:
        async for frame in connection:
            arrived.append(frame)

    async with deepgram_like(keep) as config, DeepgramSpeechToText(config, OPTIONS, PATIENT).stream(8_000) as stream:
        for number in range(20):
            chunk = AudioChunk(bytes([number]) * 320, 8_000)
            if number % 3:
                assert stream.send_now(chunk)
            else:
                await stream.send(chunk)
        async with asyncio.timeout(60):
            while len(arrived) < 20:
                await asyncio.sleep(0.01)
        assert [frame[0] for frame in arrived] == list(range(20))
        assert [record.quantity for record in stream.usage] == [400]


async def test_a_socket_that_nobody_reads_takes_nothing_at_once() -> None:
    is_over = asyncio.Event()

    async def deaf(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await is_over.wait()
        connection.transport.resume_reading()
        async for _ in connection:  # a full queue would keep the farewell from being read
            pass

    async with deepgram_like(deaf) as config, DeepgramSpeechToText(config, OPTIONS, PATIENT).stream(8_000) as stream:
        chunk, taken = AudioChunk(bytes(64_000), 8_000), 0
        while taken < 1_000 and stream.send_now(chunk):
            taken += 1
            await asyncio.sleep(0)
        assert taken < 1_000
        assert sum(record.quantity for record in stream.usage) == taken * 4_000
        is_over.set()


async def test_a_closed_socket_takes_nothing_at_once_and_send_says_why() -> None:
    async def leave(connection: ServerConnection) -> None:
        await connection.close(1011, "gone")

    async with deepgram_like(leave) as config, DeepgramSpeechToText(config, OPTIONS, PATIENT).stream(8_000) as stream:
        chunk = AudioChunk(bytes(320), 8_000)
        async with asyncio.timeout(60):
            while stream.send_now(chunk):
                await asyncio.sleep(0.01)
        with pytest.raises(ProviderError):
            await stream.send(chunk)
