"""Exotel's REST API: authentication, the three modes and what is refused, the Call object, lists, limits, faults; and no hang-up."""

import re
import xml.etree.ElementTree as ElementTree

import httpx
import pytest

from tests.simulator.exotel_rig import ACCOUNT, AUTH, CALLER, EXOPHONE, FLOW_URL, Bot, rig

OTHER = "+919811122233"


async def listens(bot: Bot) -> None:
    await bot.until("start")
    await bot.drain()


async def closes(bot: Bot) -> None:
    await bot.until("start")


def message(response: httpx.Response) -> str:
    return str(response.json()["RestException"]["Message"])


@pytest.mark.parametrize("auth", [None, ("sim-key", "wrong"), ("wrong", "sim-token")])
async def test_wrong_credentials_are_401_everywhere(tmp_path, auth):
    async with rig(tmp_path, closes) as line:
        for path in (f"{ACCOUNT}.json", f"{ACCOUNT}/Calls.json", "/exotel/exotelrecordings/simulated1/x.wav", f"{ACCOUNT}/Calls/x.json"):
            response = await line.http.get(path, auth=auth)
            assert response.status_code == 401
        assert (await line.http.post(f"{ACCOUNT}/Calls/connect.json", auth=auth)).status_code == 401


async def test_the_sid_in_the_path_must_be_the_accounts(tmp_path):
    async with rig(tmp_path, closes) as line:
        assert (await line.http.get("/exotel/v1/Accounts/somebody/Calls.json", auth=AUTH)).status_code == 404
        assert (await line.http.get(f"{ACCOUNT}.json", auth=AUTH)).status_code == 200


async def test_connect_to_a_flow_answers_the_whole_call_object_at_once(tmp_path):
    async with rig(tmp_path, closes) as line:
        response = await line.connect(Url=FLOW_URL, TimeLimit="600", CustomField="order-17")
        assert response.status_code == 200
        call = response.json()["Call"]
        assert re.fullmatch(r"[0-9a-z]{32}", call["Sid"])
        assert call["Status"] == "in-progress"
        assert (call["From"], call["PhoneNumberSid"], call["Direction"]) == ("09876543210", "08047112233", "outbound-api")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", call["DateCreated"])
        assert {name for name, value in call.items() if value is None} == {
            *("ParentCallSid", "EndTime", "Duration", "Price", "AnsweredBy", "ForwardedFrom", "CallerName", "RecordingUrl")
        }
        await line.finished(call["Sid"])
    assert line.bots[0].messages[1]["start"]["from"] == "09876543210"


async def test_the_bare_path_answers_xml_with_the_same_names(tmp_path):
    async with rig(tmp_path, closes) as line:
        response = await line.http.post(f"{ACCOUNT}/Calls/connect", data={"From": CALLER, "CallerId": EXOPHONE, "Url": FLOW_URL}, auth=AUTH)
        sid = ElementTree.fromstring(response.content).findtext("Call/Sid") or ""
        await line.finished(sid)
        details = await line.http.get(f"{ACCOUNT}/Calls/{sid}?details=true", auth=AUTH)
    assert response.headers["content-type"].startswith("application/xml")
    root = ElementTree.fromstring(details.content)
    assert root.tag == "TwilioResponse"
    assert root.findtext("Call/Status") == "completed"
    assert root.findtext("Call/Details/Legs/Leg/OnCallDuration") is not None


async def test_a_multipart_form_is_read_and_a_json_body_is_not(tmp_path):
    form = {"From": CALLER, "CallerId": EXOPHONE, "Url": FLOW_URL}
    async with rig(tmp_path, closes) as line:
        multipart = await line.http.post(
            f"{ACCOUNT}/Calls/connect.json", files={name: (None, value) for name, value in form.items()}, auth=AUTH
        )
        as_json = await line.http.post(f"{ACCOUNT}/Calls/connect.json", json=form, auth=AUTH)
    assert multipart.status_code == 200
    assert as_json.status_code == 400
    assert "From" in message(as_json)


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"From": ""}, "From"),
        ({"CallerId": ""}, "CallerId"),
        ({"CallerId": "+918000000000"}, "ExoPhone"),
        ({"Url": ""}, "To, Url and StreamUrl"),
        ({"Url": "https://example.com/flow"}, "Url must be a flow"),
        ({"Url": FLOW_URL.replace("simulated1", "another")}, "Url must be a flow"),
        ({"StreamUrl": "wss://bot.example/x"}, "can not be used together"),
        ({"Url": "", "StreamUrl": "https://bot.example/x", "StreamType": "bidirectional"}, "ws://"),
        ({"Url": "", "StreamUrl": "wss://bot.example/x"}, "StreamType"),
        ({"Url": "", "StreamUrl": "wss://bot.example/" + "x" * 600, "StreamType": "bidirectional"}, "600"),
        ({"Url": "", "StreamUrl": "wss://b.example/", "StreamType": "bidirectional", "To": OTHER}, "To can not"),
        ({"CustomField": "x" * 129}, "128"),
        ({"TimeLimit": "14401"}, "14400"),
        ({"TimeLimit": "soon"}, "TimeLimit"),
        ({"From": "12"}, "Invalid parameter From"),
        ({"StatusCallback": "ftp://x"}, "StatusCallback"),
        ({"StatusCallback": "http://x.example/", "StatusCallbackEvents[0]": "started"}, "StatusCallbackEvents"),
    ],
)
async def test_a_request_that_exotel_would_refuse_is_400_with_the_reason(tmp_path, form, why):
    async with rig(tmp_path, closes) as line:
        response = await line.connect(**{"Url": FLOW_URL, **form})
    assert response.status_code == 400
    assert why in message(response)


async def test_all_spellings_of_the_flow_url_are_accepted(tmp_path):
    async with rig(tmp_path, closes) as line:
        for url in (
            FLOW_URL,
            FLOW_URL.replace("http:", "https:"),
            FLOW_URL.replace("my.exotel", "my.in.exotel"),
            FLOW_URL.replace(".com", ".in"),
        ):
            assert (await line.connect(Url=url)).status_code == 200
        assert (await line.connect(Url=FLOW_URL, To=EXOPHONE)).status_code == 200


async def test_dnd_numbers_are_refused_with_the_captured_message(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.settings(people=[{"number": CALLER, "dnd": True}])
        response = await line.connect(Url=FLOW_URL)
        metadata = (await line.http.get(f"{ACCOUNT}/Numbers/09876543210.json", auth=AUTH)).json()["Numbers"]
    assert response.status_code == 403
    assert response.json()["RestException"]["Status"] == 403
    assert message(response).startswith("Call to [09876543210] can not be made because of TRAI NDNC regulations.")
    assert metadata["DND"] == "Yes"


async def test_connect_ai_that_is_not_enabled_is_403(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.settings(connect_ai_enabled=False)
        assert (await line.connect(StreamUrl=line.bot_url, StreamType="bidirectional")).status_code == 403


async def test_more_attempts_than_allowed_in_a_minute_are_429(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.settings(connects_per_minute=2)
        statuses = [(await line.connect()).status_code for _ in range(3)]
    assert statuses == [400, 400, 429]


async def test_ordered_faults_hit_connect_and_details(tmp_path):
    async with rig(tmp_path, closes) as line:
        for target, status in (("exotel.connect", 503), ("exotel.details", 429)):
            await line.http.post("/control/faults", json={"target": target, "fault": "status", "status": status, "times": 1})
        assert (await line.connect(Url=FLOW_URL)).status_code == 503
        assert (await line.http.get(f"{ACCOUNT}/Calls.json", auth=AUTH)).status_code == 429
        assert (await line.http.get(f"{ACCOUNT}/Calls.json", auth=AUTH)).status_code == 200
        await line.http.post("/control/faults", json={"target": "exotel.details", "fault": "hang", "times": 1})
        with pytest.raises(httpx.ReadTimeout):
            await line.http.get(f"{ACCOUNT}/Calls.json", auth=AUTH, timeout=httpx.Timeout(60, read=0.3))
        await line.http.post("/control/faults", json={"target": "exotel.details", "fault": "drop", "after": 5, "times": 1})
        with pytest.raises(httpx.RemoteProtocolError):
            await line.http.get(f"{ACCOUNT}/Calls.json", auth=AUTH)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_there_is_no_way_to_hang_up(tmp_path, method):
    async with rig(tmp_path, listens) as line:
        sid = (await line.connect(Url=FLOW_URL)).json()["Call"]["Sid"]
        response = await line.http.request(method, f"{ACCOUNT}/Calls/{sid}.json", data={"Status": "completed"}, auth=AUTH)
        assert response.status_code == 404
        assert (await line.http.get(f"{ACCOUNT}/Calls/{sid}.json", auth=AUTH)).json()["Call"]["Status"] == "in-progress"


async def test_details_fill_in_only_some_time_after_the_end(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.settings(details_delay_s=600, price_per_minute="1.25")
        sid = (await line.connect(Url=FLOW_URL, Record="true")).json()["Call"]["Sid"]
        await line.finished(sid)
        early = (await line.http.get(f"{ACCOUNT}/Calls/{sid}.json", auth=AUTH)).json()["Call"]
        await line.settings(details_delay_s=0)
        late = (await line.http.get(f"{ACCOUNT}/Calls/{sid}.json?details=true", auth=AUTH)).json()["Call"]
    assert (early["Status"], early["Duration"], early["Price"], early["RecordingUrl"]) == ("completed", None, None, None)
    assert late["Price"] == "1.250"
    assert int(late["Duration"]) >= 1
    assert late["RecordingUrl"].endswith(f"/exotel/exotelrecordings/simulated1/{sid}.wav")
    assert late["Details"]["Leg1Status"] == "completed"


async def test_a_recording_is_404_until_it_is_ready_and_never_without_record(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.settings(recording_delay_s=3_600)
        recorded = (await line.connect(Url=FLOW_URL, Record="true")).json()["Call"]["Sid"]
        other = (await line.connect(Url=FLOW_URL)).json()["Call"]["Sid"]
        await line.finished(recorded)
        await line.finished(other)
        path = "/exotel/exotelrecordings/simulated1/{}.wav"
        assert (await line.http.get(path.format(recorded), auth=AUTH)).status_code == 404
        await line.settings(recording_delay_s=0)
        ready = await line.http.get(path.format(recorded), auth=AUTH)
        assert (await line.http.get(path.format(other), auth=AUTH)).status_code == 404
    assert ready.headers["content-type"] == "audio/x-wav"
    assert ready.content[:4] == b"RIFF"


async def test_a_single_channel_recording_is_mono_and_mp3_is_only_a_name(tmp_path):
    async with rig(tmp_path, closes) as line:
        await line.settings(recording_format="mp3")
        sid = (await line.connect(Url=FLOW_URL, Record="true")).json()["Call"]["Sid"]
        await line.finished(sid)
        url = (await line.http.get(f"{ACCOUNT}/Calls/{sid}.json", auth=AUTH)).json()["Call"]["RecordingUrl"]
        got = await line.http.get(url, auth=AUTH)
    assert url.endswith(".mp3")
    assert got.headers["content-type"] == "audio/mpeg"
    assert int.from_bytes(got.content[22:24], "little") == 1


async def test_the_bulk_list_filters_sorts_and_pages(tmp_path):
    async with rig(tmp_path, closes) as line:
        sids = [(await line.connect(Url=FLOW_URL)).json()["Call"]["Sid"] for _ in range(3)]
        sids.append((await line.connect(Url=FLOW_URL, From=OTHER)).json()["Call"]["Sid"])
        for sid in sids:
            await line.finished(sid)

        async def listed(**query) -> dict:
            response = await line.http.get(f"{ACCOUNT}/Calls.json", params=query, auth=AUTH)
            response.raise_for_status()
            return dict(response.json())

        assert [call["Sid"] for call in (await listed())["Calls"]] == sids[::-1]
        assert [call["Sid"] for call in (await listed(From="09811122233"))["Calls"]] == sids[3:]
        assert [call["Sid"] for call in (await listed(Sid=f"{sids[0]},{sids[2]}", SortBy="DateCreated:asc"))["Calls"]] == [sids[0], sids[2]]
        assert (await listed(DateCreated="gte:2020-01-01 00:00:00;lte:2020-02-01 00:00:00"))["Calls"] == []
        assert (await listed(Status="failed"))["Metadata"]["Total"] == 0
        page = await listed(PageSize="3", SortBy="DateCreated:asc")
        following = (await line.http.get("/exotel" + page["Metadata"]["NextPageUri"], auth=AUTH)).json()
        back = (await line.http.get("/exotel" + following["Metadata"]["PrevPageUri"], auth=AUTH)).json()
        assert [call["Sid"] for call in following["Calls"]] == sids[3:]
        assert [call["Sid"] for call in back["Calls"]] == sids[:3]
        assert following["Metadata"]["NextPageUri"] is None
        refused = await line.http.get(f"{ACCOUNT}/Calls.json", params={"PageSize": "101"}, auth=AUTH)
    assert refused.status_code == 400


async def test_exophones_are_listed_in_both_versions(tmp_path):
    async with rig(tmp_path, closes) as line:
        old = (await line.http.get(f"{ACCOUNT}/IncomingPhoneNumbers.json", auth=AUTH)).json()
        new = (await line.http.get("/exotel/v2_beta/Accounts/simulated1/IncomingPhoneNumbers", auth=AUTH)).json()
    assert old == {"IncomingPhoneNumbers": [{"IncomingPhoneNumber": {"PhoneNumber": "08047112233"}}]}
    assert new["incoming_phone_numbers"][0]["phone_number"] == EXOPHONE
    assert new["incoming_phone_numbers"][0]["friendly_name"] == "08047112233"


async def test_active_streams_and_the_white_list(tmp_path):
    async with rig(tmp_path, closes) as line:
        streams = ElementTree.fromstring((await line.http.get(f"{ACCOUNT}/ActiveStreams", auth=AUTH)).content)
        listed = await line.http.post(f"{ACCOUNT}/CustomerWhitelist.json", data={"VirtualNumber": EXOPHONE, "Number": OTHER}, auth=AUTH)
    assert (streams.findtext("Stream/ActiveStreamCount"), streams.findtext("Stream/ThrottleLimit")) == ("0", "100")
    assert listed.status_code == 200


async def test_an_unknown_call_or_path_is_404_in_the_asked_format(tmp_path):
    async with rig(tmp_path, closes) as line:
        unknown = await line.http.get(f"{ACCOUNT}/Calls/{'0' * 32}.json", auth=AUTH)
        nowhere = await line.http.get(f"{ACCOUNT}/Nothing", auth=AUTH)
    assert (unknown.status_code, message(unknown)) == (404, "Call not found")
    assert ElementTree.fromstring(nowhere.content).findtext("RestException/Status") == "404"
