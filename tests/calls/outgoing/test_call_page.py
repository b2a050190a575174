"""A call's page shows what was told of it; an endpoint that was given up stands on top of the pages and in the numbers."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from calls import alarms, commands, ledger
from calls.models import OutgoingDelivery, WebhookEndpoint, WebhookMessage
from calls.outgoing.rules import judge
from calls.outgoing.sending import deliver, note_health
from telephony.line_health import metrics
from tests.calls import made_calls as made

State = OutgoingDelivery.State


@pytest.fixture
def browser(owner) -> Client:
    client = Client()
    client.force_login(owner)
    return client


def allow(owner) -> None:
    owner.user_permissions.set(Permission.objects.filter(codename="change_webhookendpoint"))


@pytest.fixture
def told(agent, endpoint):
    """A call whose beginning was told and given up."""
    session = made.talking_call(agent)
    OutgoingDelivery.objects.update(state=State.DEAD, attempts=10, last_error="The endpoint answered 500: it failed.")
    return session


def page(browser: Client, session) -> str:
    return str(browser.get(f"/calls/{session.session_id}/").content.decode())


def replay(browser: Client, session, **fields):
    message = WebhookMessage.objects.get(session=session)
    return browser.post(f"/calls/{session.session_id}/webhooks/{message.message_id}/replay/", fields)


def test_a_call_shows_what_was_told_of_it_and_how_that_went(browser, told):
    text = page(browser, told)
    for words in ("Told to your systems", "call.started", "to Books", "Given up", "10 tries", "The endpoint answered 500"):
        assert words in text
    assert "Send again" not in text, "not without the permission"
    assert replay(browser, told).status_code == 403


def test_who_may_sends_it_again_and_sees_that_it_arrived(browser, owner, told, endpoint, hooks):
    allow(owner)
    assert "Send again" in page(browser, told)
    assert replay(browser, told, endpoint=str(endpoint.pk)).status_code == 302
    delivery = OutgoingDelivery.objects.get()
    assert delivery.state == State.QUEUED
    deliver(delivery.pk)
    assert len(hooks.taken) == 1
    text = page(browser, told)
    assert "Delivered" in text and "1 try" in text and "answered 500" not in text


def test_a_message_that_no_endpoint_was_on_for_can_be_sent_later(browser, owner, agent, endpoint):
    allow(owner)
    WebhookEndpoint.objects.update(active=False)
    session = made.talking_call(agent)
    assert "Not sent" in page(browser, session) and "Send now" in page(browser, session)
    assert "Nothing was sent" in browser.get(replay(browser, session)["Location"]).content.decode()
    WebhookEndpoint.objects.update(active=True)
    replay(browser, session)
    assert OutgoingDelivery.objects.get().endpoint == endpoint


def test_another_operators_call_and_messages_are_not_there(told, client):
    stranger = made.operator()
    allow(stranger)
    client.force_login(stranger)
    assert replay(client, told).status_code == 404
    assert client.get(f"/calls/{told.session_id}/").status_code == 404


def test_a_call_of_which_nothing_was_told_has_no_such_part(browser, agent):
    assert "Told to your systems" not in page(browser, made.talking_call(agent))


# --- an endpoint that was given up ----------------------------------------------------------------------------------------------


@pytest.fixture
def given_up(endpoint, settings):
    endpoint.failures, endpoint.failing_since = 40, timezone.now() - timedelta(days=settings.WEBHOOK_OFF_AFTER_DAYS, minutes=1)
    note_health(endpoint, judge(503), timezone.now())
    assert not endpoint.active
    return endpoint


def test_an_endpoint_that_was_switched_off_is_an_alarm_until_somebody_looks_after_it(browser, owner, given_up):
    for path in ("/", "/calls/"):
        text = browser.get(path).content.decode()
        assert "Webhook endpoint switched off" in text and "Every try failed for 5 days" in text
        assert f"/admin/calls/webhookendpoint/{given_up.pk}/change/" in text
    assert alarms.count_open()["webhook-endpoint-off"] == 1
    assert 'voiceagents_alarms_open{kind="webhook-endpoint-off"} 1' in metrics()
    given_up.active = True
    given_up.save()
    assert "switched off" not in browser.get("/").content.decode()
    assert alarms.count_open()["webhook-endpoint-off"] == 0


def test_the_alarm_is_the_owners_and_superusers_alone(given_up, client):
    client.force_login(made.operator())
    assert "switched off" not in client.get("/").content.decode()
    client.force_login(made.operator(superuser=True))
    assert "switched off" in client.get("/").content.decode()


def test_whoever_leaves_it_off_on_purpose_is_not_reminded(owner, given_up, client):
    client.force_login(made.operating(owner))
    answer = client.patch(f"/api/v1/webhook-endpoints/{given_up.pk}/", {"active": False}, content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert alarms.count_open()["webhook-endpoint-off"] == 0


def test_what_fails_and_what_waits_is_counted(agent, endpoint):
    made.talking_call(agent)
    note_health(endpoint, judge(500), timezone.now())
    assert alarms.hooks() == {"failing": 1, "waiting": 1}
    text = metrics()
    assert "voiceagents_webhook_endpoints_failing 1\n" in text and "voiceagents_webhook_deliveries_waiting 1\n" in text


# --- what nobody knows a price of -----------------------------------------------------------------------------------------------


def test_a_model_without_a_price_is_an_alarm_until_it_has_one(browser, agent):
    session = made.talking_call(agent)
    made.use(session)
    made.end(session)
    commands.account(session)
    text = browser.get("/calls/").content.decode()
    assert "Price unknown" in text and "openai a-model-nobody-priced" in text and "/money/" in text
    assert alarms.count_open()["price-unknown"] == 1
    made.override(model="a-model-nobody-priced", unit="output_tokens", price="2", per=1000)
    commands.account(session)
    assert "Price unknown" not in browser.get("/calls/").content.decode()
    assert alarms.count_open()["price-unknown"] == 0


def test_old_charges_without_a_price_are_not_read_for_every_page(agent, monkeypatch):
    for _call in range(2):
        session = made.talking_call(agent)
        made.use(session)
        made.end(session)
        commands.account(session)
    other = made.operator()
    assert ledger.without_price_lately() == ledger.without_price_lately(agent.owner) != [] == ledger.without_price_lately(other)
    monkeypatch.setattr(ledger, "LATELY", 1)
    priced = made.talking_call(agent)
    made.use(priced, unpriced=False)
    commands.account(priced)
    assert ledger.without_price_lately() == [], "the latest call has all its prices"
    assert 2 in [use.calls for use in ledger.unpriced_uses(agent.owner)], "the page Money has them all"


def test_a_bill_that_the_carrier_has_not_sent_yet_is_no_alarm(browser, agent):
    session = made.talking_call(agent)
    commands.end_session(session.session_id, reason="caller-hangup", at=timezone.now())
    commands.account(session)
    assert "Price unknown" not in browser.get("/calls/").content.decode()
    assert alarms.count_open()["price-unknown"] == 0
