"""The fake ElevenLabs, asked over a real socket as its HTTP API is."""

import asyncio

import httpx
import pytest

from simulator.sound import alaw_decoded, ulaw_decoded
from simulator.speech.tones import read
from tests.simulator.serving import settled

TEXT = "Your appointment is on Friday at ten."
BODY = {"text": TEXT, "model_id": "eleven_flash_v2_5", "voice_settings": {"stability": 0.5, "similarity_boost": 0.75, "speed": 1.1}}
KEY = {"xi-api-key": "sim-elevenlabs"}


@pytest.fixture
async def client(vendors):
    async with httpx.AsyncClient(base_url=f"{vendors.http}/elevenlabs", headers=KEY, timeout=60) as http:
        yield http


def speak(client, *, output_format="pcm_8000", voice="voice1", path="/stream", **changes):
    body = {name: value for name, value in {**BODY, **changes}.items() if value is not None}
    return client.post(f"/v1/text-to-speech/{voice}{path}", params={"output_format": output_format}, json=body)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 44_100])
async def test_pcm_of_every_rate_says_the_text(client, rate_hz):
    answer = await speak(client, output_format=f"pcm_{rate_hz}")
    assert answer.status_code == 200
    assert read(answer.content, rate_hz).text == TEXT


@pytest.mark.parametrize(("law", "decode"), [("ulaw", ulaw_decoded), ("alaw", alaw_decoded)])
async def test_telephone_codecs_say_the_text(client, law, decode):
    assert read(decode((await speak(client, output_format=f"{law}_8000")).content), 8_000).text == TEXT


async def test_the_answer_is_chunked_and_names_request_and_cost(client):
    async with client.stream("POST", "/v1/text-to-speech/voice1/stream", params={"output_format": "pcm_8000"}, json=BODY) as answer:
        pieces = [piece async for piece in answer.aiter_raw()]
    assert len(pieces) > 3
    assert answer.headers["request-id"] and answer.headers["transfer-encoding"] == "chunked"
    assert int(answer.headers["character-cost"]) == -(-len(TEXT) // 2)
    assert (await speak(client, model_id="eleven_multilingual_v2", path="")).headers["character-cost"] == str(len(TEXT))


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"voice_settings": {"speed": 2.0}}, 400, "invalid_voice_settings"),
        ({"voice_settings": {"stability": 70}}, 400, "invalid_voice_settings"),
        ({"model_id": "eleven_v9"}, 400, "model_not_found"),
        ({"model_id": "eleven_multilingual_v2", "language_code": "hi"}, 400, "unsupported_language"),
        ({"text": "x" * 40_001}, 400, "max_character_limit_exceeded"),
        ({"output_format": "mp3_44100_128"}, 400, "output_format_not_allowed"),
        ({"voice": "no.such"}, 404, "voice_not_found"),
    ],
)
async def test_a_wrong_value_is_refused_with_status_and_message(client, changes, status, word):
    answer = await speak(client, **changes)
    assert (answer.status_code, answer.json()["detail"]["status"]) == (status, word)
    assert answer.json()["detail"]["message"]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"text": None}, ["body", "text"]),
        ({"text": 5}, ["body", "text"]),
        ({"output_format": "pcm_9999"}, ["query", "output_format"]),
        ({"voice_settings": {"speed": "fast"}}, ["body", "voice_settings", "speed"]),
    ],
)
async def test_a_wrong_shape_is_refused_with_a_list(client, changes, where):
    answer = await speak(client, **changes)
    assert answer.status_code == 422
    assert [complaint["loc"] for complaint in answer.json()["detail"]] == [where]


async def test_keys_are_checked(client, vendors):
    vendors.state.change_settings({"elevenlabs_key": "right"})
    assert (await speak(client)).json()["detail"]["status"] == "invalid_api_key"
    async with httpx.AsyncClient(base_url=f"{vendors.http}/elevenlabs") as stranger:
        answer = await speak(stranger)
        assert (answer.status_code, answer.json()["detail"]["status"]) == (401, "needs_authorization")


async def test_too_many_at_once_are_refused_and_the_place_is_given_back(client, vendors):
    vendors.state.change_settings({"elevenlabs_concurrency": 1, "tts_realtime_factor": 100.0})
    async with client.stream("POST", "/v1/text-to-speech/voice1/stream", params={"output_format": "pcm_8000"}, json=BODY) as first:
        assert first.status_code == 200
        answer = await speak(client)
        assert (answer.status_code, answer.json()["detail"]["status"]) == (429, "too_many_concurrent_requests")
    vendors.state.change_settings({"tts_realtime_factor": 0})
    assert await asyncio.to_thread(settled, vendors, "elevenlabs.speech")
    assert (await speak(client)).status_code == 200


@pytest.mark.parametrize(
    ("fault", "status", "word"),
    [
        ({"status": 401}, 401, "invalid_api_key"),
        ({"status": 401, "code": "quota_exceeded"}, 401, "quota_exceeded"),
        ({"status": 429}, 429, "too_many_concurrent_requests"),
        ({"status": 429, "code": "system_busy"}, 429, "system_busy"),
        ({"status": 500}, 500, "internal_server_error"),
    ],
)
async def test_an_ordered_status_comes_in_the_vendors_shape(client, vendors, fault, status, word):
    vendors.state.faults.add({"target": "elevenlabs.speech", "fault": "status", "times": 1, **fault})
    answer = await speak(client)
    assert (answer.status_code, answer.json()["detail"]["status"]) == (status, word)
    assert (await speak(client)).status_code == 200


async def test_a_dropped_answer_breaks_and_a_truncated_one_just_ends(client, vendors):
    vendors.state.faults.add({"target": "elevenlabs.speech", "fault": "drop", "after": 5_000, "times": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        await speak(client)
    vendors.state.faults.add({"target": "elevenlabs.speech", "fault": "truncate", "after": 5_001, "times": 1})
    assert len((await speak(client)).content) == 5_001


async def test_a_hanging_request_ends_with_its_client(client, vendors):
    vendors.state.faults.add({"target": "elevenlabs.speech", "fault": "hang"})
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/v1/text-to-speech/v/stream?output_format=pcm_8000", json=BODY, timeout=httpx.Timeout(60, read=0.3))
    assert await asyncio.to_thread(settled, vendors, "elevenlabs.speech")


async def test_a_delayed_answer_comes_whole(client, vendors):
    vendors.state.faults.add({"target": "elevenlabs.speech", "fault": "delay", "ms": 50})
    assert read((await speak(client)).content, 8_000).text == TEXT


async def test_voices_and_models_are_listed(client):
    assert (await client.get("/v1/voices")).json()["voices"][0]["voice_id"]
    assert "eleven_flash_v2_5" in [model["model_id"] for model in (await client.get("/v1/models")).json()]
