"""Fixtures of the outside world: every fake vendor on one real port."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import deepgram, elevenlabs, openai, storage
from simulator.state import SimulatorState
from tests.simulator.serving import Served, served


@pytest.fixture
def vendors(tmp_path: Path) -> Iterator[Served]:
    state = SimulatorState(scratch=tmp_path / "simulator")
    routes = [route for party in (openai, deepgram, elevenlabs, storage) for route in party.routes(state)]
    with served(state, routes) as server:
        yield server
