"""Versions: published when something changed, never altered, and told apart in words."""

from collections.abc import Callable

import pytest
from django.db import ProgrammingError, transaction

from agents.models import Agent, AgentVersion
from agents.versions import Change, changes


def test_a_first_save_publishes_version_one(make_agent: Callable[..., Agent]) -> None:
    assert [version.number for version in make_agent().versions.all()] == [1]


def test_a_save_that_changes_nothing_publishes_nothing(make_agent: Callable[..., Agent]) -> None:
    agent = make_agent()
    agent.save()
    Agent.objects.get(pk=agent.pk).save()
    assert agent.versions.count() == 1


def test_switching_an_agent_off_changes_nothing_for_callers(make_agent: Callable[..., Agent]) -> None:
    agent = make_agent()
    agent.active = False
    agent.save()
    assert agent.versions.count() == 1


def test_temperature_zero_is_published_as_zero(make_agent: Callable[..., Agent]) -> None:
    agent = make_agent(llm_temperature=0)
    agent.refresh_from_db()
    assert agent.llm_temperature == 0
    assert agent.current_version.as_spec().llm.temperature == 0


def test_a_change_publishes_the_next_version_and_leaves_the_first(make_agent: Callable[..., Agent]) -> None:
    agent = make_agent()
    agent.prompt = "You answer for a school."
    agent.save()
    first, second = agent.versions.order_by("number")
    assert first.as_spec().prompt == "You answer for a clinic."
    assert second.as_spec() == agent.spec()
    assert agent.current_version == second


def test_the_database_refuses_to_alter_a_version(make_agent: Callable[..., Agent]) -> None:
    version = make_agent().current_version
    with pytest.raises(ProgrammingError), transaction.atomic():
        AgentVersion.objects.filter(pk=version.pk).update(spec={})


def test_changes_are_named_by_field_with_both_sides() -> None:
    old = {"prompt": "a", "llm": {"model": "gpt-4o", "temperature": 0.7}, "gone": 1}
    new = {"prompt": "a", "llm": {"model": "gpt-6-luna", "temperature": 0}, "fresh": True}
    assert changes(old, new) == [
        Change("llm.model", "gpt-4o", "gpt-6-luna"),
        Change("llm.temperature", 0.7, 0),
        Change("fresh", None, True),
        Change("gone", 1, None),
    ]
    assert str(changes(old, new)[1]) == "llm.temperature: 0.7 → 0"


def test_a_long_text_is_told_by_its_length() -> None:
    assert str(Change("prompt", "x" * 200, "short")) == "prompt: 200 characters → “short”"


def test_a_first_version_has_no_changes() -> None:
    assert changes(None, {"prompt": "a"}) == []
