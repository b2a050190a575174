"""Deliveries that come while Postgres is away: on the disk at once, in the inbox once it is back, applied once."""

import errno
import json
import os
import random
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test import Client

from calls.models import CallEvent, CallLog, Session
from calls.timeline import COLUMNS
from telephony import applying, away, catching_up, inbox, spool
from telephony.away import DATABASE, Away, Breaker, Watched
from telephony.models import WebhookDelivery
from telephony.spool import Spooled, SpoolFull
from tests.providers.exotel import payloads
from tests.telephony.conftest import FIRST, as_form, as_query, door

SID = payloads.SID


@pytest.fixture(autouse=True)
def place(tmp_path, settings):
    settings.WEBHOOK_SPOOL_DIR = tmp_path / "webhooks"
    return settings.WEBHOOK_SPOOL_DIR


def told(number: int = 1, name: str = "status", **params) -> Spooled:
    return Spooled(number * 1_000_000_000, name, "POST", "", {"CallSid": SID, **params}, SID)


def lines() -> list[Spooled]:
    with spool.reader() as may_read:
        return list(spool.deliveries(spool.take())) if may_read else []


@pytest.fixture
def away_for(monkeypatch, transactional_db):
    """Switches this process over to a port where no Postgres listens, and back."""
    monkeypatch.setattr(away, "LIMIT_S", 0.3)
    monkeypatch.setattr(away, "REST_S", 0.0)

    class Outage:
        def __init__(self):
            self.pools: dict[str, Any] = {}
            self.patch = pytest.MonkeyPatch()
            self.patch.setattr(DatabaseWrapper, "_connection_pools", self.pools)
            self.patch.setitem(connections.settings["default"], "PORT", "1")

        def end(self, *, is_known=True):
            self.patch.undo()
            while self.pools:
                self.pools.popitem()[1].close(timeout=0)
            # A thread that began in the outage may make the next pool by the dead address: all must have come back first.
            everybody = threading.Barrier(away._MOST_AT_ONCE + 1)
            for _ in range(away._MOST_AT_ONCE):
                DATABASE._threads.submit(everybody.wait, 60)
            everybody.wait(60)
            pools = vars(DatabaseWrapper)["_connection_pools"]
            for alias, pool in list(pools.items()):
                if str(pool.kwargs.get("port")) == "1":
                    pools.pop(alias).close(timeout=0)
            monkeypatch.setattr(away, "LIMIT_S", 30.0)
            if is_known:
                DATABASE.breaker.answered()

    outage = Outage()
    yield outage
    outage.end()


# --- the file -------------------------------------------------------------------------------------------------------------


def test_what_is_appended_is_read_back_in_the_order_in_which_it_came_and_nobody_else_may_read_it(place):
    for number in (3, 1, 2):  # as three processes might write it
        spool._pen._owner = 0
        spool.append(told(number))
    assert spool.waiting() == spool.Waiting(3, spool.waiting().size_bytes, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()} == {0o600}
    assert len(list(place.iterdir())) == 3
    assert [delivery.received_ns // 10**9 for delivery in lines()] == [1, 2, 3]


def test_however_much_waits_only_the_beginning_is_read_to_say_how_much(place, monkeypatch):
    for number in range(1, 101):
        spool.append(told(number))
    monkeypatch.setattr(spool, "COUNTED_BYTES", 1000)
    waits = spool.waiting()
    assert 80 <= waits.deliveries <= 120 and waits.oldest_at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert waits.size_bytes == sum(path.stat().st_size for path in place.iterdir())
    monkeypatch.setattr(spool, "COUNTED_BYTES", 10)
    assert spool.waiting().deliveries == 1  # something waits, whatever else is known of it


def test_a_line_torn_by_a_crash_loses_itself_alone(place):
    spool.append(told(1))
    (path,) = place.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-20])
    spool.append(told(2))
    with path.open("ab") as file:
        file.write(b"\x00\xff{")
    assert [delivery.received_ns // 10**9 for delivery in lines()] == [1, 2]


def test_a_damaged_line_is_no_delivery(place):
    spool.append(told(1, Status="completed"))
    (path,) = place.iterdir()
    path.write_bytes(path.read_bytes().replace(b"completed", b"canceled!"))
    assert lines() == []


def test_what_is_appended_during_the_reading_comes_with_the_next(place):
    spool.append(told(1))
    with spool.reader() as may_read:
        assert may_read
        first = spool.take()
        spool.append(told(2))
        assert [delivery.received_ns // 10**9 for delivery in spool.deliveries(first)] == [1]
        spool.forget(first)
        with spool.reader() as another:
            assert not another
    assert [delivery.received_ns // 10**9 for delivery in lines()] == [2]


def test_many_threads_append_while_somebody_reads_and_nothing_is_lost_or_doubled(place):
    seen: list[int] = []
    stop = threading.Event()

    def read():
        while True:
            last = stop.is_set()
            with spool.reader() as may_read:
                if may_read:
                    paths = spool.take()
                    seen.extend(delivery.received_ns for delivery in spool.deliveries(paths))
                    spool.forget(paths)
            if last:
                return

    reading = threading.Thread(target=read)
    reading.start()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: spool.append(told(number)), range(120)))
    stop.set()
    reading.join(60)
    assert sorted(seen) == [number * 10**9 for number in range(120)]


def test_the_disk_is_never_filled_by_it(settings):
    settings.WEBHOOK_SPOOL_MAX_BYTES = 1000
    with pytest.raises(SpoolFull, match="WEBHOOK_SPOOL_MAX_BYTES=1000"):
        for number in range(100):
            spool.append(told(number))
    kept = spool.waiting()
    assert 0 < kept.size_bytes <= 1000 and kept.deliveries == len(lines())


def test_a_full_disk_leaves_no_part_of_a_line(place, monkeypatch):
    spool.append(told(1))
    real = os.write

    calls = iter([10, 0])

    def first_part_then_full(file, content):
        if next(calls) == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, content[:10])

    monkeypatch.setattr(os, "write", first_part_then_full)
    with pytest.raises(SpoolFull, match="No space left on device"):
        spool.append(told(2))
    monkeypatch.setattr(os, "write", real)
    spool.append(told(3))
    assert [delivery.received_ns // 10**9 for delivery in lines()] == [1, 3]


# --- asking the database --------------------------------------------------------------------------------------------------


def test_after_a_failure_nobody_asks_for_a_moment_and_then_exactly_one():
    now = [0.0]
    breaker = Breaker(lambda: now[0])
    assert breaker.may_try() and breaker.may_try()
    breaker.failed()
    assert not breaker.may_try()
    now[0] = away.REST_S
    assert [breaker.may_try() for _ in range(3)] == [True, False, False]
    breaker.failed()
    now[0] += away.REST_S
    assert breaker.may_try()
    assert breaker.answered() and breaker.may_try()
    assert not breaker.answered() and breaker.may_try()


@pytest.mark.django_db(transaction=True)
def test_work_that_outlasts_its_deadline_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(away, "LIMIT_S", 0.05)
    watched, let_go = Watched(), threading.Event()
    with pytest.raises(Away, match="no answer within"):
        watched.ask(lambda: let_go.wait(60))
    with pytest.raises(Away, match="a moment ago"):
        watched.ask(lambda: None)
    let_go.set()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("code", "is_away"), [(None, True), ("08006", True), ("57P01", True), ("53300", True), ("40P01", False), ("55P03", False)]
)
def test_a_refusal_is_no_absence(code, is_away):
    def work():
        raise OperationalError from psycopg.Error.__new__(psycopg.errors.lookup(code) if code else psycopg.OperationalError)

    watched = Watched()
    with pytest.raises(Away if is_away else OperationalError):
        watched.ask(work)
    assert watched.breaker.may_try() != is_away


# --- the doors ------------------------------------------------------------------------------------------------------------


def test_an_outage_is_over_and_everything_that_came_in_it_is_applied_once_and_in_order(answering, away_for, place):
    client = Client()
    began = time.time_ns()
    voicebot = as_query(client, door("voicebot"), payloads.VOICEBOT)
    assert voicebot.status_code == 200
    assert voicebot.json() == {"url": f"ws://exotel:{FIRST}@127.0.0.1:1/api/v1/media/exotel"}
    assert as_query(client, door("passthru"), {"CallSid": SID, "CurrentTime": "1"}).status_code == 200
    assert as_query(client, door("connect"), {"CallSid": SID}).json()["destination"] == {"numbers": []}
    for _ in range(3):
        assert as_form(client, door("status"), payloads.TERMINAL_FORM).json() == {"success": True}
    assert b"Hangup" in as_query(client, door("incoming"), {"CallSid": "another1"}).content
    assert spool.waiting().deliveries == 7
    assert FIRST.encode() not in b"".join(path.read_bytes() for path in place.iterdir())

    away_for.end()
    assert catching_up.catch_up() == 7
    assert spool.waiting() == spool.Waiting()
    log = CallLog.objects.get()
    assert (log.call_sid, log.status, log.duration_s) == (SID, "completed", 61)
    assert WebhookDelivery.objects.get(door="status").copies == 3
    assert CallEvent.objects.filter(key="status:completed").count() == 1
    first = WebhookDelivery.objects.get(door="voicebot").received_at
    assert began <= first.timestamp() * 1e9 + 2000 <= time.time_ns()
    assert catching_up.catch_up() == 0


def test_a_door_notices_by_itself_that_the_database_is_back(answering, away_for):
    as_form(Client(), door("status"), payloads.TERMINAL_FORM)
    assert spool.waiting().deliveries == 1
    away_for.end(is_known=False)
    assert as_form(Client(), door("status"), payloads.BASE_CALLBACK).status_code == 200
    deadline = time.monotonic() + 60
    while spool.waiting().deliveries and time.monotonic() < deadline:
        time.sleep(0.02)
    assert WebhookDelivery.objects.filter(door="status").count() == 2


def test_without_room_on_the_disk_a_callback_is_sent_again_and_a_caller_is_led_on(answering, away_for, settings, place):
    place.write_text("a file where the directory should be")
    client = Client()
    answer = as_form(client, door("status"), payloads.TERMINAL_FORM)
    assert answer.status_code == 503 and "Send it again" in answer.json()["error"]
    assert as_query(client, door("passthru"), {"CallSid": SID}).status_code == 200
    assert "url" in as_query(client, door("voicebot"), payloads.VOICEBOT).json()


def test_nonsense_is_refused_with_or_without_a_database(away_for, place):
    assert as_form(Client(), door("status"), {"Status": "completed"}).status_code == 400
    assert Client().post(door("status", "wrong")).status_code == 401
    assert spool.waiting().deliveries == 0


# --- catching up ------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_outage_in_the_middle_loses_nothing(answering, monkeypatch):
    for number in (1, 2, 3):
        spool.append(told(number, Status="completed", n=number))
    real, seen = inbox.keep_all, []

    def keep_all(some):
        seen.append(some)
        if len(seen) == 2:
            raise OperationalError("the connection is gone")
        return real(some)

    monkeypatch.setattr(catching_up, "MOST_TOGETHER", 1)
    monkeypatch.setattr(inbox, "keep_all", keep_all)
    assert catching_up.catch_up() == 1
    assert spool.waiting().deliveries == 3
    assert catching_up.catch_up() == 3
    assert WebhookDelivery.objects.count() == 3 and spool.waiting().deliveries == 0


REPORTS = [
    {"EventType": "initiated", "Status": "ringing"},
    {"EventType": "answered", "Status": "in-progress"},
    {"EventType": "terminal", "Status": "completed", "ConversationDuration": "61"},
    {"EventType": "terminal", "Status": "failed"},
    {"EventType": "terminal", "Status": "completed", "ConversationDuration": "61", "RecordingUrl": "https://recordings.exotel.com/a/b.mp3"},
]


@pytest.mark.django_db
def test_reports_that_are_brought_together_come_to_what_they_come_to_one_by_one(answering, django_assert_max_num_queries):
    """Of two calls, shuffled and with copies, one of them opened behind its own reports; the third is told at the door."""
    client, sids = Client(), [f"{letter}{SID}" for letter in "abc"]
    as_query(client, door("voicebot"), {**payloads.VOICEBOT, "CallSid": sids[0]})
    as_query(client, door("voicebot"), {**payloads.VOICEBOT, "CallSid": sids[2]})
    order = random.Random(7).choices(REPORTS, k=40)
    for number, report in enumerate([*order, *REPORTS]):
        for sid in sids[:2]:
            spool.append(replace(told(number, **{**report, "CallSid": sid}), call_sid=sid))
        as_form(client, door("status"), {**report, "CallSid": sids[2]})
    opens = told(99, "voicebot", **{**payloads.VOICEBOT, "CallSid": sids[1]})
    spool.append(replace(opens, call_sid=sids[1]))
    with django_assert_max_num_queries(120):  # one by one it is a thousand
        assert catching_up.catch_up() == 91

    def stands(sid):
        log = CallLog.objects.get(call_sid=sid)
        reports = CallEvent.objects.filter(session__call_log=log, kind="carrier-report")
        rows = WebhookDelivery.objects.filter(call_sid=sid, door="status")
        return {
            "columns": {name: getattr(log, name) for name in COLUMNS if name != "started_at"},
            "session": log.session.state,
            "told": reports.count(),
            # Told of a failure first, one by one, a call is accounted at once, and again when its recording is there.
            "jobs": sorted(log.session.jobs.exclude(kind="calls.account").values_list("kind", "state")),
            "notes": sorted(CallEvent.objects.filter(session__call_log=log, kind="status-changed").values_list("key", flat=True)),
            "copies": sum(rows.values_list("copies", flat=True)),
            "waiting": rows.filter(state__in=("received", "failed")).count(),
        }

    assert stands(sids[0]) == stands(sids[1]) == stands(sids[2])
    assert stands(sids[0])["copies"] == 45 and stands(sids[0])["waiting"] == 0


@pytest.mark.django_db
def test_what_the_database_will_never_take_is_put_aside_and_holds_up_nothing(answering, place):
    spool.append(told(1, note="\x00"))
    spool.append(told(2, Status="busy"))
    assert catching_up.catch_up() == 1
    assert WebhookDelivery.objects.get().params["Status"] == "busy"
    assert spool.waiting().refused == 1
    assert json.loads((place / spool.REFUSED).read_bytes())["params"]["note"] == "\x00"


@pytest.mark.django_db
def test_what_cannot_be_applied_is_in_the_inbox_all_the_same(answering, monkeypatch):
    def broken(_):
        raise RuntimeError

    spool.append(told(1, Status="busy"))
    monkeypatch.setattr(applying, "_apply", broken)
    assert catching_up.catch_up() == 1
    assert WebhookDelivery.objects.get().state == WebhookDelivery.State.FAILED
    assert Session.objects.count() == 0
