"""What happens on calls: ringing and its outcomes, the three modes, the flow's applets, and what StatusCallbacks tell."""

import base64
import json

import pytest

from simulator.speech.tones import read
from tests.simulator.exotel_rig import ACCOUNT, AUTH, CALLER, EXOPHONE, FLOW_URL, Bot, Rig, rig, speech

OTHER = "+919811122233"


async def closes(bot: Bot) -> None:
    await bot.until("start")
    await bot.say(speech("Bye"), "m")
    await bot.until("mark")


async def listens(bot: Bot) -> None:
    await bot.until("start")
    await bot.drain()


async def run(line: Rig, **form) -> tuple[str, list[dict]]:
    response = await line.connect(**form)
    assert response.status_code == 200, response.text
    sid = response.json()["Call"]["Sid"]
    return sid, (await line.finished(sid))["events"]


async def status_of(line: Rig, sid: str) -> dict:
    return dict((await line.http.get(f"{ACCOUNT}/Calls/{sid}.json?details=true", auth=AUTH)).json()["Call"])


@pytest.mark.parametrize("outcome", ["busy", "no-answer", "failed"])
async def test_a_person_who_does_not_answer_ends_the_call_with_that_status_and_no_stream(tmp_path, outcome):
    async with rig(tmp_path, closes) as line:
        await line.settings(people=[{"number": CALLER, "outcome": outcome}])
        sid, _ = await run(line, Url=FLOW_URL)
        call = await status_of(line, sid)
    assert call["Status"] == outcome
    assert call["Details"]["Leg1Status"] == outcome
    assert call["Price"] == "0.000"
    assert line.bots == []


async def test_ringing_longer_than_the_time_out_is_no_answer(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.settings(people=[{"number": CALLER, "ring_s": 30}])
        sid, _ = await run(line, Url=FLOW_URL, TimeOut="1")
        assert (await status_of(line, sid))["Status"] == "no-answer"


async def test_the_time_limit_cuts_the_call(tmp_path):
    async with rig(tmp_path, listens) as line:
        sid, events = await run(line, Url=FLOW_URL, TimeLimit="1")
        call = await status_of(line, sid)
    assert line.bots[0].messages[-1]["stop"]["reason"] == "callended"
    assert call["Status"] == "completed"
    assert "report" in [event["event"] for event in events]


async def test_the_person_called_plays_the_scenario_that_the_settings_give_them(tmp_path):
    async with rig(tmp_path, listens) as line:
        part = {"step": [{"say": "Who is there"}, {"pause_ms": 100}, {"hangup": True}]}
        await line.settings(people=[{"number": CALLER, "scenario": part}])
        await run(line, Url=FLOW_URL, CustomField="order-17")
    assert read(line.bots[0].caller_pcm(), 8_000).text == "Who is there"


async def test_connect_ai_opens_the_given_url_and_ends_with_the_bots_close(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.settings(exophones=[{"number": EXOPHONE}])
        sid, _ = await run(line, StreamUrl=f"{line.bot_url}?sample-rate=16000&k=v", StreamType="bidirectional")
        call = await status_of(line, sid)
    start = line.bots[0].messages[1]["start"]
    assert start["custom_parameters"] == {"k": "v"}
    assert start["media_format"]["sample_rate"] == "16000"
    assert call["Status"] == "completed"
    assert line.hooks.got == []


async def test_two_people_are_connected_and_both_legs_are_billed(tmp_path):
    talk = {"step": [{"say": "Hello other"}, {"hangup": True}]}
    async with rig(tmp_path, closes) as line:
        await line.settings(
            people=[{"number": CALLER, "scenario": talk}, {"number": OTHER, "scenario": {"step": [{"wait_for_close": True}]}}]
        )
        sid, _ = await run(line, To=OTHER, Record="true", RecordingChannels="dual")
        call = await status_of(line, sid)
    assert call["Status"] == "completed"
    assert call["Price"] == "1.200"
    assert (call["Details"]["Leg1Status"], call["Details"]["Leg2Status"]) == ("completed", "completed")


async def test_a_second_person_who_is_busy_decides_the_status(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.settings(people=[{"number": OTHER, "outcome": "busy"}])
        sid, _ = await run(line, To=OTHER)
        call = await status_of(line, sid)
    assert call["Status"] == "busy"
    assert (call["Details"]["Leg1Status"], call["Details"]["Leg2Status"]) == ("completed", "busy")


async def test_without_events_there_is_one_callback_with_the_base_fields_as_multipart(tmp_path):
    async with rig(tmp_path, closes) as line:
        sid, _ = await run(line, Url=FLOW_URL, StatusCallback=f"{line.hooks_url}/status?key=s")
    (hook,) = line.hooks.at("/status")
    assert hook.method == "POST"
    assert hook.headers["content-type"].startswith("multipart/form-data")
    assert dict(hook.form) == {"CallSid": sid, "DateUpdated": dict(hook.form)["DateUpdated"], "Status": "completed", "RecordingUrl": ""}
    assert hook.query == [("key", "s")]


async def test_subscribed_events_come_in_order_and_only_the_last_has_the_custom_field(tmp_path):
    async with rig(tmp_path, closes) as line:
        form = {"StatusCallbackEvents[0]": "terminal", "StatusCallbackEvents[1]": "answered"}
        await run(line, Url=FLOW_URL, StatusCallback=f"{line.hooks_url}/status", CustomField="order-17", Record="true", **form)
    answered, terminal = [dict(hook.form) for hook in line.hooks.at("/status")]
    assert (answered["EventType"], answered["Status"], answered["Legs[0][Status]"]) == ("answered", "in-progress", "in-progress")
    assert "CustomField" not in answered
    assert (terminal["EventType"], terminal["Status"], terminal["Legs[0][Status]"]) == ("terminal", "completed", "completed")
    assert terminal["CustomField"] == "order-17"
    assert terminal["Direction"] == "outbound-api"
    assert terminal["RecordingUrl"].endswith(".wav")


async def test_answered_is_told_for_each_leg(tmp_path):
    async with rig(tmp_path, closes) as line:
        quick = {"step": [{"pause_ms": 100}, {"hangup": True}]}
        await line.settings(people=[{"number": CALLER, "scenario": quick}])
        await run(line, To=OTHER, StatusCallback=f"{line.hooks_url}/status", **{"StatusCallbackEvents[]": "answered"})
    first, second = [dict(hook.form) for hook in line.hooks.at("/status")]
    assert (first["Legs[0][Status]"], first["Legs[1][Status]"]) == ("in-progress", "")
    assert (second["Legs[0][Status]"], second["Legs[1][Status]"]) == ("in-progress", "in-progress")


async def test_ringing_is_told_in_connect_ai_and_json_is_sent_on_request(tmp_path):
    async with rig(tmp_path, closes) as line:
        form = {
            "StatusCallbackEvents[0]": "ringing",
            "StatusCallbackEvents[1]": "terminal",
            "StatusCallbackContentType": "application/json",
        }
        await run(line, StreamUrl=line.bot_url, StreamType="bidirectional", StatusCallback=f"{line.hooks_url}/status", **form)
    ringing, terminal = [hook.json for hook in line.hooks.at("/status")]
    assert ringing["EventType"] == "ringing"
    assert terminal["Legs"] == [{"OnCallDuration": terminal["Legs"][0]["OnCallDuration"], "Status": "completed", "AnsweredBy": ""}]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"fault": "duplicate"}, ["answered", "answered", "terminal"]),
        ({"fault": "lose"}, ["terminal"]),
        ({"fault": "reorder"}, ["terminal", "answered"]),
        ({"fault": "delay", "ms": 300}, ["answered", "terminal"]),
    ],
)
async def test_callbacks_go_wrong_as_ordered(tmp_path, fault, told):
    async with rig(tmp_path, closes) as line:
        await line.http.post("/control/faults", json={"target": "exotel.callback", "times": 1, **fault})
        form = {"StatusCallbackEvents[0]": "answered", "StatusCallbackEvents[1]": "terminal"}
        await run(line, Url=FLOW_URL, StatusCallback=f"{line.hooks_url}/status", **form)
    assert [hook.fields["EventType"] for hook in line.hooks.at("/status")] == told


@pytest.mark.parametrize(("answer", "branch"), [(200, "a"), (302, "b"), (500, "b")])
async def test_a_passthru_chooses_the_branch_by_its_status_alone(tmp_path, answer, branch):
    async with rig(tmp_path, closes) as line:
        line.hooks.answers["/decide"] = (answer, "<Response><Say>ignored</Say></Response>", "application/xml")
        await line.flow(
            passthru_url=f"{line.hooks_url}/decide?key=k",
            branch_a=[{"kind": "passthru", "url": f"{line.hooks_url}/a"}],
            branch_b=[{"kind": "passthru", "url": f"{line.hooks_url}/b", "wait": False}],
            after_stream_url=f"{line.hooks_url}/after",
        )
        await line.call({"wait_for_close": True})
        await line.settle()
    assert [hook.path for hook in line.hooks.got] == ["/decide", f"/{branch}", "/after"]
    decide = line.hooks.at("/decide")[0]
    assert decide.method == "GET"
    assert decide.fields["key"] == "k"
    assert {"CallSid", "Created", "StartTime", "CurrentTime", "flow_id", "tenant_id", "ProcessStatus"} <= set(decide.fields)


async def test_credentials_in_a_webhook_url_become_basic(tmp_path):
    async with rig(tmp_path, closes) as line:
        secret = line.hooks_url.replace("http://", "http://exotel:s3cret@")
        await line.flow(passthru_url=f"{secret}/decide", after_stream_url=f"{secret}/after")
        await line.call({"wait_for_close": True})
        await run(line, Url=FLOW_URL, StatusCallback=f"{secret}/status")
    given = {hook.path: hook.headers.get("authorization") for hook in line.hooks.got}
    assert given == dict.fromkeys(["/decide", "/after", "/status"], "Basic " + base64.b64encode(b"exotel:s3cret").decode())


async def test_what_is_answered_besides_200_and_302_is_a_switch(tmp_path):
    async with rig(tmp_path, closes) as line:
        line.hooks.answers["/decide"] = (404, "", "text/plain")
        await line.settings(passthru_other_is_a=True)
        await line.flow(passthru_url=f"{line.hooks_url}/decide", branch_a=[{"kind": "passthru", "url": f"{line.hooks_url}/a"}])
        await line.call({"wait_for_close": True})
    assert len(line.hooks.at("/a")) == 1


async def test_stream_parameters_may_come_as_one_json_text(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.settings(stream_as_json=True)
        await line.flow(after_stream_url=f"{line.hooks_url}/after")
        await line.call({"wait_for_close": True})
        await line.settle()
    fields = line.hooks.at("/after")[0].fields
    assert not any(name.startswith("Stream[") for name in fields)
    assert json.loads(fields["Stream"])["Status"] == "completed"


@pytest.mark.parametrize(
    ("body", "media_type"),
    [('{"destination": {"numbers": ["+919811100000", "+919811122233"]}}', "application/json"), ("09811100000, 09811122233", "text/plain")],
)
async def test_a_transfer_dials_the_numbers_of_the_dynamic_url_in_order(tmp_path, body, media_type):
    async with rig(tmp_path, closes) as line:
        line.hooks.answers["/numbers"] = (200, body, media_type)
        talk = {"step": [{"say": "Human here"}, {"hangup": True}]}
        await line.settings(people=[{"number": "+919811100000", "outcome": "busy"}, {"number": OTHER, "scenario": talk}])
        connect = [{"kind": "connect", "url": f"{line.hooks_url}/numbers"}]
        await line.flow(passthru_url=f"{line.hooks_url}/decide", branch_a=connect, after_stream_url=f"{line.hooks_url}/after")
        _, report = await line.call({"wait_for_close": True})
        await line.settle()
        call = await status_of(line, report["call_sid"])
    assert line.hooks.at("/numbers")[0].headers["exotel-version"] == "1.0"
    after = line.hooks.at("/after")[0].fields
    assert (after["DialCallStatus"], after["DialWhomNumber"], after["CallType"]) == ("completed", "09811122233", "completed")
    assert (after["Legs[0][CauseCode]"], after["Legs[1][CauseCode]"]) == ("USER_BUSY", "NORMAL_CLEARING")
    assert call["Price"] == "1.200"


async def test_nobody_is_dialled_for_a_caller_who_has_gone(tmp_path):
    async with rig(tmp_path, listens) as line:
        await line.flow(branch_a=[{"kind": "connect", "numbers": [OTHER]}])
        events, _ = await line.call({"hangup": True})
    assert "applet_skipped" in [event["event"] for event in events]


async def test_gathered_digits_reach_the_next_applet_in_quotes(tmp_path):
    async with rig(tmp_path, closes) as line:
        line.hooks.answers["/gather"] = (200, '{"gather_prompt": {"text": "Your code"}, "max_input_digits": 2}', "application/json")
        gather = [{"kind": "gather", "url": f"{line.hooks_url}/gather"}, {"kind": "passthru", "url": f"{line.hooks_url}/code"}]
        await line.flow(branch_a=gather)
        await line.call({"press": "17"}, {"wait_for_close": True})
    assert line.hooks.at("/code")[0].fields["digits"] == '"17"'


@pytest.mark.parametrize(("media_type", "played"), [("text/plain", True), ("application/xml", False)])
async def test_a_greeting_is_asked_by_head_and_get_and_played_only_as_plain_text(tmp_path, media_type, played):
    async with rig(tmp_path, closes) as line:
        line.hooks.answers["/greet"] = (200, "Please wait", media_type)
        await line.flow(branch_a=[{"kind": "greeting", "url": f"{line.hooks_url}/greet"}])
        events, _ = await line.call({"wait_for_close": True})
    assert [hook.method for hook in line.hooks.at("/greet")] == ["HEAD", "GET"]
    # Starlette adds a charset to text/plain; the type alone is what counts.
    assert [event["played"] for event in events if event["event"] == "greeting"] == [played]


async def test_outgoing_applets_name_the_person_as_call_from(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.flow(passthru_url=f"{line.hooks_url}/decide")
        await run(line, Url=FLOW_URL, CustomField="order-17")
    fields = line.hooks.at("/decide")[0].fields
    assert (fields["Direction"], fields["CallFrom"], fields["CallTo"]) == ("outbound-dial", "09876543210", "8047112233")
    assert fields["CustomField"] == "order-17"
