"""How the calls of each version of an agent went (tests are none): how many, with which outcome, how fast, and what a minute cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db.models import Case, Count, DurationField, ExpressionWrapper, F, Max, Q, Sum, When

from agents.models import Agent, AgentVersion
from calls.models import Analysis, Charge, Session

# A version with more calls is told by its newest ones: people compare, they do not audit here.
MOST_CALLS: Final = 1000


@dataclass(slots=True)
class Record:
    """One version's calls. `cost` is what is priced, in the billing currency; `unpriced` counts what is not in it."""

    calls: int = 0
    talk_s: float = 0.0
    answered: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    cost: Decimal | None = None
    unpriced: int = 0
    last: datetime | None = None

    @property
    def is_cut(self) -> bool:
        return self.calls >= MOST_CALLS

    @property
    def achieved_percent(self) -> int | None:
        """Of the calls in which somebody talked and whose outcome is clear, how many achieved what they were for."""
        judged = sum(count for outcome, count in self.outcomes.items() if outcome in _CLEAR)
        return round(100 * self.outcomes.get(Analysis.Outcome.ACHIEVED, 0) / judged) if judged else None

    @property
    def cost_per_minute(self) -> Decimal | None:
        return self.cost * 60 / Decimal(round(self.talk_s, 3)) if self.cost is not None and self.talk_s >= 1 else None


_CLEAR: Final = frozenset({Analysis.Outcome.ACHIEVED, Analysis.Outcome.PARTLY, Analysis.Outcome.NOT_ACHIEVED})


def records(versions: Iterable[AgentVersion]) -> dict[int, Record]:
    """By the version's primary key, one for each of `versions`."""
    found = {version.pk: Record() for version in versions}
    sessions = [pk for version_pk in found for pk in _newest(version_pk)]
    mine = Session.objects.filter(pk__in=sessions).order_by()
    length = ExpressionWrapper(F("ended_at") - F("started_at"), output_field=DurationField())
    counted: Any = mine.values("agent_version").annotate(
        calls=Count("pk"), answered=Count("pk", filter=Q(started_at__isnull=False)), talk=Sum(length), last=Max("created_at")
    )
    for row in counted:
        record = found[row["agent_version"]]
        record.calls, record.answered, record.last = row["calls"], row["answered"], row["last"]
        record.talk_s = row["talk"].total_seconds() if row["talk"] else 0.0
    judged: Any = mine.filter(analysis__isnull=False).values("agent_version", "analysis__outcome").annotate(calls=Count("pk"))
    for row in judged:
        found[row["agent_version"]].outcomes[row["analysis__outcome"]] = row["calls"]
    for cost in _costs(sessions):
        record = found[cost["session__agent_version"]]
        record.cost, record.unpriced = cost["total"], cost["uncounted"]
    return found


def _newest(version_pk: int) -> list[int]:
    mine = Session.objects.filter(agent_version=version_pk, call_log__is_test=False)
    return list(mine.order_by("-pk").values_list("pk", flat=True)[:MOST_CALLS])


def _costs(sessions: list[int]) -> Iterable[Mapping[str, Any]]:
    ours = settings.BILLING_CURRENCY
    amount = Case(
        When(currency=ours, then=F("amount")), When(rate_currency=ours, exchange_rate__isnull=False, then=F("amount") * F("exchange_rate"))
    )
    charges = Charge.objects.filter(session__in=sessions).order_by().values("session__agent_version").annotate(counted=Sum(amount))
    return charges.annotate(
        total=F("counted"),
        uncounted=Count("pk", filter=Q(amount__isnull=True) | ~Q(currency=ours) & ~Q(rate_currency=ours, exchange_rate__isnull=False)),
    )


def live_versions(agents: Iterable[Agent]) -> dict[int, AgentVersion]:
    """The newest version of each agent, by the agent's primary key."""
    newest = AgentVersion.objects.filter(agent__in=list(agents)).order_by("agent_id", "-number").distinct("agent_id")
    return {version.agent_id: version for version in newest.select_related("published_by")}
