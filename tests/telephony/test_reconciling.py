"""With every callback lost, the carrier's own records make each call right within ten minutes of its end, in three looks."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import DateTimeField, ExpressionWrapper, F, Value
from django.utils import timezone

from calls import commands
from calls.models import CallEvent, CallLog, Job, Session
from providers.exotel.pace import Purpose
from simulator.exotel.exchange import exchange
from telephony import pacing, reconciling, tasks
from telephony.models import WebhookDelivery
from tests.telephony.servers import eventually

pytestmark = pytest.mark.django_db(transaction=True)
STEP = timedelta(seconds=20)  # how often the beat asks
ANSWERS, BUSY, AWAY = "+919811122231", "+919811122232", "+919811122233"


def earlier(field: str) -> ExpressionWrapper:
    return ExpressionWrapper(F(field) - Value(STEP), output_field=DateTimeField())


def wait_a_step(exotel) -> None:
    """As if STEP had passed: for our rows and for Exotel's."""
    logs = ("created_at", "started_at", "answered_at", "ended_at", "poll_after")
    CallLog.objects.update(**{name: earlier(name) for name in logs})
    Session.objects.update(**{name: earlier(name) for name in ("created_at", "started_at", "ended_at", "seen_at")})
    for call in exotel.calls():
        call.created_at, call.ended_at = call.created_at - STEP, call.ended_at - STEP if call.ended_at else None
        call.answered_at = call.answered_at - STEP if call.answered_at else None
        for leg in call.legs:
            leg.answered_at = leg.answered_at - STEP if leg.answered_at else None
            leg.ended_at = leg.ended_at - STEP if leg.ended_at else None


@pytest.fixture
def placed(answering, exotel):
    """Three calls of which no callback ever comes; figures are there five minutes after the end."""
    people = [{"number": ANSWERS}, {"number": BUSY, "outcome": "busy"}, {"number": AWAY, "outcome": "no-answer"}]
    exotel.settings(people=people, details_delay_s=300, recording_delay_s=300)
    exotel.fault("exotel.callback", "lose")
    sessions = [commands.queue_outbound_call(owner=answering.owner, agent=answering, to_phone=number) for number in (ANSWERS, BUSY, AWAY)]
    for session in sessions:
        tasks.dial(Job.objects.get(session=session, kind="telephony.dial").pk)
    assert eventually(lambda: all(call.has_ended for call in exotel.calls()))
    return sessions


def test_without_any_callback_status_duration_recording_and_cost_are_right_within_ten_minutes(placed, exotel):
    asked = []
    for _ in range(int(timedelta(minutes=10) / STEP)):
        wait_a_step(exotel)
        reconciling.reconcile()
        asked.append(exotel.asked("exotel.details"))
    assert WebhookDelivery.objects.count() == 0
    logs = {log.to_phone: log for log in CallLog.objects.all()}
    truth = {call.from_number[-10:]: call for call in exotel.calls()}
    for number, status in ((ANSWERS, "completed"), (BUSY, "busy"), (AWAY, "no-answer")):
        log, call = logs[number], truth[number[-10:]]
        assert log.status == status
        assert (log.carrier_price, log.carrier_currency) == (call.price(exchange(exotel.state).settings), "INR")
        assert log.duration_s is not None and log.ended_at is not None
        assert log.polls <= 3 and log.poll_after is None
    assert logs[ANSWERS].recording_url and (logs[ANSWERS].carrier_price or 0) > Decimal(0)
    assert asked[-1] <= 3 * len(placed)
    told = CallEvent.objects.filter(session=logs[ANSWERS].session)
    answers = told.filter(kind="details-asked").count() + told.filter(kind="carrier-report", facts__asked=True).count()
    assert answers == logs[ANSWERS].polls, "each answer of Exotel's is on the timeline: as news, or that there was none"


def test_many_calls_are_one_request(answering, exotel):
    sessions = [commands.queue_outbound_call(owner=answering.owner, agent=answering, to_phone=f"+9198111222{n}") for n in range(40, 60)]
    for session in sessions:
        tasks.dial(Job.objects.get(session=session, kind="telephony.dial").pk)
    assert eventually(lambda: all(call.has_ended for call in exotel.calls()))
    CallLog.objects.update(poll_after=timezone.now())
    assert reconciling.reconcile() == len(sessions)
    assert exotel.asked("exotel.details") == 1
    assert set(CallLog.objects.values_list("status", flat=True)) == {"completed"}


@pytest.mark.parametrize("status", [404, 503])
def test_an_account_without_the_list_is_asked_call_by_call(placed, exotel, status):
    exotel.fault("exotel.details", "status", status=status, times=1)
    CallLog.objects.update(poll_after=timezone.now())
    assert reconciling.reconcile() == 3
    assert exotel.asked("exotel.details") == 4


def test_a_limit_that_is_reached_costs_no_call_a_look(placed, exotel):
    exotel.fault("exotel.details", "status", status=429, times=1)
    CallLog.objects.update(poll_after=timezone.now())
    assert reconciling.reconcile() == 0
    assert exotel.asked("exotel.details") == 1
    assert set(CallLog.objects.values_list("polls", flat=True)) == {0}
    soonest = CallLog.objects.earliest("poll_after").poll_after
    assert soonest is not None and soonest > timezone.now() + timedelta(seconds=50)
    assert pacing.SHARED.take(Purpose.DETAILS) > 50


def test_a_talk_whose_process_lives_is_not_asked_about(placed, exotel):
    now = timezone.now()
    CallLog.objects.update(poll_after=now, status="in-progress")
    Session.objects.update(state=Session.State.ACTIVE, started_at=now, seen_at=now)
    assert reconciling.reconcile() == 0 and exotel.asked("exotel.details") == 0
    Session.objects.update(seen_at=now - timedelta(minutes=2))
    assert reconciling.reconcile() == 3
