"""The reads that only the dashboard needs: last words of running calls, the day's figures, and what is not set up yet."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import QuerySet
from django.utils import timezone

from agents.models import Agent
from agents.visibility import sees_everything
from calls import spend
from calls.analytics import keeping, sources
from calls.analytics.figures import Asked, By, Figures, Part, figures
from calls.models import BudgetNotice, CallNote, OperatorOrder, Session, ToolRun, Turn
from calls.price_book import day_of, midnight
from calls.queries import User, calls_in_progress, notes, visible_sessions

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


Beside = ToolRun | OperatorOrder | CallNote


def beside(session: Session) -> list[Beside]:
    """What was done while this call was talked: tools, what operators wanted of the agent, and what they noted for each other.

    Uses the tools and notes that are prefetched, else asks.
    """
    return [*session.tool_runs.all(), *session.orders.all(), *_noted(session)]


def _noted(session: Session) -> list[CallNote]:
    """The notes that were written during the talk and still have their words. Later ones have no place in it."""
    began, ended = session.started_at, session.ended_at
    there = [note for note in notes(session) if note.removed_at is None]
    return [note for note in there if began is not None and began <= note.created_at and (ended is None or note.created_at <= ended)]


def one_beside(session: Session, what: str, pk: object) -> Beside | None:
    """One of them by its kind and key."""
    if not isinstance(pk, int):
        return None
    if what == "tool":
        return session.tool_runs.filter(pk=pk).first()
    if what == "note":
        return session.orders.filter(pk=pk).first()
    return next((note for note in _noted(session) if note.pk == pk), None) if what == "remark" else None


@dataclass(frozen=True, slots=True)
class DayFigures:
    """What happened since the local midnight, tests left out. The median is at most 2 % off.

    Costs are per currency and only what is accounted; `unpriced` charges come on top.
    """

    calls: int
    answered: int
    median_latency_ms: float | None
    costs: dict[str, Decimal]
    unpriced: int


def day_figures(user: User, now: datetime | None = None) -> DayFigures:
    """By analytics' counts: of the day's calls only those are read whose hour is not counted yet, however long the day is already."""
    today = day_of(now or timezone.now())
    since, until = midnight(today), midnight(today + timedelta(days=1))
    owner_id = None if sees_everything(user) else user.pk or 0
    # The marks first: an hour that is counted meanwhile is read from its calls, and never told twice.
    asked = Asked(since, until, owner_id, waiting=tuple(keeping.marked_hours(since, until)))
    source = sources.up_to_now(of_owner=owner_id is not None)
    one = figures(asked, By.ALL, source, Part.TURNS | Part.COSTS).get(0, Figures())
    costs: dict[str, Decimal] = {}
    for cost in one.costs:
        if cost.currency:
            costs[cost.currency] = costs.get(cost.currency, Decimal(0)) + cost.amount
    unpriced = sum(cost.unpriced for cost in one.costs)
    return DayFigures(one.calls, one.answered, one.latency.p50, dict(sorted(costs.items())), unpriced)


@dataclass(frozen=True, slots=True)
class SetUp:
    """How far this user's installation is from its first call."""

    has_agent: bool
    has_phone: bool
    has_call: bool


def set_up(user: User) -> SetUp:
    active = agents_of(user).filter(active=True)
    return SetUp(
        active.exists(), active.filter(phones__active=True).exists(), visible_sessions(user).filter(call_log__is_test=False).exists()
    )


def agents_of(user: User) -> QuerySet[Agent]:
    """The agents whose calls this user may see, by name."""
    return Agent.objects.all() if getattr(user, "is_superuser", False) else Agent.objects.filter(owner_id=user.pk)


def budget_alarms(user: User) -> list[BudgetNotice]:
    """The budgets of this user that are nearly or wholly used up now; everybody's for a superuser."""
    everybody = getattr(user, "is_superuser", False)
    found = spend.notices(None if everybody else [user.pk or 0], day_of(timezone.now()))
    return sorted(found, key=lambda notice: notice.level != "over")  # the worst first
