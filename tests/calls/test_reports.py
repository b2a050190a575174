"""The carrier's reports: late, doubled, backward or lost, they all lead to the same end."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from threading import Barrier, Thread

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calls import commands
from calls.commands import CarrierReport
from calls.models import CallEvent, CallLog, Job, Recording, Session
from calls.status import TERMINAL, CallStatus
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)


@pytest.fixture
def session() -> Session:
    return made.ringing_call(made.agent_of(made.operator()))


def apply(session: Session, key: str = "k", **facts) -> str:
    return commands.apply_carrier_report(session=session, report=CarrierReport(**facts), source="carrier", key=key)


def log_of(session: Session) -> CallLog:
    return CallLog.objects.get(session=session)


STAGES = [CallStatus.INITIATED, CallStatus.RINGING, CallStatus.IN_PROGRESS]
ENDS = [CallStatus.CANCELED, CallStatus.FAILED, CallStatus.NO_ANSWER, CallStatus.BUSY, CallStatus.COMPLETED]


@pytest.mark.parametrize(("old", "new"), list(product([*STAGES[1:], *ENDS], [*STAGES, *ENDS])))
def test_every_pair_moves_the_call_or_says_why_not(session, old, new):
    order = [*STAGES, *ENDS]
    apply(session, "old", status=old)
    reason = apply(session, "new", status=new)
    moves = order.index(new) > order.index(old)
    assert (reason == "") == moves
    assert log_of(session).status == (new if moves else old)
    assert CallEvent.objects.filter(session=session, kind="status-changed").count() == (2 if moves else 1)
    if old == new:
        assert "repeated" in reason
    elif not moves:
        assert ("late" if old in TERMINAL else "backward") in reason


def test_a_status_we_do_not_know_moves_nothing(session):
    assert apply(session, status="teleported") == "nothing new in it"
    assert log_of(session).status == CallStatus.INITIATED


def test_a_report_told_twice_counts_once(session):
    assert apply(session, "same", status="ringing") == ""
    assert "before" in apply(session, "same", status="in-progress", duration_s=4)
    assert log_of(session).status == CallStatus.RINGING
    assert log_of(session).duration_s is None


def test_facts_fill_what_is_unknown_even_if_the_status_comes_late(session):
    assert apply(session, "end", status="completed", ended_at=NOON) == ""
    assert apply(session, "late", status="in-progress", answered_at=NOON - timedelta(minutes=2)) == ""
    log = log_of(session)
    assert log.status == CallStatus.COMPLETED
    assert log.answered_at == NOON - timedelta(minutes=2)


def test_a_price_is_completed_but_never_changes_its_currency(session):
    apply(session, "1", status="completed", price=Decimal("0.60"), currency="INR")
    apply(session, "2", price=Decimal("1.20"), currency="INR")
    assert "nothing new" in apply(session, "3", price=Decimal("9.00"), currency="USD")
    assert "nothing new" in apply(session, "4", price=Decimal("9.00"))
    log = log_of(session)
    assert (log.carrier_price, log.carrier_currency) == (Decimal("1.2000"), "INR")


def test_why_a_call_failed_is_kept_for_operators(session):
    apply(session, status="failed", cause="The number is not in service.")
    assert log_of(session).failure == "The number is not in service."


def test_a_call_that_ended_before_any_audio_ends_its_session(session):
    token = commands.issue_media_token(session)
    apply(session, status="no-answer", ended_at=NOON)
    session.refresh_from_db()
    assert (session.state, session.ended_at) == (Session.State.ENDED, NOON)
    assert commands.claim_media(token_id=token, call_sid=session.call_log.call_sid or "", stream_sid="s") is None


def test_an_answered_call_that_is_over_has_its_recording_fetched(session):
    apply(session, status="completed")
    assert Recording.objects.get(session=session).state == Recording.State.EXPECTED
    assert [job.kind for job in Job.objects.filter(session=session)] == ["telephony.fetch_recording"]


def test_a_call_that_nobody_answered_goes_straight_to_its_costs(session):
    apply(session, status="busy")
    assert not Recording.objects.filter(session=session).exists()
    assert [job.kind for job in Job.objects.filter(session=session)] == ["calls.account"]


def test_an_agent_that_does_not_record_fetches_nothing():
    session = made.ringing_call(made.agent_of(made.operator(), record_calls=False))
    apply(session, status="completed", recording_url="https://recordings.example/x.mp3")
    assert [job.kind for job in Job.objects.filter(session=session)] == ["calls.account"]


def test_the_address_of_a_recording_joins_a_settlement_that_has_begun(session):
    apply(session, "end", status="completed")
    Job.objects.filter(session=session).update(run_at=NOON + timedelta(days=9999))
    apply(session, "later", recording_url="https://recordings.example/x.mp3")
    assert Recording.objects.get(session=session).source_url == "https://recordings.example/x.mp3"
    assert Job.objects.get(session=session).run_at < NOON + timedelta(days=9998)


REPORTS = [
    CarrierReport(status="ringing", started_at=NOON),
    CarrierReport(status="in-progress", started_at=NOON + timedelta(seconds=1), answered_at=NOON + timedelta(seconds=9)),
    CarrierReport(status="completed", ended_at=NOON + timedelta(seconds=70), duration_s=60),
    CarrierReport(status="completed", ended_at=NOON + timedelta(seconds=71), duration_s=61, price=Decimal("0.6"), currency="INR"),
    CarrierReport(recording_url="https://recordings.example/a.mp3"),
    CarrierReport(status="completed", price=Decimal("1.2"), currency="INR", recording_url="https://recordings.example/a.mp3"),
    CarrierReport(),
]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(len(REPORTS))), again=st.lists(st.integers(0, len(REPORTS) - 1), max_size=4))
def test_reports_in_any_order_and_number_reach_the_same_end(session, order, again):
    with transaction.atomic():
        for number in [*order, *again]:
            commands.apply_carrier_report(session=session, report=REPORTS[number], source="carrier", key=f"report:{number}")
        log = log_of(session)
        reached = (log.status, log.started_at, log.answered_at, log.ended_at, log.duration_s, log.carrier_price, log.recording_url)
        jobs = sorted(Job.objects.filter(session=session).values_list("kind", flat=True))
        transaction.set_rollback(True)
    assert reached == (
        "completed",
        NOON,
        NOON + timedelta(seconds=9),
        NOON + timedelta(seconds=71),
        61,
        Decimal("1.2"),
        "https://recordings.example/a.mp3",
    )
    assert jobs == ["telephony.fetch_recording"]


@pytest.mark.django_db(transaction=True)
def test_reports_at_the_same_moment_move_the_call_once():
    session = made.ringing_call(made.agent_of(made.operator()))
    ends = ["completed", "failed", "busy", "no-answer", "completed", "canceled"] * 3
    start, answers = Barrier(len(ends)), []

    def report(number: int, status: str) -> None:
        try:
            start.wait(60)
            answers.append((status, apply(session, f"r{number}", status=status)))
        finally:
            connection.close()

    threads = [Thread(target=report, args=pair) for pair in enumerate(ends)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == len(ends)
    assert log_of(session).status == CallStatus.COMPLETED
    told = CallEvent.objects.filter(session=session, kind="carrier-report")
    assert told.count() == len(ends)
    moved = CallEvent.objects.filter(session=session, kind="status-changed").values_list("facts__to", flat=True)
    assert len(moved) == len(set(moved)) and "completed" in moved
