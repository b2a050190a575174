"""The reads that only the dashboard needs: last words of running calls, the day's figures, and what is not set up yet."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db.models import Aggregate, Count, FloatField, Q, QuerySet, Sum
from django.utils import timezone

from agents.models import Agent
from calls import spend
from calls.models import BudgetNotice, CallLog, Charge, OperatorOrder, Session, ToolRun, Turn
from calls.price_book import day_of
from calls.queries import User, calls_in_progress, visible_sessions

# A live page with more rows than this is no longer read by people; the rest is counted.
ROWS_LIMIT = 200


@dataclass(frozen=True, slots=True)
class RunningCalls:
    """Calls in progress, newest first, each with its last turn and its latest turn latency if it has one; `more` were left out."""

    sessions: list[Session]
    last_turns: dict[int, Turn]
    more: int
    latencies: dict[int, int] = field(default_factory=dict)


def running_calls(user: User) -> RunningCalls:
    sessions = list(calls_in_progress(user).prefetch_related("spends")[:ROWS_LIMIT])
    more = calls_in_progress(user).count() - len(sessions) if len(sessions) == ROWS_LIMIT else 0
    return RunningCalls(sessions, last_turns(sessions), max(more, 0), last_latencies(sessions))


def last_turns(sessions: Iterable[Session]) -> dict[int, Turn]:
    """The latest turn of each session, by the session's primary key."""
    latest = Turn.objects.filter(session__in=[session.pk for session in sessions])
    return {turn.session_id: turn for turn in latest.order_by("session_id", "-started_ms", "-number").distinct("session_id")}


def last_latencies(sessions: Iterable[Session]) -> dict[int, int]:
    """How long the caller of each session waited for the latest answer, in ms, by the session's primary key."""
    answers = Turn.objects.filter(session__in=[session.pk for session in sessions], latency_ms__isnull=False)
    latest = answers.order_by("session_id", "-started_ms", "-number").distinct("session_id")
    return {turn.session_id: turn.latency_ms for turn in latest if turn.latency_ms is not None}


Beside = ToolRun | OperatorOrder
_BESIDE: dict[str, type[ToolRun] | type[OperatorOrder]] = {"tool": ToolRun, "note": OperatorOrder}


def beside(session: Session) -> list[Beside]:
    """What was done in this call beside talking: tools, and what operators wanted of the agent."""
    return [*ToolRun.objects.filter(session=session), *OperatorOrder.objects.filter(session=session)]


def one_beside(session: Session, what: str, pk: object) -> Beside | None:
    """One of them by its kind and key."""
    rows = _BESIDE.get(what)
    return rows.objects.filter(session=session, pk=pk).first() if rows is not None and isinstance(pk, int) else None


class Median(Aggregate):
    """Postgres' continuous median; None over no rows."""

    function = "PERCENTILE_CONT"
    name = "median"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True, slots=True)
class DayFigures:
    """What happened since the local midnight. Costs are per currency and only what is accounted; `unpriced` lines come on top."""

    calls: int
    answered: int
    median_latency_ms: float | None
    costs: dict[str, Decimal]
    unpriced: int


def day_figures(user: User, now: datetime | None = None) -> DayFigures:
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    mine = visible_sessions(user).filter(created_at__gte=midnight, call_log__is_test=False).select_related(None).order_by()
    counted = CallLog.objects.filter(session__in=mine).aggregate(
        calls=Count("pk"), answered=Count("pk", filter=Q(answered_at__isnull=False))
    )
    latency = Turn.objects.filter(session__in=mine, latency_ms__isnull=False).aggregate(median=Median("latency_ms"))
    charges = Charge.objects.filter(session__in=mine).order_by().values("currency").annotate(total=Sum("amount"), lines=Count("pk"))
    by_currency = {row["currency"]: row for row in charges}
    unpriced = by_currency.pop("", None)
    costs = {currency: row["total"] for currency, row in sorted(by_currency.items())}
    return DayFigures(counted["calls"], counted["answered"], latency["median"], costs, unpriced["lines"] if unpriced else 0)


@dataclass(frozen=True, slots=True)
class SetUp:
    """How far this user's installation is from its first call."""

    has_agent: bool
    has_phone: bool
    has_call: bool


def set_up(user: User) -> SetUp:
    active = agents_of(user).filter(active=True)
    return SetUp(active.exists(), active.filter(phones__active=True).exists(), visible_sessions(user).exists())


def agents_of(user: User) -> QuerySet[Agent]:
    """The agents whose calls this user may see, by name."""
    return Agent.objects.all() if getattr(user, "is_superuser", False) else Agent.objects.filter(owner_id=user.pk)


def budget_alarms(user: User) -> list[BudgetNotice]:
    """The budgets of this user that are nearly or wholly used up now; everybody's for a superuser."""
    everybody = getattr(user, "is_superuser", False)
    found = spend.notices(None if everybody else [user.pk or 0], day_of(timezone.now()))
    return sorted(found, key=lambda notice: notice.level != "over")  # the worst first
