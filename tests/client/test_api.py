"""The client says what is on the wire, follows pages, repeats only what is safe, and raises the server's words."""

import httpx
import pytest
from django.contrib.auth.models import User

from agents.models import Agent
from calls.models import Session
from tests.client.conftest import Wire
from voiceagents_client import ApiError, Client, Unreachable

TO = "+919876543210"


def test_a_call_is_placed_read_and_hung_up(client_of_api: Client, agent: Agent) -> None:
    call = client_of_api.place_call(agent=agent.pk, to=TO, customer={"name": "Asha"})
    assert (call["status"], call["to"], call["agent_name"]) == ("queued", TO, "Desk")
    assert client_of_api.call(call["session_id"])["customer"] == {"name": "Asha"}
    assert client_of_api.hang_up(call["session_id"])["status"] == "canceled"
    assert [found["session_id"] for found in client_of_api.calls(status="canceled", agent=None)] == [call["session_id"]]


def test_an_answer_that_got_lost_rings_nobody_twice(client_of_api: Client, agent: Agent, wire: Wire) -> None:
    wire.lost = [httpx.ReadTimeout("lost")]
    call = client_of_api.place_call(agent=agent.pk, to=TO)
    assert Session.objects.get().session_id == call["session_id"]
    assert len({request.headers["Idempotency-Key"] for request in wire.sent}) == 1 < len(wire.sent)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_who_is_told_to_come_back_does(client_of_api: Client, agent: Agent, wire: Wire, status: int) -> None:
    wire.failures = [httpx.Response(status, headers={"Retry-After": "1"})] * 2
    assert client_of_api.agent(agent.pk)["name"] == "Desk"
    assert len(wire.sent) == 3


def test_who_finds_an_earlier_try_still_running_waits_for_its_answer(client_of_api: Client, agent: Agent, wire: Wire) -> None:
    busy = httpx.Response(409, headers={"Retry-After": "5"})
    wire.failures = [httpx.ReadTimeout("slow"), busy, busy, busy, busy]
    assert client_of_api.place_call(agent=agent.pk, to=TO)["status"] == "queued"
    assert len({request.headers["Idempotency-Key"] for request in wire.sent}) == 1
    wire.failures = [busy] * 99
    with pytest.raises(ApiError, match="409"):
        client_of_api.place_call(agent=agent.pk, to=TO)
    assert len(wire.sent) == 6 + 7
    wire.failures = [httpx.Response(409)]
    with pytest.raises(ApiError, match="409"):
        client_of_api.place_call(agent=agent.pk, to=TO)
    assert len(wire.sent) == 6 + 7 + 1 and Session.objects.count() == 1


def test_a_change_is_not_repeated_and_patience_ends(client_of_api: Client, agent: Agent, wire: Wire) -> None:
    wire.failures = [httpx.Response(503)]
    with pytest.raises(ApiError):
        client_of_api.patch(f"agents/{agent.pk}/", {"active": False})
    assert len(wire.sent) == 1
    wire.failures = [httpx.ConnectError("gone")] * 3
    with pytest.raises(Unreachable, match="testserver does not answer"):
        client_of_api.agent(agent.pk)
    assert len(wire.sent) == 4


def test_pages_are_followed_only_as_far_as_somebody_looks(client_of_api: Client, operator: User, wire: Wire) -> None:
    for number in range(5):
        Agent.objects.create(owner=operator, name=f"Agent {number}", prompt="You answer.")
    rows = client_of_api.agents(limit=2)
    assert next(rows)["name"] == "Agent 0"
    assert len(wire.sent) == 1
    assert [row["name"] for row in rows] == ["Agent 1", "Agent 2", "Agent 3", "Agent 4"]
    assert len(wire.sent) == 3


def test_a_refusal_has_the_servers_words_field_by_field(client_of_api: Client, agent: Agent) -> None:
    with pytest.raises(ApiError) as caught:
        client_of_api.patch(f"agents/{agent.pk}/", {"llm": {"temperature": 3}, "name": ""})
    assert caught.value.status == 400
    assert "name: This field may not be blank." in list(caught.value.lines())
    with pytest.raises(ApiError) as caught:
        client_of_api.patch(f"agents/{agent.pk}/", {"llm": {"temperature": 3}})
    assert list(caught.value.lines()) == ["llm.temperature: Use a value of 2 or less."]


def test_a_refusal_that_is_no_json_is_one_all_the_same(client_of_api: Client, wire: Wire) -> None:
    wire.failures = [httpx.Response(404, text="<html>proxy</html>")]
    with pytest.raises(ApiError, match="404 without a reason"):
        client_of_api.agent(1)


def test_the_key_is_in_no_words_of_the_client(client_of_api: Client, wire: Wire) -> None:
    assert wire.sent == []
    with pytest.raises(ApiError) as caught:
        client_of_api.agent(999)
    assert "va_" not in repr(caught.value) + repr(client_of_api)
