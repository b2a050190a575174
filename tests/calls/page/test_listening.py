"""What the player is told: whose each channel is, and where the recording has each turn and each word."""

import base64

import pytest

from calls.models import Recording, Turn, Waveform
from calls.page.listening import heard_turns, listening_json

CALLER, AGENT = "caller", "agent"


def turn(speaker: str, number: int, text: str, started_ms: int, ended_ms: int) -> Turn:
    return Turn(speaker=speaker, number=number, text=text, started_ms=started_ms, ended_ms=ended_ms)


def recorded(names: dict[str, str], turns=(), transcript=(), offset_ms: int = 0) -> Recording:
    return Recording(transcript=list(transcript), alignment={"offset_ms": offset_ms, "names": names, "turns": list(turns), "unmatched": []})


def said(start_ms: int, end_ms: int, text: str) -> dict:
    words = [[start_ms + 100 * at, start_ms + 100 * at + 90, word] for at, word in enumerate(text.split())]
    return {"channel": 0, "start_ms": start_ms, "end_ms": end_ms, "text": text, "confidence": 0.9, "words": words}


def placed(speaker: str, number: int, *utterances: int) -> dict:
    return {"speaker": speaker, "number": number, "heard": bool(utterances), "similarity": 1.0, "utterances": list(utterances)}


def test_turns_are_where_the_recording_has_them():
    turns = [turn(CALLER, 1, "Hello there", 1000, 2000), turn(AGENT, 2, "Good morning", 2600, 4000)]
    recording = recorded(
        {"c0": CALLER}, [placed(CALLER, 1, 0), placed(AGENT, 2, 1)], [said(1500, 2400, "hello there"), said(3300, 4600, "good morning")]
    )
    first, second = heard_turns(turns, recording)
    assert (first.begin_ms, first.end_ms, [word.at_ms for word in first.words]) == (1500, 2400, [1500, 1600])
    assert (second.begin_ms, second.end_ms) == (3300, 4600)
    assert (first.line_ms, second.line_ms) == (None, 900)


def test_without_a_transcript_our_own_clock_counts_moved_by_what_is_known():
    turns = [turn(CALLER, 1, "Hello", 1000, 2000), turn(AGENT, 2, "Yes", 2500, 2500)]
    (first, second), (moved, _) = heard_turns(turns, None), heard_turns(turns, recorded({}, [placed(CALLER, 1)], offset_ms=300))
    assert (first.begin_ms, first.end_ms, moved.begin_ms) == (1000, 2000, 1300)
    assert second.line_ms is None and second.words[0].at_ms == 2500


def test_the_line_is_only_known_between_two_turns_that_follow_each_other_in_the_recording():
    turns = [turn(CALLER, 1, "One", 0, 900), turn(AGENT, 2, "lost", 1000, 1500), turn(AGENT, 3, "Three", 2000, 3000)]
    recording = recorded(
        {}, [placed(CALLER, 1, 0), placed(AGENT, 2), placed(AGENT, 3, 1)], [said(0, 900, "One"), said(2000, 3000, "Three")]
    )
    assert [heard.line_ms for heard in heard_turns(turns, recording)] == [None, None, None]


def test_words_are_compared_only_for_a_player_and_as_they_are_shown(monkeypatch):
    (heard,) = heard_turns([turn(CALLER, 1, "My number is 98765", 0, 900)], None)
    heard.turn.text = "My number is •••"
    assert [heard.turn.text[place.start : place.end] for place in heard.words] == ["My", "number", "is", "•••"]
    monkeypatch.setattr("calls.page.listening.places", None)
    assert heard_turns([heard.turn], None)[0].line_ms is None


def test_a_transcript_from_before_words_had_times_still_places_them():
    old = {name: value for name, value in said(1000, 3000, "one two").items() if name != "words"}
    (heard,) = heard_turns([turn(CALLER, 1, "one two", 0, 100)], recorded({}, [placed(CALLER, 1, 0)], [old]))
    assert [word.at_ms for word in heard.words] == [1000, 2143]


@pytest.mark.parametrize(
    ("names", "channels", "speakers"),
    [
        ({"c0": CALLER, "c1": AGENT}, 2, [CALLER, AGENT]),
        ({"c0": AGENT, "c1": CALLER}, 2, [CALLER, AGENT]),
        ({"c1": CALLER}, 2, [CALLER, AGENT]),
        ({"c0": CALLER, "c1": CALLER}, 2, ["", ""]),
        ({}, 2, ["", ""]),
        ({"s0": CALLER}, 1, [""]),
    ],
)
def test_the_caller_is_above_the_agent_as_far_as_anybody_knows(names, channels, speakers):
    picture = Waveform(channels=channels, duration_ms=1000, peaks=bytes(range(4 * channels)))
    told = listening_json(picture, [], recorded(names))
    assert [channel["speaker"] for channel in told["channels"]] == speakers
    first = base64.b64decode(told["channels"][0]["peaks"])
    assert first == (bytes([4, 5, 6, 7]) if names.get("c1") == CALLER and speakers[0] else bytes([0, 1, 2, 3]))


def test_names_of_channels_that_nobody_knows_are_numbers():
    picture = Waveform(channels=2, duration_ms=1000, peaks=bytes(8))
    assert [channel["name"] for channel in listening_json(picture, [], None)["channels"]] == ["Channel 1", "Channel 2"]
