"""What is held for a call in its budgets: until it is charged, or cannot cost anything more. And what it costs to hand a caller over."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from calls import commands, queries
from calls.models import Budget, CallEvent, CallLog, CallSpend, Session, SpendDay, Transfer
from calls.status import CallStatus
from tests.calls import made_calls as made
from tests.calls.test_budgets import metered, settled

pytestmark = pytest.mark.django_db
D = Decimal
PERSON = "+919811100001"


@pytest.fixture
def agent():
    """A usual minute of its calls costs 4 rupees."""
    found = made.agent_of(made.operator(), record_calls=False)
    settled(found, 60, INR="4")
    Budget.objects.create(owner=found.owner, scope="account-month", amount=D(100), currency="INR")
    return found


def held(session: Session) -> list[float]:
    """Counted, used, reserved."""
    row = CallSpend.objects.get(session=session, currency="INR")
    return [float(row.amount), float(row.used), float(row.reserved)]


def counted(agent):
    return SpendDay.objects.get(owner=agent.owner, currency="INR").amount


def let_in(agent, **how) -> Session:
    session = made.ringing_call(agent, **how)
    commands.admit(session)
    assert held(session) == [4, 0, 4]
    return session


def carrier_says(session: Session, **told) -> None:
    commands.apply_carrier_report(session=session, report=commands.CarrierReport(**told), source="carrier", key=f"k{sorted(told)}")


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled"])
def test_a_call_that_nobody_answered_holds_nothing_any_more(agent, status):
    session = let_in(agent, direction="outbound")
    assert counted(agent) == 8
    carrier_says(session, status=status, ended_at=timezone.now())
    assert (held(session), counted(agent)) == ([0, 0, 0], 4)


def test_a_call_that_was_answered_holds_its_minute_until_its_bill_is_there(agent):
    session = let_in(agent)
    claimed = commands.claim_media(token_id=commands.issue_media_token(session), call_sid=str(session.call_log.call_sid), stream_sid="s")
    assert claimed is not None
    metered(claimed, 20, INR="1")
    made.end(claimed)
    assert held(session) == [4, 1, 4]
    commands.account(session)
    assert held(session)[0] == 1.416  # 1.20 on the line and its tax


def test_what_is_never_accounted_is_given_back_after_six_hours(agent):
    session, younger = let_in(agent), let_in(agent)
    for age, released in ((timedelta(hours=5, minutes=59), 0), (timedelta(hours=6, minutes=1), 1)):
        Session.objects.filter(pk=session.pk).update(created_at=timezone.now() - age)
        assert commands.release_forgotten() == released
    assert (held(session), held(younger)) == ([0, 0, 0], [4, 0, 4])
    assert CallEvent.objects.filter(session=session, kind="reservation-released").count() == 1
    assert commands.release_forgotten() == 0


# --- the line of a caller who was handed over -------------------------------------------------------------------------


@pytest.fixture
def handed_over(agent):
    """Three and a half minutes with the agent, then a person; the carrier asked for the number ninety seconds ago."""
    made.tariff("1")
    session = made.talking_call(agent)
    assert commands.decide_transfer(session.session_id, destination_id=1, name="Desk", numbers=[PERSON], ring_s=20)
    made.use(session, unpriced=False)
    commands.end_session(session.session_id, reason="transferred", at=timezone.now())
    commands.transfer_asked(session)
    now = timezone.now()
    Session.objects.filter(pk=session.pk).update(started_at=now - timedelta(seconds=210))
    Transfer.objects.filter(session=session).update(asked_at=now - timedelta(seconds=90))
    return session


def test_both_legs_of_a_caller_who_was_handed_over_are_metered_with_their_tax(agent, handed_over):
    assert commands.meter_handed_over() == 1
    line = D(4 + 2) * D("1.18")  # four started minutes and two
    spent = {row.currency: row.used for row in CallSpend.objects.filter(session=handed_over)}
    assert spent["INR"] == line
    commands.account(handed_over)
    assert spent["USD"] == queries.charges_summary(handed_over).totals["USD"]


def test_a_budget_that_it_uses_up_lets_no_other_call_begin(agent, handed_over):
    Budget.objects.update(amount=D("10"))
    commands.check_budgets(agent)
    commands.meter_handed_over()
    with pytest.raises(commands.BudgetSpent):
        commands.check_budgets(agent)
    assert CallEvent.objects.filter(session=handed_over, kind="budget-used-up").exists()


def test_the_persons_leg_ends_with_its_outcome_and_the_call_with_the_carriers_word(handed_over):
    Transfer.objects.update(outcome="no-answer", outcome_at=timezone.now() - timedelta(seconds=45))  # it took 45 s
    commands.meter_handed_over()
    assert CallSpend.objects.get(session=handed_over, currency="INR").used == D(4 + 1) * D("1.18")
    carrier_says(handed_over, status="completed", ended_at=timezone.now())
    assert CallLog.objects.get(session=handed_over).status == CallStatus.COMPLETED
    assert commands.meter_handed_over() == 0
