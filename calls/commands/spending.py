"""Money against budgets: what a call is let in for, what it costs while it runs, what it has cost in the end.

Calls of one owner are let in one after the other (the budgets' rows are the lock) and each has a usual minute reserved, so calls that begin
at the same moment cannot share the same last rupee. Who talks is looked at every few seconds. So a budget is overrun by at most what its
running calls cost beyond their reserved minute between two looks, in the turn in work, in the goodbye, and in what only the bill tells.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from agents.models import Agent
from calls import spend
from calls.budgeting import Level, Scope, Standing
from calls.charges import total_of
from calls.commands.refusals import BudgetSpent
from calls.commands.reserving import forgotten, release
from calls.commands.timeline import record_event
from calls.models import Budget, BudgetNotice, CallLog, CallSpend, Charge, Session
from calls.price_book import day_of
from calls.rates import Rates
from calls.spend import Counted
from calls.status import Direction
from pricing.money import PLACES

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Metered:
    """What one running call has cost so far, by its meter."""

    session: Session
    amounts: Mapping[str, Decimal]
    seconds: int
    unpriced: tuple[str, ...] = ()


# One statement for every call of a process. In the order of the days' rows, which the trigger locks: two processes never wait in a circle.
_WRITE = """
INSERT INTO calls_callspend (session_id, owner_id, agent_id, day, currency, amount, used, seconds, unpriced, reserved, is_final, is_test)
SELECT s.id, s.owner_id, s.agent_id, (s.created_at AT TIME ZONE %s)::date, told.currency, GREATEST(told.used, told.reserved), told.used,
       told.seconds, told.unpriced, told.reserved, told.is_final, COALESCE(c.is_test, false)
FROM (VALUES {told}) AS told (session_pk, currency, used, seconds, unpriced, reserved, is_final)
JOIN calls_session s ON s.id = told.session_pk LEFT JOIN calls_calllog c ON c.session_id = s.id
ORDER BY s.owner_id, 4, s.agent_id, told.currency, s.id
ON CONFLICT (session_id, currency) DO UPDATE
SET amount = CASE WHEN EXCLUDED.is_final THEN EXCLUDED.used ELSE GREATEST(EXCLUDED.used, calls_callspend.reserved) END,
    used = EXCLUDED.used, seconds = EXCLUDED.seconds, unpriced = EXCLUDED.unpriced, is_final = EXCLUDED.is_final
WHERE EXCLUDED.is_final OR NOT calls_callspend.is_final
"""
_ROW = "(%s::bigint, %s, %s::numeric, %s::integer, %s, %s::numeric, %s::boolean)"


def _write(rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    values = [settings.TIME_ZONE, *(value for row in rows for value in row)]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE.format(told=", ".join([_ROW] * len(rows))), values)


def _places(amount: Decimal) -> Decimal:
    return amount.quantize(PLACES, rounding=ROUND_HALF_EVEN)


# --- before a call ----------------------------------------------------------------------------------------------------


def check_budgets(agent: Agent) -> None:
    """Raises `BudgetSpent` if a call of this agent would find its budgets used up now. Reserves nothing."""
    about = Counted(agent.owner_id, agent.pk, agent.name, day_of(timezone.now()))
    _refuse_if_over(spend.budgets_of(about.owner_id, about.agent_id), about)


def admit(session: Session) -> None:
    """Reserves a usual minute for a call that is about to be dialled or answered, once. Raises `BudgetSpent`."""
    about = spend.counted(session)
    mine = spend.budgets_of(about.owner_id, about.agent_id)
    if not mine.exists():
        return
    refused: BudgetSpent | None = None
    with transaction.atomic():
        locked = mine.select_for_update(no_key=True, of=("self",)).order_by("pk")
        budgets = list(locked)
        if CallSpend.objects.filter(session=session).exists():
            return
        try:
            _refuse_if_over(budgets, about)
        except BudgetSpent as error:
            refused = error  # what was raised on the way is to be kept
        else:
            usual = spend.minute_cost(about.owner_id, about.agent_id, about.day)
            reserve = {currency: _places(amount) for currency, amount in usual.items()}
            _write([(session.pk, currency, Decimal(0), 0, "", amount, False) for currency, amount in reserve.items()])
    if refused is not None:
        record_event(session=session, key="no-budget", source="api", kind="no-budget", facts={"reason": refused.message[:300]})
        logger.warning("call_refused_by_budget", session_id=session.session_id)
        raise refused


def admit_caller(session: Session) -> None:
    """As `admit`, for a call that came to us and has no audio yet: what we dialled was let in before it was dialled."""
    if session.state == Session.State.WAITING and session.call_log.direction == Direction.INBOUND:
        admit(session)


def _refuse_if_over(budgets: Iterable[Budget], about: Counted) -> None:
    usual = spend.minute_cost(about.owner_id, about.agent_id, about.day)
    for budget in budgets:
        found = spend.standing(budget, about, usual)
        _notice(budget, about, found)
        if not found.has_room:
            raise BudgetSpent(found.refusal)


# --- while it runs ----------------------------------------------------------------------------------------------------


def meter_calls(readings: Sequence[Metered]) -> dict[str, str]:
    """Writes down what running calls have cost; gives those that must end now, by session id, with the reason."""
    with transaction.atomic():
        _write(
            [
                (each.session.pk, currency, _places(amount), each.seconds, ", ".join(each.unpriced)[:200], Decimal(0), False)
                for each in readings
                for currency, amount in each.amounts.items()
            ]
        )
    found: dict[str, str] = {}
    budgets = list(Budget.objects.filter(owner_id__in={each.session.owner_id for each in readings}, active=True)) if readings else []
    known: dict[tuple[int, str], Standing] = {}
    rates = {budget.currency: Rates(budget.currency) for budget in budgets}
    for each in readings:
        about = spend.counted(each.session, each.amounts)
        for budget in budgets:
            if budget.owner_id != about.owner_id or budget.agent_id not in (None, about.agent_id):
                continue
            key = (budget.pk, spend.key_of(budget, about))
            if key not in known:
                known[key] = spend.standing(budget, about, rates=rates[budget.currency])
                _notice(budget, about, known[key])
            if known[key].level is Level.OVER:
                found.setdefault(each.session.session_id, known[key].words)
                record_event(
                    session=each.session, key="budget-used-up", source="engine", kind="budget-used-up", facts={"reason": known[key].words}
                )
    return found


def _notice(budget: Budget, about: Counted, found: Standing) -> None:
    """Raises the alarm of a budget once in its period; a call that has not begun has none of its own."""
    if found.level is Level.FINE or (budget.scope == Scope.CALL and not about.session_id):
        return
    key = spend.key_of(budget, about)
    if BudgetNotice.objects.filter(budget=budget, key=key, level=found.level).exists():
        return
    day = day_of(timezone.now())
    BudgetNotice.objects.bulk_create(
        [BudgetNotice(budget=budget, key=key, level=found.level, day=day, words=found.words[:400])], ignore_conflicts=True
    )
    log = logger.error if found.level is Level.OVER else logger.warning
    log(f"budget_{found.level.value}", budget_id=budget.pk, scope=budget.scope, spent=str(found.spent), amount=str(budget.amount))


def meter_handed_over(limit: int = 200) -> int:
    """Writes down what calls cost that go on with a person; returns how many. Nothing of ours can end them: their budgets warn, and let no
    other call begin.
    """
    now = timezone.now()
    readings = []
    for session in spend.handed_over(limit):
        reading, seconds = spend.handed_over_reading(session, now)
        readings.append(Metered(session, reading.amounts, seconds, reading.unpriced))
    if readings:
        meter_calls(readings)
    return len(readings)


def release_forgotten(limit: int = 200) -> int:
    """Gives back what calls hold that were never accounted, hours after they must have ended; returns how many."""
    sessions = list(Session.objects.filter(pk__in=forgotten(limit)))
    for session in sessions:
        with transaction.atomic():
            if release(session.pk):
                record_event(session=session, key="reservation-released", source="sweeper", kind="reservation-released")
    if sessions:
        logger.warning("reservations_released", calls=len(sessions))
    return len(sessions)


# --- in the end -------------------------------------------------------------------------------------------------------


def book(session: Session) -> None:
    """Puts the call's charges in the place of its estimate. Repeatable; belongs into the transaction that writes charges.

    While a line is unpriced the estimate stands if it is more: what nobody knows is not free.
    """
    log = CallLog.objects.only("duration_s", "ended_at", "answered_at").get(session=session)
    charges = list(Charge.objects.filter(session=session))
    totals = total_of(charges)
    unpriced = any(charge.amount is None for charge in charges)
    for row in CallSpend.objects.filter(session=session):
        estimate = row.used if unpriced else Decimal(0)
        totals[row.currency] = max(totals.get(row.currency, Decimal(0)), estimate)
    seconds = round(spend.talk_s(log, session) or 0)
    words = "a line" if unpriced else ""
    _write([(session.pk, currency, amount, seconds, words, Decimal(0), True) for currency, amount in sorted(totals.items())])
    about = spend.counted(session, totals)
    for budget in spend.budgets_of(about.owner_id, about.agent_id):
        _notice(budget, about, spend.standing(budget, about))
