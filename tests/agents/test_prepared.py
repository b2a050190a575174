"""Sentences spoken beforehand: made once by the real voice client, kept in the real cache and store, played from memory."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from pytest_django.fixtures import Settings
from structlog.testing import capture_logs

from agents import assembly, prepared, preparing
from agents.models import Agent, PreparedSentence
from agents.spec import AgentSpec
from agents.tasks import prepare_sentences
from providers.storage import ObjectStore
from simulator import elevenlabs, openai, storage
from simulator.state import SimulatorState
from tests.simulator.serving import Served, served

HELLO = "Hello, this is the desk."


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    state = SimulatorState(scratch=tmp_path_factory.mktemp("simulator"))
    with served(state, [*storage.routes(state), *elevenlabs.routes(state), *openai.routes(state)]) as server:
        yield server


@pytest.fixture(autouse=True)
def places(outside: Served, settings: Settings) -> Iterator[None]:
    outside.state.faults.clear()
    outside.state.seen.clear()
    settings.ELEVENLABS_BASE_URL = f"{outside.http}/elevenlabs"
    settings.OPENAI_BASE_URL = f"{outside.http}/openai/v1"
    settings.RECORDING_STORE = replace(settings.RECORDING_STORE, endpoint_url=f"{outside.http}/s3")
    ObjectStore(settings.RECORDING_STORE).ensure_bucket()
    prepared.memory.clear()
    prepared._absent.clear()  # another test's storage
    yield
    deadline = time.monotonic() + 60
    while prepared._fetching and time.monotonic() < deadline:  # what a call fetches for the next one is not left to the next test
        time.sleep(0.01)
    prepared.memory.clear()


@pytest.fixture
def agent(make_agent: Callable[..., Agent]) -> Agent:
    return make_agent(first_message=HELLO)


def syntheses(outside: Served) -> int:
    return sum(note.target in ("elevenlabs.speech", "openai.speech") for note in outside.state.seen)


def of(agent: Agent) -> AgentSpec:
    return agent.current_version.as_spec()


def loaded(spec: AgentSpec) -> prepared.Prepared:
    return asyncio.run(prepared.load(spec))


def test_the_sentences_of_an_agent_begin_with_its_first_message(agent: Agent) -> None:
    said = prepared.sentences(of(agent))
    assert said[0] == HELLO
    made = assembly.plan(of(agent), assembly.OnCall(assembly.facts_of(of(agent))))
    assert {made.apology, made.goodbye, made.still_there, made.filler, made.time_warning, made.first_message} <= set(said)


def test_what_differs_from_call_to_call_is_not_prepared(make_agent: Callable[..., Agent]) -> None:
    changing = make_agent(first_message="Hi {{customer.name}}!")
    assert not [text for text in prepared.sentences(of(changing)) if "Hi" in text]
    standing = make_agent(name="Asha", first_message="I am {{agent_name}}.")
    assert prepared.sentences(of(standing))[0] == "I am Asha."


@pytest.mark.parametrize(
    "change",
    [{"voice_speed": 1.1}, {"voice_id": "AAAAAAAAAAAAAAAAAAA1"}, {"voice_model": "eleven_multilingual_v2"}, {"language": "hi"},
     {"first_message": "Other."}, {"pronunciations": [{"written": "desk", "spoken": "dexk"}]}],
)  # fmt: skip
def test_another_voice_or_text_is_another_recording(agent: Agent, change: dict[str, Any]) -> None:
    before = prepared.key_of(of(agent), HELLO)
    for name, value in change.items():
        setattr(agent, name, value)
    agent.save()
    assert prepared.key_of(of(agent), of(agent).first_message) != before


def test_what_does_not_change_the_sound_costs_no_new_recording(agent: Agent) -> None:
    before = prepared.key_of(of(agent), HELLO)
    agent.prompt, agent.voice_provider = "Another prompt.", "elevenlabs-live"
    agent.save()
    assert prepared.key_of(of(agent), HELLO) == before


def test_published_sentences_are_made_once_and_play_from_memory(agent: Agent, outside: Served) -> None:
    wanted = prepared.sentences(of(agent))
    assert loaded(of(agent)).get(HELLO) is None
    assert preparing.prepare(limit=100) == len(wanted)
    assert prepare_sentences() == 0
    assert syntheses(outside) == len(wanted)
    ready = loaded(of(agent))
    audio = ready.get(HELLO)
    assert audio is not None
    assert 500 < len(audio) / 16 < 30_000, "milliseconds at 8 kHz"
    assert all(ready.get(text) for text in wanted)
    rows = PreparedSentence.objects.all()
    assert {(row.is_ready, row.in_storage) for row in rows} == {(True, True)}
    assert sum(row.characters for row in rows) == sum(len(prepared.spoken(of(agent), text)) for text in wanted)


def test_a_flushed_cache_is_filled_again_from_storage(agent: Agent, outside: Served, settings: Settings) -> None:
    preparing.prepare()
    key = prepared.key_of(of(agent), HELLO)
    kept = cache.get(f"prepared:{key}")
    cache.clear()
    prepared.memory.clear()
    before = syntheses(outside)
    assert loaded(of(agent)).get(HELLO) is None, "the first call after the accident is spoken by the voice"
    prepared._threads.submit(lambda: None).result(60)
    while prepared._fetching:
        prepared._threads.submit(lambda: None).result(60)
    assert loaded(of(agent)).get(HELLO) == kept == cache.get(f"prepared:{key}")
    assert syntheses(outside) == before


def test_a_voice_that_fails_is_tried_again_later_and_nothing_is_lost(agent: Agent, outside: Served, settings: Settings) -> None:
    settings.ELEVENLABS_BASE_URL = "http://127.0.0.1:9"
    with capture_logs() as logs:
        assert preparing.prepare() == 0
    assert {line["event"] for line in logs} == {"sentence_not_prepared"}
    assert HELLO not in str(logs)
    row = PreparedSentence.objects.get(key=prepared.key_of(of(agent), HELLO))
    assert "could not be reached" in row.last_error
    assert row.try_after > timezone.now() + timedelta(seconds=30)
    settings.ELEVENLABS_BASE_URL = f"{outside.http}/elevenlabs"
    assert preparing.prepare() == 0, "not before it is due"
    PreparedSentence.objects.update(try_after=timezone.now())
    assert preparing.prepare(limit=100) == len(prepared.sentences(of(agent)))


def test_a_store_that_is_away_costs_no_second_synthesis(agent: Agent, outside: Served, settings: Settings) -> None:
    good, settings.RECORDING_STORE = (
        settings.RECORDING_STORE,
        replace(settings.RECORDING_STORE, endpoint_url="http://127.0.0.1:9", max_attempts=1),
    )
    assert preparing.prepare(limit=1) == 1
    row = PreparedSentence.objects.get(size_bytes__isnull=False)
    assert (row.in_storage, "not stored yet" in row.last_error) == (False, True)
    assert loaded(of(agent)).get(HELLO), "the cache has it all the same"
    settings.RECORDING_STORE, before = good, syntheses(outside)
    PreparedSentence.objects.update(try_after=timezone.now())
    assert preparing.prepare(limit=1) == 1
    row.refresh_from_db()
    assert (row.in_storage, row.last_error, syntheses(outside)) == (True, "", before)
    assert ObjectStore(settings.RECORDING_STORE).read(prepared.storage_key(row.key), prepared.LONGEST_BYTES)


def test_without_storage_the_cache_alone_keeps_them(agent: Agent, settings: Settings) -> None:
    settings.RECORDING_STORE = replace(settings.RECORDING_STORE, bucket="")
    assert preparing.prepare(limit=100) > 0
    assert preparing.prepare() == 0
    assert loaded(of(agent)).get(HELLO)


def test_a_voice_at_another_rate_is_brought_to_the_lines(make_agent: Callable[..., Agent]) -> None:
    agent = make_agent(first_message=HELLO, voice_provider="openai", voice_model="gpt-4o-mini-tts", voice_id="marin")
    preparing.prepare(limit=1)
    audio = loaded(of(agent)).get(HELLO)
    assert audio is not None
    assert 500 < len(audio) / 16 < 30_000


def test_agents_that_answer_no_call_cost_nothing(agent: Agent, outside: Served) -> None:
    agent.active = False
    agent.save()
    assert preparing.prepare() == 0
    assert syntheses(outside) == 0


def test_a_cache_that_is_away_costs_the_call_a_moment_only(agent: Agent, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    preparing.prepare(limit=1)
    monkeypatch.setattr(prepared, "FETCH_LIMIT_S", 0.0)
    with capture_logs() as logs:
        assert loaded(of(agent)).get(HELLO) is None
    assert logs[0]["event"] == "prepared_audio_not_loaded"


def test_memory_forgets_the_least_used_first() -> None:
    memory = prepared.Memory(10)
    for name in "abc":
        memory.put(name, b"1234")
    assert [memory.get(name) is not None for name in "abc"] == [False, True, True]
    memory.put("b", b"12")
    memory.put("d", b"1234")
    assert [memory.get(name) is not None for name in "bcd"] == [True, True, True]


def test_scratch_is_left_clean(agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    preparing.prepare(limit=1)
    assert list(tmp_path.iterdir()) == []
