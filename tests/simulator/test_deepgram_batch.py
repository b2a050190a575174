"""Deepgram's recordings: the official SDK against the fake, with tones as speech."""

import httpx
import numpy as np
import pytest
from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment

from simulator.sound import ulaw_encoded, wav_header
from simulator.speech.tones import write

SECOND = bytes(16_000)
ONCE = {"max_retries": 0}


@pytest.fixture
async def media(vendors):
    env = DeepgramClientEnvironment(base=f"{vendors.http}/deepgram", production="ws://x", agent="ws://x", agent_rest="http://x")
    async with httpx.AsyncClient() as http:
        yield AsyncDeepgramClient(api_key="sim-deepgram", environment=env, httpx_client=http).listen.v1.media


def wav(*channels):
    length = max(map(len, channels))
    frames = np.stack([np.frombuffer(channel.ljust(length, b"\0"), "<i2") for channel in channels], axis=1).tobytes()
    return wav_header(8_000, len(channels), len(frames)) + frames


async def in_pieces(body):
    for start in range(0, len(body), 5_000):
        yield body[start : start + 5_000]


async def test_each_channel_of_a_recording_has_its_transcript_and_utterances(media):
    caller = SECOND + write("An appointment, please.", 8_000) + SECOND * 3 + write("Thanks!", 8_000)
    agent = write("Good morning.", 8_000) + SECOND * 2 + write("For when?", 8_000)
    body = wav(caller, agent)
    answer = await media.transcribe_file(
        request=in_pieces(body), model="nova-3", multichannel=True, utterances=True, smart_format=True, request_options=ONCE
    )
    said = [channel.alternatives[0].transcript for channel in answer.results.channels]
    assert said == ["An appointment, please. Thanks!", "Good morning. For when?"]
    spoken = [(utterance.channel, utterance.transcript) for utterance in answer.results.utterances]
    assert spoken == [(1, "Good morning."), (0, "An appointment, please."), (1, "For when?"), (0, "Thanks!")]
    times = [(utterance.start, utterance.end) for utterance in answer.results.utterances]
    assert times == sorted(times) and times[1][0] == pytest.approx(1.0, abs=0.01)
    assert answer.metadata.channels == 2 and answer.metadata.request_id
    assert answer.metadata.duration == pytest.approx((len(body) - 44) / 32_000, abs=0.01)
    assert list(answer.metadata.model_info) == answer.metadata.models


async def test_without_multichannel_both_sides_are_one_transcript(media):
    body = wav(write("first", 8_000), bytes(len(write("first", 8_000))) + write("second", 8_000))
    answer = await media.transcribe_file(request=body, model="nova-3", punctuate=True, request_options=ONCE)
    assert [channel.alternatives[0].transcript for channel in answer.results.channels] == ["first second"]
    assert answer.results.utterances is None and answer.metadata.channels == 1


async def test_a_recording_without_a_word_has_an_empty_transcript(media):
    answer = await media.transcribe_file(request=wav(SECOND), model="nova-3", utterances=True, request_options=ONCE)
    assert answer.results.channels[0].alternatives[0].transcript == ""
    assert answer.results.utterances == []


async def test_raw_audio_is_read_by_its_query(vendors):
    async with httpx.AsyncClient(base_url=vendors.http, headers={"authorization": "Token k"}) as http:
        query = {"model": "nova-3", "encoding": "mulaw", "sample_rate": "8000", "punctuate": "true"}
        answer = await http.post("/deepgram/v1/listen", params=query, content=ulaw_encoded(write("hello there", 8_000)))
    assert answer.json()["results"]["channels"][0]["alternatives"][0]["transcript"] == "hello there"
    assert answer.headers["dg-request-id"] == answer.json()["metadata"]["request_id"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no audio"),
        (b"garbage", "corrupt or unsupported"),
        (b"ID3\x04" + bytes(100), "MP3 is not read"),
        (b"\xff\xfb\x90" + bytes(100), "MP3 is not read"),
        (b"RIFF\0\0\0\0WAVE", "without a fmt or data"),
    ],
    ids=["empty", "garbage", "mp3 with tags", "mp3", "cut wav"],
)
async def test_what_is_no_audio_is_refused_with_a_reason(media, body, words):
    with pytest.raises(ApiError) as refused:
        await media.transcribe_file(request=body, model="nova-3", request_options=ONCE)
    assert refused.value.status_code == 400
    assert words in refused.value.body["err_msg"] and refused.value.body["request_id"]


@pytest.mark.parametrize(
    ("status", "code"), [(401, "INVALID_AUTH"), (402, "ASR_PAYMENT_REQUIRED"), (429, "TOO_MANY_REQUESTS"), (503, "SERVICE_UNAVAILABLE")]
)
async def test_an_ordered_status_comes_in_deepgrams_shape(media, vendors, status, code):
    vendors.state.faults.add({"target": "deepgram.batch", "fault": "status", "status": status, "times": 1, "retry_after_s": 3})
    with pytest.raises(ApiError) as refused:
        await media.transcribe_file(request=wav(SECOND), model="nova-3", request_options=ONCE)
    assert (refused.value.status_code, refused.value.body["err_code"]) == (status, code)
    assert refused.value.headers and refused.value.headers["retry-after"] == "3"


async def test_unknown_models_and_strangers_are_refused(media, vendors):
    with pytest.raises(ApiError) as refused:
        await media.transcribe_file(request=wav(SECOND), model="nova-9", request_options=ONCE)
    assert refused.value.status_code == 400
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{vendors.http}/deepgram/v1/listen?model=nova-3", content=wav(SECOND))
    assert (answer.status_code, answer.json()["err_code"]) == (401, "INVALID_AUTH")


async def test_a_dropped_answer_breaks_and_a_hanging_one_says_nothing(media, vendors):
    vendors.state.faults.add({"target": "deepgram.batch", "fault": "drop", "after": 40, "times": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        await media.transcribe_file(request=wav(SECOND), model="nova-3", request_options=ONCE)
    vendors.state.faults.add({"target": "deepgram.batch", "fault": "hang", "times": 1})
    with pytest.raises(httpx.TimeoutException):
        await media.transcribe_file(request=wav(SECOND), model="nova-3", request_options={**ONCE, "timeout_in_seconds": 1})
