"""Every leg ends: calls past their cap are closed, asked about and shown with what they cost, until the carrier tells their end."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from calls import alarms, commands
from calls.alerting.shown import Counts
from calls.models import Alarm, AlertRule, CallEvent, CallLog, Job, Session
from telephony import overruns, tasks
from telephony.line_health import metrics, written
from telephony.overruns import ask_again_after, cap_s, overrun
from telephony.spool import Waiting
from tests.providers.exotel import payloads

PERSON = "+919811122233"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def running(answering, exotel, transactional_db) -> Session:
    """A call that rings, and rings."""
    exotel.settings(people=[{"number": PERSON, "ring_s": 600}])
    session = commands.queue_outbound_call(owner=answering.owner, agent=answering, to_phone=PERSON)
    tasks.dial(Job.objects.get(session=session, kind="telephony.dial").pk)
    return Session.objects.select_related("call_log", "agent_version").get(pk=session.pk)


def past_its_cap(session: Session, exotel, by: timedelta, *, by_their_clock: bool = True) -> None:
    began = timezone.now() - timedelta(seconds=cap_s(session.agent_version.as_spec())) - by
    CallLog.objects.filter(session=session).update(started_at=began, answered_at=began)
    if by_their_clock:
        exotel.calls()[0].created_at = began


def charged(session: Session, price: str, seconds: int) -> None:
    """What the carrier told about an earlier call."""
    earlier = commands.queue_outbound_call(owner=session.owner, agent=session.agent, to_phone="+919811122200")
    price_of_it = {"carrier_price": Decimal(price), "carrier_currency": "INR", "duration_s": seconds, "status": "completed"}
    CallLog.objects.filter(session=earlier).update(**price_of_it)


def test_a_call_within_its_cap_is_let_alone(running, exotel):
    past_its_cap(running, exotel, timedelta(seconds=30))
    assert overruns.sweep() == 0
    assert exotel.asked("exotel.details") == 0 and not Alarm.objects.exists()


def test_a_call_that_exotel_says_goes_on_is_closed_and_alarmed_with_its_rupees(running, exotel):
    charged(running, "2.4", 110)  # two started minutes
    past_its_cap(running, exotel, timedelta(minutes=9, seconds=30))
    Session.objects.filter(pk=running.pk).update(state=Session.State.ACTIVE, seen_at=timezone.now())
    assert tasks.sweep_overruns() == 1
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.session_id, alarm.cleared_at) == ("overrun", running.pk, None)
    assert (alarm.amount, alarm.currency) == (Decimal("12"), "INR")  # ten started minutes of 1.20
    assert "10 minutes past its cap" in alarm.text and "goes on" in alarm.text
    row = Session.objects.get(pk=running.pk)
    assert row.hangup_requested_at is not None
    assert commands.sessions_alive([row.session_id]) == {row.session_id}  # the media process closes its socket within a second
    assert CallEvent.objects.get(kind="hangup-requested").source == "sweeper"
    assert CallEvent.objects.filter(kind="hangup-refused").count() == 1
    assert 'voiceagents_alarms_open{kind="overrun"} 1' in metrics()

    # Asked a moment ago: not again, and not from the reconciler either.
    assert overruns.sweep() == 1 and exotel.asked("exotel.details") == 1
    past_its_cap(running, exotel, 20 * MINUTE)
    CallLog.objects.filter(session=running).update(poll_after=timezone.now())
    assert overruns.sweep() == 1
    alarm.refresh_from_db()
    assert (alarm.amount or 0) > 24 and CallEvent.objects.filter(kind="alarm-raised").count() == 1


def test_a_clock_of_ours_that_was_put_forward_ends_no_call(running, exotel):
    past_its_cap(running, exotel, timedelta(minutes=50), by_their_clock=False)
    assert overruns.sweep() == 0
    assert exotel.asked("exotel.details") == 1, "Exotel's own clock says how long the call has lasted"
    assert Session.objects.get(pk=running.pk).hangup_requested_at is None and not Alarm.objects.exists()


def test_a_leg_that_is_down_raises_no_alarm(running, exotel):
    exotel.calls()[0].status, exotel.calls()[0].ended_at = "completed", timezone.now()
    past_its_cap(running, exotel, 5 * MINUTE)
    assert overruns.sweep() == 0
    assert CallLog.objects.get(session=running).status == "completed" and not Alarm.objects.exists()


def test_an_alarm_is_cleared_when_the_end_is_told_whoever_tells_it(running, exotel):
    past_its_cap(running, exotel, 5 * MINUTE)
    assert overruns.sweep() == 1
    assert Alarm.objects.get().amount is None  # no price has ever been told: unknown, not 0
    charged(running, "1.2", 60)
    CallLog.objects.filter(session=running).update(status="completed", ended_at=timezone.now())
    assert overruns.sweep() == 0
    alarm = Alarm.objects.get()
    assert alarm.cleared_at is not None and (alarm.amount or 0) >= Decimal("6.00")
    assert alarm.text == "The call ended 5 minutes past its cap."
    assert CallEvent.objects.filter(kind="alarm-cleared").count() == 1


def test_an_exotel_that_cannot_be_asked_is_no_proof_of_an_end(running, exotel):
    exotel.fault("exotel.details", "status", status=503)
    past_its_cap(running, exotel, 5 * MINUTE)
    assert overruns.sweep() == 1
    assert "could not be asked" in Alarm.objects.get().text


def test_one_of_two_sweepers_asks(running, exotel):
    from calls.commands.polling import claim_poll

    now = timezone.now()
    assert claim_poll(running, unless_due_later=False, until=now + MINUTE)
    assert not claim_poll(running, unless_due_later=False, until=now + MINUTE)


@pytest.mark.django_db
def test_a_call_that_was_handed_over_has_the_time_of_both_talks(answering):
    session = commands.open_call(
        agent_version=answering.current_version, direction="inbound", user_phone=PERSON, agent_phone=payloads.EXOPHONE, call_sid="one"
    )
    session = Session.objects.select_related("call_log", "agent_version").get(pk=session.pk)
    spec, began = session.agent_version.as_spec(), session.call_log.started_at
    assert began is not None and overrun(session, began + timedelta(seconds=cap_s(spec))) == timedelta(0)
    assert cap_s(spec, may_hand_over=True) == cap_s(spec) + 3600


@pytest.mark.parametrize(("late_s", "wait_s"), [(10, 60), (90, 90), (400, 400), (5000, 600)])
def test_how_often_the_carrier_is_asked_about_an_overrun(late_s, wait_s):
    assert ask_again_after(timedelta(seconds=late_s)) == timedelta(seconds=wait_s)


# --- alarms on pages and in numbers -------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_open_alarm_stands_on_top_of_the_pages_of_those_whose_call_it_is(client, answering, django_user_model):
    session = commands.queue_outbound_call(owner=answering.owner, agent=answering, to_phone=PERSON)
    assert commands.raise_alarm(session, "overrun", text="It goes on <now>.", amount=Decimal("12.5"), currency="INR")
    assert not commands.raise_alarm(session, "overrun", text="It goes on <now>.", amount=Decimal("14"), currency="INR")
    client.force_login(answering.owner)
    for path in ("/calls/", "/"):
        page = client.get(path).content.decode()
        assert "It goes on &lt;now&gt;." in page and "₹14.00" in page and f"/calls/{session.session_id}" in page
    client.force_login(django_user_model.objects.create_user("somebody"))
    assert "It goes on" not in client.get("/calls/").content.decode()
    others = dict.fromkeys(("webhook-endpoint-off", "price-unknown", "budget-near", "budget-over"), 0)
    assert alarms.count_open() == {"overrun": 1, **others}
    assert commands.clear_alarm(session, "overrun") and not commands.clear_alarm(session, "overrun")
    client.force_login(answering.owner)
    assert "It goes on" not in client.get("/calls/").content.decode()
    assert commands.raise_alarm(session, "overrun", text="Again.")
    assert Alarm.objects.get().amount is None


@pytest.mark.django_db
def test_the_web_process_tells_its_numbers(client):
    AlertRule.objects.create(kind="latency", threshold=2000)
    answer = client.get("/metrics")
    assert answer.status_code == 200 and answer["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b'voiceagents_alarms_open{kind="overrun"} 0\n' in answer.content
    assert b"voiceagents_alerts_open{rule=" in answer.content and b"voiceagents_alerts_judged_seconds " in answer.content
    assert b"voiceagents_webhooks_spooled 0\n" in answer.content and b"voiceagents_database_away 0\n" in answer.content
    assert client.get("/readyz").json() == {"status": "ok", "postgres": "ok", "valkey": "ok", "webhooks_spooled": 0}


def test_what_is_not_known_is_left_out_of_the_numbers():
    now = timezone.now()
    text = written(Waiting(3, 900, now - timedelta(seconds=90), 1), None, now)
    assert "voiceagents_database_away 1\n" in text and "alarms" not in text
    assert "voiceagents_webhooks_spooled 3\n" in text and "voiceagents_webhooks_spooled_oldest_seconds 90\n" in text
    assert "spooled" not in written(None, {"overrun": 0}, now).replace("webhooks are spooled", "")
    assert "alerts" not in text and "judged" not in written(None, {}, now, None, Counts({}, None))


def test_alerts_are_numbers_too():
    now = timezone.now()
    text = written(None, {}, now, None, Counts({(7, "latency", "new"): 2, (7, "latency", "acknowledged"): 0}, now - MINUTE))
    assert 'voiceagents_alerts_open{rule="7",kind="latency",state="new"} 2\n' in text
    assert "voiceagents_alerts_judged_seconds 60\n" in text
