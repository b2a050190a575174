"""The first message is heard before any caller hears it: through the real voice client, bounded, and paid for once."""

import wave
from collections.abc import Iterator
from io import BytesIO

import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings

from agents import prepared, preview
from simulator import elevenlabs
from simulator.state import SimulatorState
from tests.simulator.serving import Served, served


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    state = SimulatorState(scratch=tmp_path_factory.mktemp("simulator"))
    with served(state, elevenlabs.routes(state)) as server:
        yield server


@pytest.fixture(autouse=True)
def voice(outside: Served, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    outside.state.faults.clear()
    outside.state.seen.clear()
    settings.ELEVENLABS_BASE_URL = f"{outside.http}/elevenlabs"
    monkeypatch.setattr(preview, "LIMIT_S", 60.0)


def syntheses(outside: Served) -> int:
    return sum(note.target == "elevenlabs.speech" for note in outside.state.seen)


def test_a_preview_is_spoken_once_and_sounds_like_the_telephone(outside: Served, make_agent, operator: User) -> None:
    spec = make_agent(first_message="Hello {{customer.name|there}}, this is {{agent_name}}.").spec()
    first = preview.speak(spec, who=operator)
    again = preview.speak(spec, who=operator)
    assert (first.text, first.is_new, again.is_new) == ("Hello Asha, this is Clinic desk.", True, False)
    assert syntheses(outside) == 1
    with wave.open(BytesIO(preview.wav(first.key) or b"")) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        assert sound.getnframes() > 4000


def test_what_was_listened_to_is_prepared_for_calls(make_agent, operator: User) -> None:
    spec = make_agent(first_message="Welcome to the clinic.").spec()
    made = preview.speak(spec, who=operator)
    assert made.key == prepared.key_of(spec, "Welcome to the clinic.")


@pytest.mark.parametrize(("text", "words"), [("", "Write a first message"), ("word " * 200, "at most 600 characters")])
def test_nothing_and_too_much_are_not_spoken(outside: Served, make_agent, operator: User, text: str, words: str) -> None:
    with pytest.raises(preview.NoPreview, match=words):
        preview.speak(make_agent(first_message=text).spec(), who=operator)
    assert syntheses(outside) == 0


def test_one_person_may_not_spend_without_end(make_agent, operator: User, stranger: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "MOST_IN_A_MINUTE", 0)
    with pytest.raises(preview.NoPreview, match="Wait a moment"):
        preview.speak(make_agent(first_message="Hello once more.").spec(), who=operator)


def test_a_voice_that_cannot_be_used_says_what_to_do(make_agent, operator: User, settings: Settings) -> None:
    settings.ELEVENLABS_API_KEY = ""
    with pytest.raises(preview.NoPreview, match="API_KEY is not set"):
        preview.speak(make_agent(first_message="Hello without a key.").spec(), who=operator)
