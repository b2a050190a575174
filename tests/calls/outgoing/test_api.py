"""Endpoints and messages over REST, as a client meets them."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from calls.models import OutgoingDelivery, WebhookEndpoint, WebhookMessage
from calls.outgoing.sending import deliver
from tests.calls import made_calls as made

ENDPOINTS, MESSAGES = "/api/v1/webhook-endpoints/", "/api/v1/webhook-messages/"
URL = "https://crm.example.com/hooks"


def client_of(user) -> APIClient:
    client = APIClient()
    client.force_authenticate(made.operating(user))
    return client


@pytest.fixture
def api(owner) -> APIClient:
    return client_of(owner)


def deliver_all() -> None:
    for pk in OutgoingDelivery.objects.filter(state="queued").order_by("pk").values_list("pk", flat=True):
        deliver(pk)


def test_an_endpoint_is_made_with_a_secret_that_is_shown_once_and_stored_encrypted(api, owner):
    made_now = api.post(ENDPOINTS, {"url": URL, "events": ["call.settled", "call.ended"]}, format="json")
    assert made_now.status_code == 201, made_now.json()
    body = made_now.json()
    assert body["secret"].startswith("whsec_")
    assert body["events"] == ["call.ended", "call.settled"]
    assert (body["active"], body["note"], body["failures"]) == (True, "", 0)
    again = api.get(f"{ENDPOINTS}{body['id']}/")
    assert "secret" not in again.json()
    assert "whsec_" not in api.get(ENDPOINTS).content.decode()
    with connection.cursor() as cursor:
        cursor.execute("select secret from calls_webhookendpoint")
        assert "whsec_" not in cursor.fetchone()[0]
    assert WebhookEndpoint.objects.get().owner == owner


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"url": "http://crm.example.com/"}, "url", "starts with https://"),
        ({"url": "https://10.0.0.8/"}, "url", "private network"),
        ({"url": "https://a:b@crm.example.com/"}, "url", "no user name"),
        ({"url": URL, "events": []}, "events", "at least one of: call.started, call.ended, call.settled"),
        ({"url": URL, "events": ["call.sung"]}, "events", "at least one of"),
        ({"url": URL, "secret": "whsec_mine"}, "secret", "There is no such field"),
        ({}, "url", "required"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_write(api, body, field, words):
    answer = api.post(ENDPOINTS, body, format="json")
    assert answer.status_code == 400
    assert words in str(answer.json()["errors"][field] if "errors" in answer.json() else answer.json()[field])


def test_nobody_has_more_endpoints_than_every_event_can_be_sent_to(api, owner):
    WebhookEndpoint.objects.bulk_create([WebhookEndpoint(owner=owner, url=URL) for _ in range(20)])
    answer = api.post(ENDPOINTS, {"url": URL}, format="json")
    assert (answer.status_code, "20 endpoints" in str(answer.json())) == (400, True)


def test_an_endpoint_is_changed_switched_off_and_removed(api, endpoint):
    url = f"{ENDPOINTS}{endpoint.pk}/"
    assert api.patch(url, {"active": False, "description": "CRM"}, format="json").json()["active"] is False
    assert api.patch(url, {"url": "ftp://x"}, format="json").status_code == 400
    assert api.delete(url).status_code == 204
    assert not WebhookEndpoint.objects.exists()


def test_strangers_see_neither_endpoints_nor_messages_and_superusers_all(api, agent, endpoint):
    made.talking_call(agent)
    message = WebhookMessage.objects.get()
    stranger, root = client_of(made.operator()), client_of(made.operator(superuser=True))
    for path in (f"{ENDPOINTS}{endpoint.pk}/", f"{ENDPOINTS}{endpoint.pk}/attempts/", f"{MESSAGES}{message.message_id}/"):
        assert [client.get(path).status_code for client in (api, stranger, root)] == [200, 404, 200]
    for path in ("rotate-secret/", "test/", "replay/"):
        assert stranger.post(f"{ENDPOINTS}{endpoint.pk}/{path}", {"since": "2026-01-01T00:00:00Z"}, format="json").status_code == 404
    assert stranger.post(f"{MESSAGES}{message.message_id}/replay/", {}, format="json").status_code == 404
    assert stranger.get(MESSAGES).json()["results"] == []
    assert APIClient().get(ENDPOINTS).status_code == 401


def test_a_rotated_secret_is_shown_once_and_written_down(api, owner, endpoint):
    answer = api.post(f"{ENDPOINTS}{endpoint.pk}/rotate-secret/").json()
    endpoint.refresh_from_db()
    assert answer["secret"] == endpoint.secret
    assert answer["signs_with_two_secrets_until"] is not None
    assert (endpoint.previous_until - timezone.now()) > timedelta(hours=23)
    entries = LogEntry.objects.filter(user=owner, object_id=str(endpoint.pk)).values_list("change_message", flat=True)
    assert "The secret was rotated." in entries


def test_a_test_message_is_sent_once_even_to_an_endpoint_that_is_switched_off(api, hooks, endpoint):
    WebhookEndpoint.objects.update(active=False)
    hooks.always = 500
    message_id = api.post(f"{ENDPOINTS}{endpoint.pk}/test/").json()["message_id"]
    deliver_all()
    deliver_all()
    assert hooks.ids == [message_id]
    assert hooks.taken[0].verified_with(endpoint.secret)["type"] == "webhook.test"
    shown = api.get(f"{MESSAGES}{message_id}/").json()
    assert (shown["session_id"], shown["deliveries"][0]["state"]) == (None, "dead")
    assert (shown["attempts"][0]["status"], "answered 500" in shown["attempts"][0]["error"]) == (500, True)


def test_what_was_told_can_be_found_and_read(api, hooks, agent, endpoint):
    session, other = made.talking_call(agent), made.talking_call(agent)
    made.end(session)
    deliver_all()
    found = api.get(MESSAGES, {"session_id": session.session_id}).json()["results"]
    assert [one["type"] for one in found] == ["call.ended", "call.started"]
    assert {one["session_id"] for one in api.get(MESSAGES, {"type": "call.started"}).json()["results"]} == {
        session.session_id,
        other.session_id,
    }
    assert api.get(MESSAGES, {"state": "dead"}).json()["results"] == []
    assert api.get(MESSAGES, {"status": "dead"}).status_code == 400
    tries = api.get(f"{ENDPOINTS}{endpoint.pk}/attempts/").json()["results"]
    assert [(one["type"], one["status"], one["number"]) for one in tries] == [
        ("call.ended", 204, 1),
        ("call.started", 204, 1),
        ("call.started", 204, 1),
    ]


def test_one_message_is_replayed_under_its_old_id(api, hooks, agent, endpoint):
    made.talking_call(agent)
    message = WebhookMessage.objects.get()
    deliver_all()
    assert api.post(f"{MESSAGES}{message.message_id}/replay/", {}, format="json").json() == {"replayed": 1}
    assert api.post(f"{MESSAGES}{message.message_id}/replay/", {}, format="json").json() == {"replayed": 0}, "it is on its way"
    deliver_all()
    assert hooks.ids == [message.message_id] * 2
    assert [one["number"] for one in api.get(f"{MESSAGES}{message.message_id}/").json()["attempts"]] == [2, 1]


def test_a_time_is_replayed_to_an_endpoint_only_what_did_not_arrive_or_all(api, owner, hooks, agent, endpoint):
    since = timezone.now().isoformat()
    made.talking_call(agent)
    deliver_all()
    hooks.always = 410
    made.talking_call(agent)
    deliver_all()
    hooks.always = 204
    made.talking_call(agent)  # told to nobody: the endpoint is off
    url = f"{ENDPOINTS}{endpoint.pk}/"
    refused = api.post(f"{url}replay/", {"since": since}, format="json")
    assert (refused.status_code, "switched off" in str(refused.json())) == (400, True)
    assert api.patch(url, {"active": True}, format="json").json()["note"] == ""
    assert api.post(f"{url}replay/", {"since": since}, format="json").json() == {"replayed": 2}
    deliver_all()
    assert not OutgoingDelivery.objects.exclude(state="delivered").exists()
    assert api.post(f"{url}replay/", {"since": since}, format="json").json() == {"replayed": 0}
    assert api.post(f"{url}replay/", {"since": since, "delivered_too": True}, format="json").json() == {"replayed": 3}
    assert api.post(f"{url}replay/", {"since": since, "until": since}, format="json").status_code == 400
    assert LogEntry.objects.filter(user=owner, change_message="Replayed: 2.").exists()


def test_a_late_endpoint_can_be_told_what_happened_before_it_came(api, owner, agent, endpoint, hooks):
    made.talking_call(agent)
    later = WebhookEndpoint.objects.create(owner=owner, url=hooks.url)
    message = WebhookMessage.objects.get()
    assert api.post(f"{MESSAGES}{message.message_id}/replay/", {"endpoint": later.pk}, format="json").json() == {"replayed": 1}
    foreign = WebhookEndpoint.objects.create(owner=made.operator(), url=hooks.url)
    assert api.post(f"{MESSAGES}{message.message_id}/replay/", {"endpoint": foreign.pk}, format="json").status_code == 404
