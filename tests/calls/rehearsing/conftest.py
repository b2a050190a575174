"""The simulated language model over a real socket, which plays the agent, the caller and the judge."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from agents.models import Agent
from calls import commands
from simulator import openai
from simulator.replies import parse
from simulator.state import SimulatorState
from tests.calls import made_calls as made
from tests.simulator.serving import served

CLINIC = "You answer the phone of a clinic."
CALLER = "You play a person on the telephone"
JUDGE = "You judge the transcript"


@pytest.fixture(scope="package")
def outside(tmp_path_factory):
    state = SimulatorState(scratch=tmp_path_factory.mktemp("simulator"))
    state.change_settings({"llm_first_token_ms": 0, "llm_token_gap_ms": 0})
    with served(state, openai.routes(state)) as server:
        yield server


@pytest.fixture
def says(outside, settings):
    """Makes the model say things: `says(agent=[{"heard": …, "say": …}], caller=["…", "…"], judge="…")`."""
    settings.OPENAI_BASE_URL = f"{outside.http}/openai/v1"
    outside.state.faults.clear()
    pushed = []

    def say(agent=(), caller=(), judge="") -> None:
        rules = [{"prompt": CLINIC, **rule} for rule in agent]
        rules += [{"prompt": CALLER, "heard": heard, "say": line} for heard, line in caller]
        rules += [{"prompt": JUDGE, "say": judge}] if judge else []
        layer = parse(rules)
        outside.state.replies.push(layer)
        pushed.append(layer)

    yield say
    for layer in pushed:
        outside.state.replies.remove(layer)


@pytest.fixture
def agent(db) -> Agent:
    commands.add_exchange_rate(base="USD", quote="INR", rate=Decimal("88"), on=timezone.localdate(), source="RBI", by=None)
    return made.agent_of(made.operator(superuser=True), first_message="Namaste, Asha Clinic.")


BOOKING: list[dict[str, Any]] = [
    {"heard": "(?i)tuesday", "say": "Tuesday at five is booked for you. Anything else?"},
    {"heard": "(?i)bye|thank", "say": "Thank you, goodbye.", "tool": {"name": "end_call"}},
    {"heard": "", "say": "Which day would suit you?"},
]
