"""The examples of docs/api.md do what the page says, sent as they stand there."""

import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from access.scopes import SCOPES
from agents.models import Agent
from calls.models import RehearsalRun, Session
from tests.house.source import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
COMMANDS = [
    command
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for command in re.findall(r"^curl .*?(?:[^\\]$)", block, re.MULTILINE | re.DOTALL)
]


def _sent(client: APIClient, command: str, agent_id: int) -> Any:
    """Reads a curl command as a shell would and sends it."""
    method, path, body, headers = "GET", "", None, {}
    words = iter(shlex.split(command.replace("\\\n", " "))[1:])
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-d":
            body = next(words).replace('"agent": 1', f'"agent": {agent_id}')
        elif word == "-H":
            name, _colon, value = next(words).partition(": ")
            headers[name] = value
        else:
            path = word.removeprefix("$ROOT").replace("/agents/1/", f"/agents/{agent_id}/")
            path = path.replace("/rehearsals/1/", f"/rehearsals/{RehearsalRun.objects.values_list('pk', flat=True).first()}/")
    assert headers.pop("Authorization") == "Bearer $KEY"
    assert path.startswith("/api/v1/"), command
    kind = headers.pop("Content-Type", "application/json")
    return client.generic(method, path, body or "", content_type=kind, headers=headers)


def test_the_page_has_its_examples() -> None:
    assert len(COMMANDS) >= 8
    assert {word for command in COMMANDS for word in ("turns/", "calls/", "restore/", "rehearsals/") if word in command} == {
        "turns/",
        "calls/",
        "restore/",
        "rehearsals/",
    }


def test_the_examples_run_from_the_first_to_the_last(program: Callable[..., APIClient], operator: User) -> None:
    client = program(*SCOPES, owner=operator)
    for command in COMMANDS:
        agent = Agent.objects.first()
        answer = _sent(client, command, agent.pk if agent else 0)
        assert answer.status_code in (200, 201, 202), (command, answer.json())
    agent = Agent.objects.get()
    assert [(version.number, version.reason, version.restores) for version in agent.versions.order_by("number")] == [
        (1, "", None),
        (2, "Fewer surprises", None),
        (3, "It was better", 1),
    ]
    assert Session.objects.get(call_log__is_test=False).customer == {"name": "Asha"}


def test_the_example_of_a_refusal_is_what_is_sent(program: Callable[..., APIClient], agent: Agent) -> None:
    shown = re.search(r"```json\n(.*?)\n```", PAGE, re.DOTALL)
    assert shown is not None
    answer = program("agents:write").patch(f"/api/v1/agents/{agent.pk}/", {"llm": {"temperature": 2.5}})
    assert answer.content.decode().replace(" ", "") == shown[1].replace(" ", "")


@pytest.mark.parametrize("scope", SCOPES)
def test_every_scope_is_on_the_page(scope: str) -> None:
    assert f"`{scope}`" in PAGE
