"""A number is dialled at most once, against a simulated Exotel that refuses, breaks off, or loses its answer."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.utils import timezone

from calls import commands
from calls.models import CallEvent, CallLog, Job, Session
from providers.exotel.client import ExotelClient
from providers.exotel.media import Started
from providers.exotel.orders import CallOrder, ToStream
from telephony import addresses, admission, pacing, reconciling, tasks, tokens
from telephony.models import Phone
from tests.providers.exotel import payloads
from tests.telephony.conftest import FIRST, as_form, as_query, door
from tests.telephony.servers import eventually

pytestmark = pytest.mark.django_db(transaction=True)
PERSON = "+919811122233"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(tasks, "_DIAL_PAUSES_S", (0.0, 0.0))


@pytest.fixture
def ordered(answering, exotel) -> Session:
    return commands.queue_outbound_call(owner=answering.owner, agent=answering, to_phone=PERSON)


def run(session: Session) -> CallLog:
    tasks.dial(Job.objects.get(session=session, kind="telephony.dial").pk)
    return CallLog.objects.get(session=session)


def again(session: Session) -> CallLog:
    """The job comes round once more, as after a worker's death."""
    Job.objects.filter(session=session, kind="telephony.dial").update(state=Job.State.QUEUED, run_at=timezone.now())
    return run(session)


def due(session: Session) -> None:
    CallLog.objects.filter(session=session).update(poll_after=timezone.now() - timedelta(seconds=1))


def test_a_call_goes_out_to_our_socket_with_a_token_and_our_id(ordered, exotel):
    exotel.settings(people=[{"number": PERSON, "outcome": "busy"}])
    log = run(ordered)
    assert (log.dial_outcome, log.status) == ("accepted", "initiated")
    assert (log.from_phone, log.to_phone) == (payloads.EXOPHONE, PERSON)
    [placed] = exotel.calls()
    assert (placed.sid, placed.mode, placed.custom_field) == (log.call_sid, "connect-ai", ordered.session_id)
    assert placed.time_limit_s == ordered.agent_version.as_spec().max_duration_s + 60
    token = tokens.check(placed.stream_url.rpartition("/")[2])
    assert token.session_id == ordered.session_id
    assert placed.callback.url == f"http://testserver/api/v1/webhooks/exotel/status?key={FIRST}"
    assert Job.objects.get(session=ordered, kind="telephony.dial").state == Job.State.DONE


def test_with_a_flow_configured_the_call_enters_it(ordered, exotel, settings):
    settings.EXOTEL_APP_ID = "228040"
    exotel.settings(people=[{"number": PERSON, "outcome": "busy"}])
    run(ordered)
    [placed] = exotel.calls()
    assert (placed.mode, placed.flow_id) == ("flow", "228040")


def test_a_job_that_comes_twice_dials_once(ordered, exotel):
    run(ordered)
    again(ordered)
    assert exotel.asked("exotel.connect") == 1


def test_a_do_not_disturb_refusal_fails_the_call_and_tells_why(ordered, exotel):
    exotel.settings(people=[{"number": PERSON, "dnd": True}])
    log = run(ordered)
    assert (log.status, log.dial_outcome) == ("failed", "refused")
    assert "do-not-disturb" in log.failure and PERSON[-10:] not in log.failure
    assert exotel.asked("exotel.connect") == 1


def test_a_rate_limit_is_waited_out_because_it_is_certain_that_nobody_rang(ordered, exotel):
    exotel.fault("exotel.connect", "status", status=429, times=2)
    for _ in range(2):
        assert again(ordered).dial_put_off
        job = Job.objects.get(session=ordered, kind="telephony.dial")
        assert (job.state, job.attempts) == ("queued", 0)
        assert timedelta(seconds=55) < job.run_at - timezone.now() < timedelta(seconds=66)  # as long as Exotel says, and a little more
        assert again(ordered).dial_put_off and exotel.asked("exotel.connect") <= 2  # nobody asks before
        cache.clear()
    log = again(ordered)
    assert (log.dial_outcome, log.dial_put_off) == ("accepted", False)
    assert (exotel.asked("exotel.connect"), len(exotel.calls())) == (3, 1)
    told = list(CallEvent.objects.filter(session=ordered, kind__startswith="dial-").values_list("kind", flat=True))
    assert told == ["dial-claimed", "dial-put-off", "dial-claimed", "dial-put-off", "dial-claimed", "dial-accepted"]
    assert again(ordered).dial_outcome == "accepted" and exotel.asked("exotel.connect") == 3


def test_a_rate_limit_that_stays_is_a_refusal(ordered, exotel):
    exotel.fault("exotel.connect", "status", status=429)
    Job.objects.update(created_at=timezone.now() - timedelta(minutes=13))
    log = run(ordered)
    assert (log.status, log.dial_outcome) == ("failed", "refused") and "limit" in log.failure


def test_nobody_is_rung_long_after_it_was_asked_for(ordered, exotel, monkeypatch):
    monkeypatch.setattr(pacing.SHARED, "take", lambda purpose: 20.0)
    assert again(ordered).status == "queued"
    Job.objects.update(created_at=timezone.now() - timedelta(minutes=13))
    log = again(ordered)
    assert log.status == "canceled" and "Nobody was called" in log.failure
    assert exotel.asked("exotel.connect") == 0


def test_a_dial_that_waits_for_its_turn_can_be_hung_up(ordered, exotel):
    exotel.fault("exotel.connect", "status", status=429)
    run(ordered)
    assert commands.request_hangup(ordered, by="meera")
    cache.clear()
    assert again(ordered).status == "failed" and exotel.asked("exotel.connect") == 1


@pytest.mark.parametrize("trouble", [{"fault": "status", "status": 503}, {"fault": "drop"}])
def test_an_unknown_outcome_is_never_dialled_again(ordered, exotel, trouble):
    exotel.fault("exotel.connect", **trouble)
    log = run(ordered)
    assert (log.dial_outcome, log.status) == ("unknown", "initiated") and "not dialled again" in log.failure
    again(ordered)
    assert exotel.asked("exotel.connect") == 1


def test_a_worker_that_died_while_asking_leaves_an_unknown_outcome(ordered, exotel):
    assert commands.claim_dial(ordered)
    log = run(ordered)
    assert (log.dial_outcome, exotel.asked("exotel.connect")) == ("unknown", 0)


def test_an_agent_without_a_phone_dials_nobody(ordered, exotel):
    Phone.objects.update(active=False)
    log = run(ordered)
    assert log.status == "failed" and "Phones" in log.failure and exotel.asked("exotel.connect") == 0


def test_a_call_that_was_cancelled_in_the_queue_is_not_dialled(ordered, exotel):
    assert commands.request_hangup(ordered, by="meera")
    assert (run(ordered).status, exotel.asked("exotel.connect")) == ("canceled", 0)


# --- what became of it --------------------------------------------------------------------------------------------------------


def place_behind_our_back(session: Session) -> str:
    """What a dead worker may have done: the call is placed and nobody of ours knows."""
    order = CallOrder(PERSON, payloads.EXOPHONE, ToStream("ws://127.0.0.1:1/x"), 60, "", session.session_id)
    with ExotelClient(addresses.exotel()) as exotel:
        return exotel.make_call(order).call_sid


def test_a_call_of_unknown_outcome_is_found_in_the_carriers_list(ordered, exotel):
    exotel.settings(people=[{"number": PERSON, "outcome": "busy"}])
    assert commands.claim_dial(ordered)
    sid = place_behind_our_back(ordered)
    eventually(lambda: exotel.calls()[0].status == "busy")
    run(ordered)
    due(ordered)
    assert reconciling.reconcile() == 1
    log = CallLog.objects.get()
    assert (log.call_sid, log.dial_outcome, log.status) == (sid, "accepted", "busy")


def test_a_call_that_the_carrier_does_not_list_was_never_placed(ordered, exotel):
    commands.claim_dial(ordered)
    run(ordered)
    for _ in range(3):
        due(ordered)
        reconciling.reconcile()
    log = CallLog.objects.get()
    assert (log.status, log.dial_outcome, log.poll_after) == ("failed", "refused", None)
    assert "not placed" in log.failure


def test_two_calls_that_might_be_it_are_not_guessed_between(ordered, exotel):
    exotel.settings(people=[{"number": PERSON, "outcome": "busy"}])
    commands.claim_dial(ordered)
    place_behind_our_back(ordered)
    place_behind_our_back(ordered)
    run(ordered)
    due(ordered)
    reconciling.reconcile()
    assert CallLog.objects.get().call_sid is None


def test_the_carriers_callback_may_be_faster_than_the_answer_to_our_dial(ordered, exotel, client):
    commands.claim_dial(ordered)
    as_form(client, door("status"), {**payloads.TERMINAL_FORM, "CustomField": ordered.session_id})
    log = CallLog.objects.get()
    assert (log.call_sid, log.status) == (payloads.SID, "completed")


# The flow of a call that we place asks for its socket; of our id it says nothing.
FLOW_ASKS = {
    "CallSid": payloads.SID,
    "CallFrom": "0" + PERSON[3:],
    "CallTo": payloads.EXOPHONE[3:],
    "Direction": "outbound-dial",
    "CallStatus": "ringing",
    "CallType": "incomplete",
}


def test_a_flow_that_asks_while_nobody_knows_about_the_dial_belongs_to_it(ordered, client):
    commands.claim_dial(ordered)
    commands.dial_unknown(ordered, message="Exotel did not answer.")
    answer = as_query(client, door("voicebot"), FLOW_ASKS)
    log = CallLog.objects.get()  # one call, not two
    assert tokens.check(answer.json()["url"].rpartition("/")[2]).session_id == ordered.session_id
    assert (log.call_sid, log.dial_outcome, log.failure) == (payloads.SID, "accepted", "")


def test_a_static_socket_of_a_dial_that_nobody_knows_about_belongs_to_it(ordered):
    commands.claim_dial(ordered)
    started = Started("stream", payloads.SID, "exampleco1", payloads.EXOPHONE_0, "0" + PERSON[3:], {}, 8000)
    session = admission._open_static(started)
    assert session.pk == ordered.pk and CallLog.objects.get().call_sid == payloads.SID


@pytest.mark.parametrize("change", [{"Direction": "incoming"}, {"CallFrom": "09811199999"}])
def test_a_call_of_somebody_else_or_into_us_is_not_taken_for_the_dialled_one(ordered, client, change):
    commands.claim_dial(ordered)
    as_query(client, door("voicebot"), {**FLOW_ASKS, **change})
    assert CallLog.objects.count() == 2
    assert CallLog.objects.get(session=ordered).call_sid is None


def test_a_dial_of_long_ago_is_nobodys(ordered, client):
    commands.claim_dial(ordered)
    CallLog.objects.update(started_at=timezone.now() - timedelta(minutes=4))
    as_query(client, door("voicebot"), FLOW_ASKS)
    assert CallLog.objects.get(session=ordered).call_sid is None


def test_two_dials_to_one_person_are_not_guessed_between(ordered, answering, client):
    other = commands.queue_outbound_call(owner=answering.owner, agent=answering, to_phone=PERSON)
    for session in (ordered, other):
        commands.claim_dial(session)
    as_query(client, door("voicebot"), FLOW_ASKS)
    assert CallLog.objects.filter(call_sid=payloads.SID).exclude(session__in=[ordered, other]).count() == 1


def test_the_carrier_is_asked_until_it_knows_the_price(ordered, exotel):
    exotel.settings(people=[{"number": PERSON, "outcome": "busy"}], details_delay_s=3600)
    run(ordered)
    eventually(lambda: exotel.calls()[0].status == "busy")
    due(ordered)
    reconciling.reconcile()
    log = CallLog.objects.get()
    assert (log.status, log.carrier_price, log.polls) == ("busy", None, 1)
    assert log.poll_after is not None and log.poll_after > timezone.now()
    exotel.settings(details_delay_s=0)
    due(ordered)
    reconciling.reconcile()
    log = CallLog.objects.get()
    assert (log.carrier_price, log.carrier_currency, log.poll_after) == (Decimal(0), "INR", None)
    assert reconciling.reconcile() == 0


def test_a_carrier_that_does_not_answer_is_asked_again_later(ordered, exotel):
    run(ordered)
    exotel.fault("exotel.details", "status", status=503, times=1)
    due(ordered)
    assert reconciling.reconcile() == 0
    log = CallLog.objects.get()
    assert log.polls == 1 and log.poll_after is not None and log.poll_after > timezone.now()


def test_one_call_is_asked_about_by_one_worker_at_a_time(ordered, exotel):
    run(ordered)
    due(ordered)
    from calls.commands.polling import claim_polls

    assert [session.pk for session in claim_polls(10)] == [ordered.pk]
    assert claim_polls(10) == []


def test_an_announced_call_that_never_got_audio_is_asked_about(answering, exotel):
    session = commands.open_call(
        agent_version=answering.current_version,
        direction="inbound",
        user_phone=PERSON,
        agent_phone=payloads.EXOPHONE,
        call_sid="nosuchcall",
    )
    assert reconciling.reconcile() == 0 and exotel.asked("exotel.details") == 0
    CallLog.objects.filter(session=session).update(created_at=timezone.now() - timedelta(minutes=5))
    reconciling.reconcile()
    assert exotel.asked("exotel.details") == 1
    assert CallLog.objects.get().polls == 1


def test_a_hang_up_where_nothing_of_ours_is_on_the_line_is_tried_and_its_refusal_kept(ordered, exotel):
    exotel.settings(people=[{"number": PERSON, "ring_s": 30}])
    run(ordered)
    assert commands.request_hangup(ordered, by="meera")
    due(ordered)
    reconciling.reconcile()
    event = CallEvent.objects.get(kind="hangup-refused")
    assert "no request that ends a running call" in event.facts["reason"]
