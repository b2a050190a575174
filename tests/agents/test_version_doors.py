"""Versions over REST: read one, bring one back, and say why."""

from collections.abc import Callable

from django.contrib.auth.models import User
from rest_framework.test import APIClient

from agents.models import Agent


def test_an_earlier_version_is_read_and_brought_back(api: APIClient, make_agent: Callable[..., Agent]) -> None:
    url = f"/api/v1/agents/{make_agent().pk}/"
    changed = api.patch(url, {"llm": {"temperature": 0.1}, "reason": "Fewer surprises"}).json()
    assert changed["version"] == 2 and "reason" not in changed
    second = api.get(f"{url}versions/2/").json()
    assert (second["reason"], [change["field"] for change in second["changes"]]) == ("Fewer surprises", ["llm.temperature"])
    answer = api.post(f"{url}versions/1/restore/", {"reason": "Worse"})
    assert answer.status_code == 200, answer.json()
    told = answer.json()
    assert (told["is_new"], told["warnings"], told["version"]["number"], told["version"]["restores"]) == (True, [], 3, 1)
    assert (told["version"]["reason"], told["version"]["published_by"]) == ("Worse", "asha")
    assert api.get(url).json()["llm"]["temperature"] == 0.7
    assert api.post(f"{url}versions/3/restore/").json()["is_new"] is False


def test_what_cannot_talk_any_more_does_not_come_back(api: APIClient, make_agent: Callable[..., Agent]) -> None:
    agent = make_agent(llm_model="gpt-6-luna")
    Agent.objects.filter(pk=agent.pk).update(prompt="Other")
    agent.refresh_from_db()
    agent.save()
    Agent.objects.create(owner=agent.owner, name="Taken", prompt="You answer.")
    url = f"/api/v1/agents/{agent.pk}/"
    api.patch(url, {"name": "Free"})
    Agent.objects.filter(name="Taken").update(name="Clinic desk")
    answer = api.post(f"{url}versions/1/restore/", {})
    assert answer.status_code == 400
    assert "name" in answer.json()["errors"]


def test_there_is_no_version_of_nobody(api: APIClient, make_agent: Callable[..., Agent], stranger: User) -> None:
    agent = make_agent()
    assert api.get(f"/api/v1/agents/{agent.pk}/versions/9/").status_code == 404
    api.force_authenticate(stranger)
    assert api.get(f"/api/v1/agents/{agent.pk}/versions/1/").status_code == 404
    assert api.post(f"/api/v1/agents/{agent.pk}/versions/1/restore/", {}).status_code == 404
