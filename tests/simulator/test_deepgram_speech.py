"""The fake Deepgram voices, asked by the official SDK and by a bare client."""

import httpx
import pytest
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment

from simulator.sound import alaw_decoded, ulaw_decoded
from simulator.speech.tones import read

TEXT = "Your appointment is on Friday at ten."
QUERY = {"model": "aura-2-thalia-en", "encoding": "linear16", "sample_rate": "8000", "container": "none"}


async def speak(vendors, text=TEXT, **query):
    async with httpx.AsyncClient(base_url=f"{vendors.http}/deepgram", headers={"Authorization": "Token sim"}) as http:
        return await http.post("/v1/speak", params={**QUERY, **query}, json={"text": text})


async def test_the_official_sdk_hears_the_text(vendors):
    root = f"{vendors.http}/deepgram"
    env = DeepgramClientEnvironment(base=root, production="ws://x", agent="ws://x", agent_rest=root)
    client = AsyncDeepgramClient(api_key="sim", environment=env)
    pcm = b"".join([piece async for piece in client.speak.v1.audio.generate(text=TEXT, **QUERY)])
    assert read(pcm, 8_000).text == TEXT


@pytest.mark.parametrize(("law", "decode"), [("mulaw", ulaw_decoded), ("alaw", alaw_decoded)])
async def test_telephone_codecs_say_the_text(vendors, law, decode):
    assert read(decode((await speak(vendors, encoding=law)).content), 8_000).text == TEXT


async def test_the_answer_names_request_and_size(vendors):
    answer = await speak(vendors)
    assert answer.headers["dg-request-id"] == vendors.state.seen[-1].facts["request_id"]
    assert answer.headers["dg-char-count"] == str(len(TEXT))


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"model": "aura-9-nobody-en"}, 400),
        ({"sample_rate": 11_025}, 400),
        ({"encoding": "mp3"}, 400),
        ({"container": "wav"}, 400),
        ({"speed": 3}, 400),
        ({"voice": "thalia"}, 400),
        ({"text": "  "}, 400),
        ({"text": 7}, 400),
        ({"text": "x" * 2_001}, 413),
    ],
)
async def test_what_the_real_one_would_refuse_is_refused_in_its_shape(vendors, change, status):
    answer = await speak(vendors, **change)
    assert (answer.status_code, bool(answer.json()["err_code"]), bool(answer.json()["request_id"])) == (status, True, True)
