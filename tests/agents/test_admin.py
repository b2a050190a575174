"""Agents in the admin: pages load, refuse in plain words, and show operators their own only."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from agents.models import Agent

LIST = "/admin/agents/agent/"


@pytest.fixture
def admin_form() -> dict[str, Any]:
    agent = Agent(name="School desk", prompt="You answer for a school.")
    fields = (
        "name", "mode", "language", "prompt", "first_message", "voice_provider", "voice_model", "voice_id", "voice_speed", "llm_provider",
        "llm_model", "llm_temperature", "llm_max_tokens", "stt_provider", "stt_model", "stt_endpointing_ms", "max_duration_s",
        "silence_timeout_s",
    )  # fmt: skip
    inline = {"versions-TOTAL_FORMS": 0, "versions-INITIAL_FORMS": 0, "versions-MIN_NUM_FORMS": 0, "versions-MAX_NUM_FORMS": 0}
    return {**{name: getattr(agent, name) for name in fields}, "active": "on", "record_calls": "on", **inline}


@pytest.fixture
def browser(staff: User) -> Client:
    client = Client()
    client.force_login(staff)
    return client


def test_a_new_agent_belongs_to_whoever_made_it(browser: Client, staff: User, admin_form: dict[str, Any]) -> None:
    assert browser.get(f"{LIST}add/").status_code == 200
    answer = browser.post(f"{LIST}add/", {**admin_form, "llm_temperature": "0"})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    agent = Agent.objects.get()
    assert (agent.owner, agent.llm_temperature) == (staff, 0)
    assert agent.current_version.as_spec().llm.temperature == 0


def test_temperature_zero_is_shown_as_zero(browser: Client, make_agent: Callable[..., Agent]) -> None:
    page = browser.get(f"{LIST}{make_agent(llm_temperature=0).pk}/change/")
    assert page.context["adminform"].form["llm_temperature"].value() == 0
    assert 'name="llm_temperature" value="0.0"' in page.content.decode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"llm_model": "gpt-4-turbo"}, "gpt-4-turbo was shut down on 2026-10-23; use gpt-6-luna."),
        ({"llm_temperature": "3"}, "Use a value of 2 or less."),
        ({"voice_speed": "1.5"}, "from 0.7 to 1.2"),
        ({"voice_provider": "openai"}, "is a model of elevenlabs, not of openai"),
        ({"mode": "voicemail", "first_message": ""}, "Voicemail needs a first message"),
        ({"prompt": ""}, "A live conversation needs a prompt"),
        ({"stt_endpointing_ms": "9999"}, "Use a value of 5000 or less."),
        ({"silence_timeout_s": "20", "max_duration_s": "15"}, "must be shorter than the longest call"),
        ({"name": "Clinic desk"}, "There is already an agent called “Clinic desk”."),
    ],
)
def test_a_bad_value_is_refused_with_what_to_do(
    browser: Client, make_agent: Callable[..., Agent], admin_form: dict[str, Any], change: dict[str, str], words: str
) -> None:
    make_agent()
    answer = browser.post(f"{LIST}add/", {**admin_form, **change})
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert Agent.objects.count() == 1


def test_a_model_that_will_end_is_saved_with_a_warning(browser: Client, admin_form: dict[str, Any]) -> None:
    page = browser.post(f"{LIST}add/", {**admin_form, "voice_model": "eleven_turbo_v2_5"}, follow=True)
    assert Agent.objects.count() == 1
    assert "Move to eleven_flash_v2_5" in page.content.decode()


def test_versions_are_shown_and_cannot_be_edited(browser: Client, make_agent: Callable[..., Agent]) -> None:
    agent = make_agent()
    agent.llm_temperature = 0
    agent.save()
    page = browser.get(f"{LIST}{agent.pk}/change/").content.decode()
    assert "llm.temperature: 0.7 → 0" in page
    assert "First version" in page
    assert 'name="versions-0-number"' not in page
    assert 'name="versions-0-DELETE"' not in page


def test_the_form_is_grouped_in_plain_language(browser: Client, make_agent: Callable[..., Agent]) -> None:
    page = browser.get(f"{LIST}{make_agent().pk}/change/").content.decode()
    for title in ("Who it is", "How it speaks", "How it thinks", "How it listens", "When it ends"):
        assert title in page
    assert '<datalist id="llm-models"><option value="gpt-6-luna">' in page


def test_operators_see_their_own_agents_only(
    browser: Client, make_agent: Callable[..., Agent], stranger: User, admin_form: dict[str, Any]
) -> None:
    mine, theirs = make_agent(name="Mine"), make_agent(name="Theirs", owner=stranger)
    page = browser.get(LIST).content.decode()
    assert "Mine" in page
    assert "Theirs" not in page
    assert browser.get(f"{LIST}{mine.pk}/change/").status_code == 200
    browser.post(f"{LIST}{theirs.pk}/change/", admin_form)
    theirs.refresh_from_db()
    assert theirs.name == "Theirs"


def test_a_superuser_sees_all_and_keeps_the_owner(superuser: User, make_agent: Callable[..., Agent], admin_form: dict[str, Any]) -> None:
    client = Client()
    client.force_login(superuser)
    agent = make_agent()
    version = agent.current_version
    inline = {"versions-TOTAL_FORMS": 1, "versions-INITIAL_FORMS": 1, "versions-0-id": version.pk, "versions-0-agent": agent.pk}
    assert agent.name in client.get(LIST).content.decode()
    answer = client.post(f"{LIST}{agent.pk}/change/", {**admin_form, **inline})
    assert answer.status_code == 302
    agent.refresh_from_db()
    assert (agent.name, agent.owner.username) == ("School desk", "asha")
