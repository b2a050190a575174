"""Complaint 5: the caller says "hello?" into nothing, because the first words are made after the call has begun."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pytest_django.fixtures import Settings

from agents import assembly, prepared, preparing
from engine.events import AgentTurnStarted
from providers.storage import ObjectStore
from simulator import elevenlabs, storage
from simulator.state import SimulatorState
from tests.calls import made_calls as made
from tests.engine.carrier import HangsUp
from tests.engine.stage import perform
from tests.engine.vendors import Thought, Voice
from tests.simulator.serving import served

pytestmark = pytest.mark.django_db
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def vendor(tmp_path, settings: Settings) -> Iterator[None]:
    """ElevenLabs and a store while agents are published; nobody answers once the block in the test says so."""
    state = SimulatorState(scratch=tmp_path)
    with served(state, [*elevenlabs.routes(state), *storage.routes(state)]) as server:
        settings.ELEVENLABS_BASE_URL = f"{server.http}/elevenlabs"
        settings.RECORDING_STORE = replace(settings.RECORDING_STORE, endpoint_url=f"{server.http}/s3")
        ObjectStore(settings.RECORDING_STORE).ensure_bucket()
        yield
    prepared.memory.clear()


def called(agent):
    """A call that another process answers, with every provider down."""
    prepared.memory.clear()
    spec = agent.current_version.as_spec()
    audio = asyncio.run(prepared.load(spec))
    plan = assembly.plan(spec, assembly.OnCall(assembly.facts_of(spec)))
    down = [Thought("", fails_after=0)]
    return perform([HangsUp(8_000)], session_plan=plan, prepared=audio, voice=Voice(always_fails="open"), thoughts=down)


def test_a_published_agent_greets_in_the_moment_of_the_start_with_every_provider_down(vendor, settings):
    agent = made.agent_of(made.operator(), first_message="Namaste, this is {{agent_name}}.", name="Asha")
    preparing.prepare(limit=1)
    agent.first_message = "Good evening, {{agent_name}} speaking."
    agent.save()
    preparing.prepare(limit=1)
    settings.ELEVENLABS_BASE_URL = NOWHERE
    scene = called(agent)
    assert scene.of(AgentTurnStarted)[0].at_ms == 0
    assert scene.dialogue[0] == ("agent", "Good evening, Asha speaking.")
    assert not scene.voice.spoken, "nobody was asked for a voice"
