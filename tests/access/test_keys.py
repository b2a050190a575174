"""A key opens what its scopes name, as its owner, until it expires or is revoked; and its secret is nowhere."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from access import keys
from access.models import ApiKey
from access.scopes import RESOURCE_OF, RESOURCES, SCOPES, covers, needed
from agents.models import Agent
from audit import history
from voiceagents.urls import every_route

CALLS, AGENTS = "/api/v1/calls/", "/api/v1/agents/"


@pytest.mark.parametrize(
    ("door", "method", "action", "scope"),
    [
        ("agent", "GET", "list", "agents:read"),
        ("agent", "PATCH", "partial_update", "agents:write"),
        ("tool", "DELETE", "destroy", "agents:write"),
        ("call", "POST", "create", "calls:dial"),
        ("call", "POST", "hangup", "calls:write"),
        ("turn", "GET", "list", "calls:read"),
        ("scenario", "DELETE", "destroy", "rehearsals:write"),
        ("rehearsal", "GET", "list", "rehearsals:read"),
        ("rehearsal", "POST", "create", "rehearsals:run"),
        ("rehearsal", "POST", "stop", "rehearsals:run"),
        ("webhook-endpoint", "POST", "replay", "webhooks:write"),
        ("a new door", "GET", "list", None),
    ],
)
def test_each_door_asks_for_its_scope(door: str, method: str, action: str, scope: str | None) -> None:
    assert needed(door, method, action) == scope


def test_writing_includes_reading_and_dialling_includes_nothing() -> None:
    assert covers(["agents:write"], "agents:read")
    assert not covers(["agents:read"], "agents:write")
    assert not covers(["calls:write"], "calls:dial")
    assert not covers(["calls:dial"], "calls:read")


def test_every_door_of_the_api_is_in_the_table() -> None:
    assert {basename for _prefix, _view_set, basename in every_route} <= set(RESOURCE_OF)
    assert set(RESOURCE_OF.values()) == set(RESOURCES)


def test_a_key_sees_what_its_owner_sees(program: Callable[..., APIClient], agent: Agent, stranger: User) -> None:
    Agent.objects.create(owner=stranger, name="Theirs", prompt="You answer.")
    answer = program("agents:read").get(AGENTS)
    assert [row["name"] for row in answer.json()["results"]] == ["Desk"]


def test_a_key_without_the_scope_is_told_which_one_it_lacks(program: Callable[..., APIClient], agent: Agent) -> None:
    answer = program("calls:read", "calls:write").post(CALLS, {"agent": agent.pk, "to": "+919876543210"})
    assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
    assert "calls:dial" in answer.json()["detail"]
    assert program("calls:dial").post(CALLS, {"agent": agent.pk, "to": "+919876543210"}).status_code == 202


def _told(text: str) -> tuple[int, str]:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    answer = client.get(AGENTS)
    assert answer.status_code == 200 or answer["WWW-Authenticate"].startswith("Bearer")
    return answer.status_code, answer.json().get("detail", "")


def test_what_opens_nothing_says_why(operator: User) -> None:
    soon = timezone.now() + timedelta(days=1)
    key, text = keys.make(owner=operator, name="Booking", scopes=["agents:read"], expires_at=soon)
    other = "x" if text[-1] != "x" else "y"
    for wrong in ("", "va_", text[:-1] + other, text[:-1], f"va_{'a' * 8}_{'b' * 40}", "\xe9\xff"):
        assert _told(wrong) == (401, _told("nonsense")[1])
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert "has expired" in _told(text)[1]
    ApiKey.objects.filter(pk=key.pk).update(expires_at=None)
    assert keys.revoke(key) and not keys.revoke(key)
    assert "was revoked" in _told(text)[1]
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=None)
    User.objects.filter(pk=operator.pk).update(is_active=False)
    assert "switched off" in _told(text)[1]


def test_the_secret_is_nowhere_in_the_database(operator: User) -> None:
    key, text = keys.make(owner=operator, name="Booking", scopes=["agents:read"], expires_at=None)
    secret = text.removeprefix(f"{key.prefix}_")
    assert len(secret) == 40
    with connection.cursor() as cursor:
        for table in ("access_apikey", "audit_apikeychange"):
            cursor.execute(f"SELECT string_agg(t::text, ' ') FROM {table} t")
            held = cursor.fetchone()[0]
            assert key.prefix in held and secret not in held


def test_last_use_is_written_at_most_once_a_minute(program: Callable[..., APIClient]) -> None:
    client = program("agents:read")
    client.get(AGENTS)
    first = ApiKey.objects.get().last_used_at
    assert first is not None
    client.get(AGENTS)
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
    client.get(AGENTS)
    again = ApiKey.objects.get().last_used_at
    assert again is not None and again > first - timedelta(minutes=1)


@pytest.mark.django_db(transaction=True)
def test_the_history_tells_who_made_and_revoked_a_key_and_what_a_key_changed(client: Client, program: Callable[..., APIClient]) -> None:
    operator = User.objects.get(username="asha")
    client.force_login(operator)
    client.post("/keys/", {"name": "Booking desk", "scopes": ["agents:read"], "lives_days": "30"})
    key = ApiKey.objects.get(name="Booking desk")
    client.post(f"/keys/{key.pk}/revoke/")
    told = history.entries(history.Wanted("apikey"))[0]
    assert [(entry.deed, entry.who) for entry in told] == [("update", operator), ("insert", operator)]
    program("agents:write").post(AGENTS, {"name": "New", "prompt": "You answer."})
    (made,) = history.entries(history.Wanted("agent"))[0]
    assert (made.deed, made.who, made.name) == ("insert", operator, "New")
    assert made.program == ApiKey.objects.get(name="Booking").prefix
    client.force_login(User.objects.create_superuser("root", password="a long password"))
    page = client.get("/history/").content.decode()
    assert f"asha · {made.program}…" in page and "API key" in page


# --- the page --------------------------------------------------------------------------------------------------------


def test_a_secret_is_shown_once_and_opens_the_api(client: Client, operator: User) -> None:
    client.force_login(operator)
    answer = client.post("/keys/", {"name": "Booking", "scopes": ["agents:read", "calls:dial"], "lives_days": "90"})
    assert answer.status_code == 201
    text = answer.context["secret"]
    assert text in answer.content.decode()
    assert text not in client.get("/keys/").content.decode()
    key = ApiKey.objects.get()
    assert key.scopes == ["agents:read", "calls:dial"]
    assert key.expires_at is not None and key.expires_at > timezone.now() + timedelta(days=89)
    assert _told(text)[0] == 200
    assert client.post(f"/keys/{key.pk}/revoke/").status_code == 302
    assert _told(text)[0] == 401


def test_living_keys_are_shown_before_many_that_ended(client: Client, operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("access.page.MOST_SHOWN", 2)
    for name in ("Living", "First", "Second"):
        key, _text = keys.make(owner=operator, name=name, scopes=["agents:read"], expires_at=None)
        if name != "Living":
            keys.revoke(key)
    client.force_login(operator)
    shown = client.get("/keys/").context
    assert ([key.name for key in shown["living"]], [key.name for key in shown["ended"]]) == (["Living"], ["Second"])


@pytest.mark.parametrize("wrong", [{"name": ""}, {"scopes": []}, {"scopes": ["agents:burn"]}, {"lives_days": "7000"}])
def test_a_key_that_makes_no_sense_is_not_made(client: Client, operator: User, wrong: dict[str, object]) -> None:
    client.force_login(operator)
    answer = client.post("/keys/", {"name": "Booking", "scopes": [SCOPES[0]], "lives_days": "30", **wrong})
    assert answer.status_code == 422
    assert not ApiKey.objects.exists()


def test_nobody_revokes_or_sees_anothers_key(client: Client, operator: User, stranger: User) -> None:
    key, _text = keys.make(owner=stranger, name="Theirs", scopes=["agents:read"], expires_at=None)
    client.force_login(operator)
    assert client.post(f"/keys/{key.pk}/revoke/").status_code == 404
    assert "Theirs" not in client.get("/keys/").content.decode()
    assert ApiKey.objects.get().revoked_at is None


def test_keys_are_revoked_in_the_admin_too(client: Client, operator: User) -> None:
    key, text = keys.make(owner=operator, name="Booking", scopes=["agents:read"], expires_at=None)
    client.force_login(User.objects.create_superuser("root", password="a long password"))
    assert key.prefix in client.get("/admin/access/apikey/").content.decode()
    client.post("/admin/access/apikey/", {"action": "revoke", "_selected_action": [key.pk]})
    assert _told(text)[0] == 401
