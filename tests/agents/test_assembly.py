"""From an agent to the parts of its conversation, proven on the wires of the providers."""

import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from pytest_django.fixtures import Settings
from structlog.testing import capture_logs

from agents import assembly, catalogue
from agents.models import Agent
from agents.spec import AgentSpec, DestinationSpec
from engine.audio import AudioChunk
from engine.ports import Message
from engine.session import SessionPlan
from providers import registry
from providers.deepgram import flux
from simulator import deepgram, elevenlabs, openai
from simulator.state import SimulatorState
from tests.simulator.serving import Served, served

OPENAI_VOICE = {"voice_provider": "openai", "voice_model": "gpt-4o-mini-tts", "voice_id": "marin"}


def spec(**fields: Any) -> AgentSpec:
    return Agent(**{"name": "Desk", "prompt": "You answer for a clinic.", **fields}).spec()


@pytest.fixture
def vendors(tmp_path: Path, settings: Settings) -> Iterator[Served]:
    """Every fake vendor on one port, with the settings pointing there."""
    state = SimulatorState(scratch=tmp_path / "simulator")
    with served(state, [route for party in (openai, deepgram, elevenlabs) for route in party.routes(state)]) as server:
        settings.OPENAI_BASE_URL = f"{server.http}/openai/v1"
        settings.DEEPGRAM_BASE_URL = f"{server.http}/deepgram"
        settings.ELEVENLABS_BASE_URL = f"{server.http}/elevenlabs"
        yield server


def seen(server: Served, target: str) -> dict[str, Any]:
    return dict(next(note.facts for note in reversed(server.state.seen) if note.target == target))


def test_the_plan_follows_the_agent() -> None:
    made, _parts = assembly.assemble(spec(first_message=" Namaste! ", language="hi", max_duration_s=90, silence_timeout_s=7))
    assert isinstance(made, SessionPlan)
    assert (made.first_message, made.mode, made.max_duration_ms, made.silence_timeout_ms) == ("Namaste!", "live", 90_000, 7_000)
    assert made.instructions.startswith("You answer for a clinic.")
    assert "लाइन" in made.still_there
    assert made.apology
    assert made.goodbye


def test_a_voicemail_plan_asks_no_model() -> None:
    made, _parts = assembly.assemble(spec(mode="voicemail", prompt="", first_message="Speak after the tone."))
    assert (made.mode, made.instructions, made.first_message) == ("voicemail", "", "Speak after the tone.")


def test_calls_of_one_voice_share_what_is_said_again_and_again_and_no_other_voice_does() -> None:
    keys = [assembly.assemble(spec(**fields))[1].voice_key for fields in ({}, {"language": "hi"}, OPENAI_VOICE, {})]
    assert keys[0] == keys[3] and len(set(keys)) == 3 and all(keys)
    assert assembly.assemble(spec())[1].repeated is assembly.assemble(spec())[1].repeated is not None


@pytest.mark.parametrize("fields", [{}, OPENAI_VOICE])
def test_the_parts_are_the_chosen_providers_with_the_chosen_models(fields: dict[str, Any]) -> None:
    wanted = spec(**fields)
    _plan, parts = assembly.assemble(wanted)
    assert (parts.stt.provider, parts.stt.model) == (wanted.stt.provider, wanted.stt.model)
    assert (parts.llm.provider, parts.llm.model) == (wanted.llm.provider, wanted.llm.model)
    assert (parts.tts.provider, parts.tts.model) == (wanted.voice.provider, wanted.voice.model)


def test_stand_ins_take_over_and_one_without_a_key_is_left_out(settings: Settings) -> None:
    fallbacks = {
        "llm": [{"provider": "openai-responses", "model": "gpt-5.6-luna"}],
        "tts": [{"provider": "openai", "model": "gpt-4o-mini-tts", "voice_id": "marin"}],
        "stt": [{"provider": "deepgram", "model": "nova-2"}],
    }
    _plan, parts = assembly.assemble(spec(fallbacks=fallbacks))
    assert [type(port).__name__ for port in (parts.stt, parts.llm, parts.tts)] == [
        "FallbackSpeechToText", "FallbackLanguageModel", "FallbackTextToSpeech"
    ]  # fmt: skip
    assert (parts.llm.model, parts.tts.model) == ("gpt-6-luna", "eleven_flash_v2_5")
    settings.OPENAI_API_KEY = ""
    with capture_logs() as logs:
        assert type(assembly.text_to_speech(spec(fallbacks=fallbacks))).__name__ == "ElevenLabsTextToSpeech"
    assert logs[0]["event"] == "stand_in_not_ready"


async def test_a_failing_voice_is_replaced_by_the_stand_in_of_the_agent(vendors: Served, settings: Settings) -> None:
    settings.ELEVENLABS_BASE_URL = "http://127.0.0.1:9"
    stand_in = {"provider": "openai", "model": "gpt-4o-mini-tts", "voice_id": "marin"}
    _plan, parts = assembly.assemble(spec(fallbacks={"tts": [stand_in]}))
    await said(parts)
    assert seen(vendors, "openai.speech")["request"]["voice"] == "marin"


def test_manners_languages_and_pronunciations_reach_the_plan() -> None:
    fields = {"manners": {"silence_prompts": 0}, "pronunciations": [{"written": "Rao", "spoken": "Raav"}], "language": "hi"}
    made, parts = assembly.assemble(spec(**fields, collects_digits=True, voicemail_message="Call {{agent_name}} back."))
    assert (made.tuning.silence_prompts, made.pronunciations) == (0, (("Rao", "Raav"),))
    assert made.voicemail_message == "Call Desk back."
    assert "समय" in made.time_warning
    assert "मिनट" in made.filler
    assert [tool.spec.name for tool in made.tools] == ["collect_digits"]
    assert parts.keypad is not None
    assert assembly.assemble(spec(**fields))[1].keypad is None, "who never asks for keys keeps none back"


def test_how_sure_a_flux_model_has_to_be_reaches_its_wire() -> None:
    sure = {"end_of_turn_confidence": 0.8, "eager_confidence": 0.5, "end_of_turn_timeout_ms": 4000}
    port = assembly.speech_to_text(spec(stt_model="flux-general-en", manners=sure))
    asked = flux.path(port._options, 8000)  # type: ignore[attr-defined]  # Deepgram's own port
    assert "eot_threshold=0.8" in asked and "eager_eot_threshold=0.5" in asked and "eot_timeout_ms=4000" in asked


async def test_the_fallback_destination_gets_the_caller_without_asking_any_provider() -> None:
    kept: list[int] = []

    class Kept:
        async def transfer(self, destination: DestinationSpec) -> bool:
            kept.append(destination.id)
            return True

    people = [DestinationSpec(number, f"Desk {number}", "People", ("+918047112200",), is_fallback=number == 2) for number in (1, 2)]
    agent = replace(spec(), destinations=tuple(people))
    call = assembly.OnCall(assembly.facts_of(agent), "sess_1", ledger=Kept())  # type: ignore[arg-type]  # the rest is not asked
    made, parts = assembly.assemble(agent, call)
    assert made.handover == "One moment, I am connecting you."
    assert parts.hand_over is not None
    assert await parts.hand_over()
    assert kept == [2]
    for lonely in (replace(agent, destinations=(people[0],)), spec()):
        made, parts = assembly.assemble(lonely, replace(call, facts=assembly.facts_of(lonely)))
        assert (made.handover, parts.hand_over) == ("", None)


def test_every_provider_that_may_be_chosen_can_be_assembled() -> None:
    for name in registry.names("tts"):
        assert assembly.text_to_speech(spec(voice_provider=name)).provider == catalogue.vendor(name)
    for name in registry.names("llm"):
        assert assembly.language_model(spec(llm_provider=name)).provider == catalogue.vendor(name)
    for name in registry.names("stt"):
        assert assembly.speech_to_text(spec(stt_provider=name)).provider == name
        assert assembly.batch_transcriber(spec(stt_provider=name)).model == "nova-3"


@pytest.mark.parametrize("temperature", [0, 0.0, 0.7, 2.0])
async def test_the_temperature_reaches_the_model_as_it_was_set(vendors: Served, temperature: float) -> None:
    _plan, parts = assembly.assemble(spec(llm_temperature=temperature, llm_max_tokens=50))
    async with parts.llm.reply([Message("user", "hello")], []) as events:
        async for _event in events:
            pass
    request = seen(vendors, "openai.chat")["request"]
    assert request["temperature"] == temperature
    assert (request["model"], request["max_completion_tokens"]) == ("gpt-6-luna", 50)


async def said(parts: Any) -> None:
    async with parts.tts.speak("Hello.") as chunks:
        async for _chunk in chunks:
            pass


async def test_voice_speed_and_language_reach_elevenlabs(vendors: Served) -> None:
    _plan, parts = assembly.assemble(spec(voice_speed=1.1, language="hi"))
    await said(parts)
    facts = seen(vendors, "elevenlabs.speech")
    assert facts["voice"] == "21m00Tcm4TlvDq8ikWAM"
    assert facts["request"]["voice_settings"]["speed"] == 1.1
    assert facts["request"]["language_code"] == "hi"


async def test_a_mixed_language_is_left_to_the_voice(vendors: Served) -> None:
    _plan, parts = assembly.assemble(spec(language="multi"))
    await said(parts)
    assert "language_code" not in seen(vendors, "elevenlabs.speech")["request"]


async def test_voice_and_speed_reach_openai(vendors: Served) -> None:
    _plan, parts = assembly.assemble(spec(**OPENAI_VOICE, voice_speed=1.5))
    await said(parts)
    request = seen(vendors, "openai.speech")["request"]
    assert (request["voice"], request["model"], request["speed"]) == ("marin", "gpt-4o-mini-tts", 1.5)


async def test_language_and_endpointing_reach_deepgram(vendors: Served) -> None:
    _plan, parts = assembly.assemble(spec(language="multi", stt_endpointing_ms=450))
    async with parts.stt.stream(8000) as stream:
        await stream.send(AudioChunk(struct.pack("<160h", *range(160)), 8000))
        await stream.finish()
        async for _event in stream:
            pass
    query = dict(seen(vendors, "deepgram.live")["query"])
    assert (query["model"], query["language"], query["endpointing"]) == ("nova-3", "multi", "450")


@pytest.mark.parametrize(
    ("fields", "variable", "does"),
    [
        ({}, "OPENAI_API_KEY", "thinks with openai"),
        ({}, "DEEPGRAM_API_KEY", "listens with deepgram"),
        ({}, "ELEVENLABS_API_KEY", "speaks with elevenlabs"),
        (OPENAI_VOICE, "OPENAI_API_KEY", "with openai"),
    ],
)
def test_a_missing_key_is_named_with_who_needs_it(settings: Settings, fields: dict[str, Any], variable: str, does: str) -> None:
    setattr(settings, variable, "")
    with pytest.raises(assembly.NotReady) as caught:
        assembly.assemble(spec(**fields))
    assert f"{variable} is not set, but the agent “Desk”" in str(caught.value)
    assert does in str(caught.value)
    assert "Set it in .env and restart" in str(caught.value)


def test_a_key_that_nobody_needs_may_be_missing(settings: Settings) -> None:
    settings.ELEVENLABS_API_KEY = ""
    _plan, parts = assembly.assemble(spec(**OPENAI_VOICE))
    assert parts.tts.provider == "openai"


def test_a_provider_of_an_older_release_is_refused_with_the_choices() -> None:
    old = {"provider": "abacus", "model": "beads-1", "temperature": 0.7, "max_tokens": 500}
    with pytest.raises(assembly.NotReady, match=r"'abacus', which this release does not know\. Choose one of: openai"):
        assembly.assemble(AgentSpec.from_json({**spec().to_json(), "llm": old}))


def test_no_key_shows_in_what_was_assembled(settings: Settings) -> None:
    settings.OPENAI_API_KEY = settings.DEEPGRAM_API_KEY = settings.ELEVENLABS_API_KEY = "a-key-nobody-may-see"
    assert "a-key-nobody-may-see" not in repr(assembly.assemble(spec()))


@pytest.mark.django_db(transaction=True)
async def test_a_process_that_started_without_agents_has_read_their_providers_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.load("tts")
    monkeypatch.delitem(sys.modules, "providers.elevenlabs.tts")
    await assembly.warm()
    assert "providers.elevenlabs.tts" in sys.modules
    await sync_to_async(connections.close_all)()


@pytest.mark.django_db(transaction=True)
async def test_warming_up_opens_connections_and_survives_a_provider_that_is_down(
    vendors: Served, settings: Settings, make_agent: Callable[..., Agent]
) -> None:
    settings.RECORDING_STORE = replace(settings.RECORDING_STORE, bucket="")
    await sync_to_async(make_agent)()
    await sync_to_async(make_agent)(name="Second", **OPENAI_VOICE)
    with capture_logs() as logs:
        await assembly.warm()
    assert logs == []
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9/v1"
    settings.ELEVENLABS_API_KEY = ""
    with capture_logs() as logs:
        await assembly.warm()
    assert {(line["event"], line.get("provider")) for line in logs} == {
        ("provider_not_warm", "llm.openai"),
        ("provider_not_warm", "tts.openai"),
        ("agent_not_ready", None),
    }
    # Asynchronous queries run on a thread with a connection of its own, which would keep the test database open.
    await sync_to_async(connections.close_all)()
