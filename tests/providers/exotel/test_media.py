"""The media codec against every shape that Exotel's pages, samples and captures show."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.exotel.media import (
    MAX_MESSAGE_BYTES,
    Audio,
    BadMessage,
    Connected,
    Dtmf,
    FrameWriter,
    MarkEchoed,
    Started,
    Stopped,
    Unknown,
    parse,
    sample_rate,
)

SID = "0f3c9a1e7b2d4c5f8a6b0d1e2f3a198c"
PCM = bytes(range(256)) + bytes(64)


def message(**fields) -> str:
    return json.dumps(fields)


def start(**body) -> str:
    return message(event="start", stream_sid=SID, sequence_number="1", start={"stream_sid": SID, "call_sid": "c" * 32, **body})


@pytest.mark.parametrize("numbers", [str, int])
@pytest.mark.parametrize("sid_name", ["stream_sid", "streamSid"])
def test_audio_is_decoded_in_both_spellings_and_types(numbers, sid_name):
    sent = {
        "event": "media",
        sid_name: SID,
        "sequence_number": numbers(2),
        "media": {"chunk": numbers(1), "timestamp": numbers(20), "payload": base64.b64encode(PCM).decode()},
    }
    assert parse(json.dumps(sent)) == Audio(PCM)


def test_audio_needs_nothing_but_its_payload():
    assert parse(message(event="media", media={"payload": base64.b64encode(PCM).decode()})) == Audio(PCM)
    assert parse(message(event="media", media={"payload": ""})) == Audio(b"")


def test_half_a_sample_is_cut_off():
    assert parse(message(event="media", media={"payload": base64.b64encode(PCM + b"x").decode()})) == Audio(PCM)


def test_the_captured_start():
    told = parse(
        start(
            account_sid="exampleco1",
            **{"from": "09876543215", "to": "04412345679"},
            custom_parameters={"k": "v"},
            media_format={"encoding": "base64", "sample_rate": "8000", "bit_rate": "128kbps"},
        )
    )
    assert told == Started(SID, "c" * 32, "exampleco1", "09876543215", "04412345679", {"k": "v"}, 8000)


def test_the_start_of_a_leg_with_a_number_for_a_rate():
    told = parse(start(leg_sid="l" * 32, media_format={"encoding": "audio/x-raw", "sample_rate": 16000, "bit_rate": 16}))
    assert isinstance(told, Started) and told.sample_rate_hz == 16000


def test_the_start_in_camel_case():
    body = {
        "callSid": "c" * 32,
        "accountSid": "a",
        "from": 919876543210,
        "customParameters": {"voice/uuid": ""},
        "mediaFormat": {"sampleRate": "24000"},
    }
    told = parse(message(event="start", streamSid=SID, start=body))
    assert told == Started(SID, "c" * 32, "a", "919876543210", "", {"voice/uuid": ""}, 24000)


@pytest.mark.parametrize("odd", [None, "", "raw/slin", [], 7])
def test_a_start_is_not_lost_to_a_strange_block(odd):
    told = parse(start(media_format=odd, custom_parameters=odd))
    assert isinstance(told, Started)
    assert (told.sample_rate_hz, told.custom_parameters, told.call_sid) == (None, {}, "c" * 32)


@pytest.mark.parametrize("digit", ["5", 5, '"5"', "#"])
def test_a_key(digit):
    assert parse(message(event="dtmf", stream_sid=SID, dtmf={"duration": "100", "digit": digit})) == Dtmf("#" if digit == "#" else "5")


def test_a_mark_comes_back_with_its_name():
    assert parse(message(event="mark", sequence_number="90", mark={"name": "utt-7-end"})) == MarkEchoed("utt-7-end")


@pytest.mark.parametrize(
    ("body", "reason"),
    [({"stop": {"call_sid": "c", "reason": "callended"}}, "callended"), ({"stop": {"reason": None}}, ""), ({"stop": "x"}, ""), ({}, "")],
)
def test_a_stop_with_or_without_its_reason(body, reason):
    assert parse(message(event="stop", **body)) == Stopped(reason)


def test_connected_and_what_we_do_not_act_on():
    assert parse(message(event="connected")) == Connected()
    assert parse(message(event="connected", protocol="Call", version="1.0.0")) == Connected()
    assert parse(message(event="clear", stream_sid=SID)) == Unknown()
    assert parse(message(event="silence", duration=4)) == Unknown()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "null",
        "{}",
        '{"event":7}',
        '{"event":"media"}',
        '{"event":"media","media":{}}',
        '{"event":"media","media":{"payload":7}}',
        '{"event":"media","media":{"payload":"%%%"}}',
        '{"event":"start"}',
        '{"event":"start","start":[]}',
        '{"event":"dtmf","dtmf":{}}',
        '{"event":"mark"}',
        "[" * 5000,
        '{"event":"\ud800"}',
        '{"event":"connected","x":"' + "a" * MAX_MESSAGE_BYTES + '"}',
    ],
)
def test_garbage_is_said_to_be_garbage_without_repeating_it(text):
    with pytest.raises(BadMessage) as bad:
        parse(text)
    assert "%%%" not in str(bad.value)


@given(st.text(max_size=200))
def test_no_text_breaks_the_parser(text):
    with contextlib.suppress(BadMessage):
        parse(text)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3))
)
def test_no_start_body_breaks_the_parser(value):
    body = {name: value for name in ("stream_sid", "call_sid", "from", "to", "custom_parameters", "media_format")}
    assert (
        isinstance(parse(json.dumps({"event": "start", "start": body}, allow_nan=False, default=str)), Started) if _finite(value) else True
    )


def _finite(value) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("told", "rate"), [("8000", 8000), (16000, 16000), (24000.0, None), ("8000Hz", 8000), ("44100", None), ("", None), (None, None)]
)
def test_only_rates_that_exotel_streams_at_are_believed(told, rate):
    assert sample_rate(told) == rate


def test_our_frames_are_what_exotel_documents():
    writer = FrameWriter(SID, 8000)
    pcm = PCM * 10
    first, second = json.loads(writer.media(pcm)), json.loads(writer.media(pcm))
    assert first == {
        "event": "media",
        "stream_sid": SID,
        "sequence_number": "1",
        "media": {"chunk": "1", "timestamp": "0", "payload": base64.b64encode(pcm).decode()},
    }
    assert (second["sequence_number"], second["media"]["chunk"], second["media"]["timestamp"]) == ("2", "2", "200")
    assert json.loads(writer.mark("utt-1")) == {"event": "mark", "stream_sid": SID, "sequence_number": "3", "mark": {"name": "utt-1"}}
    assert json.loads(writer.clear()) == {"event": "clear", "stream_sid": SID, "sequence_number": "4"}


def test_names_are_escaped():
    assert json.loads(FrameWriter('a"b', 8000).mark('x"\\y'))["mark"]["name"] == 'x"\\y'
