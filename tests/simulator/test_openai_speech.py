"""The fake speech of OpenAI, asked by the official client over a real socket."""

import asyncio
import io
import time
import wave

import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from simulator.sound import resampled
from simulator.speech.tones import read
from tests.simulator.serving import settled

REQUEST = {"model": "gpt-4o-mini-tts", "voice": "marin", "input": "Your appointment is on Friday at ten."}


@pytest.fixture
async def client(vendors):
    async with AsyncOpenAI(api_key="sim-openai", base_url=f"{vendors.http}/openai/v1", max_retries=0, timeout=60) as official:
        yield official


async def spoken(client, **changes):
    request = {**REQUEST, "response_format": "pcm", **changes}
    async with client.audio.speech.with_streaming_response.create(**request) as response:
        return response.headers, [piece async for piece in response.iter_bytes(4_800)]


async def test_pcm_is_24_khz_and_streamed_and_its_words_survive_the_way_to_the_telephone(client):
    headers, pieces = await spoken(client)
    assert headers["transfer-encoding"] == "chunked" and headers["x-request-id"].startswith("req_")
    assert len(pieces) > 3
    assert read(resampled(b"".join(pieces), 24_000, 8_000), 8_000).text == REQUEST["input"]


async def test_wav_can_be_opened_though_its_length_is_unknown(client):
    _, pieces = await spoken(client, response_format="wav")
    with wave.open(io.BytesIO(b"".join(pieces))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
    assert read(b"".join(pieces)[44:], 24_000).text == REQUEST["input"]


async def test_events_carry_the_audio_and_then_the_usage(client):
    _, pieces = await spoken(client, stream_format="sse")
    body = b"".join(pieces).decode()
    assert body.count('"speech.audio.delta"') > 3
    assert body.rstrip().splitlines()[-1].startswith('data: {"type": "speech.audio.done", "usage"')


@pytest.mark.parametrize(
    ("changes", "error", "param"),
    [
        ({"response_format": "mp3"}, openai.BadRequestError, "response_format"),
        ({"response_format": "midi"}, openai.BadRequestError, "response_format"),
        ({"voice": "pirate"}, openai.BadRequestError, "voice"),
        ({"input": ""}, openai.BadRequestError, "input"),
        ({"input": "x" * 4_097}, openai.BadRequestError, "input"),
        ({"speed": 9}, openai.BadRequestError, "speed"),
        ({"model": "tts-2"}, openai.NotFoundError, None),
        ({"model": "tts-1", "stream_format": "sse"}, openai.BadRequestError, "stream_format"),
    ],
)
async def test_what_cannot_be_spoken_is_refused(client, changes, error, param):
    with pytest.raises(error) as refused:
        await spoken(client, **changes)
    assert refused.value.body["param"] == param


async def test_a_dropped_answer_breaks_after_so_many_bytes(client, vendors):
    vendors.state.faults.add({"target": "openai.speech", "fault": "drop", "after": 10_001})
    received = 0
    with pytest.raises(httpx2.RemoteProtocolError):
        async with client.audio.speech.with_streaming_response.create(**REQUEST, response_format="pcm") as response:
            async for piece in response.iter_bytes():
                received += len(piece)
    assert received == 10_001


async def test_a_dripping_answer_sends_byte_after_byte(client, vendors):
    vendors.state.faults.add({"target": "openai.speech", "fault": "drip", "every_ms": 20})
    async with client.audio.speech.with_streaming_response.create(**REQUEST, response_format="pcm") as response:
        pieces = response.iter_bytes()
        assert sum([len(await anext(pieces)) for _ in range(3)]) < 100


async def test_the_first_byte_and_the_pace_follow_the_settings(client, vendors):
    vendors.state.change_settings({"tts_first_byte_ms": 150, "tts_realtime_factor": 0.1})
    begin = time.monotonic()
    async with client.audio.speech.with_streaming_response.create(**REQUEST, response_format="pcm") as response:
        pieces = response.iter_bytes()
        await anext(pieces)
        assert time.monotonic() - begin >= 0.15
        size = sum([len(piece) async for piece in pieces])
    assert time.monotonic() - begin >= 0.15 + 0.1 * (size / 48_000 - 0.4)


async def test_leaving_early_stops_it_at_the_server(client, vendors):
    vendors.state.change_settings({"tts_realtime_factor": 100.0})
    async with client.audio.speech.with_streaming_response.create(**REQUEST, response_format="pcm") as response:
        await anext(response.iter_bytes())
    assert await asyncio.to_thread(settled, vendors, "openai.speech")
