"""The client with the product's own API behind it, without a socket in between."""

import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from access import keys
from access.scopes import SCOPES
from agents.models import Agent
from telephony.models import Phone
from tests.calls import made_calls as made
from voiceagents_client import Client

Run = Callable[..., tuple[int, str, str]]


class Wire(httpx.BaseTransport):
    """Hands requests to Django as they were built. `failures` are answered, or raised, first."""

    def __init__(self) -> None:
        self.django = APIClient(raise_request_exception=False)
        self.failures: list[httpx.Response | httpx.TransportError] = []
        self.sent: list[httpx.Request] = []
        self.lost: list[httpx.TransportError] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, httpx.TransportError):
                raise failure
            return failure
        answer = self.django.generic(
            request.method,
            request.url.raw_path.decode(),
            request.read().decode(),
            content_type=request.headers.get("Content-Type", ""),
            headers={name: value for name, value in request.headers.items() if name not in ("host", "content-length", "content-type")},
        )
        if self.lost:
            raise self.lost.pop(0)  # it had its effect, and nobody was told
        return httpx.Response(answer.status_code, headers=dict(answer.items()), content=answer.content)


@pytest.fixture
def operator(db: None) -> User:
    user: User = made.operating(User.objects.create_user("asha", password="a long password"), "view_numbers")
    return user


@pytest.fixture
def agent(operator: User) -> Agent:
    agent = Agent.objects.create(owner=operator, name="Desk", prompt="You answer.\nBe kind.", analyse_calls=False)
    Phone.objects.create(number="+918047112233", agent=agent)
    return agent


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def make_client(operator: User, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Client]:
    monkeypatch.setattr("voiceagents_client.api.time.sleep", lambda _seconds: None)
    _key, text = keys.make(owner=operator, name="Tests", scopes=SCOPES, expires_at=None)

    def make(*_args: Any) -> Client:
        return Client("http://testserver/", text, transport=wire)

    return make


@pytest.fixture
def client_of_api(make_client: Callable[[], Client]) -> Client:
    return make_client()


@pytest.fixture
def run(make_client: Callable[[], Client], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line; gives its code, what it printed, and what it complained of."""
    pytest.importorskip("typer")
    from voiceagents_client.cli import main, terminal

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    for console in (terminal.out, terminal.beside):
        monkeypatch.setattr(console, "_width", 200)
    monkeypatch.setattr("voiceagents_client.cli.terminal.Server.client", make_client)

    def typed(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["voiceagents", *words])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        told = capsys.readouterr()
        return code, told.out, told.err

    return typed
