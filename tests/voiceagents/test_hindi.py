"""The console in Hindi: chosen by a cookie, whole on its pages, and never what programs are answered in."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import translation

from agents import drafts
from agents.models import Agent
from telephony.models import Phone, WebhookDelivery
from tests.hindi import english_left


@pytest.fixture(autouse=True)
def _language_of_the_thread() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def reader(db: None) -> Client:
    """Somebody who sees everything, in Hindi."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "hi"
    return client


@pytest.fixture
def agent(reader: Client) -> Agent:
    made = Agent.objects.create(owner=User.objects.get(username="root"), name="डेस्क", prompt="आप जवाब देते हैं।")
    Phone.objects.create(number="+918047112233", agent=made)
    return made


def read(client: Client, address: str, *known: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status
    page = answer.content.decode()
    assert '<html lang="hi"' in page
    assert english_left(page, "root", *known) == []
    return page


def test_without_a_choice_pages_are_english_and_the_browser_is_asked(db: None) -> None:
    client = Client()
    assert '<html lang="en"' in client.get(reverse("login")).content.decode()
    assert "लॉग इन" in client.get(reverse("login"), headers={"Accept-Language": "hi-IN,hi;q=0.9,en;q=0.8"}).content.decode()


def test_the_choice_is_kept_and_leads_back(db: None) -> None:
    client = Client()
    answer = client.post(reverse("set_language"), {"language": "hi", "next": "/login/?next=/keys/"})
    assert (answer.status_code, answer["Location"]) == (302, "/login/?next=/keys/")
    assert client.cookies[settings.LANGUAGE_COOKIE_NAME]["max-age"] == settings.LANGUAGE_COOKIE_AGE
    read(client, "/login/", "English")


def test_refusals_of_the_log_in_are_in_hindi(db: None) -> None:
    client = Client()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "hi"
    page = client.post(reverse("login"), {"username": "asha", "password": "wrong"}).content.decode()
    assert english_left(page) == [] and "notice error" in page
    read(client, "/nothing/", status=404)


def test_the_pages_of_the_frame_hold_no_english(reader: Client, agent: Agent) -> None:
    made = reader.post(reverse("api-keys"), {"name": "कार्यक्रम", "scopes": ["calls:read"], "lives_days": ""})
    assert made.status_code == 201 and english_left(made.content.decode(), "root", "calls:read", "Authorization: Bearer") == []
    scopes = ("agents:read", "calls:read")
    for address in (reverse("api-keys"), reverse("history"), reverse("agent-gallery")):
        read(reader, address, *scopes)
    refused = reader.post(reverse("api-keys"), {"name": "", "requests_per_minute": "many"})
    assert refused.status_code == 422 and english_left(refused.content.decode(), "root", "many", *scopes) == []


def test_an_agents_pages_hold_no_english(reader: Client, agent: Agent) -> None:
    agent.prompt = "आप और भी जवाब देते हैं।"
    drafts.save_draft(agent, by=agent.owner)
    number = agent.current_version.number
    addresses = [reverse("agent-list"), reverse("agent-new"), f"{reverse('agent-compare', args=[agent.pk])}?from={number}&to=draft"]
    addresses += [reverse(name, args=[agent.pk]) for name in ("agent-page", "agent-edit", "agent-try")]
    for address in addresses:
        read(reader, address, "openai", "deepgram", "elevenlabs", "en-IN", "elevenlabs-live", "openai-responses", "tariff")


def test_a_refused_draft_says_so_in_hindi(reader: Client, agent: Agent) -> None:
    page = reader.post(reverse("agent-edit", args=[agent.pk]), {"name": "डेस्क", "prompt": "{{nobody}}", "do": "publish"})
    assert (
        english_left(
            page.content.decode(), "root", "openai", "deepgram", "elevenlabs", "elevenlabs-live", "openai-responses", "nobody", "tariff"
        )
        == []
    )


def test_the_admin_holds_no_english(reader: Client, agent: Agent) -> None:
    WebhookDelivery.objects.create(door="status", fingerprint="f", method="POST", params={"CallSid": "1"})
    lists = ("telephony_phone", "telephony_webhookdelivery", "agents_agent", "agents_httptool", "agents_destination", "access_apikey")
    addresses = [reverse(f"admin:{name}_changelist") for name in lists]
    addresses += [reverse(f"admin:{name}_add") for name in ("telephony_phone", "agents_httptool", "agents_destination")]
    addresses += [reverse("admin:agents_agent_change", args=[agent.pk])]
    known = (
        "status",
        "English",
        "en",
        "hi",
        "elevenlabs-live",
        "openai-responses",
        "Bearer",
        "Authorization",
        "openai",
        "deepgram",
        "elevenlabs",
    )
    for address in addresses:
        read(reader, address, *known)


def test_programs_are_answered_in_english(reader: Client, agent: Agent) -> None:
    reader.get(reverse("api-keys"))
    answer = reader.post("/api/v1/phones/", {"number": ""}, content_type="application/json", headers={"Accept-Language": "hi"})
    assert answer.status_code == 400 and answer.content.isascii()
    assert answer["Content-Language"] == "en" and "Accept-Language" not in answer.get("Vary", "")
