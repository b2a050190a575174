"""The phone line in the admin: numbers are normalised, deliveries only shown."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from agents.models import Agent
from calls.models import Session
from telephony.models import Phone, WebhookDelivery


@pytest.fixture
def staff(db: None) -> User:
    user = User.objects.create_user("asha", password="a long password", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    return user


@pytest.fixture
def agent(staff: User) -> Agent:
    return Agent.objects.create(owner=staff, name="Desk", prompt="You answer.")


@pytest.fixture
def foreign_agent(db: None) -> Agent:
    return Agent.objects.create(owner=User.objects.create_user("vikram"), name="Foreign desk", prompt="You answer.")


@pytest.fixture
def browser(staff: User) -> Client:
    client = Client()
    client.force_login(staff)
    return client


@pytest.fixture
def root_browser(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


ADD = "/admin/telephony/phone/add/"


def test_a_number_is_normalised(browser: Client, agent: Agent) -> None:
    assert browser.get(ADD).status_code == 200
    assert browser.post(ADD, {"number": "080 4711 2233", "agent": agent.pk, "active": "on"}).status_code == 302
    assert Phone.objects.get().number == "+918047112233"


def test_a_bad_number_is_refused_with_what_to_write(browser: Client, agent: Agent) -> None:
    answer = browser.post(ADD, {"number": "12", "agent": agent.pk})
    assert answer.status_code == 200
    assert "for example +918047112233" in answer.content.decode()


def test_a_number_is_registered_once_however_it_is_spelled(browser: Client, agent: Agent) -> None:
    Phone.objects.create(number="+918047112233", agent=agent)
    answer = browser.post(ADD, {"number": "08047112233", "agent": agent.pk})
    assert answer.status_code == 200
    assert "already exists" in answer.content.decode()


def test_operators_choose_among_their_own_agents_and_must_choose(browser: Client, agent: Agent, foreign_agent: Agent) -> None:
    page = browser.get(ADD).content.decode()
    assert f'value="{agent.pk}"' in page
    assert foreign_agent.name not in page
    for choice in (foreign_agent.pk, ""):
        assert browser.post(ADD, {"number": "08047112233", "agent": choice}).status_code == 200
    assert not Phone.objects.exists()


def test_operators_see_their_own_numbers_only(browser: Client, root_browser: Client, agent: Agent, foreign_agent: Agent) -> None:
    Phone.objects.create(number="+918047112233", agent=agent)
    Phone.objects.create(number="+918047112299", agent=foreign_agent)
    page = browser.get("/admin/telephony/phone/").content.decode()
    assert "+918047112233" in page
    assert "+918047112299" not in page
    assert "+918047112299" in root_browser.get("/admin/telephony/phone/").content.decode()


@pytest.fixture
def delivery(db: None) -> WebhookDelivery:
    params = {"CallSid": "abc", "CallFrom": "<script>alert(1)</script>"}
    return WebhookDelivery.objects.create(door="status", fingerprint="f" * 64, method="POST", params=params, call_sid="abc")


def test_a_delivery_is_shown_raw_and_escaped(root_browser: Client, delivery: WebhookDelivery) -> None:
    assert root_browser.get("/admin/telephony/webhookdelivery/").status_code == 200
    page = root_browser.get(f"/admin/telephony/webhookdelivery/{delivery.pk}/change/").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page


def test_nobody_adds_changes_or_deletes_a_delivery(root_browser: Client, delivery: WebhookDelivery) -> None:
    base = "/admin/telephony/webhookdelivery/"
    assert root_browser.get(f"{base}add/").status_code == 403
    assert root_browser.post(f"{base}{delivery.pk}/delete/", {"post": "yes"}).status_code == 403
    assert root_browser.post(f"{base}{delivery.pk}/change/", {"door": "x"}).status_code == 403
    assert WebhookDelivery.objects.get().door == "status"


def test_operators_see_deliveries_of_their_own_calls_only(browser: Client, agent: Agent, delivery: WebhookDelivery) -> None:
    session = Session.objects.create(owner=agent.owner, agent=agent, agent_version=agent.current_version)
    mine = WebhookDelivery.objects.create(
        door="status", fingerprint="e" * 64, method="POST", params={}, call_sid="mine", session_id=session.session_id
    )
    page = browser.get("/admin/telephony/webhookdelivery/").content.decode()
    assert mine.call_sid in page
    assert f"/{delivery.pk}/change/" not in page
