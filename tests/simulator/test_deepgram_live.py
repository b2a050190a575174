"""Deepgram's live wire: the official SDK and a bare WebSocket client against the fake, with tones as speech."""

import asyncio
import json
from contextlib import asynccontextmanager
from itertools import pairwise
from urllib.parse import urlencode

import numpy as np
import pytest
import websockets
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment

from simulator import deepgram_live
from simulator.sound import ulaw_encoded
from simulator.speech.tones import write
from tests.simulator.serving import settled

SAID = "Hello, I want an appointment for Friday."
SECOND = bytes(16_000)
QUERY = {
    "model": "nova-3",
    "encoding": "linear16",
    "sample_rate": 8_000,
    "channels": 1,
    "interim_results": "true",
    "punctuate": "true",
    "endpointing": 300,
    "utterance_end_ms": 1_000,
    "vad_events": "true",
}
AUTH = {"Authorization": "Token sim-deepgram"}


@asynccontextmanager
async def listening(vendors, headers=AUTH, **query):
    asked = {name: value for name, value in {**QUERY, **query}.items() if value is not None}
    url = f"{vendors.ws}/deepgram/v1/listen?{urlencode(asked, doseq=True)}"
    async with websockets.connect(url, additional_headers=headers, compression=None) as socket:
        yield socket


async def sent(socket, audio, piece_bytes=1_600):
    """Sends faster than a telephone, but lets the other side take turns."""
    for start in range(0, len(audio), piece_bytes):
        await socket.send(audio[start : start + piece_bytes])
        await asyncio.sleep(0.004)


async def everything(socket, audio, ending=("CloseStream",)):
    await sent(socket, audio)
    for kind in ending:
        await socket.send(json.dumps({"type": kind}))
    return [json.loads(message) async for message in socket]


def transcript(message):
    return message["channel"]["alternatives"][0]["transcript"]


def results(messages, **wanted):
    chosen = [message for message in messages if message["type"] == "Results"]
    return [message for message in chosen if all(message[name] == value for name, value in wanted.items())]


async def test_the_official_sdk_hears_onset_interims_final_and_the_end(vendors):
    env = DeepgramClientEnvironment(base=vendors.http, production=f"{vendors.ws}/deepgram", agent="ws://x", agent_rest="http://x")
    client = AsyncDeepgramClient(api_key="sim-deepgram", environment=env)
    options = {**QUERY, "interim_results": True, "punctuate": True, "vad_events": True}
    async with client.listen.v1.connect(**options, smart_format=True, keyterm=["Acme", "Zed"]) as socket:

        async def heard():
            return [message async for message in socket]

        reading = asyncio.create_task(heard())
        audio = SECOND + write(SAID, 8_000) + SECOND * 2
        for start in range(0, len(audio), 1_600):
            await socket.send_media(audio[start : start + 1_600])
            await asyncio.sleep(0.004)
        await socket.send_keep_alive()
        await socket.send_close_stream()
        messages = await asyncio.wait_for(reading, 60)
    kinds = [message.type for message in messages]
    assert kinds[0] == "SpeechStarted" and kinds[-1] == "Metadata" and "UtteranceEnd" in kinds
    finals = [message for message in messages if message.type == "Results" and message.is_final and message.speech_final]
    assert [final.channel.alternatives[0].transcript for final in finals] == [SAID]
    assert [value for name, value in vendors.state.seen[-1].facts["query"] if name == "keyterm"] == ["Acme", "Zed"]


async def test_a_turn_has_its_messages_in_order_with_times_that_tile_the_audio(vendors):
    async with listening(vendors) as socket:
        messages = await everything(socket, SECOND + write(SAID, 8_000) + SECOND * 2)
    assert messages[0] == {"type": "SpeechStarted", "channel": [0, 1], "timestamp": pytest.approx(1.0, abs=0.06)}
    interims, (final,) = results(messages, is_final=False), results(messages, speech_final=True)
    assert interims and all(SAID.startswith(transcript(interim)) for interim in interims)
    spoken_s = len(write(SAID, 8_000)) / 16_000
    assert final["start"] == 0.0 and final["duration"] == pytest.approx(1 + spoken_s + 0.3, abs=0.12)
    assert final["channel_index"] == [0, 1] and final["from_finalize"] is False
    words = final["channel"]["alternatives"][0]["words"]
    assert [word["punctuated_word"] for word in words] == SAID.split()
    assert [word["word"] for word in words][:2] == ["hello", "i"]
    assert words[0]["start"] == pytest.approx(1.0, abs=0.03) and words[-1]["end"] == pytest.approx(1 + spoken_s, abs=0.05)
    (ended,) = [message for message in messages if message["type"] == "UtteranceEnd"]
    assert ended == {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": words[-1]["end"]}
    assert messages.index(ended) > messages.index(final)
    told = messages[-1]
    assert told["type"] == "Metadata" and told["duration"] == pytest.approx(3 + spoken_s, abs=0.01) and told["channels"] == 1
    assert final["metadata"]["request_id"] == told["request_id"]
    finals = results(messages, is_final=True)
    assert all(before["start"] + before["duration"] == pytest.approx(after["start"]) for before, after in pairwise(finals))
    assert socket.close_code == 1000


async def test_the_end_of_an_utterance_is_a_matter_of_the_audio_not_of_how_fast_it_comes(vendors):
    short_gap = write("one two", 8_000) + bytes(12_000) + write("three", 8_000) + SECOND * 2
    long_gap = write("one two", 8_000) + SECOND * 2 + write("three", 8_000) + SECOND * 2
    for audio, ends in ((short_gap, 1), (long_gap, 2)):
        async with listening(vendors) as socket:
            for start in range(0, len(audio), 1_600):
                await socket.send(audio[start : start + 1_600])
            messages = await everything(socket, b"")
        assert [message["type"] for message in messages].count("UtteranceEnd") == ends


@pytest.mark.parametrize("quiet_ms", range(240, 420, 20))
async def test_no_word_is_lost_where_one_final_ends_and_the_next_word_begins(vendors, quiet_ms):
    vendors.state.change_settings({"stt_segment_ms": 1_000})
    audio = SECOND * 3 + write("one", 8_000) + bytes(16 * quiet_ms) + write("two", 8_000) + SECOND
    async with listening(vendors) as socket:
        messages = await everything(socket, audio)
    assert " ".join(transcript(final) for final in results(messages, is_final=True)).split() == ["one", "two"]


async def test_two_turns_are_two_finals(vendors):
    async with listening(vendors) as socket:
        messages = await everything(socket, write("one two", 8_000) + SECOND + write("three", 8_000) + SECOND)
    assert [transcript(final) for final in results(messages, speech_final=True)] == ["one two", "three"]


async def test_long_speech_is_cut_into_finals_without_an_end(vendors):
    text = " ".join(f"word{number}" for number in range(40))
    vendors.state.change_settings({"stt_segment_ms": 3_000})
    async with listening(vendors) as socket:
        messages = await everything(socket, write(text, 8_000) + SECOND)
    finals = [final for final in results(messages, is_final=True) if transcript(final)]
    assert len(finals) >= 3
    assert [final["speech_final"] for final in finals] == [False] * (len(finals) - 1) + [True]
    assert " ".join(transcript(final) for final in finals) == text


async def test_endpointing_decides_how_much_quiet_ends_a_turn(vendors):
    audio = write("one two", 8_000) + bytes(8_000) + write("three", 8_000) + SECOND
    async with listening(vendors, endpointing=200) as socket:
        quick = await everything(socket, audio)
    async with listening(vendors, endpointing=800) as socket:
        slow = await everything(socket, audio)
    async with listening(vendors, endpointing="false") as socket:
        off = await everything(socket, audio)
    assert [transcript(final) for final in results(quick, speech_final=True)] == ["one two", "three"]
    assert [transcript(final) for final in results(slow, speech_final=True)] == ["one two three"]
    assert results(off, speech_final=True) == []
    assert "three" in " ".join(transcript(final) for final in results(off, is_final=True))


async def test_finalize_makes_final_what_was_heard_so_far(vendors):
    async with listening(vendors) as socket:
        await sent(socket, write("one two three", 8_000))
        await socket.send('{"type": "Finalize"}')
        while not (message := json.loads(await asyncio.wait_for(socket.recv(), 60))).get("from_finalize"):
            pass
        assert (message["is_final"], message["speech_final"], transcript(message)) == (True, False, "one two three")
        rest = await everything(socket, SECOND * 2)
    assert not any(transcript(final) for final in results(rest, is_final=True))


async def test_close_stream_says_the_rest_first(vendors):
    async with listening(vendors) as socket:
        messages = await everything(socket, write("one two three", 8_000))
    assert transcript(results(messages, is_final=True)[-1]) == "one two three"
    assert messages[-1]["type"] == "Metadata"


async def test_without_the_switches_there_are_only_finals(vendors):
    async with listening(vendors, interim_results=None, vad_events=None, utterance_end_ms=None, punctuate=None) as socket:
        messages = await everything(socket, write("Hello, Bob!", 8_000) + SECOND * 2)
    assert {message["type"] for message in messages} == {"Results", "Metadata"}
    assert results(messages, is_final=False) == []
    said = results(messages, speech_final=True)[0]["channel"]["alternatives"][0]
    assert said["transcript"] == "hello bob" and "punctuated_word" not in said["words"][0]


async def test_mulaw_and_odd_pieces_are_heard_as_well(vendors):
    async with listening(vendors, encoding="mulaw") as socket:
        await sent(socket, ulaw_encoded(write(SAID, 8_000) + SECOND), 801)
        messages = await everything(socket, b"")
    assert transcript(results(messages, speech_final=True)[0]) == SAID
    async with listening(vendors) as socket:
        await sent(socket, write(SAID, 8_000) + SECOND, 1_601)
        messages = await everything(socket, b"")
    assert transcript(results(messages, speech_final=True)[0]) == SAID


async def test_channels_are_recognised_each_for_itself(vendors):
    left, right = (np.frombuffer((write(text, 8_000) + SECOND * 2)[:32_000], "<i2") for text in ("left side", "right"))
    async with listening(vendors, channels=2, multichannel="true") as socket:
        messages = await everything(socket, np.stack([left, right], axis=1).tobytes())
    said = {message["channel_index"][0]: transcript(message) for message in results(messages, speech_final=True)}
    assert said == {0: "left side", 1: "right"}
    assert all(message["channel_index"][1] == 2 for message in results(messages))


async def test_noise_is_not_speech(vendors):
    noise = (np.random.default_rng(3).normal(size=48_000) * 2_000).astype("<i2").tobytes()
    async with listening(vendors) as socket:
        messages = await everything(socket, noise)
    assert {transcript(message) for message in results(messages)} == {""}
    assert not [message for message in messages if message["type"] in ("SpeechStarted", "UtteranceEnd")]


@pytest.mark.parametrize(
    ("headers", "query", "status", "error"),
    [
        ({}, {}, 401, "Invalid credentials"),
        (AUTH, {"model": "nova-9"}, 400, "No such model"),
        (AUTH, {"encoding": "mp3"}, 400, "encoding"),
        (AUTH, {"encoding": None}, 400, "encoding"),
        (AUTH, {"sample_rate": None}, 400, "sample_rate"),
        (AUTH, {"utterance_end_ms": 500}, 400, "utterance_end_ms"),
        (AUTH, {"interim_results": "false"}, 400, "utterance_end_ms: needs interim_results"),
        (AUTH, {"interim_results": "True"}, 400, "interim_results"),
        (AUTH, {"endpointing": "soon"}, 400, "endpointing"),
    ],
)
async def test_a_refused_handshake_says_why_in_header_and_body(vendors, headers, query, status, error):
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with listening(vendors, headers, **query):
            pass
    response = refused.value.response
    assert response.status_code == status
    assert error in response.headers["dg-error"] and response.headers["dg-request-id"]
    assert json.loads(response.body)["request_id"] == response.headers["dg-request-id"]


@pytest.mark.parametrize("headers", [{"Authorization": "bearer right"}, {"Authorization": "Token right"}])
async def test_both_kinds_of_credentials_are_checked(vendors, headers):
    vendors.state.change_settings({"deepgram_key": "right"})
    async with listening(vendors, headers) as socket:
        assert socket.response.headers["dg-request-id"]
    with pytest.raises(websockets.InvalidStatus):
        async with listening(vendors, {"Authorization": "Token wrong"}):
            pass


async def test_a_silent_client_is_closed_and_keep_alive_prevents_it(vendors, monkeypatch):
    monkeypatch.setattr(deepgram_live, "SILENT_S", 0.6)
    async with listening(vendors) as socket:
        for _ in range(8):
            await socket.send('{"type": "KeepAlive"}')
            await asyncio.sleep(0.12)
        assert socket.close_code is None
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await asyncio.wait_for(socket.recv(), 60)
    assert closed.value.rcvd and closed.value.rcvd.code == 1011 and "NET-0001" in closed.value.rcvd.reason


async def test_the_silence_allowed_is_ten_seconds():
    assert deepgram_live.SILENT_S == 10


async def test_text_that_is_no_message_is_answered_with_an_error(vendors):
    async with listening(vendors) as socket:
        await socket.send("what?")
        answer = json.loads(await asyncio.wait_for(socket.recv(), 60))
    assert (answer["type"], answer["variant"], answer["message"]) == ("Error", "SchemaError", "what?")


async def test_a_client_that_vanishes_leaves_nothing_behind(vendors):
    async with listening(vendors) as socket:
        await sent(socket, write(SAID, 8_000))
        socket.transport.abort()
    assert await asyncio.to_thread(settled, vendors, "deepgram.live")


@pytest.mark.parametrize(("status", "code"), [(401, "INVALID_AUTH"), (402, "ASR_PAYMENT_REQUIRED"), (429, "TOO_MANY_REQUESTS")])
async def test_an_ordered_status_refuses_the_handshake(vendors, status, code):
    vendors.state.faults.add({"target": "deepgram.live", "fault": "status", "status": status, "times": 1})
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with listening(vendors):
            pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body)["err_code"] == code
    async with listening(vendors):
        pass


async def test_a_dropped_stream_breaks_without_a_close_frame(vendors):
    vendors.state.faults.add({"target": "deepgram.live", "fault": "drop", "after": 1})
    async with listening(vendors) as socket:
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await everything(socket, write(SAID, 8_000) + SECOND)
    assert closed.value.rcvd is None


async def test_an_error_closes_with_its_code(vendors):
    vendors.state.faults.add({"target": "deepgram.live", "fault": "error", "after": 1})
    async with listening(vendors) as socket:
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await everything(socket, write(SAID, 8_000) + SECOND)
    assert closed.value.rcvd and closed.value.rcvd.code == 1011 and "NET-0000" in closed.value.rcvd.reason


async def test_a_hanging_stream_accepts_and_says_nothing(vendors):
    vendors.state.faults.add({"target": "deepgram.live", "fault": "hang"})
    async with listening(vendors) as socket:
        await sent(socket, write(SAID, 8_000) + SECOND)
        await socket.send('{"type": "CloseStream"}')
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.5)
    assert await asyncio.to_thread(settled, vendors, "deepgram.live")


async def test_many_streams_at_once_are_each_understood(vendors):
    async def one(number):
        async with listening(vendors) as socket:
            messages = await everything(socket, write(f"caller number {number}", 8_000) + SECOND)
            return transcript(results(messages, speech_final=True)[0])

    heard = await asyncio.wait_for(asyncio.gather(*(one(number) for number in range(60))), 60)
    assert heard == [f"caller number {number}" for number in range(60)]
