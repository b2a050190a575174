"""Budgets at the doors of operators: API, admin, banners, and what a minute costs on every page."""

from decimal import Decimal

import pytest
from rest_framework.test import APIClient

from calls import commands
from calls.models import Budget, CallSpend
from telephony.models import Phone
from tests.calls import made_calls as made
from tests.calls.test_budgets import budget, metered, settled

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent():
    return made.agent_of(made.operator("asha", superuser=True))


@pytest.fixture
def api(agent):
    client = APIClient()
    client.force_authenticate(agent.owner)
    return client


def test_a_budget_is_set_read_changed_and_removed_over_rest(api, agent):
    made_one = api.post("/api/v1/budgets/", {"scope": "account-month", "amount": "100", "currency": "INR"}, format="json")
    assert made_one.status_code == 201, made_one.json()
    where = f"/api/v1/budgets/{made_one.json()['id']}/"
    metered(made.talking_call(agent), INR="85")
    assert api.get(where).json()["standing"] | {"words": ""} == {
        "spent": "85.000000000",
        "level": "near",
        "uncounted": {},
        "words": "",
    }
    assert api.patch(where, {"amount": "85"}, format="json").json()["standing"]["level"] == "over"
    assert api.delete(where).status_code == 204


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"amount": "-1"}, "amount"), ({"currency": "EUR"}, "currency"), ({"scope": "week"}, "scope"), ({"amuont": "1"}, "amuont")],
)
def test_a_wrong_budget_is_refused_by_its_field(api, wrong, field):
    answer = api.post("/api/v1/budgets/", {"scope": "call", "amount": "5", "currency": "INR"} | wrong, format="json")
    assert answer.status_code == 400
    assert field in str(answer.json()["errors"])
    assert not Budget.objects.exists()


def test_a_budget_of_somebody_else_does_not_exist(agent):
    theirs = budget(agent)
    stranger = APIClient()
    stranger.force_authenticate(made.operating(made.operator()))
    assert stranger.get(f"/api/v1/budgets/{theirs.pk}/").status_code == 404
    assert stranger.post("/api/v1/budgets/", {"scope": "call", "agent": agent.pk, "amount": "5"}, format="json").status_code == 400


def test_the_api_places_no_call_beyond_the_budget_and_says_why(api, agent):
    Phone.objects.create(number="+918047112233", agent=agent)
    budget(agent, amount="0")
    answer = api.post("/api/v1/calls/", {"agent": agent.pk, "to": "+919876543210"}, format="json")
    assert answer.status_code == 400
    assert "is used up: ₹0.00 of ₹0.00" in str(answer.json())


def test_pages_warn_of_a_budget_and_show_what_a_minute_costs(client, agent):
    client.force_login(agent.owner)
    budget(agent, amount="10")
    session = made.talking_call(agent)
    metered(session, 60, INR="8.40")
    for page in ("/", "/calls/"):
        shown = client.get(page).content.decode()
        assert "is nearly used up: ₹8.40 of ₹10.00" in shown
        assert "₹8.40" in shown
        assert "8.40 a minute" in shown  # the live page carries it as JSON
    assert "₹8.40 so far, ₹8.40 a minute" in client.get(f"/calls/{session.session_id}/").content.decode()


def test_an_accounted_call_shows_its_minute_and_what_is_missing_in_it(client, agent):
    client.force_login(agent.owner)
    session = made.talking_call(agent)
    made.use(session)
    made.end(session, lasted_s=60)
    commands.account(session)
    for page in ("/calls/", f"/calls/{session.session_id}/"):
        shown = client.get(page).content.decode()
        assert "a minute, without what is unpriced" in shown


def test_the_admin_shows_how_a_budget_stands_and_what_an_agents_minute_costs(client, agent):
    client.force_login(agent.owner)
    one = budget(agent, amount="10")
    settled(agent, 60, INR="4")
    assert "₹4.00 of ₹10.00" in client.get("/admin/calls/budget/").content.decode()
    assert "₹4.00 of ₹10.00" in client.get(f"/admin/calls/budget/{one.pk}/change/").content.decode()
    assert "₹4.00 a minute" in client.get(f"/admin/agents/agent/{agent.pk}/change/").content.decode()


def test_a_budget_made_in_the_admin_belongs_to_whoever_made_it(client, agent):
    client.force_login(agent.owner)
    notices = {"notices-TOTAL_FORMS": "0", "notices-INITIAL_FORMS": "0"}
    filled = {"scope": "agent-day", "agent": agent.pk, "amount": "250", "currency": "INR", "warn_percent": "80", "active": "on"}
    answer = client.post("/admin/calls/budget/add/", filled | notices)
    assert answer.status_code == 302, answer.content.decode()[:3000]
    assert Budget.objects.get().owner == agent.owner
    refused = client.post("/admin/calls/budget/add/", filled | notices | {"scope": "account-month"})
    assert "counts every agent" in refused.content.decode()


def test_what_is_only_reserved_is_not_shown_as_spent(client, agent):
    client.force_login(agent.owner)
    budget(agent, amount="100")
    settled(agent, 60, INR="4")
    session = made.ringing_call(agent)
    commands.admit(session)
    assert CallSpend.objects.get(session=session).amount == Decimal("4.000000000")
    assert "so far" not in client.get(f"/calls/{session.session_id}/").content.decode()
