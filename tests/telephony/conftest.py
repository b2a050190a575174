"""An operator, an agent that answers our exophone, and the ways in which Exotel knocks."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from django.contrib.auth.models import User
from django.test import Client

from agents.models import Agent
from simulator.app import build_app
from simulator.exotel.exchange import exchange
from simulator.state import SimulatorState
from telephony import admission
from telephony.away import DATABASE
from telephony.models import Phone
from tests.providers.exotel import payloads
from tests.providers.exotel.conftest import peer as peer
from tests.telephony.servers import serving

FIRST, SECOND = "first-secret-0123456789", "second-secret-0123456789"
DOORS = "/api/v1/webhooks/exotel/"


@pytest.fixture
def answering(db: None) -> Agent:
    """An agent behind our exophone, with words that XML must escape."""
    owner = User.objects.create_user("meera", password="a long password")
    agent = Agent.objects.create(
        owner=owner, name="Desk", prompt="You answer.", first_message='Hello & "welcome" <friend>', analyse_calls=False
    )
    Phone.objects.create(number=payloads.EXOPHONE, agent=agent)
    return agent


@pytest.fixture(autouse=True)
def _the_database_is_there() -> Iterator[None]:
    """One that was away in one test is not left alone in the next."""
    yield
    admission._breaker.answered()
    DATABASE.breaker.answered()


def as_query(client: Client, path: str, params: dict[str, Any], method: str = "get") -> Any:
    return getattr(client, method)(f"{path}&{urlencode(params)}" if "?" in path else f"{path}?{urlencode(params)}")


def as_form(client: Client, path: str, params: dict[str, Any]) -> Any:
    return client.post(path, urlencode(params), content_type="application/x-www-form-urlencoded")


def as_multipart(client: Client, path: str, params: dict[str, Any]) -> Any:
    return client.post(path, params)


def as_json(client: Client, path: str, params: dict[str, Any]) -> Any:
    return client.post(path, json.dumps(params), content_type="application/json")


def as_post_query(client: Client, path: str, params: dict[str, Any]) -> Any:
    return as_query(client, path, params, "post")


SHAPES: dict[str, Callable[[Client, str, dict[str, Any]], Any]] = {
    "query": as_query,
    "post-query": as_post_query,
    "form": as_form,
    "multipart": as_multipart,
    "json": as_json,
}


def door(name: str, secret: str = FIRST) -> str:
    return f"{DOORS}{name}?key={secret}"


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Callable[[Client, str, dict[str, Any]], Any]:
    """Every way in which Exotel may write one delivery."""
    return SHAPES[request.param]


@dataclass
class Exotel:
    """A simulated Exotel on a real port, with our exophone and somebody to call."""

    root: str
    state: SimulatorState

    def settings(self, **changes: Any) -> None:
        httpx.post(f"{self.root}/control/settings", json={"exotel": changes}).raise_for_status()

    def fault(self, target: str, fault: str, **how: Any) -> None:
        httpx.post(f"{self.root}/control/faults", json={"target": target, "fault": fault, **how}).raise_for_status()

    def asked(self, target: str) -> int:
        return sum(one.target == target for one in self.state.seen)

    def calls(self) -> list[Any]:
        return list(exchange(self.state).calls.values())

    def watch(self, scenario: dict[str, Any], caller: str = payloads.HUMAN) -> Any:
        """Places a call to our exophone and stays on it to its report."""
        order = {"to": payloads.EXOPHONE, "from": caller, "scenario": scenario}
        with httpx.stream("POST", f"{self.root}/control/calls", json=order, timeout=60) as events:
            last = [json.loads(line) for line in events.iter_lines()][-1]
        return last["report"]


@pytest.fixture
def exotel(tmp_path, settings) -> Iterator[Exotel]:
    state = SimulatorState(scratch=tmp_path / "simulator")
    state.scratch.mkdir()
    with serving(build_app(state)) as port:
        it = Exotel(f"http://127.0.0.1:{port}", state)
        settings.EXOTEL_BASE_URL, settings.EXOTEL_APP_ID = f"{it.root}/exotel", ""
        settings.OPENAI_BASE_URL = f"{it.root}/openai/v1"
        settings.DEEPGRAM_BASE_URL = f"{it.root}/deepgram"
        settings.ELEVENLABS_BASE_URL = f"{it.root}/elevenlabs"
        phone = {"number": payloads.EXOPHONE, "app_id": "228040"}
        it.settings(public_url=it.root, exophones=[phone], details_delay_s=0, recording_delay_s=0)
        yield it
