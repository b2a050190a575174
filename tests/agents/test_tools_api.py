"""Manners, destinations and HTTP tools over REST and in the admin, as a client meets them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from agents.models import Agent, Destination, HttpTool

AGENTS, DESTINATIONS, TOOLS = "/api/v1/agents/", "/api/v1/destinations/", "/api/v1/tools/"
BOOK: dict[str, Any] = {
    "name": "book",
    "description": "Books an appointment.",
    "parameters": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
    "method": "POST",
    "url": "https://api.example.com/days/{day}",
    "headers": {"X-Clinic": "1"},
    "secret_headers": {"Authorization": "Bearer top-secret-word"},
    "fixed": {"caller": "{{caller_number}}"},
    "timeout_ms": 3000,
    "meanwhile": "One moment.",
    "acts": True,
    "active": True,
}


@pytest.fixture
def agent(make_agent: Callable[..., Agent]) -> Agent:
    return make_agent()


def test_manners_are_shown_whole_changed_singly_and_kept_only_where_they_differ(api: APIClient, agent: Agent) -> None:
    url = f"{AGENTS}{agent.pk}/"
    shown = api.get(url).json()["manners"]
    assert (shown["silence_prompts"], shown["keys_interrupt"], "haan" in shown["backchannels"]) == (2, True, True)
    api.patch(url, {"manners": {"silence_prompts": 1, "backchannels": ["Haan", "theek hai"]}}, format="json")
    again = api.patch(url, {"manners": {"min_speech_ms": 250}}, format="json").json()["manners"]
    assert (again["silence_prompts"], again["min_speech_ms"], again["backchannels"]) == (1, 250, ["haan", "hai", "theek"])
    agent.refresh_from_db()
    assert agent.manners == {"silence_prompts": 1, "backchannels": ["haan", "hai", "theek"], "min_speech_ms": 250}
    whole = api.get(url).json()
    assert api.put(url, whole, format="json").json()["version"] == whole["version"]


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"manners": {"min_speech_ms": 5001}}, "manners", "from 0 to 2000"),
        ({"manners": {"echo_similarity": 1.5}}, "manners", "from 0 to 1"),
        ({"manners": {"eager_confidence": 0.8}}, "manners", "no more than end_of_turn_confidence"),
        ({"manners": {"min_speech": 1}}, "manners", "There is no such field"),
        ({"manners": {"voicemail": "sing"}}, "manners", "not a valid choice"),
        ({"manners": {"voicemail": "leave-message"}}, "voicemail_message", "Write the message"),
        ({"fallbacks": {"llm": [{"provider": "abacus", "model": "x"}]}}, "fallbacks", "Choose one of: openai"),
        (
            {"fallbacks": {"tts": [{"provider": "openai", "model": "gpt-4o-mini-tts"}]}},
            "fallbacks",
            "needs exactly: model, provider, voice_id",
        ),
        ({"pronunciations": [{"written": "Rao", "spoken": "Raav"}, {"written": "rao", "spoken": "x"}]}, "pronunciations", "already"),
        ({"prompt": "Hello {{customer_name}}"}, "prompt", "There is no {{customer_name}}. There are: {{caller_number}}"),
        ({"first_message": "Hi {{customer.first name}}"}, "first_message", "There is no"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_write(api: APIClient, agent: Agent, body: dict[str, Any], field: str, words: str) -> None:
    answer = api.patch(f"{AGENTS}{agent.pk}/", body, format="json")
    assert answer.status_code == 400
    assert words in str(answer.json()["errors"][field] if "errors" in answer.json() else answer.json()[field])
    assert agent.versions.count() == 1


def test_stand_ins_and_pronunciations_come_back_and_are_published(api: APIClient, agent: Agent) -> None:
    body = {
        "fallbacks": {"stt": [], "llm": [{"provider": "openai", "model": "gpt-5.6-luna"}], "tts": []},
        "pronunciations": [{"written": "Rao", "spoken": "Raav"}],
        "collects_digits": True,
    }
    answer = api.patch(f"{AGENTS}{agent.pk}/", body, format="json").json()
    assert {name: answer[name] for name in body} == body
    spec = agent.current_version.as_spec()
    assert spec.fallbacks.llm[0].model == "gpt-5.6-luna"
    assert spec.pronunciations[0].spoken == "Raav"
    assert spec == Agent.objects.get().spec()


def test_a_destination_is_published_with_its_agent_and_its_numbers_are_tidied(api: APIClient, agent: Agent) -> None:
    body = {"agent": agent.pk, "name": "Sales", "description": "Prices", "numbers": ["080 4711 2200", "+919876543210"], "ring_s": 20}
    made = api.post(DESTINATIONS, body, format="json")
    assert made.status_code == 201, made.json()
    assert made.json()["numbers"] == ["+918047112200", "+919876543210"]
    assert agent.current_version.number == 2
    assert agent.current_version.as_spec().destinations[0].name == "Sales"
    taken = api.post(DESTINATIONS, body, format="json")
    assert taken.status_code == 400
    assert "unique" in str(taken.json())
    assert api.delete(f"{DESTINATIONS}{made.json()['id']}/").status_code == 204
    assert agent.current_version.as_spec().destinations == ()


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"url": "http://api.example.com/"}, "url", "must start with https://"),
        ({"url": "https://{day}.example.com/"}, "url", "host must be fixed"),
        ({"url": "https://u:p@example.com/"}, "url", "secret headers"),
        ({"url": "https://example.com/{month}"}, "url", "{month} stands in the address"),
        ({"name": "end_call"}, "name", "of its own"),
        ({"name": "Book It"}, "name", "small letters"),
        ({"headers": {"Host": "evil"}}, "headers", "set by us"),
        ({"secret_headers": {"X": "a\r\nHost: evil"}}, "secret_headers", "line breaks"),
        ({"fixed": {"a": "{{nobody}}"}}, "fixed", "There is no {{nobody}}"),
        ({"parameters": {"type": "array"}}, "parameters", "must describe an object"),
        ({"timeout_ms": 90_000}, "timeout_ms", "500 to 20000"),
    ],
)
def test_a_tool_that_cannot_work_is_refused(api: APIClient, agent: Agent, change: dict[str, Any], field: str, words: str) -> None:
    answer = api.post(TOOLS, {**BOOK, "agent": agent.pk, **change}, format="json")
    assert answer.status_code == 400
    assert words in str(answer.json())
    assert field in str(answer.json())
    assert not HttpTool.objects.exists()


def test_a_tools_secret_goes_in_and_never_comes_out(api: APIClient, agent: Agent) -> None:
    made = api.post(TOOLS, {**BOOK, "agent": agent.pk}, format="json")
    assert made.status_code == 201, made.json()
    url = f"{TOOLS}{made.json()['id']}/"
    assert {name: made.json()[name] for name in BOOK if name != "secret_headers"} == {
        n: v for n, v in BOOK.items() if n != "secret_headers"
    }
    assert made.json()["secret_header_names"] == ["Authorization"]
    api.patch(url, {"description": "Books."}, format="json")
    assert HttpTool.objects.get().secrets == {"Authorization": "Bearer top-secret-word"}
    with connection.cursor() as cursor:
        cursor.execute("select secret_headers from agents_httptool")
        stored = cursor.fetchone()[0]
    everywhere = [stored, api.get(url).content.decode(), str([version.spec for version in agent.versions.all()])]
    assert not [text for text in everywhere if "top-secret-word" in text]
    assert agent.current_version.as_spec().tools[0].description == "Books."


def test_operators_reach_their_own_tools_only(api: APIClient, make_agent: Callable[..., Agent], stranger: User) -> None:
    theirs = make_agent(name="Theirs", owner=stranger)
    row = Destination.objects.create(agent=theirs, name="Sales", description="x", numbers=["+918047112200"])
    assert api.get(f"{DESTINATIONS}{row.pk}/").status_code == 404
    assert api.get(DESTINATIONS).json()["results"] == []
    refused = api.post(TOOLS, {**BOOK, "agent": theirs.pk}, format="json")
    assert refused.status_code == 400
    assert f"There is no agent {theirs.pk}" in str(refused.json())


def test_an_agent_goes_with_its_tools(api: APIClient, agent: Agent) -> None:
    api.post(TOOLS, {**BOOK, "agent": agent.pk}, format="json")
    assert api.delete(f"{AGENTS}{agent.pk}/").status_code == 204
    assert not HttpTool.objects.exists()


# --- the admin --------------------------------------------------------------------------------------------------------


@pytest.fixture
def browser(staff: User) -> Client:
    client = Client()
    client.force_login(staff)
    return client


def test_manners_are_set_in_the_admin_and_emptied_to_the_default(browser: Client, agent: Agent) -> None:
    url = f"/admin/agents/agent/{agent.pk}/change/"
    page = browser.get(url)
    assert 'name="manner_silence_prompts"' in page.content.decode()
    inline = {"versions-TOTAL_FORMS": 0, "versions-INITIAL_FORMS": 0, "versions-MIN_NUM_FORMS": 0, "versions-MAX_NUM_FORMS": 0}
    values = {name: field.value() for name, field in ((f.name, f) for f in page.context["adminform"].form)}
    form = {name: value for name, value in values.items() if value not in (None, False)} | inline
    form |= {"fallbacks": "{}", "pronunciations": "[]"}
    answer = browser.post(
        url,
        {
            **form,
            "manner_silence_prompts": "1",
            "manner_echo_similarity": "0.6",
            "manner_keys_interrupt": "False",
            "manner_backchannels": "haan, ji",
        },
    )
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    agent.refresh_from_db()
    assert agent.manners == {"silence_prompts": 1, "echo_similarity": 0.6, "keys_interrupt": False, "backchannels": ["haan", "ji"]}
    refused = browser.post(url, {**form, "manner_silence_prompts": "77"})
    assert "less than or equal to 5" in refused.content.decode()
    browser.post(url, form)
    agent.refresh_from_db()
    assert agent.manners == {}


def test_a_secret_is_typed_into_the_admin_kept_and_never_shown(browser: Client, agent: Agent) -> None:
    form = {
        "agent": agent.pk, "name": "book", "description": "Books.", "parameters": "{}", "method": "POST", "url": "https://api.example.com/",
        "headers": "{}", "fixed": "{}", "timeout_ms": 3000, "active": "on", "new_secret_headers": '{"X-Key": "hush-hush"}',
    }  # fmt: skip
    answer = browser.post("/admin/agents/httptool/add/", form)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    tool = HttpTool.objects.get()
    url = f"/admin/agents/httptool/{tool.pk}/change/"
    page = browser.get(url).content.decode()
    assert "X-Key" in page
    assert "hush-hush" not in page
    assert browser.post(url, {**form, "new_secret_headers": "", "description": "Books it."}).status_code == 302
    tool.refresh_from_db()
    assert (tool.secrets, tool.description) == ({"X-Key": "hush-hush"}, "Books it.")
    assert "JSON object" in browser.post(url, {**form, "new_secret_headers": "nonsense"}).content.decode()
    assert browser.get("/admin/agents/destination/add/").status_code == 200
