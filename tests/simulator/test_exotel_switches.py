"""Each doubtful point of Exotel's behaviour can be had the other way round."""

from dataclasses import fields

import pytest

from simulator.exotel.settings import ExotelSettings
from tests.simulator.exotel_rig import ACCOUNT, AUTH, CALLER, EXOPHONE, FLOW_URL, Bot, rig, speech


async def listens(bot: Bot) -> None:
    await bot.until("start")
    await bot.drain()


async def closes(bot: Bot) -> None:
    await bot.until("start")


def test_every_switch_is_explained():
    explained = ExotelSettings.__doc__ or ""
    first = [f.name for f in fields(ExotelSettings)].index("echo_marks_on_clear")
    for switch in [f.name for f in fields(ExotelSettings)][first:]:
        assert f"`{switch}`" in explained or switch == "callback_retry_s"


@pytest.mark.parametrize(("switch", "parameters"), [(False, {"k": "v"}), (True, {"k": "v", "sample-rate": "16000"})])
async def test_whether_the_sample_rate_is_a_custom_parameter(tmp_path, switch, parameters):
    async with rig(tmp_path, listens) as line:
        await line.settings(sample_rate_in_custom=switch)
        await line.flow(voicebot_url=f"{line.bot_url}?k=v&sample-rate=16000")
        await line.call({"hangup": True})
    assert line.bots[0].messages[1]["start"]["custom_parameters"] == parameters


async def test_whether_the_custom_field_is_in_start(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.settings(custom_field_in_start=True)
        sid = (await line.connect(Url=FLOW_URL, CustomField="order-17")).json()["Call"]["Sid"]
        await line.finished(sid)
    assert line.bots[0].messages[1]["start"]["custom_parameters"] == {"CustomField": "order-17"}


@pytest.mark.parametrize("code", [1_000, 1_001, 1_006])
async def test_how_a_hang_up_is_told(tmp_path, code):
    async with rig(tmp_path, listens) as line:
        await line.settings(close_code=code, hangup_reason="stopped")
        await line.call({"pause_ms": 100}, {"hangup": True})
    bot = line.bots[0]
    assert bot.socket.close_code == code
    if code != 1_006:
        assert bot.messages[-1]["stop"]["reason"] == "stopped"


async def test_whether_events_count_for_a_flow(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.settings(events_in_flow_mode=False)
        form = {"StatusCallbackEvents[0]": "answered", "StatusCallbackEvents[1]": "terminal"}
        sid = (await line.connect(Url=FLOW_URL, StatusCallback=f"{line.hooks_url}/status", **form)).json()["Call"]["Sid"]
        await line.finished(sid)
    assert [set(dict(hook.form)) for hook in line.hooks.at("/status")] == [{"CallSid", "DateUpdated", "Status", "RecordingUrl"}]


async def test_whether_to_is_null_for_a_flow(tmp_path):
    async with rig(tmp_path, closes) as line:
        assert (await line.connect(Url=FLOW_URL)).json()["Call"]["To"] == "08047112233"
        await line.settings(flow_to_is_null=True)
        assert (await line.connect(Url=FLOW_URL)).json()["Call"]["To"] is None


async def test_whether_a_callback_is_repeated_until_200(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.settings(callback_retries=2, callback_retry_s=0.01)
        line.hooks.answers["/status"] = (500, "", "text/plain")
        sid = (await line.connect(Url=FLOW_URL, StatusCallback=f"{line.hooks_url}/status")).json()["Call"]["Sid"]
        await line.finished(sid)
    assert len(line.hooks.at("/status")) == 3


async def test_whether_json_is_taken_and_given_on_the_bare_path(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.settings(accept_json_body=True, bare_connect_is_json=True)
        body = {"From": CALLER, "CallerId": EXOPHONE, "Url": FLOW_URL}
        response = await line.http.post(f"{ACCOUNT}/Calls/connect", json=body, auth=AUTH)
    assert response.json()["Call"]["Status"] == "in-progress"


async def test_whether_numbers_in_details_are_texts(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.settings(ints_as_strings=False)
        sid = (await line.connect(Url=FLOW_URL)).json()["Call"]["Sid"]
        await line.finished(sid)
        call = (await line.http.get(f"{ACCOUNT}/Calls/{sid}.json", auth=AUTH)).json()["Call"]
    assert isinstance(call["Duration"], int)
    assert isinstance(call["Price"], float)


@pytest.mark.parametrize("switch", [False, True])
async def test_whether_a_stream_that_died_is_opened_once_more(tmp_path, switch):
    streams = []

    async def dies_twice(bot: Bot) -> None:
        streams.append((await bot.until("start"))["start"])
        await bot.say(speech(f"Part {len(streams)}."), mark="said")
        await bot.until("mark")
        bot.socket.transport.abort()

    async with rig(tmp_path, dies_twice) as line:
        await line.settings(reconnect_once=switch)
        events, report = await line.call({"wait_for_close": {"deadline_s": 60}})
    assert len(streams) == 1 + switch
    assert len({start["stream_sid"] for start in streams}) == len(streams), "each stream has an id of its own"
    assert len({start["call_sid"] for start in streams}) == 1
    assert [event["event"] for event in events].count("stream_resumed") == switch
    assert report["heard"] == ("Part 1. Part 2." if switch else "Part 1.")
    assert report["closed_by"] == "agent"
