"""The fake speech socket of ElevenLabs, spoken to by a bare client."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import pytest
import websockets

from simulator.speech.tones import read
from tests.simulator.serving import settled

TEXT = "Your appointment is on Friday at ten."
QUERY = {"model_id": "eleven_flash_v2_5", "output_format": "pcm_8000", "sync_alignment": "true"}
KEY = {"xi-api-key": "sim-elevenlabs"}


@asynccontextmanager
async def speaking(vendors, headers=KEY, **query):
    url = f"{vendors.ws}/elevenlabs/v1/text-to-speech/voice1/stream-input?{urlencode({**QUERY, **query})}"
    async with websockets.connect(url, additional_headers=headers, compression=None) as socket:
        yield socket


async def said(socket, *messages):
    for message in messages:
        await socket.send(json.dumps(message))
    heard = []
    try:
        async for message in socket:
            heard.append(json.loads(message))
    except websockets.ConnectionClosed:
        pass
    return heard


def audio(heard):
    return b"".join(base64.b64decode(message["audio"]) for message in heard if message.get("audio"))


async def test_text_in_pieces_is_spoken_and_the_end_is_told(vendors):
    async with speaking(vendors) as socket:
        heard = await said(socket, {"text": " "}, {"text": "Your appointment "}, {"text": "is on Friday at ten. "}, {"text": ""})
    assert read(audio(heard), 8_000).text == TEXT
    assert [message["isFinal"] for message in heard] == [None] * (len(heard) - 1) + [True]
    assert socket.close_code == 1000


async def test_a_flush_is_spoken_before_the_end_is_asked_for(vendors):
    async with speaking(vendors) as socket:
        await socket.send('{"text":" "}')
        await socket.send('{"text":"Hello there. ","flush":true}')
        first = json.loads(await asyncio.wait_for(socket.recv(), 60))
        heard = [first, *await said(socket, {"text": "Goodbye. "}, {"text": ""})]
    assert read(audio(heard), 8_000).text == "Hello there. Goodbye."


async def test_the_places_of_the_characters_count_from_each_piece(vendors):
    async with speaking(vendors) as socket:
        heard = await said(socket, {"text": " "}, {"text": f"{TEXT} "}, {"text": ""})
    aligned = [message for message in heard if message.get("alignment")]
    assert len(aligned) > 2
    assert "".join(char for message in aligned for char in message["alignment"]["chars"]) == f"{TEXT} "
    assert all(0 <= message["alignment"]["charStartTimesMs"][0] <= 200 for message in aligned)


async def test_no_places_unless_asked_for(vendors):
    async with speaking(vendors, sync_alignment="false") as socket:
        heard = await said(socket, {"text": " "}, {"text": f"{TEXT} "}, {"text": ""})
    assert all(message["alignment"] is None for message in heard)


async def test_a_key_may_come_with_the_first_message_and_a_wrong_one_is_told(vendors):
    vendors.state.change_settings({"elevenlabs_key": "right"})
    async with speaking(vendors, headers={}) as socket:
        heard = await said(socket, {"text": " ", "xi_api_key": "right"}, {"text": "Yes. "}, {"text": ""})
    assert read(audio(heard), 8_000).text == "Yes."
    async with speaking(vendors, headers={}) as socket:
        heard = await said(socket, {"text": " ", "xi_api_key": "wrong"})
    assert (heard[-1]["error"], socket.close_code) == ("invalid_api_key", 1008)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"model_id": "eleven_v9"}, 400),
        ({"model_id": "eleven_v3"}, 400),
        ({"output_format": "mp3_44100_128"}, 400),
        ({"inactivity_timeout": 181}, 400),
    ],
)
async def test_a_handshake_that_the_real_one_would_refuse_is_refused(vendors, query, status):
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with speaking(vendors, **query):
            pass
    assert caught.value.response.status_code == status


@pytest.mark.parametrize("first", [{"text": "Hello"}, {"voice_settings": {}}])
async def test_the_first_message_has_to_be_a_space(vendors, first):
    async with speaking(vendors) as socket:
        heard = await said(socket, first)
    assert heard[-1]["error"] == "invalid_first_message"


async def test_a_client_that_says_nothing_for_too_long_is_closed(vendors):
    async with speaking(vendors, inactivity_timeout=1) as socket:
        heard = await said(socket)
    assert heard[-1]["error"] == "input_timeout_exceeded"


async def test_only_a_socket_that_speaks_counts_as_open_and_leaving_ends_it(vendors):
    vendors.state.change_settings({"tts_realtime_factor": 1.0})
    async with speaking(vendors) as socket:
        assert vendors.state.open_now["elevenlabs.speech"] == 0
        for text in (" ", f"{TEXT * 5} ", ""):
            await socket.send(json.dumps({"text": text}))
        await socket.recv()
        assert vendors.state.open_now["elevenlabs.speech"] == 1
        socket.transport.abort()
    assert await asyncio.to_thread(settled, vendors, "elevenlabs.speech", 2)
