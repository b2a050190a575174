"""Agents over REST, as a client meets them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from rest_framework.test import APIClient

from agents.models import Agent

URL = "/api/v1/agents/"
FULL: dict[str, Any] = {
    "name": "School desk",
    "prompt": "You answer for a school.",
    "first_message": "Namaste, how can I help?",
    "language": "hi",
    "mode": "live",
    "voice": {"provider": "openai", "voice_id": "marin", "model": "gpt-4o-mini-tts", "speed": 1.5},
    "llm": {"provider": "openai", "model": "gpt-6-luna", "temperature": 0, "max_tokens": 16},
    "stt": {"provider": "deepgram", "model": "nova-3", "endpointing_ms": 10},
    "max_duration_s": 90,
    "silence_timeout_s": 7,
    "record_calls": False,
    "active": False,
}


def test_every_field_comes_back_as_it_was_sent(api: APIClient, operator: User) -> None:
    made = api.post(URL, FULL, format="json")
    assert made.status_code == 201, made.json()
    read = api.get(f"{URL}{made.json()['id']}/").json()
    assert {name: read[name] for name in FULL} == FULL
    assert (read["owner"], read["version"]) == (operator.username, 1)
    agent = Agent.objects.get(pk=read["id"])
    assert agent.current_version.as_spec().llm.temperature == 0


def test_name_and_prompt_are_enough(api: APIClient) -> None:
    made = api.post(URL, {"name": "Desk", "prompt": "You answer."}, format="json").json()
    assert made["llm"] == {"provider": "openai", "model": "gpt-6-luna", "temperature": 0.7, "max_tokens": 500}
    assert made["voice"]["model"] == "eleven_flash_v2_5"
    assert made["warnings"] == []


def test_what_a_get_returned_may_be_put_back(api: APIClient, make_agent: Callable[..., Agent]) -> None:
    agent = make_agent()
    url = f"{URL}{agent.pk}/"
    answer = api.put(url, api.get(url).json(), format="json")
    assert answer.status_code == 200, answer.json()
    assert answer.json()["version"] == 1


def test_patching_one_nested_field_leaves_its_neighbours(api: APIClient, make_agent: Callable[..., Agent]) -> None:
    agent = make_agent(llm_temperature=0.9, llm_max_tokens=77)
    answer = api.patch(f"{URL}{agent.pk}/", {"llm": {"temperature": 0}}, format="json")
    assert answer.json()["llm"] == {"provider": "openai", "model": "gpt-6-luna", "temperature": 0, "max_tokens": 77}
    assert answer.json()["version"] == 2
    assert api.patch(f"{URL}{agent.pk}/", {"llm": {"temperature": 0}}, format="json").json()["version"] == 2


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"llm": {"temperature": 2.5}}, ("llm", "temperature"), "Use a value of 2 or less."),
        ({"llm": {"temperature": -0.1}}, ("llm", "temperature"), "Use a value of 0 or more."),
        ({"llm": {"temperature": "NaN"}}, ("llm", "temperature"), "A valid number is required."),
        ({"llm": {"max_tokens": 8}}, ("llm", "max_tokens"), "16 or more"),
        ({"llm": {"model": "gpt-4-turbo"}}, ("llm", "model"), "was shut down on 2026-10-23; use gpt-6-luna"),
        ({"llm": {"maxTokens": 100}}, ("llm", "maxTokens"), "The fields are: provider, model, temperature, max_tokens."),
        ({"llm": {"model": ""}}, ("llm", "model"), "blank"),
        ({"voice": {"provider": "openai"}}, ("voice", "model"), "is a model of elevenlabs, not of openai"),
        ({"voice": {"speed": 2}}, ("voice", "speed"), "from 0.7 to 1.2"),
        ({"voice": {"voice_id": "alloy"}}, ("voice", "voice_id"), "is a voice of openai"),
        ({"stt": {"endpointing_ms": 5001}}, ("stt", "endpointing_ms"), "5000 or less"),
        ({"stt": {"endpointing_ms": None}}, ("stt", "endpointing_ms"), "may not be null"),
        ({"stt": {"model": "nova-2"}, "language": "multi"}, ("stt", "model"), "Use nova-3"),
        ({"language": "tlh"}, ("language",), "“tlh” is not one of the choices. Use one of: en-IN"),
        ({"mode": "shouting"}, ("mode",), "Use one of: live, voicemail"),
        ({"mode": "voicemail"}, ("first_message",), "Voicemail needs a first message"),
        ({"prompt": ""}, ("prompt",), "needs a prompt"),
        ({"prompt": "x" * 50_001}, ("prompt",), "50000 is the most"),
        ({"max_duration_s": 3600}, ("max_duration_s",), "3540 or less"),
        ({"max_duration_s": 10}, ("silence_timeout_s",), "must be shorter than the longest call"),
        ({"temperature": 0}, ("temperature",), "There is no such field"),
        ({"name": "x" * 121}, ("name",), "120"),
    ],
)
def test_a_bad_value_is_refused_where_it_stands(
    api: APIClient, make_agent: Callable[..., Agent], change: dict[str, Any], path: tuple[str, ...], words: str
) -> None:
    agent = make_agent()
    answer = api.patch(f"{URL}{agent.pk}/", change, format="json")
    assert answer.status_code == 400
    problem = answer.json()
    found: Any = problem["errors"]
    for step in path:
        found = found[step]
    assert words in " ".join(found)
    assert (problem["title"], problem["status"]) == ("Bad Request", 400)
    assert f"{'.'.join(path)}: " in problem["detail"]
    assert answer["Content-Type"] == "application/problem+json"
    assert agent.versions.count() == 1


def test_an_announced_end_is_told_and_allowed(api: APIClient, make_agent: Callable[..., Agent]) -> None:
    answer = api.patch(f"{URL}{make_agent().pk}/", {"voice": {"model": "eleven_turbo_v2_5"}}, format="json")
    assert answer.status_code == 200
    assert "Move to eleven_flash_v2_5" in answer.json()["warnings"][0]


def test_a_name_is_taken_once_per_owner(api: APIClient, make_agent: Callable[..., Agent], stranger: User) -> None:
    make_agent(name="Desk")
    body = {"name": "Desk", "prompt": "You answer."}
    answer = api.post(URL, body, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"]["name"] == ["There is already an agent called “Desk”. Choose another name."]
    api.force_authenticate(stranger)
    assert api.post(URL, body, format="json").status_code == 201


def test_another_operators_agent_does_not_exist(api: APIClient, make_agent: Callable[..., Agent], stranger: User) -> None:
    agent = make_agent()
    api.force_authenticate(stranger)
    assert api.get(URL).json()["results"] == []
    for method in (api.get, api.patch, api.put, api.delete):
        assert method(f"{URL}{agent.pk}/").status_code == 404
    assert api.get(f"{URL}{agent.pk}/versions/").status_code == 404


def test_a_superuser_sees_every_agent(api: APIClient, make_agent: Callable[..., Agent], superuser: User) -> None:
    agent = make_agent()
    api.force_authenticate(superuser)
    assert [found["id"] for found in api.get(URL).json()["results"]] == [agent.pk]
    assert api.patch(f"{URL}{agent.pk}/", {"prompt": "New."}, format="json").json()["owner"] == agent.owner.username


@pytest.mark.django_db
def test_nobody_gets_in_without_a_name() -> None:
    answer = APIClient().get(URL)
    assert answer.status_code in {401, 403}
    assert "credentials" in answer.json()["detail"]


def test_versions_tell_what_changed_newest_first(api: APIClient, make_agent: Callable[..., Agent]) -> None:
    agent = make_agent()
    api.patch(f"{URL}{agent.pk}/", {"llm": {"temperature": 0}, "language": "hi"}, format="json")
    second, first = api.get(f"{URL}{agent.pk}/versions/").json()["results"]
    assert (first["number"], first["changes"]) == (1, [])
    assert second["number"] == 2
    assert {"field": "llm.temperature", "old": 0.7, "new": 0} in second["changes"]
    assert {"field": "language", "old": "en-IN", "new": "hi"} in second["changes"]
    assert second["spec"]["llm"]["temperature"] == 0


def test_a_page_of_agents_leads_to_the_next(api: APIClient, make_agent: Callable[..., Agent]) -> None:
    for number in range(51):
        make_agent(name=f"Desk {number}")
    page = api.get(URL).json()
    assert len(page["results"]) == 50
    rest = api.get(page["next"]).json()
    assert [found["name"] for found in rest["results"]] == ["Desk 50"]
    assert rest["next"] is None


def test_the_list_does_not_ask_once_per_agent(
    api: APIClient, make_agent: Callable[..., Agent], django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    for number in range(10):
        make_agent(name=f"Desk {number}")
    with django_assert_max_num_queries(2):
        api.get(URL)


def test_an_agent_without_calls_is_deleted_with_its_versions(api: APIClient, make_agent: Callable[..., Agent]) -> None:
    agent = make_agent()
    assert api.delete(f"{URL}{agent.pk}/").status_code == 204
    assert not Agent.objects.filter(pk=agent.pk).exists()


def test_an_agent_with_calls_is_kept_with_the_reason(api: APIClient, make_agent: Callable[..., Agent]) -> None:
    from calls.models import Session

    agent = make_agent()
    Session.objects.create(owner=agent.owner, agent=agent, agent_version=agent.current_version)
    answer = api.delete(f"{URL}{agent.pk}/")
    assert answer.status_code == 409
    assert "Deactivate it instead: set active to false" in answer.json()["detail"]
    assert api.patch(f"{URL}{agent.pk}/", {"active": False}, format="json").json()["active"] is False


def test_an_agent_that_answers_a_number_is_kept_with_the_reason(api: APIClient, make_agent: Callable[..., Agent]) -> None:
    from telephony.models import Phone

    agent = make_agent()
    Phone.objects.create(number="+918047112233", agent=agent)
    answer = api.delete(f"{URL}{agent.pk}/")
    assert answer.status_code == 409
    assert "answers +918047112233" in answer.json()["detail"]


def test_broken_json_is_refused_in_the_same_shape(api: APIClient) -> None:
    answer = api.post(URL, "{", content_type="application/json")
    assert answer.status_code == 400
    assert "JSON parse error" in answer.json()["detail"]


@pytest.mark.django_db(transaction=True)
def test_two_changes_of_one_agent_at_once_both_stick(make_agent: Callable[..., Agent], operator: User) -> None:
    agent = make_agent()
    together = threading.Barrier(2)
    changes: list[dict[str, Any]] = [{"llm": {"temperature": 0}}, {"max_duration_s": 99}]

    def change(body: dict[str, Any]) -> int:
        client = APIClient()
        client.force_authenticate(operator)
        together.wait(60)
        try:
            return client.patch(f"{URL}{agent.pk}/", body, format="json").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(change, changes)) == [200, 200]
    agent.refresh_from_db()
    assert (agent.llm_temperature, agent.max_duration_s) == (0, 99)
    assert [version.number for version in agent.versions.order_by("number")] == [1, 2, 3]
    assert agent.current_version.as_spec() == agent.spec()


def test_ids_that_cannot_be_are_not_found(api: APIClient) -> None:
    for impossible in ("0", "9" * 30, "desk"):
        assert api.get(f"{URL}{impossible}/").status_code == 404
