"""Every refusal is a problem in JSON, whoever refuses; and limits are told before they are reached."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings
from rest_framework.test import APIClient

from agents.models import Agent
from calls.models import WebhookEndpoint
from telephony.models import Phone

AGENTS, PHONES, CALLS = "/api/v1/agents/", "/api/v1/phones/", "/api/v1/calls/"
GONE = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}}


@pytest.fixture
def api(operator: User) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(operator)
    return client


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "status"),
    [
        ("get", f"{AGENTS}999/", "", "application/json", 404),
        ("get", "/api/v1/nothing/", "", "application/json", 404),
        ("post", "/api/v2/agents", "{}", "application/json", 404),
        ("delete", AGENTS, "", "application/json", 405),
        ("post", AGENTS, "name=x", "application/x-www-form-urlencoded", 415),
        ("post", AGENTS, "{", "application/json", 400),
        ("post", AGENTS, "[1]", "application/json", 400),
        ("post", AGENTS, '{"name": NaN}', "application/json", 400),
        ("post", AGENTS, '{"name": "a\\u0000b"}', "application/json", 400),
        ("post", AGENTS, '{"name": "\\ud800"}', "application/json", 400),
        ("post", AGENTS, "[" * 5000, "application/json", 400),
        ("post", AGENTS, '{"a":' * 100 + "1" + "}" * 100, "application/json", 400),
        ("post", AGENTS, '"' + "x" * 1_100_000 + '"', "application/json", 413),
    ],
)
def test_each_refusal_has_the_one_shape(api: APIClient, method: str, path: str, body: str, kind: str, status: int) -> None:
    answer = getattr(api, method)(path, body, content_type=kind) if method == "post" else getattr(api, method)(path)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    told = answer.json()
    assert told["status"] == status and told["detail"] and told["title"]


def test_nobody_is_told_to_come_with_a_key(client: Client) -> None:
    answer = client.get(AGENTS)
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_our_own_failure_is_a_problem_too(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.api.AgentViewSet.get_queryset", lambda _self: 1 / 0)
    answer = api.get(AGENTS)
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert "division" not in answer.content.decode()


def test_a_forgotten_slash_leads_on_with_method_and_body(api: APIClient) -> None:
    answer = api.post("/api/v1/agents?x=1", {})
    assert (answer.status_code, answer["Location"]) == (308, "/api/v1/agents/?x=1")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (AGENTS, "nmae=x"), (AGENTS, "active=perhaps"), (AGENTS, "limit=0"), (AGENTS, "limit=201"), (AGENTS, "limit=x"),
        (AGENTS, "limit=0000000019999999"), (AGENTS, "cursor=x"), (AGENTS, "cursor=cD1hYmM="), ("/api/v1/turns/", "cursor=cD1hYmM="),
        (CALLS, "date=9999-12-31"),
        (PHONES, "agent=x"), (PHONES, "agent=0"), (PHONES, "number=abc"), (CALLS, "staus=busy"), ("/api/v1/turns/", "speaker=dog"),
        ("/api/v1/turns/", "interrupted=1"), ("/api/v1/charges/", "unpriced=maybe"), ("/api/v1/sessions/", "since=yesterday"),
        ("/api/v1/recordings/", "state=lost"), ("/api/v1/budgets/", "scope=year"), ("/api/v1/tools/", f"agent={'9' * 30}"),
    ],
)  # fmt: skip
def test_a_filter_that_makes_no_sense_is_refused_by_name(api: APIClient, path: str, query: str) -> None:
    answer = api.get(f"{path}?{query}")
    assert answer.status_code == 400, answer.json()
    assert list(answer.json()["errors"]) == [query.partition("=")[0]]


def test_the_ends_of_the_calendar_are_days_too(api: APIClient) -> None:
    for query in ("date=9999-12-30", "date=0001-01-01", "since=0001-01-01", "until=9999-12-31", "until=9999-12-31T23:59:59-11:00"):
        assert api.get(f"{CALLS}?{query}").json() == {"results": [], "next": None}, query


def test_a_list_below_a_row_refuses_filters_too(api: APIClient, agent: Agent, operator: User) -> None:
    endpoint = WebhookEndpoint.objects.create(owner=operator, url="https://example.com/hook")
    for path in (f"{AGENTS}{agent.pk}/versions/", f"/api/v1/webhook-endpoints/{endpoint.pk}/attempts/"):
        answer = api.get(f"{path}?state=failed")
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["state"])
        assert api.get(f"{path}?limit=1").status_code == 200


def test_lists_are_narrowed_and_paged(api: APIClient, agent: Agent, operator: User) -> None:
    other = Agent.objects.create(owner=operator, name="Night desk", prompt="You answer.", active=False, language="hi")
    Phone.objects.create(number="+918047112299", agent=other, active=False)

    def found(path: str) -> list[str]:
        return [row.get("name") or row["number"] for row in api.get(path).json()["results"]]

    assert found(f"{AGENTS}?active=false") == found(f"{AGENTS}?language=hi") == found(f"{AGENTS}?name=NIGHT") == ["Night desk"]
    assert (
        found(f"{PHONES}?agent={other.pk}") == found(f"{PHONES}?active=false") == found(f"{PHONES}?number=08047112299") == ["+918047112299"]
    )
    page = api.get(f"{AGENTS}?limit=1").json()
    assert [row["name"] for row in page["results"]] == ["Desk"]
    assert [row["name"] for row in api.get(page["next"]).json()["results"]] == ["Night desk"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": 5}, "name"), ({"record_calls": "true"}, "record_calls"), ({"record_calls": 1}, "record_calls"),
        ({"max_duration_s": "600"}, "max_duration_s"), ({"max_duration_s": True}, "max_duration_s"), ({"llm": []}, "llm"),
        ({"pronunciations": {}}, "pronunciations"),
    ],
)  # fmt: skip
def test_json_of_another_type_is_not_made_to_fit(api: APIClient, change: dict[str, object], field: str) -> None:
    answer = api.post(AGENTS, {"name": "Desk", "prompt": "You answer.", **change})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


# --- how many ----------------------------------------------------------------------------------------------------------


def test_each_key_has_its_own_limit_and_is_told_how_it_stands(program: Callable[..., APIClient]) -> None:
    client, other = program("agents:read", requests_per_minute=2), program("agents:read")
    answer = client.get(AGENTS)
    assert (answer["RateLimit-Limit"], answer["RateLimit-Remaining"]) == ("2", "1")
    assert 1 <= int(answer["RateLimit-Reset"]) <= 60
    codes = [client.get(AGENTS).status_code for _time in range(4)]
    assert 429 in codes  # a minute may begin in between, once
    refused = next(answer for _time in range(4) if (answer := client.get(AGENTS)).status_code == 429)
    assert refused["Content-Type"] == "application/problem+json"
    assert 1 <= int(refused["Retry-After"]) <= 60 and refused["RateLimit-Remaining"] == "0"
    with override_settings(API_REQUESTS_PER_MINUTE=600):
        assert other.get(AGENTS)["RateLimit-Limit"] == "600"


def test_without_valkey_nobody_is_held_up(program: Callable[..., APIClient]) -> None:
    client = program("agents:read", requests_per_minute=1)
    with override_settings(CACHES=GONE):
        assert [client.get(AGENTS).status_code for _time in range(3)] == [200, 200, 200]
