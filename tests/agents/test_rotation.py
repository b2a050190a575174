"""A key of FIELD_KEYS is replaced: every stored secret is written anew, and nothing else changes."""

from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import TextField
from django.db.models.functions import Cast
from pytest_django.fixtures import Settings

from agents.models import Agent, HttpTool
from voiceagents.checks import secrets_have_a_key_of_their_own

OLD, NEW = "0" * 64, "1" * 64
SECRET = '{"X-Key": "hush"}'


@pytest.fixture
def tools(make_agent: Callable[..., Agent], settings: Settings) -> list[int]:
    settings.FIELD_KEYS = {"old": OLD}
    agent = make_agent()
    return [
        HttpTool.objects.create(agent=agent, name=name, description="Asks.", url="https://api.example.com/", secret_headers=SECRET).pk
        for name in ("one", "two")
    ]


def writers() -> set[str]:
    stored = HttpTool.objects.annotate(stored=Cast("secret_headers", TextField())).values_list("stored", flat=True)
    return {text.split(":")[1] for text in stored}


def rotate() -> str:
    said = StringIO()
    call_command("reencrypt_secrets", stdout=said)
    return said.getvalue()


def test_afterwards_the_old_key_may_go_and_no_version_was_published(tools: list[int], settings: Settings) -> None:
    versions = Agent.objects.get().versions.count()
    settings.FIELD_KEYS = {"old": OLD, "new": NEW}
    assert "2 secrets" in rotate()
    assert "0 secrets" in rotate()
    settings.FIELD_KEYS = {"new": NEW}
    assert writers() == {"new"}
    assert [tool.secrets for tool in HttpTool.objects.all()] == [{"X-Key": "hush"}] * 2
    assert Agent.objects.get().versions.count() == versions


def test_what_cannot_be_read_is_named_and_the_rest_is_done(tools: list[int], settings: Settings) -> None:
    settings.FIELD_KEYS = {"new": NEW}
    HttpTool.objects.filter(pk=tools[1]).update(secret_headers=SECRET)
    with pytest.raises(CommandError, match=f"agents.HttpTool {tools[0]}: .*'old'"):
        rotate()
    assert writers() == {"old", "new"}


def test_before_a_deploy_a_missing_key_is_warned_of(settings: Settings) -> None:
    settings.FIELD_KEYS = {}
    assert [warning.id for warning in secrets_have_a_key_of_their_own()] == ["voiceagents.W002"]
    settings.FIELD_KEYS = {"2026": NEW}
    assert not secrets_have_a_key_of_their_own()
