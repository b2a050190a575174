"""A flood of callbacks: only a few are with the database at once, the others are on the disk, and none is lost."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import Client

from calls.models import CallLog
from telephony import catching_up, spool, webhooks
from telephony.crowd import Crowd
from telephony.models import WebhookDelivery
from tests.providers.exotel import payloads
from tests.telephony.conftest import as_form, as_query, door


def test_once_they_are_too_many_all_go_to_the_disk_until_that_is_brought_in():
    crowd = Crowd(most=2)
    assert [crowd.enter() for _ in range(3)] == [True, True, False]
    assert not crowd.leave()
    assert not crowd.enter(), "there is room, but others are on the disk"
    assert crowd.leave(), "the last one out has them brought in"
    assert not crowd.enter()
    crowd.open()
    assert [crowd.enter() for _ in range(3)] == [True, True, False]
    assert [crowd.leave(), crowd.leave()] == [False, False], "somebody brings them in already"
    assert not crowd.is_over(), "and goes on with those who came since"
    crowd.open()
    assert crowd.is_over()
    assert crowd.enter()
    assert not crowd.leave(), "nobody is on the disk"


def test_of_many_threads_no_more_are_inside_than_may_be():
    crowd, lock, inside, most = Crowd(most=3), threading.Lock(), 0, 0

    def visit(_: int) -> None:
        nonlocal inside, most
        if not crowd.enter():
            return
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0)
        with lock:
            inside -= 1
        if crowd.leave():
            crowd.open()
            while not crowd.is_over():  # somebody was sent away meanwhile: whoever brings in goes on
                crowd.open()

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(visit, range(2_000)))
    assert 1 <= most <= 3
    assert [crowd.enter() for _ in range(4)] == [True, True, True, False], "everybody has left"


def test_who_cannot_bring_them_in_leaves_it_to_the_next_crowd_even_if_somebody_was_just_sent_away():
    crowd = Crowd(most=1)
    for _ in range(2):
        assert crowd.enter() and not crowd.enter()
        assert crowd.leave(), "the last one out brings them in"
        assert not crowd.enter()
        crowd.give_up()
    assert crowd.enter()


@pytest.fixture
def crowd(monkeypatch, tmp_path, settings) -> Crowd:
    """A door in which one delivery is being kept, and no room for another."""
    settings.WEBHOOK_SPOOL_DIR = tmp_path / "spool"
    crowd = Crowd(most=1)
    assert crowd.enter()
    monkeypatch.setattr(webhooks, "CROWD", crowd)
    return crowd


@pytest.mark.django_db
def test_where_too_many_come_at_once_a_callback_goes_to_the_disk_and_a_caller_does_not_wait(client, answering, crowd):
    assert as_query(client, door("voicebot"), payloads.VOICEBOT).json()["url"]
    for _ in range(2):
        answer = as_form(client, door("status"), payloads.TERMINAL_FORM)
        assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert spool.waiting().deliveries == 2
    assert CallLog.objects.get().status != "completed"

    assert catching_up.catch_up() == 2
    assert CallLog.objects.get().status == "completed"
    assert WebhookDelivery.objects.get(door="status").copies == 2


@pytest.mark.django_db(transaction=True)
def test_the_last_one_out_has_brought_in_what_went_to_the_disk_and_the_way_is_open_again(client, answering, crowd, monkeypatch):
    as_query(client, door("voicebot"), payloads.VOICEBOT)
    assert not crowd.leave()
    answered = webhooks._answered

    def while_another_comes(*told):
        monkeypatch.setattr(webhooks, "_answered", answered)
        as_form(Client(), door("status"), payloads.TERMINAL_FORM)
        assert spool.waiting().deliveries == 1
        return answered(*told)

    monkeypatch.setattr(webhooks, "_answered", while_another_comes)
    as_form(client, door("status"), {"CallSid": payloads.SID, "EventType": "answered", "Status": "in-progress"})
    deadline = time.monotonic() + 60
    while not (is_open := crowd.enter()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert is_open and spool.waiting().deliveries == 0
    assert CallLog.objects.get().status == "completed"


@pytest.mark.django_db
def test_what_comes_while_the_others_are_brought_is_brought_too(client, answering, crowd, monkeypatch):
    as_form(client, door("status"), payloads.TERMINAL_FORM)
    keep = catching_up._keep

    def one_more_comes(*told):
        monkeypatch.setattr(catching_up, "_keep", keep)
        as_form(client, door("status"), payloads.BASE_CALLBACK)
        return keep(*told)

    monkeypatch.setattr(catching_up, "_keep", one_more_comes)
    assert catching_up.catch_up() == 2
    assert spool.waiting().deliveries == 0
