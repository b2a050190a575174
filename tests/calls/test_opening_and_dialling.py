"""Opening calls: copies of one call are one call, and a number is dialled at most once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.utils import timezone

from calls import commands
from calls.models import CallEvent, CallLog, Job, Session
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent():
    return made.agent_of(made.operator())


def queued(agent, **how) -> Session:
    return commands.queue_outbound_call(owner=agent.owner, agent=agent, **{"to_phone": "+919876543210", **how})


@pytest.mark.parametrize(
    ("direction", "sides"), [("inbound", ("+919876543212", "+918047112233")), ("outbound", ("+918047112233", "+919876543212"))]
)
def test_who_called_whom_follows_from_the_direction(agent, direction, sides):
    log = made.ringing_call(agent, direction=direction).call_log
    assert (log.from_phone, log.to_phone) == sides


def test_a_session_keeps_the_version_it_opened_with(agent):
    session = made.ringing_call(agent)
    agent.prompt = "You have changed."
    agent.save()
    session.refresh_from_db()
    assert session.agent_version.number == 1
    assert agent.current_version.number == 2


def test_a_call_without_its_carriers_id_is_a_bug_of_ours(agent):
    with pytest.raises(ValueError, match="call_sid"):
        commands.open_call(agent_version=agent.current_version, direction="inbound", user_phone="", agent_phone="", call_sid="")


@pytest.mark.django_db(transaction=True)
def test_copies_at_the_same_moment_open_one_call():
    agent = made.agent_of(made.operator())
    version = agent.current_version
    start, opened = Barrier(12), []

    def arrive() -> None:
        try:
            start.wait(60)
            session = commands.open_call(
                agent_version=version, direction="inbound", user_phone="+919876543212", agent_phone="+918047112233", call_sid="same-sid"
            )
            opened.append(session.pk)
        finally:
            connection.close()

    threads = [Thread(target=arrive) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(opened) == 12
    assert len(set(opened)) == 1
    assert (Session.objects.count(), CallLog.objects.count()) == (1, 1)


def test_an_outbound_call_is_queued_with_its_dial(agent):
    session = queued(agent)
    assert session.call_log.status == "queued"
    assert [job.kind for job in Job.objects.filter(session=session)] == ["telephony.dial"]


def test_an_inactive_agent_places_no_call(agent):
    agent.active = False
    agent.save()
    with pytest.raises(commands.CallRefused, match="Activate it"):
        queued(agent)
    assert not Session.objects.exists()


@pytest.mark.parametrize("numbers", [{"to_phone": ""}, {"from_phone": "+919876543210"}])
def test_a_call_to_nobody_or_to_oneself_is_refused(agent, numbers):
    with pytest.raises(commands.CallRefused):
        queued(agent, **numbers)


def test_a_dial_is_claimed_once(agent):
    session = queued(agent)
    assert [commands.claim_dial(session) for _ in range(3)] == [True, False, False]


def test_an_accepted_dial_knows_its_call(agent):
    session = queued(agent)
    commands.claim_dial(session)
    commands.dial_accepted(session, call_sid="sid-1", from_phone="+918047112233")
    log = CallLog.objects.get(session=session)
    assert (log.call_sid, log.dial_outcome, log.from_phone, log.status) == ("sid-1", "accepted", "+918047112233", "initiated")
    assert log.poll_after is not None


def test_a_refused_dial_fails_the_call_with_its_reason(agent):
    session = queued(agent)
    commands.claim_dial(session)
    commands.dial_refused(session, message="The number is on the do-not-disturb register.")
    log = CallLog.objects.get(session=session)
    session.refresh_from_db()
    assert (log.status, log.failure) == ("failed", "The number is on the do-not-disturb register.")
    assert session.state == Session.State.ENDED
    assert Job.objects.filter(session=session, kind="calls.account").exists()


def test_an_unknown_dial_is_not_given_up_before_its_time_and_then_only_if_nobody_heard_of_it(agent):
    session, talking = queued(agent), queued(agent)
    for each in (session, talking):
        commands.claim_dial(each)
        commands.dial_unknown(each, message="The carrier did not answer in 30 s.")
    token = commands.issue_media_token(talking)
    assert commands.claim_media(token_id=token, call_sid="sid-of-talking", stream_sid="s") is not None
    assert commands.give_up_unknown_dials() == 0
    CallLog.objects.update(started_at=timezone.now() - timedelta(hours=1))
    assert commands.give_up_unknown_dials() == 1
    session.call_log.refresh_from_db()
    assert (session.call_log.status, session.call_log.failure) == ("failed", "The carrier did not answer in 30 s.")
    assert not commands.claim_dial(session)


def test_audio_that_is_faster_than_the_answer_to_the_dial_is_the_same_call(agent):
    session = queued(agent)
    commands.claim_dial(session)
    claimed = commands.claim_media(token_id=commands.issue_media_token(session), call_sid="sid-9", stream_sid="s")
    commands.dial_accepted(session, call_sid="sid-9", from_phone="+918047112233")
    assert claimed is not None
    log = CallLog.objects.get(session=session)
    assert (log.call_sid, log.status) == ("sid-9", "in-progress")


def test_a_dial_that_turns_out_to_have_worked_is_no_failure(agent):
    heard, told = queued(agent), queued(agent)
    for session in (heard, told):
        commands.claim_dial(session)
        commands.dial_unknown(session, message="The carrier did not answer in 30 s.")
    commands.claim_media(token_id=commands.issue_media_token(heard), call_sid="sid-heard", stream_sid="s")
    commands.dial_accepted(told, call_sid="sid-told", from_phone="+918047112233")
    for session in (heard, told):
        log = CallLog.objects.get(session=session)
        assert (log.dial_outcome, log.failure) == ("accepted", "")


def test_a_dial_whose_audio_was_faster_than_its_time_out_is_not_unknown(agent):
    session = queued(agent)
    commands.claim_dial(session)
    commands.claim_media(token_id=commands.issue_media_token(session), call_sid="sid-9", stream_sid="s")
    commands.dial_unknown(session, message="The carrier did not answer in 30 s.")
    log = CallLog.objects.get(session=session)
    assert (log.status, log.dial_outcome, log.failure) == ("in-progress", "accepted", "")


def test_a_queued_call_that_is_hung_up_is_never_dialled(agent):
    session = queued(agent)
    assert commands.request_hangup(session, by="asha")
    assert not commands.claim_dial(session)
    log = CallLog.objects.get(session=session)
    assert log.status == "canceled"
    assert not commands.request_hangup(session, by="asha")


def test_a_hangup_of_a_running_call_is_noted_once(agent):
    session = made.talking_call(agent)
    assert commands.request_hangup(session, by="asha")
    assert commands.request_hangup(session, by="vikram")
    assert CallEvent.objects.filter(session=session, kind="hangup-requested").count() == 1
    assert commands.sessions_alive([session.session_id]) == {session.session_id}


def test_only_requested_sessions_are_told_to_end(agent):
    one, other = made.talking_call(agent), made.talking_call(agent)
    commands.request_hangup(other, by="asha")
    assert commands.sessions_alive([one.session_id]) == frozenset()


SWEEP = timedelta(seconds=15)  # the beat's table, see voiceagents/celery.py


def sweeps(until: timedelta, began: datetime, beat: Callable[[datetime], object] = lambda now: None) -> timedelta | None:
    """Sweeps on a moved clock from `began` on, with a sign of life by `beat` before each; when the first session was ended."""
    for number in range(1, int(until / SWEEP) + 1):
        now = began + number * SWEEP
        beat(now)
        if commands.sweep_silent_sessions(now):
            return now - began
    return None


def last_seen(session: Session) -> datetime:
    seen_at = Session.objects.get(pk=session.pk).seen_at
    assert seen_at is not None
    return seen_at


def test_a_dead_media_process_is_noticed_within_a_minute_and_its_call_settled(agent):
    dead, living = made.talking_call(agent), made.talking_call(agent)
    began = last_seen(dead)
    found = sweeps(timedelta(minutes=2), began, lambda now: Session.objects.filter(pk=living.pk).update(seen_at=now))
    assert found is not None and found + SWEEP <= timedelta(seconds=60)  # it may have died just behind a sweep
    dead.refresh_from_db()
    living.refresh_from_db()
    assert (dead.state, dead.end_reason, living.state) == ("ended", "crash", "active")
    assert dead.ended_at == began
    assert Job.objects.filter(session=dead, kind="telephony.fetch_recording").exists()


def test_after_an_outage_of_the_database_nobody_who_lives_is_taken_for_dead(agent):
    living, dead = made.talking_call(agent), made.talking_call(agent)
    back = last_seen(living) + timedelta(seconds=90)
    assert commands.sweep_silent_sessions(back) == 0  # the very moment: nobody has had the time for a sign of life
    assert commands.sweep_silent_sessions(back + timedelta(seconds=1)) == 0  # a second sweep that had been waiting
    Session.objects.filter(pk=living.pk).update(seen_at=back + timedelta(seconds=2))
    assert commands.sweep_silent_sessions(back + timedelta(seconds=16)) == 1
    assert Session.objects.get(pk=dead.pk).state == "ended"


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_clock_that_jumps_ends_no_call_and_hides_no_death(agent, jump):
    living, dead = made.talking_call(agent), made.talking_call(agent)
    jumped = last_seen(living) + jump
    assert commands.sweep_silent_sessions(jumped) == 0
    found = sweeps(timedelta(minutes=2), jumped, lambda now: Session.objects.filter(pk=living.pk).update(seen_at=now))
    assert found is not None and found <= timedelta(seconds=45)
    assert (Session.objects.get(pk=dead.pk).state, Session.objects.get(pk=living.pk).state) == ("ended", "active")


def test_one_who_was_silent_for_a_while_is_looked_at_twice_again(agent):
    session = made.talking_call(agent)
    began = last_seen(session)
    assert commands.sweep_silent_sessions(began + timedelta(seconds=20)) == 0
    Session.objects.filter(pk=session.pk).update(seen_at=began + timedelta(seconds=22))
    assert commands.sweep_silent_sessions(began + timedelta(seconds=60)) == 0
    assert commands.sweep_silent_sessions(began + timedelta(seconds=75)) == 1


def test_a_session_ends_once_and_keeps_its_first_reason(agent):
    session = made.talking_call(agent)
    assert commands.end_session(session.session_id, reason="caller-hangup", at=timezone.now())
    assert not commands.end_session(session.session_id, reason="crash", at=timezone.now())
    session.refresh_from_db()
    assert session.end_reason == "caller-hangup"
