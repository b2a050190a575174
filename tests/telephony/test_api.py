"""Numbers over REST: spelled anyhow, stored once, and given to one's own agents only."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from agents.models import Agent
from telephony.models import Phone
from tests.calls import made_calls as made

URL = "/api/v1/phones/"


@pytest.fixture
def operator(db: None) -> User:
    user: User = made.operating(User.objects.create_user("asha", password="a long password"))
    return user


@pytest.fixture
def agent(operator: User) -> Agent:
    return Agent.objects.create(owner=operator, name="Desk", prompt="You answer.")


@pytest.fixture
def foreign_agent(db: None) -> Agent:
    return Agent.objects.create(owner=User.objects.create_user("vikram"), name="Desk", prompt="You answer.")


@pytest.fixture
def api(operator: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(operator)
    return client


@pytest.mark.parametrize("spelling", ["08047112233", "918047112233", "+91 80 4711 2233", "8047112233"])
def test_a_number_is_stored_in_one_spelling(api: APIClient, agent: Agent, spelling: str) -> None:
    made = api.post(URL, {"number": spelling, "agent": agent.pk, "label": "Front desk"}, format="json")
    assert made.status_code == 201, made.json()
    body = made.json()
    assert (body["number"], body["label"], body["agent"], body["active"]) == ("+918047112233", "Front desk", agent.pk, True)
    assert api.get(f"{URL}{body['id']}/").json() == body
    assert Phone.objects.get().number == "+918047112233"


def test_one_number_cannot_be_registered_twice_however_it_is_spelled(api: APIClient, agent: Agent, foreign_agent: Agent) -> None:
    Phone.objects.create(number="+918047112233", agent=foreign_agent)
    answer = api.post(URL, {"number": "08047112233", "agent": agent.pk}, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"]["number"] == ["+918047112233 is registered already. Change that entry instead."]


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"number": "12"}, "number", "for example +918047112233"),
        ({"number": "call me"}, "number", "characters that no number has"),
        ({}, "number", "required"),
        ({"number": "08047112233", "agent": None}, "agent", "Name the agent that answers this number"),
        ({"number": "08047112233"}, "agent", "Name the agent that answers this number"),
        ({"number": "08047112233", "agent": 999_999}, "agent", "Use the id of one of your agents"),
        ({"number": "08047112233", "colour": "red"}, "colour", "There is no such field"),
    ],
)
def test_a_bad_value_is_refused_with_what_to_do(api: APIClient, agent: Agent, body: dict[str, Any], field: str, words: str) -> None:
    answer = api.post(URL, {"agent": agent.pk, **body} if field in {"number", "colour"} else body, format="json")
    assert answer.status_code == 400
    assert words in " ".join(answer.json()["errors"][field])
    assert not Phone.objects.exists()


def test_a_strangers_agent_cannot_be_named(api: APIClient, foreign_agent: Agent) -> None:
    answer = api.post(URL, {"number": "08047112233", "agent": foreign_agent.pk}, format="json")
    assert f"There is no agent {foreign_agent.pk}" in answer.json()["errors"]["agent"][0]


def test_a_strangers_number_does_not_exist(api: APIClient, foreign_agent: Agent) -> None:
    theirs = Phone.objects.create(number="+918047112233", agent=foreign_agent)
    nobodys = Phone.objects.create(number="+918047112234")
    assert api.get(URL).json()["results"] == []
    for phone in (theirs, nobodys):
        assert api.get(f"{URL}{phone.pk}/").status_code == 404
        assert api.patch(f"{URL}{phone.pk}/", {"active": False}, format="json").status_code == 404
        assert api.delete(f"{URL}{phone.pk}/").status_code == 404


def test_a_superuser_may_leave_a_number_without_an_agent(api: APIClient) -> None:
    api.force_authenticate(User.objects.create_superuser("root"))
    made = api.post(URL, {"number": "08047112233"}, format="json")
    assert made.status_code == 201
    assert made.json()["agent"] is None
    assert len(api.get(URL).json()["results"]) == 1


def test_a_number_is_switched_off_renamed_and_removed(api: APIClient, agent: Agent) -> None:
    phone = Phone.objects.create(number="+918047112233", agent=agent)
    url = f"{URL}{phone.pk}/"
    assert api.patch(url, {"active": False, "label": "Night"}, format="json").json()["active"] is False
    assert api.patch(url, {"number": "08047112233"}, format="json").status_code == 200
    assert api.patch(url, {"agent": None}, format="json").status_code == 400
    assert api.delete(url).status_code == 204
    assert not Phone.objects.exists()
