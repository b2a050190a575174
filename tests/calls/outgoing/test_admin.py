"""Endpoints in the admin: added, tested, rotated, replayed, each by its owner alone."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client

from calls.models import OutgoingDelivery, WebhookEndpoint, WebhookMessage
from calls.outgoing.sending import deliver
from tests.calls import made_calls as made

BASE = "/admin/calls/webhookendpoint/"
URL = "https://crm.example.com/hooks"


def browser_of(user) -> Client:
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def browser(owner) -> Client:
    owner.user_permissions.set(Permission.objects.filter(content_type__app_label="calls"))
    return browser_of(owner)


def page(client: Client, endpoint: WebhookEndpoint) -> str:
    return str(client.get(f"{BASE}{endpoint.pk}/change/").content.decode())


def press(client: Client, endpoint: WebhookEndpoint, deed: str, **fields: str) -> str:
    return str(client.post(f"{BASE}{endpoint.pk}/{deed}-now/", fields, follow=True).content.decode())


def test_an_endpoint_is_added_and_its_secret_shown_once(browser, owner):
    answer = browser.post(f"{BASE}add/", {"url": URL, "description": "CRM", "events": ["call.ended"], "active": "on"}, follow=True)
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.owner, endpoint.events) == (owner, ["call.ended"])
    assert endpoint.secret not in answer.content.decode()
    assert "Show the secret (once)" in answer.content.decode()
    shown = browser.post(f"{BASE}{endpoint.pk}/secret-now/")
    assert endpoint.secret in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    again = press(browser, endpoint, "secret")
    assert endpoint.secret not in again
    assert "was shown before" in again
    assert "Show the secret (once)" not in page(browser, endpoint)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url": "http://crm.example.com/", "events": ["call.ended"]}, "starts with https://"),
        ({"url": "https://192.168.1.4/", "events": ["call.ended"]}, "private network"),
        ({"url": URL}, "Choose at least one."),
    ],
)
def test_what_cannot_work_is_refused_in_words(browser, fields, words):
    assert words in browser.post(f"{BASE}add/", fields).content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_a_new_secret_is_shown_and_the_old_one_signs_on(browser, owner, endpoint):
    old = endpoint.secret
    shown = press(browser, endpoint, "rotate")
    endpoint.refresh_from_db()
    assert endpoint.secret in shown
    assert endpoint.previous_secret == old
    assert "Two secrets sign until" in page(browser, endpoint)
    assert LogEntry.objects.filter(user=owner, change_message="The secret was rotated.").exists()


def test_a_test_is_sent_and_what_came_of_it_stands_on_the_page(browser, hooks, endpoint):
    assert "A test is on its way" in press(browser, endpoint, "test")
    deliver(OutgoingDelivery.objects.get().pk)
    assert len(hooks.taken) == 1
    shown = page(browser, endpoint)
    assert "webhook.test" in shown
    assert "204" in shown


def test_what_was_given_up_is_sent_again_by_one_click(browser, hooks, owner, agent, endpoint):
    made.talking_call(agent)
    delivery = OutgoingDelivery.objects.get()
    OutgoingDelivery.objects.update(state="dead", attempts=10, last_error="The endpoint answered 500.")
    assert "The endpoint answered 500." in browser.get("/admin/calls/outgoingdelivery/").content.decode()
    chosen = {"action": "send_again", "_selected_action": [delivery.pk]}
    assert "1 message is sent again." in browser.post("/admin/calls/outgoingdelivery/", chosen, follow=True).content.decode()
    deliver(delivery.pk)
    assert hooks.ids == [delivery.message.message_id]
    assert LogEntry.objects.filter(user=owner, change_message="Replayed: 1.").exists()
    message = {"action": "send_again", "_selected_action": [WebhookMessage.objects.get().pk]}
    assert "1 message is sent again." in browser.post("/admin/calls/webhookmessage/", message, follow=True).content.decode()
    for path in (f"outgoingdelivery/{delivery.pk}", f"webhookmessage/{delivery.message_id}"):
        assert browser.get(f"/admin/calls/{path}/change/").status_code == 200


def test_a_time_is_replayed(browser, agent, endpoint):
    made.talking_call(agent)
    OutgoingDelivery.objects.update(state="delivered")
    assert "nothing to send again" in press(browser, endpoint, "replay", since="2026-01-01")
    assert "1 message is sent again." in press(browser, endpoint, "replay", since="2026-01-01", delivered_too="on")
    assert "Give the day" in press(browser, endpoint, "replay", since="soon")
    WebhookEndpoint.objects.update(active=False)
    assert "Switch it on first" in press(browser, endpoint, "replay", since="2026-01-01")


def test_strangers_see_nothing_and_can_do_nothing(endpoint, agent):
    made.talking_call(agent)
    stranger = made.operator()
    stranger.user_permissions.set(Permission.objects.filter(content_type__app_label="calls"))
    client = browser_of(stranger)
    assert endpoint.url not in client.get(BASE).content.decode()
    for deed in ("test", "secret", "rotate", "replay"):
        assert client.post(f"{BASE}{endpoint.pk}/{deed}-now/").status_code == 404
    for rows in ("outgoingdelivery", "webhookmessage"):
        assert list(client.get(f"/admin/calls/{rows}/").context["cl"].result_list) == []


def test_looking_is_not_enough_to_do_anything(owner, endpoint):
    owner.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = browser_of(owner)
    assert client.get(f"{BASE}{endpoint.pk}/change/").status_code == 200
    for deed in ("test", "secret", "rotate", "replay"):
        assert client.post(f"{BASE}{endpoint.pk}/{deed}-now/").status_code == 403


def test_nothing_is_done_by_following_a_link(browser, endpoint):
    assert browser.get(f"{BASE}{endpoint.pk}/rotate-now/").status_code == 405
