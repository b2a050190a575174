"""Vendors of the simulator on a real port, one server for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import deepgram, elevenlabs, openai
from simulator.state import SimulatorState
from tests.simulator.serving import Served, served


@pytest.fixture
def vendors(tmp_path: Path) -> Iterator[Served]:
    """All fake vendors with tones; change `vendors.state.settings` as needed."""
    state = SimulatorState(scratch=tmp_path)
    with served(state, [*openai.routes(state), *deepgram.routes(state), *elevenlabs.routes(state)]) as server:
        yield server
