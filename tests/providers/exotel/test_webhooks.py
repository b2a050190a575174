"""What Exotel's deliveries say, from payloads as its captures and pages show them."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.exotel.webhooks import Leg, StreamReport, is_call_sid, nested, read
from tests.providers.exotel import payloads

HUMAN, EXOPHONE = payloads.HUMAN, payloads.EXOPHONE


def test_an_incoming_passthru_after_connect():
    told = read(payloads.PASSTHRU_ANSWERED)
    assert (told.call_sid, told.direction, told.human) == (payloads.SID, "inbound", HUMAN)
    assert told.exophones[0] == EXOPHONE
    assert told.status is None  # Dial status and call type are about the leg that was dialled, not about the call
    assert told.started_at == datetime(2022, 2, 23, 7, 1, 58, tzinfo=UTC)
    assert told.ended_at is None
    assert told.recording_url.startswith("https://s3-ap-southeast-1.amazonaws.com/")
    assert told.legs == (Leg("", 10, "NORMAL_CLEARING"),)
    assert told.cause == ""


def test_a_leg_that_nobody_answered_tells_why():
    assert read(payloads.PASSTHRU_NO_ANSWER).cause == "RING_TIMEOUT"


def test_in_an_outgoing_flow_the_human_is_call_from():
    told = read(payloads.PASSTHRU_OUTBOUND)
    assert (told.direction, told.human, told.status) == ("outbound", HUMAN, "ringing")
    assert told.exophones[0] == EXOPHONE  # sent without its leading 0


def test_a_terminal_callback_as_form():
    told = read(payloads.TERMINAL_FORM)
    assert (told.event_type, told.status, told.duration_s, told.custom_field) == ("terminal", "completed", 61, "order-17")
    assert told.ended_at == datetime(2025, 8, 12, 5, 20, 1, tzinfo=UTC)
    assert told.legs == (Leg("completed", 75, ""), Leg("completed", 61, ""))
    assert told.human == HUMAN and EXOPHONE in told.exophones


def test_an_answered_callback_as_json():
    told = read(payloads.ANSWERED_JSON)
    assert (told.event_type, told.status) == ("answered", "in-progress")
    assert told.legs == (Leg("in-progress", 0, ""), Leg("", 0, ""))


def test_a_base_callback_without_events():
    told = read(payloads.BASE_CALLBACK)
    assert (told.status, told.event_type, told.duration_s) == ("no-answer", "", None)


@pytest.mark.parametrize("params", [payloads.AFTER_BOT, payloads.AFTER_BOT_AS_JSON])
def test_a_stream_in_both_its_forms(params):
    told = read(params)
    assert told.stream == StreamReport(payloads.STREAM_SID, "completed", 64, "bot", "", payloads.STREAM_RECORDING)
    assert told.recording_url == payloads.STREAM_RECORDING


def test_a_stream_that_never_came_about_says_why():
    told = read(payloads.AFTER_BOT_FAILED)
    assert told.stream is not None
    assert (told.stream.status, told.stream.disconnected_by, told.cause) == ("failed", "na", "3009 failed to establish ws conn")


def test_a_throttled_stream_says_so():
    told = read({"CallSid": payloads.SID, "Stream[Status]": "failed", "Stream[DetailedStatus]": "Streaming_call_throttled"})
    assert told.stream is not None and told.stream.error == "Streaming_call_throttled"


def test_the_seeds_status_callback():
    told = read(
        {"CallSid": payloads.SID, "CallStatus": "completed", "CallDuration": "42", "RecordingUrl": "https://recordings.exotel.com/x.mp3"}
    )
    assert (told.status, told.duration_s, told.recording_url) == ("completed", 42, "https://recordings.exotel.com/x.mp3")


def test_the_json_that_dynamic_connect_is_said_to_post():
    told = read({"Call": {"Sid": payloads.SID, "From": "09876543211"}})
    assert (told.call_sid, told.human) == (payloads.SID, HUMAN)


def test_junk_is_nothing():
    told = read(
        {
            "CallSid": payloads.SID,
            "CallFrom": "null",
            "Duration": "-3",
            "RecordingUrl": "javascript:alert(1)",
            "EndTime": "1970-01-01 05:30:00",
        }
    )
    assert (told.human, told.duration_s, told.recording_url, told.ended_at) == ("", None, "", None)


def test_a_withheld_caller_is_not_mistaken_for_our_side():
    told = read({"CallSid": payloads.SID, "CallFrom": "anonymous", "CallTo": EXOPHONE, "Direction": "incoming"})
    assert (told.human, told.exophones) == ("", (EXOPHONE,))


def test_brackets_become_members():
    assert nested({"Legs[0][Status]": "a", "Legs[1][Status]": "b", "x": 1, "bad[": 2, "Stream": "s", "Stream[A]": "t"}) == {
        "Legs": {"0": {"Status": "a"}, "1": {"Status": "b"}},
        "x": 1,
        "bad[": 2,
        "Stream": {"A": "t"},
    }


@given(
    st.dictionaries(
        st.text(max_size=12), st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.lists(st.integers()), max_size=6
    )
)
def test_nothing_that_arrives_makes_reading_fail(params):
    names = ["CallSid", "Legs", "Legs[0][Status]", "Stream", "Stream[Status]", "Call", "From", "StartTime", "Duration", "RecordingUrl"]
    read(params)
    for value in params.values():
        read(dict.fromkeys(names, value))


def test_a_call_sid_is_opaque_but_plain():
    assert is_call_sid(payloads.SID) and is_call_sid("18bl" * 8)
    for odd in ("", "a b", "x" * 65, "a/b", "é", "a\n"):
        assert not is_call_sid(odd)


def test_the_payloads_are_json_where_they_say_so():
    assert json.loads(payloads.AFTER_BOT_AS_JSON["Stream"])["Status"] == "completed"
