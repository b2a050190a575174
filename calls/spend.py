"""What calls have cost and how budgets stand: every reading of it, for commands, the conductor and pages. Nothing here writes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from agents.assembly import transcription_provider
from agents.models import Agent
from agents.spec import AgentSpec
from calls import budgeting
from calls.budgeting import Scope, Standing
from calls.charges import exophone_of
from calls.models import Budget, BudgetNotice, CallLog, CallSpend, Session, SpendDay
from calls.price_book import day_of, price_book
from calls.rates import Rates
from calls.status import TERMINAL
from engine.usage import Unit, UsageKind, UsageRecord
from pricing.meter import Meter, Reading
from providers import registry

USUAL_COST_OF: Final = timedelta(days=30)
LONGEST_CALL: Final = timedelta(hours=5)  # the carrier cuts every call before


# --- one currency out of several --------------------------------------------------------------------------------------


def countable(amounts: Mapping[str, Decimal], rates: Rates, on: date) -> tuple[Decimal, dict[str, Decimal]]:
    """What can be counted in the rates' currency, and what cannot because nobody entered a rate."""
    counted, uncounted = Decimal(0), {}
    for base, amount in amounts.items():
        if base == rates.quote:
            counted += amount
        elif (rate := rates.rate(base, on)) is not None:
            counted += amount * rate.value
        elif amount:
            uncounted[base] = amount
    return counted, uncounted


# --- how budgets stand ------------------------------------------------------------------------------------------------


def budgets_of(owner_id: int, agent_id: int) -> QuerySet[Budget]:
    """The active budgets that a call of this agent counts in."""
    return Budget.objects.filter(Q(agent=None) | Q(agent_id=agent_id), owner_id=owner_id, active=True)


def spent(owner_id: int, first: date, end: date, agent_id: int | None = None) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """By currency, what the calls that began in these days have used, and what is held for them beyond it.

    A sum over one row for each agent, day and currency.
    """
    rows = SpendDay.objects.filter(owner_id=owner_id, day__gte=first, day__lt=end)
    if agent_id is not None:
        rows = rows.filter(agent_id=agent_id)
    found = list(rows.order_by().values("currency").annotate(total=Sum("amount"), spent=Sum("used")))
    return {row["currency"]: row["spent"] for row in found}, {row["currency"]: row["total"] - row["spent"] for row in found}


@dataclass(frozen=True, slots=True)
class Counted:
    """What a budget is asked about: a call of this agent that began on this day, and what it costs so far."""

    owner_id: int
    agent_id: int
    agent_name: str
    day: date
    session_id: str = ""
    amounts: Mapping[str, Decimal] | None = None


def counted(session: Session, amounts: Mapping[str, Decimal] | None = None) -> Counted:
    return Counted(
        session.owner_id, session.agent_id, session.agent.name, day_of(session.created_at), session.session_id, amounts=amounts or {}
    )


def key_of(budget: Budget, about: Counted) -> str:
    """Names the period that a budget counts here, with whom it is about."""
    scope = Scope(budget.scope)
    if scope is Scope.CALL:
        return about.session_id or "no call yet"
    return f"{about.day.isoformat()}/{about.agent_id}" if scope is Scope.AGENT_DAY else f"{about.day:%Y-%m}"


def standing(budget: Budget, about: Counted, more: Mapping[str, Decimal] | None = None, rates: Rates | None = None) -> Standing:
    """How it stands for this call, if that were to cost `more`. `rates` into the budget's currency, where several are asked about."""
    rates = Rates(budget.currency) if rates is None else rates
    scope = Scope(budget.scope)
    amounts: Mapping[str, Decimal] = about.amounts or {}
    kept: Mapping[str, Decimal] = {}
    if scope is Scope.CALL:
        subject = f"for each call of “{about.agent_name}”"
    else:
        first, end = budgeting.days(scope, about.day)
        of_agent = scope is Scope.AGENT_DAY
        amounts, kept = spent(budget.owner_id, first, end, about.agent_id if of_agent else None)
        whom = f"of “{about.agent_name}”" if of_agent else "of the account"
        subject = f"{whom} for {budgeting.period_words(scope, about.day)}"
    so_far, uncounted = countable(amounts, rates, about.day)
    held, _ = countable(kept, rates, about.day)
    minute, _ = countable(more or {}, rates, about.day)
    level = budgeting.level(so_far, budget.amount, budget.warn_percent)
    return Standing(scope, subject, budget.amount, budget.currency, so_far, level, uncounted, held, minute)


def minute_cost(owner_id: int, agent_id: int, day: date) -> dict[str, Decimal]:
    """What a minute of this agent's real calls usually costs, by its last thirty days; nothing while there is no experience."""
    rows = SpendDay.objects.filter(owner_id=owner_id, agent_id=agent_id, day__gt=day - USUAL_COST_OF, day__lte=day)
    found = list(rows.order_by().values("currency").annotate(amount=Sum("settled"), seconds=Sum("seconds")))
    longest = max((row["seconds"] for row in found), default=0)
    return budgeting.per_minute({row["currency"]: row["amount"] for row in found}, longest)


def notices(owner_ids: Iterable[int] | None, today: date) -> list[BudgetNotice]:
    """What pages warn of: the active budgets that came near their end or reached it in the period that still runs. None: everybody's.

    A budget that is used up is not warned of as nearly so; single calls' are on their own pages.
    """
    of_today = Q(budget__scope=Scope.AGENT_DAY, key__startswith=f"{today.isoformat()}/")
    rows = BudgetNotice.objects.filter(of_today | Q(budget__scope=Scope.ACCOUNT_MONTH, key=f"{today:%Y-%m}"))
    rows = rows.filter(budget__active=True).select_related("budget")
    if owner_ids is not None:
        rows = rows.filter(budget__owner_id__in=list(owner_ids))
    newest: dict[tuple[int, str], BudgetNotice] = {}
    for row in rows.order_by("-level", "-id")[:100]:  # "over" comes behind "near" in the alphabet
        newest.setdefault((row.budget_id, row.key), row)
    return list(newest.values())


# --- what a running call costs ----------------------------------------------------------------------------------------


def meter_for(session: Session, *, is_resumed: bool = False) -> Meter:
    """The meter of a call that begins to talk now. One that goes on after its line broke keeps what it had cost."""
    spec = session.spec()
    base = dict(CallSpend.objects.filter(session=session).values_list("currency", "used")) if is_resumed else {}
    return _meter(session, spec, base, running=[*_listening(spec), *([] if session.call_log.is_test else _transcription(spec))])


def handed_over(limit: int) -> list[Session]:
    """Calls that go on with a person, without us, and of whose end the carrier has not told: the line costs on, on both legs."""
    rows = Session.objects.filter(
        state=Session.State.ENDED, started_at__isnull=False, transfer__asked_at__isnull=False, created_at__gt=timezone.now() - LONGEST_CALL
    )
    rows = rows.exclude(call_log__status__in=TERMINAL).select_related("call_log", "agent", "agent_version", "transfer")
    return list(rows.order_by("pk")[:limit])


def handed_over_reading(session: Session, now: datetime) -> tuple[Reading, int]:
    """What such a call has cost so far, all told, and its seconds: what our talk used, and the line by the clock."""
    spec, transfer = session.spec(), session.transfer
    meter = _meter(session, spec, {}, running=_transcription(spec))
    for line in session.usage_lines.exclude(kind=UsageKind.TELEPHONY):
        meter.use(UsageRecord(UsageKind(line.kind), line.provider, line.model, Unit(line.unit), line.quantity, line.evidence, line.purpose))
    elapsed_ms = _ms(now - (session.started_at or session.created_at))
    with_person_ms = _ms((transfer.outcome_at or now) - (transfer.asked_at or now))
    return meter.read(elapsed_ms, [with_person_ms]), max(elapsed_ms // 1000, 1)


def _ms(span: timedelta) -> int:
    return max(round(span.total_seconds() * 1000), 0)


def _meter(session: Session, spec: AgentSpec, base: Mapping[str, Decimal], running: list[UsageRecord]) -> Meter:
    book, day = price_book(), day_of(session.created_at)
    log = session.call_log
    tariff = None if log.is_test else book.tariff(exophone_of(log), log.direction, day)
    return Meter(
        prices=book.prices,
        overrides=book.overrides,
        language=spec.language,
        running=running,
        tariff=tariff,
        tax=book.line_tax(tariff.currency, day, tariff) if tariff is not None else None,
        base=base,
        on=day,
        has_line=not log.is_test,
    )


def _listening(spec: AgentSpec) -> list[UsageRecord]:
    return [UsageRecord(UsageKind.STT, spec.stt.provider, spec.stt.model, Unit.AUDIO_MS, 0, "meter")]


def _transcription(spec: AgentSpec) -> list[UsageRecord]:
    """Who will transcribe the recording: both of its channels, each for the whole length."""
    if spec.record_calls and registry.names("transcription"):
        who = transcription_provider(spec)
        return [UsageRecord(UsageKind.TRANSCRIPTION, who, settings.TRANSCRIBE_MODEL, Unit.AUDIO_MS, 0, "meter")] * 2
    return []


# --- for pages --------------------------------------------------------------------------------------------------------


def talk_s(log: CallLog, session: Session) -> float | None:
    """How long the call was, for what its minute cost: the carrier's figure, else our own stamps."""
    if log.duration_s:
        return log.duration_s
    ended, began = log.ended_at or session.ended_at, log.answered_at or session.started_at
    return max((ended - began).total_seconds(), 0.0) if ended and began else None  # two clocks told them


def usual_minute(agent: Agent) -> dict[str, Decimal]:
    return minute_cost(agent.owner_id, agent.pk, day_of(timezone.now()))
