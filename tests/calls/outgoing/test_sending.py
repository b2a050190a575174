"""Deliveries to a real receiver: signed so that the library finds them genuine, tried again, given up, and never in each other's way."""

import socket
import threading
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.utils import timezone
from standardwebhooks.webhooks import WebhookVerificationError

from calls.models import OutgoingDelivery, WebhookAttempt, WebhookEndpoint, WebhookMessage
from calls.outgoing import endpoints, sending
from calls.outgoing.rules import RETRY_S
from calls.outgoing.sending import LEASE_S, claim, deliver, due_deliveries, finish, send
from calls.outgoing.tasks import sweep_webhooks
from tests.calls import made_calls as made
from tests.calls.outgoing.receiver import receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def delivery(agent, endpoint) -> OutgoingDelivery:
    made.talking_call(agent)
    return OutgoingDelivery.objects.get()


def now_of(delivery: OutgoingDelivery) -> OutgoingDelivery:
    return OutgoingDelivery.objects.get(pk=delivery.pk)


def make_due(delivery: OutgoingDelivery) -> None:
    OutgoingDelivery.objects.filter(pk=delivery.pk).update(run_at=timezone.now() - timedelta(seconds=60))
    WebhookEndpoint.objects.update(rest_until=None)


def let_lease_run_out() -> None:
    OutgoingDelivery.objects.filter(state="sending").update(lease_until=timezone.now() - timedelta(seconds=1))


def waiting(agent, count: int) -> list[int]:
    for _ in range(count):
        made.talking_call(agent)
    return list(OutgoingDelivery.objects.order_by("-pk").values_list("pk", flat=True)[:count])


# --- one try --------------------------------------------------------------------------------------------------------


def test_a_message_arrives_signed_and_whole(hooks, endpoint, delivery):
    deliver(delivery.pk)
    taken = hooks.taken[0]
    assert taken.verified_with(endpoint.secret)["type"] == "call.started"
    assert taken.message_id == delivery.message.message_id
    assert taken.body.decode() == delivery.message.body
    assert taken.headers["content-type"] == "application/json"
    after = now_of(delivery)
    assert (after.state, after.attempts, after.last_error) == ("delivered", 1, "")
    attempt = WebhookAttempt.objects.get()
    assert (attempt.number, attempt.status, attempt.error, attempt.next_try_at) == (1, 204, "", None)
    assert attempt.ms is not None
    deliver(delivery.pk)
    assert len(hooks.taken) == 1


def test_a_changed_body_or_another_secret_is_found_out(hooks, endpoint, delivery):
    deliver(delivery.pk)
    taken = hooks.taken[0]
    with pytest.raises(WebhookVerificationError):
        taken.verified_with("whsec_" + "A" * 43 + "=")
    taken.body = taken.body.replace(b"in-progress", b"completed")
    with pytest.raises(WebhookVerificationError):
        taken.verified_with(endpoint.secret)


def test_while_a_secret_is_rotated_both_are_right_and_afterwards_the_new_one_alone(hooks, owner, agent, endpoint):
    old = endpoint.secret
    endpoint = endpoints.rotate_secret(endpoint, owner)
    assert endpoint.secret != old
    deliver(waiting(agent, 1)[0])
    assert hooks.taken[0].verified_with(old) == hooks.taken[0].verified_with(endpoint.secret)
    WebhookEndpoint.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
    deliver(waiting(agent, 1)[0])
    hooks.taken[1].verified_with(endpoint.secret)
    with pytest.raises(WebhookVerificationError):
        hooks.taken[1].verified_with(old)


# --- what an endpoint may do ----------------------------------------------------------------------------------------


def test_a_failing_endpoint_is_tried_at_the_advised_times_and_then_given_up(hooks, delivery):
    hooks.always = 500
    for attempt, wanted_s in enumerate(RETRY_S, 1):
        before = timezone.now()
        deliver(delivery.pk)
        after = now_of(delivery)
        assert (after.state, after.attempts) == ("queued", attempt)
        assert wanted_s <= (after.run_at - before).total_seconds() <= wanted_s * 1.1 + 60
        assert after.tries.latest("number").next_try_at == after.run_at
        deliver(delivery.pk)
        assert len(hooks.taken) == attempt, "it is not due yet"
        make_due(delivery)
    deliver(delivery.pk)
    after = now_of(delivery)
    assert (after.state, after.attempts) == ("dead", 10)
    assert "answered 500" in after.last_error
    assert hooks.ids == [delivery.message.message_id] * 10
    assert [one.number for one in after.tries.order_by("number")] == list(range(1, 11))


def test_a_redirect_is_not_followed(hooks, delivery):
    hooks.always = 302
    deliver(delivery.pk)
    assert len(hooks.taken) == 1
    assert "Redirects are not followed" in now_of(delivery).last_error


def test_410_switches_the_endpoint_off_at_once(hooks, endpoint, delivery):
    hooks.always = 410
    deliver(delivery.pk)
    endpoint.refresh_from_db()
    assert (now_of(delivery).state, endpoint.active) == ("dead", False)
    assert "410 Gone" in endpoint.note


def test_days_of_failures_switch_it_off_and_one_success_forgets_them(hooks, settings, endpoint, delivery):
    hooks.answers = [500, 204]
    WebhookEndpoint.objects.update(failing_since=timezone.now() - timedelta(days=4, hours=23), failures=30)
    deliver(delivery.pk)
    endpoint.refresh_from_db()
    assert endpoint.active
    make_due(delivery)
    deliver(delivery.pk)
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.failing_since, endpoint.rest_until) == (0, None, None)


def test_an_endpoint_that_fails_for_days_is_switched_off_with_a_note_and_begins_anew_when_switched_on(hooks, agent, endpoint, delivery):
    hooks.always = 503
    WebhookEndpoint.objects.update(failing_since=timezone.now() - timedelta(days=5, seconds=1), failures=30)
    other = waiting(agent, 1)[0]
    deliver(delivery.pk)
    endpoint.refresh_from_db()
    assert not endpoint.active
    assert endpoint.note == "Every try failed for 5 days. The last one: The endpoint answered 503: it failed. Its own log says why."
    WebhookEndpoint.objects.update(rest_until=None)
    deliver(other)
    left = OutgoingDelivery.objects.get(pk=other)
    assert (left.state, left.last_error) == ("dead", "The endpoint is switched off. Switch it on, then replay this.")
    endpoint.active = True
    endpoint.save()
    assert (endpoint.note, endpoint.failures, endpoint.failing_since) == ("", 0, None)


def test_an_answer_without_an_end_is_read_to_its_bound_only(hooks, delivery):
    def pour(door):
        door.send_response(200)
        door.send_header("Content-Type", "text/plain")
        door.end_headers()
        with_end = threading.Event()
        try:
            while not with_end.is_set():
                door.wfile.write(b"x" * 65536)
        except OSError:
            with_end.set()

    hooks.always = pour
    deliver(delivery.pk)
    assert now_of(delivery).state == "delivered"


def test_silence_ends_at_the_deadline(hooks, delivery, monkeypatch):
    monkeypatch.setattr(sending, "DEADLINE_MS", 50)
    release = threading.Event()
    hooks.always = lambda door: release.wait(60)
    deliver(delivery.pk)
    release.set()
    after = now_of(delivery)
    assert (after.state, after.last_error) == ("queued", "The service did not answer within 50 ms.")


def test_nobody_at_the_address_is_a_failure_in_words(endpoint, delivery):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: a connection is refused
        WebhookEndpoint.objects.update(url=f"http://127.0.0.1:{taken.getsockname()[1]}/")
        deliver(delivery.pk)
    assert "could not be reached" in now_of(delivery).last_error


def test_private_networks_are_refused_at_the_socket(hooks, settings, endpoint, delivery):
    settings.WEBHOOK_ALLOWED_NETWORKS = ()
    deliver(delivery.pk)
    assert hooks.taken == []
    assert "private network" in now_of(delivery).last_error
    assert "WEBHOOK_ALLOWED_NETWORKS" in now_of(delivery).last_error


def test_a_secret_that_cannot_be_read_is_our_fault_and_stops_no_call(hooks, agent, endpoint):
    with connection.cursor() as cursor:
        cursor.execute("update calls_webhookendpoint set secret = 'v1:a-lost-key:AAAA'")
    deliver(waiting(agent, 1)[0])
    delivery = OutgoingDelivery.objects.get()
    assert (delivery.state, delivery.attempts, hooks.taken) == ("queued", 1, [])
    assert delivery.last_error.startswith("Undecipherable")
    assert WebhookEndpoint.objects.get().failures == 0


# --- death and repetition -------------------------------------------------------------------------------------------


def test_a_worker_that_dies_after_sending_costs_a_copy_with_the_same_id_and_no_message(hooks, delivery):
    dead = claim(delivery.pk)
    assert dead is not None
    assert send(dead).delivered
    # It dies here: the endpoint has the message, and nobody has written that down.
    assert due_deliveries(10, timedelta(0)) == []
    let_lease_run_out()
    assert due_deliveries(10, timedelta(0)) == [delivery.pk]
    deliver(delivery.pk)
    assert len(hooks.taken) == 2
    assert len(set(hooks.ids)) == 1
    assert hooks.taken[0].body == hooks.taken[1].body
    assert now_of(delivery).state == "delivered"
    unseen, seen = WebhookAttempt.objects.order_by("number")
    assert (unseen.status, seen.status) == (None, 204)


def test_a_worker_that_comes_back_from_the_dead_changes_nothing(hooks, delivery):
    hooks.answers = [500, 204]
    dead = claim(delivery.pk)
    assert dead is not None
    let_lease_run_out()
    late = send(dead)
    deliver(delivery.pk)
    finish(dead, late, ms=1)
    assert now_of(delivery).state == "delivered"


def test_a_delivery_that_kills_its_workers_is_given_up(delivery):
    for _ in range(10):
        assert claim(delivery.pk) is not None
        let_lease_run_out()
    assert claim(delivery.pk) is None
    assert now_of(delivery).state == "dead"
    assert "died" in now_of(delivery).last_error


def test_a_deleted_endpoint_ends_its_deliveries_in_peace(hooks, endpoint, delivery):
    claimed = claim(delivery.pk)
    assert claimed is not None
    endpoint.delete()
    finish(claimed, send(claimed), ms=1)
    deliver(delivery.pk)
    assert not OutgoingDelivery.objects.exists()


# --- one does not hold up the others ---------------------------------------------------------------------------------


def test_an_endpoint_has_two_on_the_way_and_another_endpoint_is_not_held_up(owner, agent, endpoint):
    with receiver() as quick:
        other = WebhookEndpoint.objects.create(owner=owner, url=quick.url)
        waiting(agent, 4)
        slow = list(OutgoingDelivery.objects.filter(endpoint=endpoint).values_list("pk", flat=True))
        assert [claim(pk) is not None for pk in slow] == [True, True, False, False]
        for pk in OutgoingDelivery.objects.filter(endpoint=other).values_list("pk", flat=True):
            deliver(pk)
        assert len(quick.taken) == 4


def test_a_failing_endpoint_rests_and_is_then_tried_by_one_at_a_time(hooks, agent, endpoint):
    hooks.always = 500
    pks = waiting(agent, 8)
    for pk in pks[:3]:
        deliver(pk)
    endpoint.refresh_from_db()
    assert endpoint.rest_until is not None
    for pk in pks[3:]:
        deliver(pk)
    assert len(hooks.taken) == 3, "what waits for a resting endpoint is not tried"
    assert set(OutgoingDelivery.objects.filter(pk__in=pks[3:]).values_list("run_at", "attempts")) == {(endpoint.rest_until, 0)}
    OutgoingDelivery.objects.filter(pk__in=pks[3:]).update(run_at=timezone.now())
    WebhookEndpoint.objects.update(rest_until=timezone.now())
    assert [claim(pk) is not None for pk in pks[3:]] == [True, False, False, False, False]


def test_whoever_ends_asks_for_the_next_one_of_the_same_endpoint(hooks, agent, endpoint, monkeypatch, django_capture_on_commit_callbacks):
    asked: list[int] = []
    monkeypatch.setattr("calls.dispatch.nudge_aside", lambda kind, pk, wait_s: asked.append(pk))
    first, second = sorted(waiting(agent, 2))
    with django_capture_on_commit_callbacks(execute=True):
        deliver(first)
    assert asked == [second]


def test_a_nudge_that_comes_too_late_for_its_own_delivery_serves_the_next(hooks, agent, endpoint):
    first, second, third = sorted(waiting(agent, 3))
    deliver(second)
    deliver(second)
    deliver(second)
    assert hooks.ids == [OutgoingDelivery.objects.get(pk=pk).message.message_id for pk in (second, first, third)]


def test_the_sweep_finds_what_is_late_and_of_no_endpoint_too_many(owner, agent, endpoint, monkeypatch):
    other = WebhookEndpoint.objects.create(owner=owner, url="https://other.example/", events=["call.started"])
    message = WebhookMessage.objects.create(owner=owner, type="webhook.test", body="{}")
    others = [WebhookMessage(owner=owner, type="webhook.test", body="{}") for _ in range(40)]
    WebhookMessage.objects.bulk_create(others)
    long_ago = timezone.now() - timedelta(hours=1)
    OutgoingDelivery.objects.bulk_create([OutgoingDelivery(message=one, endpoint=endpoint, run_at=long_ago) for one in others])
    small = OutgoingDelivery.objects.create(message=message, endpoint=other, run_at=long_ago + timedelta(minutes=30))
    swept: list[int] = []

    def note(_kind: str, pk: int) -> bool:
        swept.append(pk)
        return True

    monkeypatch.setattr("calls.dispatch.nudge", note)
    assert sweep_webhooks() == 21
    assert small.pk in swept


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_claim_two_of_one_endpoint(agent, endpoint):
    pks = waiting(agent, 6)
    start, won = Barrier(6), []

    def work(pk: int) -> None:
        start.wait(30)
        try:
            won.append(claim(pk) is not None)
        finally:
            connection.close()

    threads = [Thread(target=work, args=(pk,)) for pk in pks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(won) == [False, False, False, False, True, True]


def test_a_lease_outlives_the_longest_try():
    assert LEASE_S * 1000 > 2 * sending.DEADLINE_MS
