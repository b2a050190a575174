"""The fake Flux: when it decides what about a turn, and its wire under the official SDK and a bare client."""

import asyncio
import json
from urllib.parse import urlencode

import pytest
import websockets
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment

from simulator.flux_turns import Look, Thresholds, Turn, confidence
from simulator.speech.tones import write
from tests.simulator.serving import settled

SECOND = bytes(16_000)
AUTH = {"Authorization": "Token sim-deepgram"}
QUERY = {"model": "flux-general-en", "encoding": "linear16", "sample_rate": 8_000, "eager_eot_threshold": 0.4, "eot_threshold": 0.7}
EAGER = Thresholds(eager=0.4, end=0.7, timeout_ms=2_000)


@pytest.mark.parametrize(
    ("thresholds", "looks", "events"),
    [
        (EAGER, [("", 500), ("", 740)], ["Update", "Update"]),
        (
            EAGER,
            [("Yes.", 0), ("Yes.", 100), ("Yes.", 300), ("Yes.", 500), ("", 600)],
            ["StartOfTurn", "Update", "EagerEndOfTurn", "EndOfTurn", "Update"],
        ),
        (EAGER, [("Yes.", 0), ("Yes.", 700), ("Yes.", 800)], ["StartOfTurn", "EagerEndOfTurn", "EndOfTurn"]),
        (
            EAGER,
            [("Yes.", 0), ("Yes.", 300), ("Yes. But", 0), ("Yes. But no.", 300)],
            ["StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EagerEndOfTurn"],
        ),
        (Thresholds(None, 0.7, 2_000), [("Yes.", 0), ("Yes.", 300), ("Yes.", 500)], ["StartOfTurn", "Update", "EndOfTurn"]),
        (
            Thresholds(None, 0.7, 2_000),
            [("My name is", 0), ("My name is", 1_900), ("My name is", 2_000)],
            ["StartOfTurn", "Update", "EndOfTurn"],
        ),
    ],
)
def test_each_look_is_worth_one_event(thresholds, looks, events):
    turn = Turn(thresholds)
    assert [turn.look(Look(text, quiet_ms)) for text, quiet_ms in looks] == events


def test_it_is_surer_after_a_whole_sentence_than_after_words_that_ask_for_more():
    assert confidence(Look("Yes.", 400)) > 0.5 > confidence(Look("my number is", 400))
    assert confidence(Look("aur", 60_000)) < 0.5
    assert confidence(Look("Yes.", 0)) == confidence(Look("", 900)) == 0.0


async def everything(vendors, audio, ending="CloseStream", **query):
    url = f"{vendors.ws}/deepgram/v2/listen?{urlencode({**QUERY, **query})}"
    async with websockets.connect(url, additional_headers=AUTH, compression=None) as socket:
        for start in range(0, len(audio), 1_280):
            await socket.send(audio[start : start + 1_280])
            await asyncio.sleep(0.004)
        if ending:
            await socket.send(json.dumps({"type": ending}))
        messages = []
        try:
            async for message in socket:
                messages.append(json.loads(message))
        except websockets.ConnectionClosed:
            pass
        return messages, socket.close_code


async def test_the_official_sdk_hears_a_turn_with_its_early_end(vendors):
    env = DeepgramClientEnvironment(base=vendors.http, production=f"{vendors.ws}/deepgram", agent="ws://x", agent_rest="http://x")
    client = AsyncDeepgramClient(api_key="sim-deepgram", environment=env)
    async with client.listen.v2.connect(**QUERY, keyterm=["Acme", "Zed"]) as socket:

        async def until_the_end():
            heard = []
            async for message in socket:
                heard.append(message)
                if getattr(message, "event", "") == "EndOfTurn":
                    return heard

        reading = asyncio.create_task(until_the_end())
        audio = SECOND + write("I want an appointment.", 8_000) + SECOND * 2
        for start in range(0, len(audio), 1_280):
            await socket.send_media(audio[start : start + 1_280])
            await asyncio.sleep(0.004)
        messages = await asyncio.wait_for(reading, 60)
    assert [message.type for message in messages[:1]] == ["Connected"]
    events = [message.event for message in messages[1:] if message.event != "Update"]
    assert events == ["StartOfTurn", "EagerEndOfTurn", "EndOfTurn"]
    assert [message.sequence_id for message in messages] == list(range(len(messages)))
    end = messages[-1]
    assert (end.transcript, end.trigger, end.turn_index) == ("I want an appointment.", "model", 0)
    assert end.words[0].start == pytest.approx(1.0, abs=0.06)
    assert [value for name, value in vendors.state.seen[-1].facts["query"] if name == "keyterm"] == ["Acme", "Zed"]


async def test_closing_the_stream_gives_the_open_turn_as_an_update_and_no_end(vendors):
    messages, _ = await everything(vendors, SECOND + write("and one more", 8_000))
    assert (messages[-1]["event"], messages[-1]["transcript"]) == ("Update", "and one more")
    assert "EndOfTurn" not in [message.get("event") for message in messages]


async def test_two_turns_are_counted_and_keep_their_words_apart(vendors):
    audio = write("One thing.", 8_000) + SECOND * 2 + write("Another.", 8_000) + SECOND * 2
    messages, _ = await everything(vendors, audio)
    ends = [(message["turn_index"], message["transcript"]) for message in messages if message.get("event") == "EndOfTurn"]
    assert ends == [(0, "One thing."), (1, "Another.")]


async def test_silence_is_reported_on_too_but_is_no_turn(vendors):
    messages, _ = await everything(vendors, SECOND * 3)
    assert {message["event"] for message in messages[1:]} == {"Update"}
    assert len(messages) > 5


async def test_a_message_of_the_older_socket_ends_the_stream(vendors):
    messages, code = await everything(vendors, b"", ending="KeepAlive")
    assert messages[-1]["type"] == "Error"
    assert code == 1008
    assert await asyncio.to_thread(settled, vendors, "deepgram.live")


@pytest.mark.parametrize(
    "query",
    [
        {"model": "nova-3"},
        {"endpointing": 300},
        {"eot_threshold": 0.2},
        {"eager_eot_threshold": 0.8},
        {"eot_timeout_ms": 100},
        {"language_hint": "hi"},
        {"encoding": "mp3"},
    ],
)
async def test_a_stream_that_the_real_one_would_refuse_is_refused(vendors, query):
    with pytest.raises(websockets.InvalidStatus) as caught:
        await everything(vendors, b"", **query)
    assert caught.value.response.status_code == 400
    assert caught.value.response.headers["dg-error"]
