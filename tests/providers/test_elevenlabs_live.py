"""ElevenLabs' speech socket: where each character sounds, what goes over the wire, and when HTTP takes over."""

import asyncio
import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from engine.audio import duration_ms
from engine.errors import ErrorCategory, ProviderError
from engine.ports import SpokenAudio
from providers.config import Voice
from providers.connection import LoopClients
from providers.elevenlabs import spares as sockets
from providers.elevenlabs.alignment import Utterance
from providers.elevenlabs.live import ElevenLabsLiveTextToSpeech, path
from providers.fallback import FallbackTextToSpeech
from tests.providers.vendors import KEY, PATIENT, elevenlabs_config, expect_key, failure, no_task_left, order, spoken
from tests.simulator.serving import Served

TEXT = "Your appointment is on Friday."
VOICE = Voice("elevenlabs", "simulatedVoiceAgent1", "eleven_flash_v2_5", speed=1.1, language="hi-IN")


def live(server: Served, key: str = KEY, **changes: Any) -> ElevenLabsLiveTextToSpeech:
    return ElevenLabsLiveTextToSpeech(elevenlabs_config(server, key), replace(VOICE, **changes), PATIENT)


def doors(server: Served) -> list[str]:
    """How each text reached the vendor."""
    return ["socket" if "inactivity_timeout" in seen.facts["query"] else "http" for seen in server.state.seen]


def message(audio: bytes = b"", *places: tuple[str, float, float], last: bool = False) -> str:
    alignment = {
        "chars": [place[0] for place in places],
        "charStartTimesMs": [place[1] for place in places],
        "charDurationsMs": [place[2] for place in places],
    }
    encoded = base64.b64encode(audio).decode() if audio else None
    return json.dumps({"audio": encoded, "isFinal": last or None, "alignment": alignment if places else None, "normalizedAlignment": None})


def test_times_that_count_from_a_piece_become_times_from_the_beginning() -> None:
    utterance = Utterance("Hi.", 8_000)
    first = utterance.read(message(bytes(1_600), ("H", 0, 40), ("i", 40, 60)))
    second = utterance.read(message(bytes(800), (".", 10, 30), (" ", 40, 5)))
    assert first.chunk == SpokenAudio(bytes(1_600), 8_000, (("H", 40), ("i", 100)))
    assert second.chunk == SpokenAudio(bytes(800), 8_000, ((".", 140),)), "the padding behind the text is not part of it"


def test_half_a_sample_waits_for_its_other_half_and_the_end_is_the_end() -> None:
    utterance = Utterance("Hi.", 8_000)
    assert utterance.read(message(b"\x01")).chunk is None
    said = utterance.read(message(b"\x02\x03"))
    assert said.chunk is not None
    assert (said.chunk.pcm, said.is_last) == (b"\x01\x02", False)
    assert utterance.read(message(last=True)).is_last


@pytest.mark.parametrize(
    ("raw", "category"),
    [
        ('{"message":"secret","error":"invalid_api_key","code":1008}', ErrorCategory.AUTHENTICATION),
        ('{"message":"secret","error":"quota_exceeded","code":1008}', ErrorCategory.QUOTA),
        ('{"message":"secret","error":"too_many_concurrent_requests","code":1008}', ErrorCategory.RATE_LIMITED),
        ('{"message":"secret","error":"something_new","code":1011}', ErrorCategory.SERVER),
        ('{"audio":"***"}', ErrorCategory.PROTOCOL),
        ("<html>secret", ErrorCategory.PROTOCOL),
    ],
)
def test_a_complaint_says_what_it_means_and_repeats_nothing(raw: str, category: ErrorCategory) -> None:
    with pytest.raises(ProviderError) as caught:
        Utterance("Hi.", 8_000).read(raw)
    assert caught.value.category == category
    assert "secret" not in str(caught.value)


def test_the_socket_is_asked_for_whole_sentences_at_the_lines_rate() -> None:
    assert path(VOICE, 8_000) == (
        "/v1/text-to-speech/simulatedVoiceAgent1/stream-input?model_id=eleven_flash_v2_5&output_format=pcm_8000&auto_mode=true"
        "&sync_alignment=true&inactivity_timeout=180&language_code=hi"
    )
    assert "language_code" not in path(replace(VOICE, model="eleven_multilingual_v2"), 8_000)


async def test_every_character_of_the_text_is_placed_in_its_audio(vendors: Served) -> None:
    async with no_task_left(), live(vendors).speak(TEXT) as chunks:
        heard = [chunk async for chunk in chunks]
    assert all(isinstance(chunk, SpokenAudio) for chunk in heard)
    characters = [place for chunk in heard if isinstance(chunk, SpokenAudio) for place in chunk.characters]
    assert "".join(character for character, _ in characters) == TEXT
    ends = [end_ms for _, end_ms in characters]
    assert ends == sorted(ends)
    pcm = b"".join(chunk.pcm for chunk in heard)
    words = (await vendors.state.speech.recognise(pcm, 8_000)).words
    assert words[0].text == "Your"
    assert abs(ends[len("Your") - 1] - words[0].end_ms) <= 1
    assert abs(ends[-1] - duration_ms(len(pcm), 8_000)) <= 41
    assert doors(vendors) == ["socket"]


async def test_the_first_message_carries_the_settings_of_the_voice(vendors: Served) -> None:
    await spoken(live(vendors), TEXT)
    assert vendors.state.seen[-1].facts["request"] == {"text": " ", "voice_settings": {"speed": 1.1}}


async def test_a_socket_opened_before_is_used_and_another_is_opened_for_the_next_sentence(vendors: Served) -> None:
    port = live(vendors)
    await port.warm()
    before = list(port._spares._waiting)
    assert len(before) == 1
    async with no_task_left():
        await spoken(port, TEXT)
    assert before[0] not in port._spares._waiting
    assert len(port._spares._waiting) == 1
    await LoopClients.close_everywhere()
    assert not port._spares._waiting


async def test_spares_that_the_other_side_closed_are_not_used(vendors: Served) -> None:
    port = live(vendors)
    await port.warm()
    socket, _ = port._spares._waiting[0]
    socket.transport.abort()
    await socket.wait_closed()
    await spoken(port, TEXT)
    assert doors(vendors) == ["socket"]


async def test_a_spare_that_grew_old_is_replaced_while_the_voice_is_in_use(vendors: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    port = live(vendors)
    await port.warm()
    spares = port._spares
    old, _ = spares._waiting[0]
    monkeypatch.setattr(sockets, "_FRESH_S", 0.0)
    spares._renew()
    monkeypatch.undo()
    assert not spares._waiting
    async with asyncio.timeout(60):
        while not spares._waiting:
            await asyncio.sleep(0.01)
    assert spares._waiting[0][0] is not old

    spares._wanted_until = 0.0
    monkeypatch.setattr(sockets, "_FRESH_S", 0.0)
    spares._renew()
    assert not spares._opening, "nobody has used the voice for hours"
    await LoopClients.close_everywhere()


async def test_spares_are_few_and_shared_by_every_call(vendors: Served) -> None:
    await asyncio.gather(*(spoken(live(vendors), TEXT) for _ in range(12)))
    spares = live(vendors)._spares
    async with asyncio.timeout(60):
        while spares._opening:
            await asyncio.sleep(0.01)
    assert 1 <= len(spares._waiting) <= 4


async def test_where_the_socket_is_refused_the_voice_speaks_over_http(vendors: Served) -> None:
    order(vendors, "elevenlabs.speech", "status", status=503, times=1)
    port = live(vendors)
    pcm = await spoken(port, TEXT)
    assert (await vendors.state.speech.recognise(pcm, 8_000)).text == TEXT
    assert doors(vendors) == ["http"]
    (record,) = port.usage(TEXT)
    assert not record.evidence.startswith("local-")


async def test_a_socket_that_breaks_before_the_first_sound_is_replaced_by_http_and_one_that_breaks_later_is_not(vendors: Served) -> None:
    order(vendors, "elevenlabs.speech", "drop", after=0, times=1)
    pcm = await spoken(live(vendors), TEXT)
    assert (await vendors.state.speech.recognise(pcm, 8_000)).text == TEXT
    assert doors(vendors) == ["socket", "http"]

    order(vendors, "elevenlabs.speech", "drop", after=4_000)
    error = await failure(lambda: spoken(live(vendors), TEXT))
    assert error.category == ErrorCategory.TRUNCATED


async def test_a_wrong_key_is_not_tried_over_http_too(vendors: Served) -> None:
    expect_key(vendors)
    error = await failure(lambda: spoken(live(vendors, key="wrong"), TEXT))
    assert error.category == ErrorCategory.AUTHENTICATION
    assert not vendors.state.seen


async def test_a_chain_passes_the_places_on(vendors: Served) -> None:
    async with FallbackTextToSpeech([live(vendors)]).speak(TEXT) as chunks:
        heard = [chunk async for chunk in chunks]
    assert "".join(place[0] for chunk in heard if isinstance(chunk, SpokenAudio) for place in chunk.characters) == TEXT
