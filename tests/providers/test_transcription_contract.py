"""What every transcriber of finished recordings promises, whoever it is."""

import asyncio
import wave
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from engine.audio import silence
from engine.errors import ErrorCategory, ProviderError
from engine.usage import Unit, UsageKind
from providers.config import DeepgramConfig, TranscriptionOptions
from providers.deepgram.batch import DeepgramTranscriber, transcription
from providers.transcription import Transcriber
from tests.providers.vendors import KEY, NOWHERE, deepgram_config, expect_key, order
from tests.simulator.serving import Served, settled

TARGET = "deepgram.batch"
RATE_HZ = 8_000
ASKED = "Can I come on Friday?"
ANSWERED = "Friday at ten is free."
OPTIONS = TranscriptionOptions("deepgram", "nova-3", language="en")


def deepgram(server: Served, key: str = KEY, timeout_s: float = 20) -> Transcriber:
    return DeepgramTranscriber(deepgram_config(server, key), OPTIONS, httpx.Timeout(timeout_s))


Make = Callable[..., Transcriber]


@pytest.fixture(params=[deepgram], ids=["deepgram"])
def make(request: pytest.FixtureRequest) -> Make:
    return cast(Make, request.param)


def speak(server: Served, text: str) -> bytes:
    return asyncio.run(server.state.speech.synthesise(text, RATE_HZ))


def wav(path: Path, *channels: bytes) -> Path:
    frames = min(len(channel) for channel in channels) // 2
    mixed = b"".join(b"".join(channel[2 * n : 2 * n + 2] for channel in channels) for n in range(frames))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(mixed)
    return path


@pytest.fixture
def recording(vendors: Served, tmp_path: Path) -> Path:
    """The caller on the left, then the agent on the right."""
    asked, answered = speak(vendors, ASKED), speak(vendors, ANSWERED)
    pause = silence(500, RATE_HZ)
    left = asked + pause + bytes(len(answered))
    right = bytes(len(asked)) + pause + answered
    return wav(tmp_path / "call.wav", left, right)


def length_ms(path: Path) -> int:
    with wave.open(str(path)) as file:
        return int(file.getnframes() * 1000 / RATE_HZ)


def refused(port: Transcriber, path: Path) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        port.transcribe(path)
    return caught.value


def test_two_channels_are_told_apart_and_in_the_order_of_the_talk(vendors: Served, make: Make, recording: Path) -> None:
    result = make(vendors).transcribe(recording, multichannel=True)

    assert [(utterance.channel, utterance.text) for utterance in result.utterances] == [(0, ASKED), (1, ANSWERED)]
    assert result.channels == 2
    assert result.text == f"{ASKED} {ANSWERED}"
    first, second = result.utterances
    assert 0 <= first.start_ms < first.end_ms <= second.start_ms < second.end_ms <= result.duration_ms
    assert all(0 < utterance.confidence <= 1 for utterance in result.utterances)


def test_both_channels_are_paid_for(vendors: Served, make: Make, recording: Path) -> None:
    port = make(vendors)
    result = port.transcribe(recording, multichannel=True)
    record, other = result.usage
    assert abs(result.duration_ms - length_ms(recording)) <= 1
    assert (record.kind, record.unit, record.provider, record.model) == (UsageKind.TRANSCRIPTION, Unit.AUDIO_MS, "deepgram", "nova-3")
    assert record.quantity == other.quantity == result.duration_ms, "each channel for the whole length"
    assert record.evidence == result.request_id != ""
    assert other.evidence == f"{result.request_id}:channel2"


def test_one_channel_is_one_talk(vendors: Served, make: Make, tmp_path: Path) -> None:
    result = make(vendors).transcribe(wav(tmp_path / "mono.wav", speak(vendors, ASKED)))
    assert (result.text, result.channels) == (ASKED, 1)
    used = [(record.model, record.quantity, record.evidence) for record in result.usage]
    voices = ("diarization", result.duration_ms, f"{result.request_id}:voices")  # telling voices apart costs extra
    assert used == [("nova-3", result.duration_ms, result.request_id), voices]


def test_a_recording_without_a_word_is_an_empty_text_that_still_costs(vendors: Served, make: Make, tmp_path: Path) -> None:
    result = make(vendors).transcribe(wav(tmp_path / "quiet.wav", silence(2_000, RATE_HZ)))
    assert (result.text, result.utterances) == ("", ())
    assert result.usage[0].quantity == 2_000


def test_the_file_is_streamed_whole(vendors: Served, make: Make, tmp_path: Path) -> None:
    path = wav(tmp_path / "long.wav", silence(60_000, RATE_HZ))
    make(vendors).transcribe(path)
    seen = vendors.state.seen[-1].facts
    assert seen["size_bytes"] == path.stat().st_size
    assert seen["headers"]["transfer-encoding"] == "chunked"


@pytest.mark.parametrize(
    ("status", "category", "retryable"),
    [
        (400, ErrorCategory.BAD_REQUEST, False),
        (402, ErrorCategory.QUOTA, False),
        (403, ErrorCategory.AUTHENTICATION, False),
        (429, ErrorCategory.RATE_LIMITED, True),
        (500, ErrorCategory.SERVER, True),
        (503, ErrorCategory.SERVER, True),
    ],
)
def test_a_refusal_says_what_it_means_and_is_not_repeated(
    vendors: Served, make: Make, recording: Path, status: int, category: ErrorCategory, retryable: bool
) -> None:
    order(vendors, TARGET, "status", status=status)
    error = refused(make(vendors), recording)
    assert (error.category, error.retryable) == (category, retryable)
    assert error.request_id
    assert vendors.state.faults.taken[f"{TARGET} status"] == 1


def test_a_wrong_key_is_an_authentication_error_that_does_not_repeat_it(vendors: Served, make: Make, recording: Path) -> None:
    expect_key(vendors)
    port = make(vendors, key="wrong-key-9876543210")
    error = refused(port, recording)
    assert (error.category, error.retryable) == (ErrorCategory.AUTHENTICATION, False)
    for shown in (str(error), repr(error), repr(port), repr(vars(error)), repr(error.__cause__)):
        assert "9876543210" not in shown


def test_silence_of_the_provider_is_a_time_out(vendors: Served, make: Make, recording: Path) -> None:
    order(vendors, TARGET, "hang")
    error = refused(make(vendors, timeout_s=0.3), recording)
    assert (error.category, error.retryable) == (ErrorCategory.TIMEOUT, True)
    assert settled(vendors, TARGET)


def test_an_answer_cut_in_the_middle_is_a_connection_error(vendors: Served, make: Make, recording: Path) -> None:
    order(vendors, TARGET, "drop", after=20)
    error = refused(make(vendors), recording)
    assert (error.category, error.retryable) == (ErrorCategory.CONNECTION, True)


def test_what_is_no_audio_is_a_bad_request(vendors: Served, make: Make, tmp_path: Path) -> None:
    path = tmp_path / "page.wav"
    path.write_bytes(b"<html>not found</html>")
    error = refused(make(vendors), path)
    assert (error.category, error.retryable) == (ErrorCategory.BAD_REQUEST, False)


def test_nobody_there_is_a_connection_error(recording: Path) -> None:
    error = refused(DeepgramTranscriber(DeepgramConfig(KEY, NOWHERE), OPTIONS), recording)
    assert (error.category, error.retryable) == (ErrorCategory.CONNECTION, True)


def test_a_missing_file_is_an_os_error_before_anything_is_sent(vendors: Served, make: Make, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        make(vendors).transcribe(tmp_path / "gone.wav")
    assert not vendors.state.seen


def test_deepgram_is_asked_for_utterances_in_the_given_language(vendors: Served, recording: Path) -> None:
    deepgram(vendors).transcribe(recording, multichannel=True)
    query = dict(vendors.state.seen[-1].facts["query"])
    wanted = {
        "model": "nova-3",
        "multichannel": "true",
        "utterances": "true",
        "punctuate": "true",
        "smart_format": "true",
        "language": "en",
    }
    assert query == wanted


def test_the_voices_of_one_channel_are_told_apart(vendors: Served, recording: Path) -> None:
    result = deepgram(vendors).transcribe(recording)
    assert dict(vendors.state.seen[-1].facts["query"])["diarize"] == "true"
    assert {utterance.speaker for utterance in result.utterances} == {0}
    assert {utterance.speaker for utterance in deepgram(vendors).transcribe(recording, multichannel=True).utterances} == {None}


# --- the SDK's answer -------------------------------------------------------------------------------------------------


def answer(**results: Any) -> Any:
    metadata = SimpleNamespace(request_id="req-1", duration=3.5, channels=2)
    return SimpleNamespace(metadata=metadata, results=SimpleNamespace(**{"channels": [], "utterances": None, **results}))


def test_an_answer_without_utterances_gives_one_for_each_channel_that_spoke() -> None:
    said = [SimpleNamespace(alternatives=[SimpleNamespace(transcript=text, confidence=0.5)]) for text in ("", "Yes.")]
    result = transcription(answer(channels=said), "nova-3", multichannel=True)
    assert [(u.channel, u.start_ms, u.end_ms, u.text) for u in result.utterances] == [(1, 0, 3_500, "Yes.")]


def test_an_answer_of_another_shape_is_a_protocol_error(
    vendors: Served, make: Make, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simulator import deepgram as door

    monkeypatch.setattr(door, "batch_answer", lambda *_: {"request_id": "accepted"})
    error = refused(make(vendors), recording)
    assert error.category == ErrorCategory.PROTOCOL
