"""Deepgram's turn-hearing models: what is asked for, what their messages mean, and a turn that is heard early."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from engine.audio import silence
from engine.errors import ErrorCategory, ProviderError
from engine.ports import EagerEndOfTurn, FinalTranscript, InterimTranscript, SpeechStarted, TranscriptEvent, TurnResumed, Word
from providers.config import SpeechToTextOptions
from providers.deepgram.flux import FluxWire, path, speaks
from providers.deepgram.live import DeepgramSpeechToText
from tests.providers.test_speech_to_text_contract import recognised
from tests.providers.vendors import PATIENT, deepgram_config, frames
from tests.simulator.serving import Served

RATE_HZ = 8_000
OPTIONS = SpeechToTextOptions("deepgram", "flux-general-multi", language="hi-IN", keyterms=("Dr. Rao", "Exotel"))


def turn(event: str, text: str, *words: tuple[float, float], window: tuple[float, float] = (0.5, 2.0)) -> str:
    message: dict[str, Any] = {
        "type": "TurnInfo",
        "request_id": "req-1",
        "sequence_id": 7,
        "event": event,
        "turn_index": 0,
        "audio_window_start": window[0],
        "audio_window_end": window[1],
        "transcript": text,
        "words": [{"word": "x", "confidence": 0.9, "start": start, "end": end} for start, end in words],
        "end_of_turn_confidence": 0.5,
    }
    return json.dumps(message)


@pytest.mark.parametrize(
    ("message", "events"),
    [
        (turn("Update", ""), ()),
        (turn("StartOfTurn", "Hello", (1.2, 1.6)), (SpeechStarted(1_200), InterimTranscript("Hello"))),
        (turn("StartOfTurn", "Hello"), (SpeechStarted(500), InterimTranscript("Hello"))),
        (turn("Update", "Hello there"), (InterimTranscript("Hello there"),)),
        (turn("EagerEndOfTurn", "Hello there."), (InterimTranscript("Hello there."), EagerEndOfTurn("Hello there."))),
        (turn("TurnResumed", "Hello there and"), (TurnResumed(), InterimTranscript("Hello there and"))),
        (turn("EndOfTurn", "Hello there.", (1.2, 1.9)), (FinalTranscript("Hello there.", end_of_turn=True, end_ms=1_900),)),
        (turn("EndOfTurn", "Hello there."), (FinalTranscript("Hello there.", end_of_turn=True, end_ms=2_000),)),
        (turn("SomethingNew", "Hello"), (InterimTranscript("Hello"),)),
        ('{"type":"Connected","request_id":"req-1","sequence_id":0}', ()),
        ('{"type":"Warning","code":"x","description":"y"}', ()),
    ],
)
def test_what_a_message_means(message: str, events: tuple[TranscriptEvent, ...]) -> None:
    assert FluxWire().read(message).events == events


def test_words_are_told_with_their_places_as_they_are_written() -> None:
    wire = FluxWire()
    (_, interim) = wire.read(turn("StartOfTurn", "Hello, there.", (1.2, 1.6), (1.7, 1.9))).events
    assert isinstance(interim, InterimTranscript)
    assert interim.words == (Word("Hello,", 1_200, 1_600), Word("there.", 1_700, 1_900))
    (final,) = wire.read(turn("EndOfTurn", "Hello, there.")).events  # a wire that leaves the places out
    assert isinstance(final, FinalTranscript)
    assert final.words == ()


def test_a_guess_is_told_once_and_the_turn_after_an_end_begins_anew() -> None:
    wire = FluxWire()
    heard = [wire.read(turn(event, "Yes.")).events for event in ("StartOfTurn", "Update", "EagerEndOfTurn", "EndOfTurn", "StartOfTurn")]
    assert heard == [
        (SpeechStarted(500), InterimTranscript("Yes.")),
        (),
        (EagerEndOfTurn("Yes."),),
        (FinalTranscript("Yes.", end_of_turn=True, end_ms=2_000),),
        (SpeechStarted(500), InterimTranscript("Yes.")),
    ]


def test_an_open_turn_becomes_final_once_when_the_stream_ends() -> None:
    wire = FluxWire()
    wire.read(turn("StartOfTurn", "And then", (0.6, 1.4)))
    assert wire.rest() == (FinalTranscript("And then", end_of_turn=False, end_ms=1_400),)
    assert wire.rest() == ()


def test_an_error_does_not_repeat_what_was_reported() -> None:
    with pytest.raises(ProviderError) as caught:
        FluxWire().read('{"type":"Error","sequence_id":3,"code":"INTERNAL_SERVER_ERROR","description":"secret words"}')
    assert (caught.value.category, caught.value.retryable) == (ErrorCategory.SERVER, True)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("raw", [b"", b"<html>", b'{"type":"TurnInfo","words":7}'])
def test_nonsense_is_a_protocol_error(raw: bytes) -> None:
    with pytest.raises(ProviderError) as caught:
        FluxWire().read(raw)
    assert caught.value.category == ErrorCategory.PROTOCOL


def asked(options: SpeechToTextOptions) -> dict[str, list[str]]:
    door, _, query = path(options, RATE_HZ).partition("?")
    assert door == "/v2/listen"
    return parse_qs(query)


def test_a_stream_is_asked_for_with_everything_that_matters() -> None:
    assert asked(OPTIONS) == {
        "model": ["flux-general-multi"],
        "encoding": ["linear16"],
        "sample_rate": ["8000"],
        "eot_threshold": ["0.7"],
        "eot_timeout_ms": ["3000"],
        "eager_eot_threshold": ["0.4"],
        "keyterm": ["Dr. Rao", "Exotel"],
        "language_hint": ["hi"],
    }


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        ({"model": "flux-general-en"}, "language_hint"),
        ({"language": "multi"}, "language_hint"),
        ({"eager_confidence": 0.0}, "eager_eot_threshold"),
    ],
)
def test_what_is_not_taken_or_not_wanted_is_not_sent(changes: dict[str, Any], absent: str) -> None:
    assert absent not in asked(replace(OPTIONS, **changes))


def test_numbers_outside_of_deepgrams_bounds_are_brought_inside() -> None:
    wild = asked(replace(OPTIONS, end_of_turn_confidence=0.2, eager_confidence=0.1, end_of_turn_timeout_ms=100))
    assert (wild["eot_threshold"], wild["eager_eot_threshold"], wild["eot_timeout_ms"]) == (["0.5"], ["0.3"], ["500"])
    above = asked(replace(OPTIONS, end_of_turn_confidence=0.6, eager_confidence=0.95))
    assert above["eager_eot_threshold"] == ["0.6"]


@pytest.mark.parametrize(("model", "turns"), [("flux-general-en", True), ("flux-general-multi", True), ("nova-3", False)])
def test_the_model_decides_which_socket_is_spoken_to(model: str, turns: bool) -> None:
    assert speaks(model) is turns


async def said(vendors: Served, *parts: str | int) -> list[TranscriptEvent]:
    """What is heard of `parts`: texts spoken, with pauses in ms between them."""
    pcm = b""
    for part in parts:
        pcm += silence(part, RATE_HZ) if isinstance(part, int) else await vendors.state.speech.synthesise(part, RATE_HZ, voice="caller")
    options = replace(OPTIONS, model="flux-general-en", end_of_turn_timeout_ms=2_000)
    events, _ = await recognised(DeepgramSpeechToText(deepgram_config(vendors), options, PATIENT), frames(pcm, RATE_HZ))
    return [event for event in events if not isinstance(event, InterimTranscript)]


async def test_a_turn_is_announced_early_and_then_ends_with_the_same_words(vendors: Served) -> None:
    started, eager, final = await said(vendors, 400, "I need an appointment.", 1_500)
    assert isinstance(started, SpeechStarted)
    assert eager == EagerEndOfTurn("I need an appointment.")
    assert isinstance(final, FinalTranscript)
    assert (final.text, final.end_of_turn) == ("I need an appointment.", True)


async def test_a_turn_that_goes_on_is_resumed_before_it_ends_with_all_its_words(vendors: Served) -> None:
    events = await said(vendors, 400, "I need an appointment.", 450, "On Friday.", 1_500)
    kinds = [type(event) for event in events]
    assert kinds == [SpeechStarted, EagerEndOfTurn, TurnResumed, EagerEndOfTurn, FinalTranscript]
    final = events[-1]
    assert isinstance(final, FinalTranscript)
    assert final.text == "I need an appointment. On Friday."


async def test_after_words_that_ask_for_more_it_waits_for_them(vendors: Served) -> None:
    *_, final = await said(vendors, 400, "My number is", 900, "four two.", 1_500)
    assert isinstance(final, FinalTranscript)
    assert final.text == "My number is four two."
