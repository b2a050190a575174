"""A door asks its caller for the permission that the page or the admin of the same thing asks for, and for no other."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from access.scopes import SCOPES
from agents.models import Agent, Destination, HttpTool
from calls.models import Budget, WebhookEndpoint
from telephony.models import Phone
from tests.calls import made_calls as made
from voiceagents.urls import every_route

WRITES = ("create", "update", "partial_update", "destroy")
AGENT_BODY = {"name": "Night desk", "prompt": "You answer."}
CHANGES = [  # method, address below /api/v1/, permission; bodies may be refused: it is only asked who may try
    ("post", "agents/", "agents.add_agent"),
    ("put", "agents/{agent}/", "agents.change_agent"),
    ("patch", "agents/{agent}/", "agents.change_agent"),
    ("delete", "agents/{agent}/", "agents.delete_agent"),
    ("post", "agents/{agent}/versions/1/restore/", "agents.change_agent"),
    ("post", "tools/", "agents.add_httptool"),
    ("put", "tools/{tool}/", "agents.change_httptool"),
    ("patch", "tools/{tool}/", "agents.change_httptool"),
    ("delete", "tools/{tool}/", "agents.delete_httptool"),
    ("post", "destinations/", "agents.add_destination"),
    ("put", "destinations/{destination}/", "agents.change_destination"),
    ("patch", "destinations/{destination}/", "agents.change_destination"),
    ("delete", "destinations/{destination}/", "agents.delete_destination"),
    ("post", "phones/", "telephony.add_phone"),
    ("put", "phones/{phone}/", "telephony.change_phone"),
    ("patch", "phones/{phone}/", "telephony.change_phone"),
    ("delete", "phones/{phone}/", "telephony.delete_phone"),
    ("post", "budgets/", "calls.add_budget"),
    ("put", "budgets/{budget}/", "calls.change_budget"),
    ("patch", "budgets/{budget}/", "calls.change_budget"),
    ("delete", "budgets/{budget}/", "calls.delete_budget"),
    ("post", "webhook-endpoints/", "calls.add_webhookendpoint"),
    ("put", "webhook-endpoints/{endpoint}/", "calls.change_webhookendpoint"),
    ("patch", "webhook-endpoints/{endpoint}/", "calls.change_webhookendpoint"),
    ("delete", "webhook-endpoints/{endpoint}/", "calls.delete_webhookendpoint"),
    ("post", "webhook-endpoints/{endpoint}/rotate-secret/", "calls.change_webhookendpoint"),
    ("post", "webhook-endpoints/{endpoint}/test/", "calls.change_webhookendpoint"),
    ("post", "webhook-endpoints/{endpoint}/replay/", "calls.change_webhookendpoint"),
    ("post", "webhook-messages/msg_none/replay/", "calls.change_webhookendpoint"),
    ("post", "scenarios/", "agents.change_agent"),
    ("post", "rehearsals/", "agents.change_agent"),
]
READS = ("agents", "tools", "destinations", "phones", "budgets", "webhook-endpoints", "webhook-messages", "scenarios", "rehearsals")


@pytest.fixture
def rows(agent: Agent, operator: User) -> dict[str, int]:
    """Something behind each door."""
    tool = HttpTool(agent=agent, name="book", description="Books.", url="https://api.example.com/days", method="POST")
    destination = Destination(agent=agent, name="Asha", description="Knows all.", numbers=["+919876543210"])
    tool.save()
    destination.save()
    return {
        "agent": agent.pk,
        "tool": tool.pk,
        "destination": destination.pk,
        "phone": Phone.objects.get().pk,
        "budget": Budget.objects.create(owner=operator, scope="call", amount="5", currency="INR").pk,
        "endpoint": WebhookEndpoint.objects.create(owner=operator, url="https://example.com/hook").pk,
    }


def only(user: User, *permissions: str) -> None:
    wanted = [dict(zip(("content_type__app_label", "codename"), name.split("."), strict=True)) for name in permissions]
    user.user_permissions.set([Permission.objects.get(**name) for name in wanted])


@pytest.mark.parametrize(("method", "address", "permission"), CHANGES)
def test_a_change_takes_its_own_permission(
    program: Callable[..., APIClient], operator: User, rows: dict[str, int], method: str, address: str, permission: str
) -> None:
    def ask() -> Any:
        return getattr(program(*SCOPES), method)("/api/v1/" + address.format(**rows), {})

    only(operator, *({other for _method, _address, other in CHANGES} - {permission}))
    refused = ask()
    name = Permission.objects.get(content_type__app_label=permission.split(".")[0], codename=permission.split(".")[1]).name
    assert refused.status_code == 403
    assert f"“{name}” ({permission})" in refused.json()["detail"]
    only(operator, permission)
    assert ask().status_code != 403


def test_what_was_refused_left_no_trace(program: Callable[..., APIClient], operator: User, rows: dict[str, int]) -> None:
    only(operator)
    client = program(*SCOPES)
    assert client.post("/api/v1/agents/", AGENT_BODY).status_code == 403
    assert client.patch(f"/api/v1/agents/{rows['agent']}/", {"prompt": "You sing."}).status_code == 403
    assert client.delete(f"/api/v1/phones/{rows['phone']}/").status_code == 403
    assert [(agent.name, agent.prompt) for agent in Agent.objects.all()] == [("Desk", "You answer.")]
    assert Phone.objects.count() == 1


def test_the_refusal_names_the_permission_as_the_admin_does(program: Callable[..., APIClient], operator: User, agent: Agent) -> None:
    only(operator)
    refused = program("agents:write").patch(f"/api/v1/agents/{agent.pk}/", {}, headers={"Accept-Language": "hi"})
    assert refused.json()["detail"] == (
        "Your account lacks the permission “Can change agent” (agents.change_agent). Ask whoever looks after accounts for it."
    )


@pytest.mark.parametrize("door", READS)
def test_reading_takes_no_permission(program: Callable[..., APIClient], operator: User, door: str) -> None:
    only(operator)
    assert program(*SCOPES).get(f"/api/v1/{door}/").status_code == 200


def test_a_superuser_needs_none(program: Callable[..., APIClient], rows: dict[str, int]) -> None:
    client = program(*SCOPES, owner=made.operator(superuser=True))
    assert client.post("/api/v1/agents/", AGENT_BODY).status_code == 201
    assert client.delete(f"/api/v1/tools/{rows['tool']}/").status_code == 204


def test_a_password_is_asked_as_a_key_is(operator: User, agent: Agent) -> None:
    only(operator)
    client = APIClient()
    client.force_authenticate(User.objects.get(pk=operator.pk))
    assert client.patch(f"/api/v1/agents/{agent.pk}/", {"prompt": "You sing."}).status_code == 403


@pytest.mark.parametrize("view_set", [pytest.param(view_set, id=door) for _prefix, view_set, door in every_route])
def test_no_door_forgets_to_ask(view_set: Any) -> None:
    """Calls are dialled and hung up by whoever sees the agent, on pages and here; every other door that changes rows asks."""
    changes = any(hasattr(view_set, name) for name in WRITES) or any("post" in one.mapping for one in view_set.get_extra_actions())
    assert bool(getattr(view_set, "changes_take", "")) == (changes and view_set.__name__ != "CallViewSet")
