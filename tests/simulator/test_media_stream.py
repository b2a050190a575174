"""The media WebSocket as Exotel drives it: handshake, message shapes, cadence, marks, clear, keys, the ways it ends."""

import asyncio
import base64
import io
import re
import wave
from datetime import UTC, datetime

import numpy as np
import pytest

from simulator.exotel.numbers import new_sid
from simulator.speech.tones import read
from tests.simulator.exotel_rig import EXOPHONE, WHOLE_FRAMES_BYTES, Bot, rig, speech

HANGUP = {"hangup": True}


async def closes_after_start(bot: Bot) -> None:
    await bot.until("start")
    await bot.say(speech("Bye"), "end")
    await bot.until("mark")


async def listens(bot: Bot) -> None:
    await bot.until("start")
    await bot.drain()


def events(bot: Bot, name: str) -> list[dict]:
    return [message for message in bot.messages if message["event"] == name]


async def test_connected_comes_first_then_start_then_numbered_media(tmp_path):
    async with rig(tmp_path, listens) as line:
        await line.call({"pause_ms": 500}, HANGUP)
    messages = line.bots[0].messages
    assert messages[0] == {"event": "connected"}
    start = messages[1]
    sid = start["stream_sid"]
    assert start["sequence_number"] == "1"
    assert start["start"]["stream_sid"] == sid
    assert start["start"]["from"] == "09876543210"
    assert start["start"]["to"] == "08047112233"
    assert start["start"]["media_format"] == {"encoding": "base64", "sample_rate": "8000", "bit_rate": "128kbps"}
    assert "custom_parameters" not in start["start"]
    first, second = messages[2:4]
    assert (first["sequence_number"], first["media"]["chunk"], first["media"]["timestamp"]) == ("2", "1", "20")
    assert (second["sequence_number"], second["media"]["chunk"], second["media"]["timestamp"]) == ("3", "2", "40")
    assert {message["stream_sid"] for message in messages[1:]} == {sid}


def date_code(moment: datetime) -> str:
    return new_sid(moment)[-4:]


async def test_sids_are_32_characters_ending_in_the_ist_date(tmp_path):
    before = datetime.now(UTC)
    async with rig(tmp_path, listens) as line:
        _, report = await line.call(HANGUP)
    for sid in (report["call_sid"], line.bots[0].messages[1]["stream_sid"]):
        assert re.fullmatch(r"[0-9a-z]{32}", sid)
        assert sid[-4:] in {date_code(before), date_code(datetime.now(UTC))}


def test_the_date_code_is_the_one_of_the_captures():
    assert new_sid(datetime(2025, 8, 12, 19, 6, tzinfo=UTC)).endswith("198d")
    assert new_sid(datetime(2025, 8, 12, 10, 0, tzinfo=UTC)).endswith("198c")
    assert new_sid(datetime(2024, 11, 21, 10, 0, tzinfo=UTC)).endswith("18bl")


async def test_media_flows_every_20_ms_also_in_silence_and_never_faster_than_time(tmp_path):
    async with rig(tmp_path, listens) as line:
        _, report = await line.call({"pause_ms": 2_000}, HANGUP)
    media = events(line.bots[0], "media")
    assert {len(base64.b64decode(message["media"]["payload"])) for message in media} == {320}
    assert len(media) == 101
    assert [message["media"]["timestamp"] for message in media] == [str(20 * number) for number in range(1, 102)]
    assert report["duration_ms"] >= 2_000


async def test_the_callers_words_arrive_as_audio(tmp_path):
    async with rig(tmp_path, listens) as line:
        await line.call({"pause_ms": 200}, {"say": "I would like an appointment"}, {"pause_ms": 200}, HANGUP)
    assert read(line.bots[0].caller_pcm(), 8_000).text == "I would like an appointment"


@pytest.mark.parametrize(("rate", "frame_bytes", "bit_rate"), [(16_000, 640, "256kbps"), (24_000, 960, "384kbps")])
async def test_the_sample_rate_of_the_url_scales_the_frames(tmp_path, rate, frame_bytes, bit_rate):
    async def speaks(bot: Bot) -> None:
        await bot.until("start")
        await bot.say(speech("At your rate", rate), "said")
        await bot.until("mark")

    async with rig(tmp_path, speaks) as line:
        await line.flow(voicebot_url=f"{line.bot_url}?sample-rate={rate}")
        _, report = await line.call({"wait_for_close": True})
    bot = line.bots[0]
    assert bot.messages[1]["start"]["media_format"] == {"encoding": "base64", "sample_rate": str(rate), "bit_rate": bit_rate}
    assert "custom_parameters" not in bot.messages[1]["start"]
    assert {len(base64.b64decode(message["media"]["payload"])) for message in events(bot, "media")} == {frame_bytes}
    assert report["heard"] == "At your rate"


async def test_custom_parameters_of_the_url_are_delivered_in_start(tmp_path):
    async with rig(tmp_path, listens) as line:
        await line.flow(voicebot_url=f"{line.bot_url}?order=17&agent/uuid")
        await line.call(HANGUP)
    assert line.bots[0].messages[1]["start"]["custom_parameters"] == {"order": "17", "agent/uuid": ""}


async def test_more_than_three_custom_parameters_are_a_breach(tmp_path):
    async with rig(tmp_path, listens) as line:
        await line.flow(voicebot_url=f"{line.bot_url}?a=1&b=2&c=3&d=4")
        _, report = await line.call(HANGUP)
    assert [breach["rule"] for breach in report["breaches"]] == ["custom_parameters"]


async def test_the_handshake_looks_like_exotels(tmp_path):
    async with rig(tmp_path, listens) as line:
        await line.flow(voicebot_url=line.bot_url.replace("ws://", "ws://bot:s%2Fecret@"))
        await line.call(HANGUP)
    shake = {name.lower(): value for name, value in line.handshakes[0].items()}
    assert shake["user-agent"] == "Go-http-client/1.1"
    assert shake["authorization"] == "Basic " + base64.b64encode(b"bot:s/ecret").decode()
    assert "sec-websocket-extensions" not in shake
    assert "sec-websocket-protocol" not in shake


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_dynamic_url_is_asked_and_its_answer_dialled(tmp_path, method):
    async with rig(tmp_path, listens) as line:
        line.hooks.answers["/voicebot"] = (200, f'{{"url": "{line.bot_url}?token=x1"}}', "application/json")
        await line.settings(send_method=method)
        await line.flow(voicebot_url=f"{line.hooks_url}/voicebot?key=k")
        _, report = await line.call(HANGUP)
    (asked,) = line.hooks.at("/voicebot")
    assert asked.method == method
    assert ("key", "k") in asked.query
    sent = dict(asked.query if method == "GET" else asked.form)
    assert sent["CallSid"] == report["call_sid"]
    assert (sent["CallFrom"], sent["CallTo"], sent["Direction"]) == ("09876543210", "08047112233", "incoming")
    assert sent["EndTime"] == "1970-01-01 05:30:00"
    assert sent["ForwardedFrom"] == "null"
    assert line.handshakes[0]["path"].endswith("?token=x1")


@pytest.mark.parametrize("answer", [(500, "", "text/plain"), (200, "<Response/>", "application/xml"), (200, "{}", "application/json")])
async def test_a_dynamic_url_without_a_usable_answer_means_no_stream(tmp_path, answer):
    async with rig(tmp_path, listens) as line:
        line.hooks.answers["/voicebot"] = answer
        await line.flow(voicebot_url=f"{line.hooks_url}/voicebot", after_stream_url=f"{line.hooks_url}/after")
        _, report = await line.call(HANGUP)
        await line.settle()
    after = line.hooks.at("/after")[0].fields
    assert (after["Stream[Status]"], after["Stream[DisconnectedBy]"]) == ("failed", "NA")
    assert after["Stream[Error]"].startswith("3009 failed to establish ws conn")
    assert not report["ok"]
    assert len(line.hooks.at("/voicebot")) == (2 if answer[0] == 500 else 1)


async def test_a_refused_handshake_is_tried_once_more(tmp_path):
    async with rig(tmp_path, listens, refuse_with=503, refusals=1) as line:
        _, report = await line.call({"pause_ms": 100}, HANGUP)
    assert len(line.handshakes) == 2
    assert report["ok"]


async def test_after_two_refused_handshakes_the_stream_has_failed(tmp_path):
    async with rig(tmp_path, listens, refuse_with=403) as line:
        await line.flow(after_stream_url=f"{line.hooks_url}/after")
        events, report = await line.call(HANGUP)
        await line.settle()
    assert len(line.handshakes) == 2
    assert line.hooks.at("/after")[0].fields["Stream[Error]"] == "3009 failed to establish ws conn: HTTP 403"
    assert "stream_failed" in [event["event"] for event in events]
    assert report["problems"] == ["no stream: 3009 failed to establish ws conn: HTTP 403"]


async def test_a_handshake_that_hangs_times_out(tmp_path):
    async def accept(_reader, _writer) -> None:
        await asyncio.sleep(30)

    silent = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with rig(tmp_path, listens) as line:
        await line.settings(handshake_timeout_s=0.1)
        await line.flow(voicebot_url=f"ws://127.0.0.1:{port}/")
        _, report = await line.call(HANGUP)
    silent.close()
    assert report["problems"] == ["no stream: 3009 failed to establish ws conn: timed out"]


async def test_marks_are_echoed_in_order_when_the_audio_before_them_was_played(tmp_path):
    async def speaks(bot: Bot) -> None:
        await bot.until("start")
        await bot.say(bytes(4 * WHOLE_FRAMES_BYTES), "one")
        await bot.say(bytes(2 * WHOLE_FRAMES_BYTES), "two")
        await bot.until("mark")
        await bot.until("mark")

    async with rig(tmp_path, speaks) as line:
        _, report = await line.call({"wait_for_close": True})
    bot = line.bots[0]
    marks = [place for place, message in enumerate(bot.messages) if message["event"] == "mark"]
    assert [bot.messages[place]["mark"] for place in marks] == [{"name": "one"}, {"name": "two"}]
    media_before = [sum(m["event"] == "media" for m in bot.messages[:place]) for place in marks]
    assert media_before[0] >= 48
    assert media_before[1] - media_before[0] == 24
    assert report["marks_echoed"] == report["marks_sent"] == ["one", "two"]
    sequence = [int(message["sequence_number"]) for message in bot.messages[1:]]
    assert sequence == list(range(1, len(sequence) + 1))


@pytest.mark.parametrize(("echo", "marks"), [(False, []), (True, ["end"])])
async def test_clear_stops_the_agent_within_one_message_and_marks_follow_the_switch(tmp_path, echo, marks):
    async def speaks(bot: Bot) -> None:
        await bot.until("start")
        await bot.say(speech("A rather long answer that goes on and on"), "end")
        await bot.listen(0.5)
        await bot.send({"event": "clear", "stream_sid": "x"})
        await bot.drain()

    async with rig(tmp_path, speaks) as line:
        await line.settings(echo_marks_on_clear=echo)
        _, report = await line.call({"pause_ms": 1_800}, HANGUP)
    assert [message["mark"]["name"] for message in events(line.bots[0], "mark")] == marks
    assert report["clears"] == 1
    assert report["dropped_by_clear_ms"] > 0
    assert report["agent"][0]["end_ms"] - report["agent"][0]["start_ms"] <= report["agent_audio_ms"] - report["dropped_by_clear_ms"]
    assert report["heard"].startswith("A rather")
    assert "on and on" not in report["heard"]


async def test_an_interruption_is_measured_at_the_callers_ear(tmp_path):
    async def stops(bot: Bot) -> None:
        await bot.until("start")
        pcm = speech("This answer is far too long for anybody who is in a hurry today")
        sent = 0
        while True:
            message = await bot.read()
            if message["event"] == "media" and any(base64.b64decode(message["media"]["payload"])):
                await bot.send({"event": "clear"})
                break
            if len(bot.messages) % 10 == 0:
                await bot.media(pcm[sent : sent + 3_200].ljust(3_200, b"\0"))
                sent += 3_200
        await bot.drain()

    async with rig(tmp_path, stops) as line:
        steps = ({"interrupt": "Wait, stop", "after_ms": 800}, {"pause_ms": 600}, HANGUP)
        _, report = await line.call(*steps, expect={"interruption_within_ms": 1_500})
    (turn,) = report["turns"]
    assert turn["interrupts"]
    assert turn["interruption_ms"] > 0
    assert report["ok"], report["problems"]
    assert "today" not in report["heard"]


async def test_an_agent_that_talks_on_when_interrupted_fails_the_expectation(tmp_path):
    async def talks_on(bot: Bot) -> None:
        await bot.until("start")
        await bot.pace(speech("I am not listening to you at all and I will go on for as long as it pleases me to do so"))
        await bot.drain()

    async with rig(tmp_path, talks_on) as line:
        steps = ({"interrupt": "Stop", "after_ms": 600}, {"pause_ms": 2_000}, HANGUP)
        _, report = await line.call(*steps, expect={"interruption_within_ms": 400})
    assert "ms after the interruption" in report["problems"][0]


async def test_keys_arrive_as_dtmf_with_string_fields(tmp_path):
    async with rig(tmp_path, listens) as line:
        await line.call({"press": "5#"}, HANGUP)
    assert [message["dtmf"] for message in events(line.bots[0], "dtmf")] == [
        {"duration": "100", "digit": "5"},
        {"duration": "100", "digit": "#"},
    ]


async def test_a_caller_who_hangs_up_is_told_by_stop_and_then_by_the_close(tmp_path):
    async with rig(tmp_path, listens) as line:
        await line.flow(after_stream_url=f"{line.hooks_url}/after")
        _, report = await line.call({"pause_ms": 100}, HANGUP)
        await line.settle()
    stop = line.bots[0].messages[-1]
    assert stop["event"] == "stop"
    assert stop["stop"] == {"call_sid": report["call_sid"], "account_sid": "simulated1", "reason": "callended"}
    after = line.hooks.at("/after")[0].fields
    assert (after["Stream[Status]"], after["Stream[DisconnectedBy]"]) == ("cancelled", "user")
    assert report["closed_by"] == "caller"


async def test_a_hang_up_may_also_be_a_bare_close(tmp_path):
    async with rig(tmp_path, listens) as line:
        await line.settings(stop_event_on_hangup=False)
        await line.call({"pause_ms": 100}, HANGUP)
    assert events(line.bots[0], "stop") == []
    assert line.bots[0].socket.close_code == 1000


async def test_a_bot_that_closes_lets_the_flow_go_on(tmp_path):
    async with rig(tmp_path, closes_after_start) as line:
        await line.flow(passthru_url=f"{line.hooks_url}/passthru")
        _, report = await line.call({"wait_for_close": True})
    assert report["closed_by"] == "agent"
    assert report["all_audio_played"]
    after = line.hooks.at("/passthru")[0].fields
    assert (after["Stream[Status]"], after["Stream[DisconnectedBy]"]) == ("completed", "bot")
    assert after["Stream[StreamSID]"] == line.bots[0].messages[1]["stream_sid"]


async def test_a_goodbye_that_is_cut_off_is_a_problem(tmp_path):
    async def closes_early(bot: Bot) -> None:
        await bot.until("start")
        await bot.say(speech("Goodbye and thank you"))
        await bot.listen(0.3)

    async with rig(tmp_path, closes_early) as line:
        _, report = await line.call({"wait_for_close": True})
    assert not report["all_audio_played"]
    assert any("not yet played" in problem for problem in report["problems"])


async def test_the_longest_session_is_cut_and_the_flow_goes_on(tmp_path):
    async with rig(tmp_path, listens) as line:
        await line.settings(session_cap_s=0.5)
        await line.flow(passthru_url=f"{line.hooks_url}/passthru")
        events, report = await line.call({"wait_for_close": True})
    assert line.bots[0].messages[-1]["stop"]["reason"] == "stopped"
    assert [event["by"] for event in events if event["event"] == "stream_closed"] == ["cap"]
    assert len(line.hooks.at("/passthru")) == 1
    assert report["duration_ms"] >= 500


async def test_a_call_above_the_concurrency_limit_is_throttled(tmp_path):
    async with rig(tmp_path, listens) as line:
        await line.settings(max_streams=1)
        await line.flow(after_stream_url=f"{line.hooks_url}/after")
        first = asyncio.create_task(line.call({"pause_ms": 2_000}, HANGUP))
        while not line.bots:
            await asyncio.sleep(0.01)
        _, second = await line.call(HANGUP)
        await first
        await line.settle()
    assert second["problems"] == ["no stream: Streaming_call_throttled"]
    throttled = next(hook.fields for hook in line.hooks.at("/after") if hook.fields["CallSid"] == second["call_sid"])
    assert (throttled["Stream[Status]"], throttled["Stream[DetailedStatus]"]) == ("failed", "Streaming_call_throttled")


async def test_camel_case_and_missing_stream_sid_from_the_bot_are_tolerated(tmp_path):
    async def camel(bot: Bot) -> None:
        await bot.until("start")
        payload = base64.b64encode(speech("hello")[:9_600]).decode()
        await bot.send({"event": "media", "streamSid": "x", "sequenceNumber": 3, "media": {"chunk": 1, "timestamp": 7, "payload": payload}})
        await bot.send({"event": "mark", "mark": {"name": "m"}})
        await bot.until("mark")

    async with rig(tmp_path, camel) as line:
        _, report = await line.call({"wait_for_close": True})
    assert report["ok"], report["problems"]


async def test_camel_case_ints_and_other_doubtful_shapes_are_switches(tmp_path):
    async with rig(tmp_path, listens) as line:
        await line.settings(camel_case=True, ints_as_strings=False, numbers_format="+91")
        await line.call({"press": "1"}, HANGUP)
    start, media = line.bots[0].messages[1:3]
    assert start["sequenceNumber"] == 1
    assert start["start"]["from"] == "+919876543210"
    assert start["start"]["mediaFormat"]["sampleRate"] == 8_000
    assert start["start"]["streamSid"] == start["streamSid"]
    assert media["sequenceNumber"] == 2
    assert media["media"]["chunk"] == 1


async def test_frames_of_100_ms_are_a_switch(tmp_path):
    async with rig(tmp_path, listens) as line:
        await line.settings(frame_ms=100)
        await line.call({"pause_ms": 500}, HANGUP)
    media = events(line.bots[0], "media")
    assert {len(base64.b64decode(message["media"]["payload"])) for message in media} == {1_600}
    assert [message["media"]["timestamp"] for message in media[:2]] == ["100", "200"]


async def test_bursts_delay_frames_and_lose_none(tmp_path):
    async with rig(tmp_path, listens) as line:
        await line.settings(burst_frames=5, jitter_ms=60)
        await line.call({"say": "every word"}, {"pause_ms": 300}, HANGUP)
    bot = line.bots[0]
    chunks = [int(message["media"]["chunk"]) for message in events(bot, "media")]
    assert chunks == list(range(1, len(chunks) + 1))
    assert read(bot.caller_pcm(), 8_000).text == "every word"


@pytest.mark.parametrize(
    ("fault", "by"), [({"fault": "drop", "after": 20}, "lost"), ({"fault": "hang"}, "user"), ({"fault": "drip", "every_ms": 200}, "user")]
)
async def test_the_line_misbehaves_when_ordered(tmp_path, fault, by):
    async with rig(tmp_path, listens) as line:
        (await line.http.post("/control/faults", json={"target": "exotel.media", "times": 1, **fault})).raise_for_status()
        events_told, _ = await line.call({"pause_ms": 1_000}, HANGUP)
    media = events(line.bots[0], "media")
    assert [event["by"] for event in events_told if event["event"] == "stream_closed"] == [by]
    expected = {"drop": range(21), "hang": range(1), "drip": range(2, 9)}[fault["fault"]]
    assert len(media) in expected
    if fault["fault"] == "drop":
        assert line.bots[0].socket.close_code == 1006


async def test_the_recording_holds_the_caller_left_and_the_agent_right_as_played(tmp_path):
    async def answers(bot: Bot) -> None:
        await bot.until("start")
        await bot.say(speech("Agent speaking"), "m")
        await bot.drain()

    async with rig(tmp_path, answers) as line:
        _, report = await line.call({"wait_for_agent": {"quiet_ms": 200}}, {"say": "Caller speaking"}, HANGUP)
        url = f"/exotel/exotelrecordings/simulated1/{report['call_sid']}.wav"
        got = await line.http.get(url, auth=("sim-key", "sim-token"))
        assert (await line.http.get(url)).status_code == 401
    with wave.open(io.BytesIO(got.content)) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 8_000)
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert read(both[:, 0].tobytes(), 8_000).text == "Caller speaking"
    assert read(both[:, 1].tobytes(), 8_000).text == "Agent speaking"
    assert len(both) == 160 * len(events(line.bots[0], "media"))


async def test_an_unknown_exophone_is_refused_with_the_known_ones(tmp_path):
    async with rig(tmp_path, listens) as line:
        with pytest.raises(AssertionError, match=EXOPHONE.replace("+", r"\+")):
            await line.call(HANGUP, to="+910000000000")
