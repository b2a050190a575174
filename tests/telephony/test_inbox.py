"""Deliveries kept once, however often and in whatever company they come."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client

from calls.models import CallEvent, CallLog, Session
from telephony import catching_up, inbox, spool
from telephony.models import WebhookDelivery
from telephony.spool import Spooled
from tests.providers.exotel import payloads
from tests.telephony.conftest import SHAPES, as_form, as_query, door

COPIES = 100


def in_parallel(send) -> list[int]:
    def one(_: int):
        try:
            return send(Client()).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(one, range(COPIES)))
    for thread in threading.enumerate():
        if thread.name == "catching-up":  # what came too fast is brought in beside the doors: it is not left to the next test
            thread.join(60)
    return statuses


@pytest.mark.django_db(transaction=True)
def test_a_hundred_copies_at_once_are_one_delivery_and_one_call(answering):
    statuses = in_parallel(lambda client: as_query(client, door("voicebot"), payloads.VOICEBOT))
    assert set(statuses) == {200}
    delivery = WebhookDelivery.objects.get()
    assert (delivery.copies, delivery.state) == (COPIES, WebhookDelivery.State.APPLIED)
    assert (Session.objects.count(), CallLog.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_hundred_copies_of_a_report_are_applied_once(client, answering, tmp_path, settings):
    settings.WEBHOOK_SPOOL_DIR = tmp_path / "spool"  # where those go that come too many at once
    as_query(client, door("voicebot"), payloads.VOICEBOT)
    assert set(in_parallel(lambda client: as_form(client, door("status"), payloads.TERMINAL_FORM))) == {200}
    deadline = time.monotonic() + 60
    while spool.waiting().deliveries and time.monotonic() < deadline:
        catching_up.catch_up()
        time.sleep(0.02)
    assert WebhookDelivery.objects.get(door="status").copies == COPIES
    assert CallEvent.objects.filter(kind="carrier-report", key__startswith="status:").count() == 1
    assert CallEvent.objects.filter(key="status:completed").count() == 1


@pytest.mark.django_db
def test_one_delivery_in_different_shapes_is_one_delivery(client, answering):
    for send in SHAPES.values():
        send(client, door("status"), payloads.BASE_CALLBACK)
    assert WebhookDelivery.objects.get().copies == len(SHAPES)


@pytest.mark.django_db
def test_what_differs_in_door_session_or_content_is_not_a_copy(client, answering):
    as_form(client, door("status"), payloads.BASE_CALLBACK)
    as_form(client, door("passthru"), payloads.BASE_CALLBACK)
    as_form(client, door("recording/sess_a"), payloads.BASE_CALLBACK)
    as_form(client, door("recording/sess_b"), payloads.BASE_CALLBACK)
    as_form(client, door("status"), {**payloads.BASE_CALLBACK, "Status": "busy"})
    assert WebhookDelivery.objects.count() == 5


def test_the_order_of_parameters_does_not_matter():
    assert inbox.fingerprint("status", "", {"a": 1, "b": 2}) == inbox.fingerprint("status", "", {"b": 2, "a": 1})


@pytest.mark.django_db
def test_what_became_of_many_is_noted_with_a_statement_for_each_end(django_assert_num_queries):
    State = WebhookDelivery.State
    told = [Spooled(time.time_ns(), "status", "POST", "", {"CallSid": str(number)}, str(number), "sess_old") for number in range(5)]
    applied, late, too_late, failed, untouched = inbox.keep_all(told)
    with django_assert_num_queries(2):
        inbox.mark(
            {applied: (State.APPLIED, ""), late: (State.IGNORED, "late" * 99), too_late: (State.IGNORED, "late" * 99)}, session_id="sess_a"
        )
    inbox.mark({failed: (State.FAILED, "DataError")})
    rows = WebhookDelivery.objects.in_bulk()
    seen = {pk: (row.state, row.reason, row.session_id, row.attempts) for pk, row in rows.items()}
    assert seen[applied] == (State.APPLIED, "", "sess_a", 1)
    assert seen[late] == seen[too_late] == (State.IGNORED, ("late" * 99)[:300], "sess_a", 1)
    assert seen[failed] == (State.FAILED, "DataError", "sess_old", 1)  # whose call it is was known before
    assert seen[untouched] == (State.RECEIVED, "", "sess_old", 0)


@pytest.mark.django_db
def test_what_cannot_be_applied_is_not_tried_for_ever(client, answering):
    as_form(client, door("status"), payloads.BASE_CALLBACK)
    assert len(inbox.left_over(10)) == 1
    WebhookDelivery.objects.update(attempts=inbox.MAX_ATTEMPTS)
    assert inbox.left_over(10) == []


@pytest.mark.django_db
def test_a_delivery_that_was_interrupted_before_it_was_applied_comes_round_again(client, answering):
    from datetime import timedelta

    from django.utils import timezone

    from telephony import applying

    as_query(client, door("voicebot"), payloads.VOICEBOT)
    kept = inbox.keep(Spooled(time.time_ns(), "status", "POST", "", payloads.BASE_CALLBACK, payloads.SID))
    assert inbox.left_over(10) == []  # it may be being applied right now
    WebhookDelivery.objects.filter(pk=kept.pk).update(received_at=timezone.now() - timedelta(minutes=1))
    assert applying.repair() == 1
    assert CallLog.objects.get().status == "no-answer"
