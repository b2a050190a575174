"""What every text to speech promises the engine, whoever speaks."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, cast, runtime_checkable

import pytest

from engine.errors import ErrorCategory
from engine.ports import TextToSpeech
from engine.usage import Unit, UsageKind
from providers.config import Voice
from providers.connection import Deadlines
from providers.deepgram.tts import DeepgramTextToSpeech, model_of
from providers.elevenlabs.live import ElevenLabsLiveTextToSpeech
from providers.elevenlabs.tts import ElevenLabsTextToSpeech
from providers.fallback import FallbackTextToSpeech
from providers.openai.tts import OpenAITextToSpeech
from tests.providers.vendors import (
    HURRIED,
    KEY,
    NOWHERE,
    PATIENT,
    deepgram_config,
    elevenlabs_config,
    expect_key,
    failure,
    no_task_left,
    openai_config,
    order,
    spoken,
)
from tests.simulator.serving import Served, settled

TEXT = "Your appointment is on Friday at ten."


def openai_tts(server: Served, deadlines: Deadlines, key: str = KEY) -> TextToSpeech:
    return OpenAITextToSpeech(openai_config(server, key), Voice("openai", "marin", "gpt-4o-mini-tts"), deadlines)


def elevenlabs_tts(server: Served, deadlines: Deadlines, key: str = KEY) -> TextToSpeech:
    voice = Voice("elevenlabs", "simulatedVoiceAgent1", "eleven_flash_v2_5", language="en-IN")
    return ElevenLabsTextToSpeech(elevenlabs_config(server, key), voice, deadlines)


def deepgram_tts(server: Served, deadlines: Deadlines, key: str = KEY) -> TextToSpeech:
    return DeepgramTextToSpeech(deepgram_config(server, key), Voice("deepgram", "thalia", "aura-2", language="en-IN"), deadlines)


def elevenlabs_live_tts(server: Served, deadlines: Deadlines, key: str = KEY) -> TextToSpeech:
    voice = Voice("elevenlabs", "simulatedVoiceAgent1", "eleven_flash_v2_5", language="en-IN")
    return ElevenLabsLiveTextToSpeech(elevenlabs_config(server, key), voice, deadlines)


def chained_tts(server: Served, deadlines: Deadlines, key: str = KEY) -> TextToSpeech:
    return FallbackTextToSpeech([elevenlabs_tts(server, deadlines, key)])


@dataclass(frozen=True)
class Kind:
    make: Callable[..., TextToSpeech]
    target: str
    rate_hz: int


KINDS = {
    "openai": Kind(openai_tts, "openai.speech", 24_000),
    "elevenlabs": Kind(elevenlabs_tts, "elevenlabs.speech", 8_000),
    "deepgram": Kind(deepgram_tts, "deepgram.speech", 8_000),
    "elevenlabs-live": Kind(elevenlabs_live_tts, "elevenlabs.speech", 8_000),
    "fallback": Kind(chained_tts, "elevenlabs.speech", 8_000),
}


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return cast(Kind, request.param)


async def test_what_is_spoken_can_be_heard_in_whole_samples_at_the_promised_rate(vendors: Served, kind: Kind) -> None:
    port = kind.make(vendors, PATIENT)
    async with no_task_left(), port.speak(TEXT) as chunks:
        heard = [chunk async for chunk in chunks]

    assert port.sample_rate_hz == kind.rate_hz
    assert {chunk.sample_rate_hz for chunk in heard} == {kind.rate_hz}
    assert all(len(chunk.pcm) % 2 == 0 and chunk.pcm for chunk in heard)
    words = await vendors.state.speech.recognise(b"".join(chunk.pcm for chunk in heard), kind.rate_hz)
    assert words.text == TEXT


async def test_the_first_audio_comes_before_the_last_is_made(vendors: Served, kind: Kind) -> None:
    vendors.state.change_settings({"tts_realtime_factor": 1.0})
    async with kind.make(vendors, PATIENT).speak(TEXT) as chunks:
        await anext(chunks)
        assert vendors.state.open_now[kind.target] == 1


async def test_leaving_early_stops_the_provider_at_once(vendors: Served, kind: Kind) -> None:
    vendors.state.change_settings({"tts_realtime_factor": 1.0})
    async with no_task_left(), kind.make(vendors, PATIENT).speak(TEXT * 12) as chunks:
        await anext(chunks)
    assert settled(vendors, kind.target, within_s=20)


async def test_cancelling_passes_through_and_leaves_nothing_open(vendors: Served, kind: Kind) -> None:
    vendors.state.change_settings({"tts_realtime_factor": 1.0})
    speaking = asyncio.Event()

    async def speak() -> None:
        async with kind.make(vendors, PATIENT).speak(TEXT * 12) as chunks:
            async for _ in chunks:
                speaking.set()

    async with no_task_left():
        task = asyncio.create_task(speak())
        await speaking.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert settled(vendors, kind.target, within_s=20)


@pytest.mark.parametrize(
    ("status", "category", "retryable"),
    [
        (429, ErrorCategory.RATE_LIMITED, True),
        (500, ErrorCategory.SERVER, True),
        (503, ErrorCategory.SERVER, True),
        (400, ErrorCategory.BAD_REQUEST, False),
        (404, ErrorCategory.NOT_FOUND, False),
    ],
)
async def test_a_refusal_says_what_it_means(vendors: Served, kind: Kind, status: int, category: ErrorCategory, retryable: bool) -> None:
    order(vendors, kind.target, "status", status=status)
    error = await failure(lambda: spoken(kind.make(vendors, PATIENT), TEXT))
    assert (error.category, error.retryable) == (category, retryable)
    assert settled(vendors, kind.target)


async def test_a_wrong_key_is_an_authentication_error_that_does_not_repeat_it(vendors: Served, kind: Kind) -> None:
    expect_key(vendors)
    port = kind.make(vendors, PATIENT, key="wrong-key-9876543210")
    error = await failure(lambda: spoken(port, TEXT))
    assert (error.category, error.retryable) == (ErrorCategory.AUTHENTICATION, False)
    for shown in (str(error), repr(error), repr(port), repr(vars(error))):
        assert "9876543210" not in shown
        assert "appointment" not in shown


async def test_silence_of_the_provider_is_a_time_out_in_time(vendors: Served, kind: Kind) -> None:
    order(vendors, kind.target, "hang")
    async with no_task_left():
        error = await failure(lambda: spoken(kind.make(vendors, HURRIED), TEXT))
    assert (error.category, error.retryable) == (ErrorCategory.TIMEOUT, True)
    assert settled(vendors, kind.target)


async def test_an_answer_cut_in_the_middle_is_truncated_after_the_audio_that_came(vendors: Served, kind: Kind) -> None:
    order(vendors, kind.target, "drop", after=3_001)
    heard: list[bytes] = []

    async def speak() -> None:
        async with kind.make(vendors, PATIENT).speak(TEXT) as chunks:
            async for chunk in chunks:
                heard.append(chunk.pcm)

    error = await failure(speak)
    assert (error.category, error.retryable) == (ErrorCategory.TRUNCATED, True)
    assert sum(len(pcm) for pcm in heard) == 3_000


async def test_an_answer_without_audio_is_truncated(vendors: Served, kind: Kind) -> None:
    order(vendors, kind.target, "truncate", after=0)
    error = await failure(lambda: spoken(kind.make(vendors, PATIENT), TEXT))
    assert error.category == ErrorCategory.TRUNCATED


async def test_nobody_there_is_a_connection_error(vendors: Served, kind: Kind) -> None:
    nowhere = _Elsewhere(vendors)
    error = await failure(lambda: spoken(kind.make(nowhere, PATIENT), TEXT))
    assert (error.category, error.retryable) == (ErrorCategory.CONNECTION, True)


@runtime_checkable
class Warmable(Protocol):
    async def warm(self) -> None: ...


class _Elsewhere:
    http = NOWHERE

    def __init__(self, server: Served) -> None:
        self.state = server.state


async def test_usage_is_the_characters_with_evidence_of_its_own_each_time(vendors: Served, kind: Kind) -> None:
    port = kind.make(vendors, PATIENT)
    await spoken(port, TEXT)
    await spoken(port, TEXT)
    records = [*port.usage(TEXT), *port.usage(TEXT), *port.usage("never spoken")]

    assert [(record.kind, record.unit, record.quantity) for record in records[:2]] == [(UsageKind.TTS, Unit.CHARACTERS, len(TEXT))] * 2
    assert {(record.provider, record.model) for record in records} == {(port.provider, port.model)}
    assert len({record.evidence for record in records}) == 3
    assert [record.evidence.startswith("local-") for record in records] == [False, False, True]


@pytest.mark.parametrize("name", ["openai", "elevenlabs", "deepgram", "elevenlabs-live"])
async def test_audio_that_drips_byte_by_byte_stays_in_whole_samples(vendors: Served, name: str) -> None:
    kind = KINDS[name]
    order(vendors, kind.target, "drip", every_ms=1)
    async with kind.make(vendors, PATIENT).speak(TEXT) as chunks:
        first = [await anext(chunks) for _ in range(20)]
    assert all(len(chunk.pcm) % 2 == 0 and chunk.pcm for chunk in first)


async def test_a_stall_in_the_middle_is_a_time_out(vendors: Served, kind: Kind) -> None:
    order(vendors, kind.target, "drip", every_ms=5_000)
    hurried = replace(HURRIED, first_ms=20_000)
    error = await failure(lambda: spoken(kind.make(vendors, hurried), TEXT))
    assert (error.category, error.retryable) == (ErrorCategory.TIMEOUT, True)


def test_one_port_works_on_one_event_loop_after_the_other(vendors: Served, kind: Kind) -> None:
    port = kind.make(vendors, PATIENT)
    assert asyncio.run(spoken(port, TEXT)) == asyncio.run(spoken(port, TEXT))


@pytest.mark.parametrize("name", ["openai", "elevenlabs", "deepgram", "elevenlabs-live"])
async def test_warming_opens_a_connection_and_tells_of_a_wrong_key(vendors: Served, name: str) -> None:
    expect_key(vendors)
    port = KINDS[name].make(vendors, PATIENT)
    assert isinstance(port, Warmable)
    await port.warm()
    wrong = KINDS[name].make(vendors, PATIENT, key="wrong")
    assert isinstance(wrong, Warmable)
    assert (await failure(wrong.warm)).category == ErrorCategory.AUTHENTICATION


# --- what goes over the wire ------------------------------------------------------------------------------------------


async def test_elevenlabs_is_told_model_pace_and_language_and_asked_for_the_lines_own_rate(vendors: Served) -> None:
    voice = Voice("elevenlabs", "simulatedVoiceAgent1", "eleven_flash_v2_5", speed=1.1, language="hi-IN")
    await spoken(ElevenLabsTextToSpeech(elevenlabs_config(vendors), voice, PATIENT), TEXT)
    seen = vendors.state.seen[-1].facts
    assert seen["query"] == {"output_format": "pcm_8000"}
    assert seen["request"] == {"text": TEXT, "model_id": "eleven_flash_v2_5", "voice_settings": {"speed": 1.1}, "language_code": "hi"}


async def test_elevenlabs_is_not_told_a_language_by_models_that_refuse_it(vendors: Served) -> None:
    voice = Voice("elevenlabs", "simulatedVoiceAgent1", "eleven_multilingual_v2", language="hi")
    await spoken(ElevenLabsTextToSpeech(elevenlabs_config(vendors), voice, PATIENT), TEXT)
    assert vendors.state.seen[-1].facts["request"] == {"text": TEXT, "model_id": "eleven_multilingual_v2"}


async def test_elevenlabs_speaks_at_another_rate_if_asked(vendors: Served) -> None:
    voice = Voice("elevenlabs", "simulatedVoiceAgent1", "eleven_flash_v2_5", sample_rate_hz=24_000)
    port = ElevenLabsTextToSpeech(elevenlabs_config(vendors), voice, PATIENT)
    heard = await vendors.state.speech.recognise(await spoken(port, TEXT), 24_000)
    assert (port.sample_rate_hz, heard.text) == (24_000, TEXT)


async def test_elevenlabs_without_credit_is_a_quota_error_although_it_says_401(vendors: Served) -> None:
    order(vendors, "elevenlabs.speech", "status", status=401, code="quota_exceeded")
    error = await failure(lambda: spoken(elevenlabs_tts(vendors, PATIENT), TEXT))
    assert (error.category, error.retryable, bool(error.request_id)) == (ErrorCategory.QUOTA, False, True)


async def test_openai_is_asked_for_raw_pcm(vendors: Served) -> None:
    voice = Voice("openai", "marin", "tts-1", speed=1.25)
    await spoken(OpenAITextToSpeech(openai_config(vendors), voice, PATIENT), TEXT)
    seen = vendors.state.seen[-1].facts["request"]
    assert seen == {"model": "tts-1", "voice": "marin", "input": TEXT, "response_format": "pcm", "speed": 1.25}


@pytest.mark.parametrize(
    ("voice_id", "model", "language", "asked"),
    [
        ("aura-2-thalia-en", "aura-2", "", "aura-2-thalia-en"),
        ("aura-asteria-en", "aura-2", "", "aura-asteria-en"),
        ("thalia", "aura-2", "", "aura-2-thalia-en"),
        ("celeste", "aura-2", "es-MX", "aura-2-celeste-es"),
        ("thalia", "aura-2-thalia-en", "hi", "aura-2-thalia-en"),
    ],
)
def test_deepgrams_voices_are_models_however_they_are_written(voice_id: str, model: str, language: str, asked: str) -> None:
    assert model_of(Voice("deepgram", voice_id, model, language=language)) == asked


async def test_deepgram_is_asked_for_raw_pcm_at_the_lines_own_rate(vendors: Served) -> None:
    voice = Voice("deepgram", "aura-2-thalia-en", "aura-2", speed=1.1)
    await spoken(DeepgramTextToSpeech(deepgram_config(vendors), voice, PATIENT), TEXT)
    seen = vendors.state.seen[-1].facts
    asked = {"model": "aura-2-thalia-en", "encoding": "linear16", "sample_rate": "8000", "container": "none", "speed": "1.1"}
    assert (seen["query"], seen["request"]) == (asked, {"text": TEXT})
