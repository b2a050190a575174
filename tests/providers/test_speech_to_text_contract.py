"""What every speech to text promises the engine, whoever listens."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import pytest

from engine.audio import AudioChunk, silence
from engine.errors import ErrorCategory, ProviderError
from engine.ports import FinalTranscript, InterimTranscript, SpeechStarted, SpeechToText, TranscriptEvent, UtteranceEnded
from engine.usage import Unit, UsageKind
from providers.config import DeepgramConfig, SpeechToTextOptions
from providers.connection import Deadlines
from providers.deepgram.live import DeepgramSpeechToText
from providers.fallback import FallbackSpeechToText
from tests.providers.vendors import HURRIED, KEY, NOWHERE, PATIENT, deepgram_config, expect_key, failure, frames, no_task_left, order
from tests.simulator.serving import Served, settled

TARGET = "deepgram.live"
RATE_HZ = 8_000
SAID = "I would like an appointment on Friday."
OPTIONS = SpeechToTextOptions("deepgram", "nova-3", endpointing_ms=300, utterance_end_ms=1_000, keyterms=("Dr. Rao", "Exotel"))


def deepgram_stt(server: Served, deadlines: Deadlines, key: str = KEY) -> SpeechToText:
    return DeepgramSpeechToText(deepgram_config(server, key), OPTIONS, deadlines)


def flux_stt(server: Served, deadlines: Deadlines, key: str = KEY) -> SpeechToText:
    return DeepgramSpeechToText(deepgram_config(server, key), replace(OPTIONS, model="flux-general-en"), deadlines)


def chained_stt(server: Served, deadlines: Deadlines, key: str = KEY) -> SpeechToText:
    return FallbackSpeechToText([deepgram_stt(server, deadlines, key)])


Make = Callable[..., SpeechToText]


@pytest.fixture(params=[deepgram_stt, flux_stt, chained_stt], ids=["deepgram", "flux", "fallback"])
def make(request: pytest.FixtureRequest) -> Make:
    return cast(Make, request.param)


async def line(server: Served, *, quiet_ms: int = 1_500) -> list[AudioChunk]:
    """Half a second of quiet, somebody speaking, and the quiet behind it."""
    speech = await server.state.speech.synthesise(SAID, RATE_HZ, voice="caller")
    return frames(silence(500, RATE_HZ) + speech, RATE_HZ, quiet_ms=quiet_ms)


async def recognised(port: SpeechToText, audio: Sequence[AudioChunk]) -> tuple[list[TranscriptEvent], list[Any]]:
    """Everything heard in `audio`, sent as fast as it is taken, and the usage afterwards."""
    async with port.stream(RATE_HZ) as stream:

        async def talk() -> None:
            for chunk in audio:
                await stream.send(chunk)
                await asyncio.sleep(0.001)
            await stream.finish()

        talking = asyncio.create_task(talk())
        try:
            events = [event async for event in stream]
        finally:
            talking.cancel()
            with suppress(asyncio.CancelledError, ProviderError):
                await talking
    return events, list(stream.usage)


async def test_what_is_said_is_heard_with_its_turn_and_its_places(vendors: Served, make: Make) -> None:
    vendors.state.change_settings({"stt_interim_ms": 200})
    audio = await line(vendors)
    async with no_task_left():
        events, _ = await recognised(make(vendors, PATIENT), audio)

    started = [event for event in events if isinstance(event, SpeechStarted)]
    finals = [event for event in events if isinstance(event, FinalTranscript) and event.text]
    interims = [event for event in events if isinstance(event, InterimTranscript)]
    assert len(started) == 1
    assert abs(started[0].at_ms - 500) <= 250
    assert " ".join(final.text for final in finals).lower().rstrip(".") == SAID.lower().rstrip(".")
    assert finals[-1].end_of_turn
    assert 500 < finals[-1].end_ms < sum(chunk.duration_ms for chunk in audio)
    assert all(event.text for event in interims)
    assert events.index(started[0]) < events.index(finals[0])


@pytest.mark.parametrize("make", [deepgram_stt, chained_stt], ids=["deepgram", "fallback"])
async def test_an_utterance_ends_even_if_no_segment_says_so(vendors: Served, make: Make) -> None:
    vendors.state.change_settings({"stt_interim_ms": 200})
    events, _ = await recognised(make(vendors, PATIENT), await line(vendors, quiet_ms=3_000))
    ended = [event for event in events if isinstance(event, UtteranceEnded)]
    finals = [event for event in events if isinstance(event, FinalTranscript) and event.text]
    assert [event.last_word_end_ms for event in ended] == [finals[-1].end_ms]


async def test_finishing_brings_what_was_still_unrecognised(vendors: Served, make: Make) -> None:
    events, _ = await recognised(make(vendors, PATIENT), await line(vendors, quiet_ms=0))
    finals = [event.text for event in events if isinstance(event, FinalTranscript)]
    assert SAID.lower().rstrip(".") in " ".join(finals).lower()


async def test_usage_is_the_audio_sent_with_the_request_as_evidence(vendors: Served, make: Make) -> None:
    audio = await line(vendors)
    _, usage = await recognised(make(vendors, PATIENT), audio)
    (record,) = usage
    sent_ms = sum(chunk.duration_ms for chunk in audio)
    asked = dict(vendors.state.seen[-1].facts["query"])["model"]
    assert (record.kind, record.unit, record.provider, record.model) == (UsageKind.STT, Unit.AUDIO_MS, "deepgram", asked)
    assert record.quantity == round(sent_ms)
    assert record.evidence == vendors.state.seen[-1].facts["request_id"]


async def test_usage_is_known_when_the_stream_is_left_early_and_nothing_sent_is_nothing_used(vendors: Served, make: Make) -> None:
    port = make(vendors, PATIENT)
    async with port.stream(RATE_HZ) as unused:
        pass
    async with port.stream(RATE_HZ) as stream:
        await stream.send(AudioChunk(silence(20, RATE_HZ), RATE_HZ))
    assert list(unused.usage) == []
    assert [record.quantity for record in stream.usage] == [20]


async def test_leaving_early_closes_the_socket(vendors: Served, make: Make) -> None:
    async with no_task_left(), make(vendors, PATIENT).stream(RATE_HZ) as stream:
        await stream.send(AudioChunk(silence(20, RATE_HZ), RATE_HZ))
        assert vendors.state.open_now[TARGET] == 1
    assert settled(vendors, TARGET, within_s=8)


async def test_cancelling_the_listener_passes_through_and_leaves_nothing_open(vendors: Served, make: Make) -> None:
    listening = asyncio.Event()

    async def listen() -> None:
        async with make(vendors, PATIENT).stream(RATE_HZ) as stream:
            listening.set()
            async for _ in stream:
                pass

    async with no_task_left():
        task = asyncio.create_task(listen())
        await listening.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert settled(vendors, TARGET, within_s=8)


@pytest.mark.parametrize(
    ("status", "category", "retryable"),
    [
        (400, ErrorCategory.BAD_REQUEST, False),
        (402, ErrorCategory.QUOTA, False),
        (429, ErrorCategory.RATE_LIMITED, True),
        (500, ErrorCategory.SERVER, True),
        (503, ErrorCategory.SERVER, True),
    ],
)
async def test_a_refusal_says_what_it_means(vendors: Served, make: Make, status: int, category: ErrorCategory, retryable: bool) -> None:
    order(vendors, TARGET, "status", status=status)
    async with no_task_left():
        error = await failure(lambda: recognised(make(vendors, PATIENT), []))
    assert (error.category, error.retryable) == (category, retryable)
    assert error.request_id
    assert vendors.state.faults.taken[f"{TARGET} status"] == 1


async def test_a_wrong_key_is_an_authentication_error_that_does_not_repeat_it(vendors: Served, make: Make) -> None:
    expect_key(vendors)
    port = make(vendors, PATIENT, key="wrong-key-9876543210")
    error = await failure(lambda: recognised(port, []))
    assert (error.category, error.retryable) == (ErrorCategory.AUTHENTICATION, False)
    for shown in (str(error), repr(error), repr(port), repr(vars(error)), repr(error.__cause__)):
        assert "9876543210" not in shown


async def test_a_handshake_that_never_comes_is_a_time_out(vendors: Served, make: Make) -> None:
    order(vendors, TARGET, "delay", ms=3_000)
    async with no_task_left():
        error = await failure(lambda: recognised(make(vendors, replace(PATIENT, connect_ms=150)), []))
    assert (error.category, error.retryable) == (ErrorCategory.TIMEOUT, True)


async def test_a_recogniser_that_answers_nothing_is_a_time_out_for_both_sides(vendors: Served, make: Make) -> None:
    order(vendors, TARGET, "hang")
    audio = frames(silence(1_000, RATE_HZ), RATE_HZ)
    async with no_task_left(), asyncio.timeout(60):
        with pytest.raises(ProviderError) as caught:
            async with make(vendors, HURRIED).stream(RATE_HZ) as stream:
                reading = asyncio.ensure_future(anext(aiter(stream)))
                with pytest.raises(ProviderError) as sending:
                    for chunk in audio:
                        await stream.send(chunk)
                        await asyncio.sleep(0.01)
                await reading
    assert caught.value.category == sending.value.category == ErrorCategory.TIMEOUT
    assert settled(vendors, TARGET)


async def test_audio_that_was_held_back_may_go_out_at_once(vendors: Served, make: Make) -> None:
    held_back = frames(silence(3_000, RATE_HZ), RATE_HZ)
    async with make(vendors, replace(PATIENT, stall_ms=2_000)).stream(RATE_HZ) as stream:
        for chunk in held_back:
            await stream.send(chunk)
    assert [record.quantity for record in stream.usage] == [3_000]


async def test_a_rest_that_never_comes_is_a_time_out(vendors: Served, make: Make) -> None:
    order(vendors, TARGET, "hang")
    few = frames(silence(100, RATE_HZ), RATE_HZ)
    error = await failure(lambda: recognised(make(vendors, HURRIED), few))
    assert (error.category, error.retryable) == (ErrorCategory.TIMEOUT, True)


async def test_a_dropped_socket_is_a_connection_error(vendors: Served, make: Make) -> None:
    order(vendors, TARGET, "drop", after=1)
    audio = await line(vendors)
    async with no_task_left():
        error = await failure(lambda: recognised(make(vendors, PATIENT), audio))
    assert (error.category, error.retryable) == (ErrorCategory.CONNECTION, True)


async def test_a_socket_closed_with_an_error_is_a_server_error(vendors: Served, make: Make) -> None:
    order(vendors, TARGET, "error", after=1)
    audio = await line(vendors)
    error = await failure(lambda: recognised(make(vendors, PATIENT), audio))
    assert (error.category, error.retryable) == (ErrorCategory.SERVER, True)


async def test_nobody_there_is_a_connection_error() -> None:
    port = DeepgramSpeechToText(DeepgramConfig(KEY, NOWHERE), OPTIONS, PATIENT)
    error = await failure(lambda: recognised(port, []))
    assert (error.category, error.retryable) == (ErrorCategory.CONNECTION, True)
