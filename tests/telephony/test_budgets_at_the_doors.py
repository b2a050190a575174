"""Budgets where calls begin: the voicebot door, the applet with a fixed address, and the dial."""

from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.test import Client

from calls import commands
from calls.models import Budget, CallEvent, CallLog, CallSpend, Job, Session
from providers.exotel.media import Started
from telephony import admission, tasks
from tests.calls.test_budgets import metered, settled
from tests.providers.exotel import payloads
from tests.telephony.conftest import as_query, door

CALL = {"CallSid": payloads.SID, "CallFrom": payloads.HUMAN_0, "CallTo": payloads.EXOPHONE_0, "Direction": "incoming"}


def budget(agent, amount: str) -> Budget:
    return Budget.objects.create(owner=agent.owner, scope="account-month", amount=Decimal(amount), currency="INR")


@pytest.mark.django_db
def test_a_caller_beyond_the_budget_is_led_on_by_the_flow_and_the_reason_is_kept(answering):
    one = budget(answering, "0")
    answer = as_query(Client(), door("voicebot"), CALL)
    assert answer.status_code == 503
    assert "url" not in answer.json()
    assert "is used up" in answer.json()["error"]
    session = Session.objects.get()
    assert "is used up" in CallEvent.objects.get(session=session, kind="no-budget").facts["reason"]
    assert as_query(Client(), door("passthru"), CALL).status_code == 200  # the flow goes on to branch A
    one.delete()
    assert "url" in as_query(Client(), door("voicebot"), CALL).json()


@pytest.mark.django_db
def test_the_call_arrived_hook_apologises_instead_of_its_agent(answering):
    one = budget(answering, "0")
    answer = as_query(Client(), door("incoming"), CALL)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/xml")
    assert b"Sorry" in answer.content
    assert b"<Record" not in answer.content
    assert CallEvent.objects.filter(session=Session.objects.get(), kind="no-budget").exists()
    one.delete()
    assert b"<Record" in as_query(Client(), door("incoming"), CALL).content


@pytest.mark.django_db
def test_a_call_of_the_call_arrived_hook_has_its_minute_reserved(answering):
    settled(answering, 60, INR="4")
    budget(answering, "10")
    as_query(Client(), door("incoming"), CALL)
    assert CallSpend.objects.get(session__call_log__call_sid=payloads.SID).reserved == 4


@pytest.mark.django_db
def test_an_applet_with_a_fixed_address_is_refused_too(answering):
    budget(answering, "0")
    started = Started(
        stream_sid="stream1",
        call_sid=payloads.SID,
        account_sid="",
        from_number=payloads.HUMAN_0,
        to_number=payloads.EXOPHONE_0,
        sample_rate_hz=8000,
        custom_parameters={},
    )
    with pytest.raises(admission.Refused, match="is used up"):
        admission._open_static(started)


@pytest.mark.django_db
def test_a_queued_dial_is_cancelled_before_the_carrier_is_asked(answering):
    session = commands.queue_outbound_call(owner=answering.owner, agent=answering, to_phone="+919811122233")
    budget(answering, "0")
    tasks.dial(Job.objects.get(session=session, kind="telephony.dial").pk)
    log = CallLog.objects.get(session=session)
    assert (log.status, log.dial_outcome, log.call_sid) == ("canceled", "", None)
    assert "is used up" in log.failure


@pytest.mark.django_db(transaction=True)
def test_of_calls_that_come_at_the_same_moment_only_those_are_let_in_that_the_budget_pays(answering):
    """A usual minute costs 4 rupees, 12 are left: of eight callers three are let in, whoever asks first."""
    settled(answering, 60, INR="4")
    budget(answering, "16")
    callers = [
        commands.open_call(
            agent_version=answering.current_version,
            direction="inbound",
            user_phone="+919811122233",
            agent_phone=payloads.EXOPHONE,
            call_sid=f"sid{n}",
        )
        for n in range(8)
    ]
    start, refused = Barrier(8), []

    def come(session: Session) -> None:
        try:
            start.wait(60)
            commands.admit(session)
        except commands.BudgetSpent:
            refused.append(session)
        finally:
            connection.close()

    threads = [Thread(target=come, args=(session,)) for session in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(refused) == 5
    assert CallSpend.objects.filter(session__in=callers).count() == 3
    assert not metered(callers[0], 10, INR="1")
