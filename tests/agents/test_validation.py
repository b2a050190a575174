"""What keeps an agent from working, case by case, and the words in which it is said."""

from datetime import date
from typing import Any

import pytest

from agents import catalogue
from agents.models import Agent
from agents.validation import problems, warnings

TODAY = date(2026, 11, 22)
HINDI = {"language": "hi"}
OPENAI_VOICE = {"voice_provider": "openai", "voice_model": "gpt-4o-mini-tts", "voice_id": "marin"}


VOICES = {"openai": OPENAI_VOICE, "deepgram": {"voice_provider": "deepgram", "voice_id": "thalia"}}


def agent(**fields: Any) -> Agent:
    return Agent(**{"name": "Desk", "prompt": "You answer for a clinic.", **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        HINDI,
        {"language": "multi"},
        OPENAI_VOICE,
        {**OPENAI_VOICE, "voice_speed": 4.0},
        {"voice_speed": 0.7},
        {"voice_speed": 1.2},
        {"llm_temperature": 0},
        {"llm_model": "a-model-that-appeared-this-morning"},
        {"llm_model": "gpt-4o"},  # announced to end, still alive
        {"stt_model": "nova-2", **HINDI},
        {"stt_model": "nova-2-phonecall"},
        {"stt_model": "flux-general-en"},
        {"stt_model": "flux-general-multi", **HINDI},
        {"voice_provider": "deepgram", "voice_id": "thalia", "voice_model": "aura-2"},
        {"voice_provider": "elevenlabs-live", "voice_speed": 1.2},
        {"llm_provider": "openai-responses"},
        {"voice_model": "eleven_flash_v2"},
        {"mode": "voicemail", "prompt": "", "first_message": "Leave your name after the tone."},
        {"max_duration_s": 30, "silence_timeout_s": 29},
        {"prompt": "x" * 50_000},
    ],
)
def test_a_working_agent_has_no_problem(fields: dict[str, Any]) -> None:
    assert problems(agent(**fields), TODAY) == {}


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"llm_provider": "openia"}, "llm_provider", "Choose one of: openai"),
        ({"voice_provider": "polly"}, "voice_provider", "Choose one of: deepgram, elevenlabs"),
        ({"stt_provider": "whisper"}, "stt_provider", "Choose one of: deepgram"),
        ({"llm_model": "gpt-4-turbo"}, "llm_model", "gpt-4-turbo was shut down on 2026-10-23; use gpt-6-luna."),
        ({"llm_model": "gpt-3.5-turbo-0125"}, "llm_model", "was shut down on 2026-10-23; use gpt-6-luna."),
        ({"llm_model": "gpt-4.1-nano-2025-04-14"}, "llm_model", "was shut down on 2026-10-23"),
        ({"llm_model": "nova-3"}, "llm_model", "nova-3 is not a language model"),
        ({"llm_model": "claude-sonnet-5"}, "llm_model", "is a model of anthropic, not of openai"),
        ({"voice_model": "gpt-4o-mini-tts"}, "voice_model", "is a model of openai, not of elevenlabs. Choose openai as provider"),
        ({"voice_provider": "openai", "voice_id": "marin"}, "voice_model", "eleven_flash_v2_5 is a model of elevenlabs, not of openai"),
        ({"voice_model": "nova-3"}, "voice_model", "Use for example eleven_flash_v2_5"),
        ({**OPENAI_VOICE, "voice_id": "21m00Tcm4TlvDq8ikWAM"}, "voice_id", "is a voice of elevenlabs, not of openai"),
        ({"voice_id": "alloy"}, "voice_id", "is a voice of openai, not of elevenlabs"),
        ({"voice_speed": 1.21}, "voice_speed", "from 0.7 to 1.2"),
        ({"voice_speed": 0.69}, "voice_speed", "from 0.7 to 1.2"),
        ({**OPENAI_VOICE, "voice_speed": 4.01}, "voice_speed", "from 0.25 to 4.0"),
        ({"voice_speed": float("nan")}, "voice_speed", "Write a number"),
        ({"llm_temperature": float("inf")}, "llm_temperature", "Write a number"),
        ({"voice_model": "eleven_flash_v2", **HINDI}, "voice_model", "speaks English only"),
        ({"stt_model": "nova-2-phonecall", **HINDI}, "stt_model", "does not understand Hindi. Use nova-3"),
        ({"stt_model": "nova-2", "language": "multi"}, "stt_model", "does not understand Hindi and English mixed"),
        ({"stt_model": "flux-general-en", "language": "hi"}, "stt_model", "Use nova-3"),
        ({"voice_provider": "deepgram", "voice_id": "thalia", "voice_model": "aura-2", **HINDI}, "voice_model", "speaks English only"),
        ({"prompt": " \n"}, "prompt", "needs a prompt: write who the agent is"),
        ({"prompt": "x" * 50_001}, "prompt", "has 50001 characters; 50000 is the most"),
        ({"mode": "voicemail"}, "first_message", "Voicemail needs a first message"),
        ({"first_message": "x" * 2001}, "first_message", "2000 is the most"),
        ({"max_duration_s": 20, "silence_timeout_s": 20}, "silence_timeout_s", "(20 s) must be shorter than the longest call (20 s)"),
        ({"first_message": "Hi\x00"}, "first_message", "NUL"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_do(fields: dict[str, Any], field: str, words: str) -> None:
    found = problems(agent(**fields), TODAY)
    assert list(found) == [field]
    assert words in found[field]


def test_a_model_is_refused_from_the_day_of_its_end_and_not_before() -> None:
    aging = agent(llm_model="gpt-5-mini")
    assert problems(aging, date(2026, 12, 10)) == {}
    assert "2026-12-11" in problems(aging, date(2026, 12, 11))["llm_model"]


def test_models_that_end_soon_are_warned_about_soonest_first() -> None:
    aging = agent(llm_model="gpt-4o", voice_provider="openai", voice_model="tts-1", voice_id="alloy")
    first, second = warnings(aging, TODAY)
    assert first.startswith("tts-1 will be shut down on 2027-01-06. Move to ElevenLabs")
    assert second.startswith("gpt-4o will be shut down on 2027-01-14. Move to gpt-6-luna")
    assert warnings(aging, date(2026, 1, 1)) == []


def test_a_model_being_replaced_without_a_date_is_warned_about() -> None:
    assert "no last day is known" in warnings(agent(voice_model="eleven_turbo_v2_5"), TODAY)[0]


def test_a_good_agent_is_not_warned_about() -> None:
    assert warnings(agent(), TODAY) == []


@pytest.mark.parametrize(
    ("model", "family_ends"),
    [
        ("gpt-4o-2024-08-06", True),
        ("gpt-4o-mini-tts-2025-12-15", True),
        ("gpt-4-turbo-preview", True),
        ("gpt-5.6-luna", False),
        ("o3-pro", False),
    ],
)
def test_a_dated_snapshot_shares_the_fate_of_its_family(model: str, family_ends: bool) -> None:
    assert (catalogue.retirement(model) is not None) is family_ends


def test_what_forms_offer_is_alive_and_passes() -> None:
    for kind, prefix in (("llm", "llm"), ("stt", "stt"), ("tts", "voice")):
        for model in catalogue.SUGGESTED[kind]:
            base = VOICES.get(catalogue.owner("tts", model), {}) if kind == "tts" else {}
            assert problems(agent(**{**base, f"{prefix}_model": model}), TODAY) == {}
