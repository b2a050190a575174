"""Budgets against the real database: sums of days, letting in, alarms, and what takes the place of the estimate."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from calls import alarms, budgeting, commands, spend
from calls.budgeting import Level, Scope
from calls.commands import BudgetSpent, Metered, trying
from calls.models import Budget, BudgetNotice, CallEvent, CallSpend, Session, SpendDay
from calls.price_book import day_of
from calls.status import CallStatus
from tests.calls import made_calls as made

D = Decimal


# --- decisions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spent", "held", "minute", "amount", "level", "has_room"),
    [
        ("0", "0", "0", "100", Level.FINE, True),
        ("79.99", "0", "0", "100", Level.FINE, True),
        ("80", "0", "0", "100", Level.NEAR, True),
        ("99.99", "0", "0", "100", Level.NEAR, True),
        ("100", "0", "0", "100", Level.OVER, False),
        ("97", "0", "4", "100", Level.NEAR, False),  # what is left pays no minute
        ("96", "0", "4", "100", Level.NEAR, True),
        ("10", "88", "4", "100", Level.FINE, False),  # what is left is held for others; they may go on
        ("0", "0", "0", "0", Level.OVER, False),
    ],
)
def test_how_near_a_budget_is_and_whether_another_call_may_begin(spent, held, minute, amount, level, has_room):
    found = budgeting.level(D(spent), D(amount), 80)
    assert found is level
    standing = budgeting.Standing(Scope.ACCOUNT_MONTH, "of the account", D(amount), "INR", D(spent), found, {}, D(held), D(minute))
    assert standing.has_room is has_room


@pytest.mark.parametrize(
    ("scope", "day", "first", "end"),
    [
        (Scope.AGENT_DAY, date(2026, 11, 30), date(2026, 11, 30), date(2026, 12, 1)),
        (Scope.ACCOUNT_MONTH, date(2026, 11, 30), date(2026, 11, 1), date(2026, 12, 1)),
        (Scope.ACCOUNT_MONTH, date(2026, 12, 31), date(2026, 12, 1), date(2027, 1, 1)),
        (Scope.ACCOUNT_MONTH, date(2028, 2, 29), date(2028, 2, 1), date(2028, 3, 1)),
    ],
)
def test_the_days_of_a_period(scope, day, first, end):
    assert budgeting.days(scope, day) == (first, end)


def test_a_call_counts_on_the_operators_day_and_not_on_greenwichs():
    assert day_of(datetime(2026, 11, 22, 18, 29, tzinfo=UTC)) == date(2026, 11, 22)
    assert day_of(datetime(2026, 11, 22, 18, 31, tzinfo=UTC)) == date(2026, 11, 23)


def test_per_minute():
    assert budgeting.per_minute({"INR": D(3), "USD": D(0)}, 90) == {"INR": D(2)}
    assert budgeting.per_minute({"INR": D(3)}, None) == budgeting.per_minute({"INR": D(3)}, 0) == {}


# --- sums -------------------------------------------------------------------------------------------------------------


def metered(session: Session, seconds: int = 10, **amounts: str) -> dict[str, str]:
    return commands.meter_calls([Metered(session, {name: D(amount) for name, amount in amounts.items()}, seconds)])


def settled(agent, seconds: int, **amounts: str) -> Session:
    """A call of the past: what a minute costs is known from it."""
    session = made.talking_call(agent)
    metered(session, seconds, **amounts)
    CallSpend.objects.filter(session=session).update(is_final=True)
    return session


def budget(of, scope=Scope.ACCOUNT_MONTH, amount="100", **how) -> Budget:
    return Budget.objects.create(owner=of.owner, scope=scope, amount=D(amount), **{"currency": "INR", **how})


@pytest.fixture
def agent(db):
    return made.agent_of(made.operator())


def days_sum(agent) -> dict[str, Decimal]:
    return dict(SpendDay.objects.filter(agent=agent).values_list("currency", "amount"))


def test_the_day_adds_up_its_calls_whatever_is_told_and_in_which_order(agent):
    one, two = made.talking_call(agent), made.talking_call(agent)
    for amount in ("1", "2", "2", "5"):
        metered(one, INR=amount, USD="0.5")
    metered(two, INR="3")
    assert days_sum(agent) == {"INR": D(8), "USD": D("0.5")}
    CallSpend.objects.filter(session=two).delete()
    assert days_sum(agent) == {"INR": D(5), "USD": D("0.5")}


def test_charges_take_the_place_of_the_estimate_however_often_they_are_booked(agent):
    session = made.talking_call(agent)
    metered(session, 80, INR="9", USD="9")
    made.use(session, unpriced=False)
    made.end(session)
    for _ in range(3):
        commands.account(session)
    counted = dict(CallSpend.objects.filter(session=session).values_list("currency", "used"))
    session = Session.objects.get(pk=session.pk)
    charged: dict[str, Decimal] = {}
    for charge in session.charges.all():
        assert charge.amount is not None
        charged[charge.currency] = charged.get(charge.currency, D(0)) + charge.amount
    assert counted == charged == days_sum(agent)
    assert set(charged) == {"INR", "USD"}
    metered(session, INR="50")  # a last word that comes late
    assert days_sum(agent) == charged


def test_while_a_line_is_unpriced_the_estimate_is_not_forgotten(agent):
    session = made.talking_call(agent)
    metered(session, 80, USD="9")
    made.use(session)
    made.end(session)
    commands.account(session)
    assert days_sum(agent)["USD"] == D(9)
    assert CallSpend.objects.get(session=session, currency="USD").unpriced


# --- letting in -------------------------------------------------------------------------------------------------------


def test_without_a_budget_nothing_is_reserved_and_nobody_refused(agent):
    commands.admit(made.ringing_call(agent))
    assert not CallSpend.objects.exists()


@pytest.mark.parametrize("scope", [Scope.AGENT_DAY, Scope.ACCOUNT_MONTH])
def test_a_budget_that_is_used_up_lets_no_call_begin(agent, scope):
    budget(agent, scope, "10")
    metered(made.talking_call(agent), 0, INR="10")
    with pytest.raises(BudgetSpent, match=r"is used up: ₹10\.00 of ₹10\.00.*Raise the budget"):
        commands.queue_outbound_call(owner=agent.owner, agent=agent, to_phone="+919876543210")
    caller = made.ringing_call(agent)
    with pytest.raises(BudgetSpent):
        commands.admit(caller)
    assert CallEvent.objects.get(session=caller, kind="no-budget").facts["reason"]


def test_an_agents_budget_does_not_bind_another_agent(agent):
    other = made.agent_of(agent.owner, "Another")
    budget(agent, Scope.AGENT_DAY, "10", agent=agent)
    metered(made.talking_call(agent), 0, INR="10")
    metered(made.talking_call(other), 0, INR="10")
    commands.check_budgets(other)
    with pytest.raises(BudgetSpent):
        commands.check_budgets(agent)


def test_yesterdays_money_is_not_todays_but_the_months(agent):
    budget(agent, Scope.AGENT_DAY, "10")
    old = made.talking_call(agent)
    Session.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=1))
    metered(Session.objects.get(pk=old.pk), 0, INR="10")
    commands.check_budgets(agent)


def test_an_inactive_budget_binds_nobody(agent):
    budget(agent, amount="0", active=False)
    commands.check_budgets(agent)


def test_tests_count_in_budgets_and_not_in_what_a_minute_of_real_calls_costs(agent):
    settled(agent, 60, INR="4")
    tried = trying.open_test(agent_version=agent.current_version, by="rao")
    trying.begin_test(tried)
    metered(tried, 60, INR="100")
    assert CallSpend.objects.get(session=tried).is_test
    CallSpend.objects.filter(session=tried).update(is_final=True)
    assert spend.usual_minute(agent) == {"INR": D(4)} and days_sum(agent) == {"INR": D(104)}
    tried.delete()
    assert spend.usual_minute(agent) == {"INR": D(4)} and days_sum(agent) == {"INR": D(4)}


def test_calls_that_begin_at_once_cannot_share_the_same_last_rupee(agent):
    """A usual minute costs 4 rupees: what is left pays two calls, and the third is refused although nothing was spent yet."""
    settled(agent, 60, INR="4")
    budget(agent, amount="12")
    first, second, third = (made.ringing_call(agent) for _ in range(3))
    commands.admit(first)
    commands.admit(first)  # a copy of the same news
    commands.admit(second)
    with pytest.raises(BudgetSpent, match=r"too little for another call: ₹8\.00 is held"):
        commands.admit(third)
    assert days_sum(agent) == {"INR": D(12)}


def test_what_was_reserved_counts_until_the_meter_tells_more_and_goes_when_the_call_is_accounted(agent):
    settled(agent, 60, INR="4")
    budget(agent, amount="100")
    session = made.ringing_call(agent)
    commands.admit(session)
    assert metered(session, 10, INR="1") == {}
    assert days_sum(agent)["INR"] == D(8)
    assert SpendDay.objects.get(agent=agent, currency="INR").used == D(5)
    metered(session, 90, INR="6")
    assert days_sum(agent)["INR"] == D(10)
    missed = made.ringing_call(agent)
    commands.admit(missed)
    commands.book(missed)
    assert days_sum(agent)["INR"] == D(10)


def test_a_queued_dial_is_cancelled_with_its_reason(agent):
    session = commands.queue_outbound_call(owner=agent.owner, agent=agent, to_phone="+919876543210")
    budget(agent, amount="0")
    with pytest.raises(BudgetSpent) as refused:
        commands.admit(session)
    assert commands.cancel_dial(session, reason=refused.value.message)
    assert not commands.cancel_dial(session, reason="again")
    session = Session.objects.select_related("call_log").get(pk=session.pk)
    assert (session.call_log.status, session.state) == (CallStatus.CANCELED, Session.State.ENDED)
    assert "is used up" in session.call_log.failure


# --- while it runs ----------------------------------------------------------------------------------------------------


def test_one_call_over_its_own_budget_ends_alone(agent):
    budget(agent, Scope.CALL, "5")
    one, two = made.talking_call(agent), made.talking_call(agent)
    assert metered(two, INR="4.99") == {}
    assert list(metered(one, INR="5")) == [one.session_id]
    assert CallEvent.objects.filter(session=one, kind="budget-used-up").count() == 1
    assert [notice.level for notice in BudgetNotice.objects.order_by("id")] == ["near", "over"]


def test_a_month_that_is_used_up_ends_every_running_call_of_the_account(agent):
    other = made.agent_of(agent.owner, "Another")
    stranger = made.talking_call(made.agent_of(made.operator()))
    budget(agent, amount="10")
    calls = [made.talking_call(agent), made.talking_call(other)]
    readings = [Metered(session, {"INR": D(6)}, 10) for session in (*calls, stranger)]
    assert set(commands.meter_calls(readings)) == {session.session_id for session in calls}


def test_an_alarm_is_raised_once_for_each_level_and_shown_while_its_period_runs(agent):
    budget(agent, amount="10")
    session = made.talking_call(agent)
    for amount in ("8", "8.5", "10", "11"):
        metered(session, INR=amount)
    assert [notice.level for notice in BudgetNotice.objects.order_by("id")] == ["near", "over"]
    today = day_of(timezone.now())
    assert [notice.level for notice in spend.notices([agent.owner_id], today)] == ["over"]
    counted = alarms.count_open()
    assert (counted["budget-near"], counted["budget-over"]) == (0, 1)
    assert spend.notices([made.operator().pk], today) == []
    assert spend.notices(None, (today.replace(day=1) + timedelta(days=32)).replace(day=1)) == []


def test_what_has_no_rate_is_told_and_not_counted(agent):
    one = budget(agent, amount="10")
    session = made.talking_call(agent)
    metered(session, INR="9", USD="5")
    found = spend.standing(one, spend.counted(session))
    assert (found.spent, found.uncounted, found.level) == (D(9), {"USD": D(5)}, Level.NEAR)
    assert "there is no rate to INR" in found.words


def test_looking_at_twenty_calls_takes_few_questions(agent, django_assert_max_num_queries):
    budget(agent)
    budget(agent, Scope.AGENT_DAY)
    readings = [Metered(made.talking_call(agent), {"INR": D(1), "USD": D("0.1")}, 10) for _ in range(20)]
    with django_assert_max_num_queries(10):
        commands.meter_calls(readings)


# --- rows -------------------------------------------------------------------------------------------------------------


def test_a_budget_that_makes_no_sense_is_refused(agent):
    with pytest.raises(ValidationError, match="counts every agent"):
        Budget(owner=agent.owner, scope=Scope.ACCOUNT_MONTH, agent=agent, amount=D(1)).full_clean()
    with pytest.raises(ValidationError, match="somebody else"):
        Budget(owner=made.operator(), scope=Scope.AGENT_DAY, agent=agent, amount=D(1)).full_clean()
    with pytest.raises(ValidationError, match="0 or more"):
        Budget(owner=agent.owner, scope=Scope.CALL, amount=D(-1)).full_clean()
