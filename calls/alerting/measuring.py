"""Takes the figures that rules are judged by, from the rows of calls. Nothing here writes, and nothing personal comes out.

A long call began long before the window: calls are found by their beginning, which has an index, as far back as the longest call.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from agents import catalogue
from agents.models import Agent
from calls.alerting.judging import NO_FIGURES, Kind, Reading
from calls.alerting.rows import AlertRule
from calls.endings import FAILED_TALKS, LINK_LOST, Confirmation, EndedBy
from calls.models import CallEvent, CallLog, CallSpend, Session, Turn, UsageLine
from calls.percentiles import Percentile
from calls.price_book import day_of
from calls.rates import Rates
from calls.spend import LONGEST_CALL, countable
from calls.status import TERMINAL, CallStatus
from engine.usage import UsageKind

MOST_CALLS: Final = 10
MOST_AGENTS: Final = 5
# The carrier is asked for a while before its silence means anything.
CONFIRMS_WITHIN: Final = timedelta(minutes=5)
_TALKING: Final = (UsageKind.STT, UsageKind.LLM, UsageKind.TTS)


@dataclass(frozen=True, slots=True)
class Measured:
    """One subject's reading; `figures` go into the alert's row as they are, `calls` are session ids that show it."""

    subject: str
    reading: Reading
    figures: dict[str, Any] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)


def measure(rule: AlertRule, owner_id: int, now: datetime) -> list[Measured]:
    """The readings of a rule for one owner, one for each subject. A subject that is missing could not be measured."""
    found = _MEASURES[Kind(rule.kind)](rule, owner_id, now)
    said = {"limit": str(rule.threshold), "window_minutes": rule.window_minutes}
    for one in found:
        value = one.reading.value
        one.figures.update(said, value=None if value is None else str(value), calls=one.reading.calls)
    return found


def owners(rule: AlertRule) -> list[int]:
    """Whose calls a rule watches. For a rule of everybody: all who have agents and no rule of their own of this kind, on or off."""
    if rule.owner_id is not None:
        return [rule.owner_id]
    own = AlertRule.objects.filter(kind=rule.kind, agent=None, owner__isnull=False).values("owner_id")
    return list(Agent.objects.exclude(owner_id__in=own).order_by("owner_id").values_list("owner_id", flat=True).distinct())


# --- calls ------------------------------------------------------------------------------------------------------------


def _logs(rule: AlertRule, owner_id: int, since: datetime) -> QuerySet[CallLog]:
    """The calls that may have lived since then; tests of agents are not among them."""
    rows = CallLog.objects.filter(owner_id=owner_id, created_at__gt=since - LONGEST_CALL, is_test=False).order_by()
    return rows.filter(agent_id=rule.agent_id) if rule.agent_id is not None else rows


def _alive(rule: AlertRule, owner_id: int, since: datetime) -> QuerySet[CallLog, Any]:
    """Keys of the sessions that talked at some time since then."""
    talked = Q(session__started_at__isnull=False) & (Q(session__ended_at=None) | Q(session__ended_at__gte=since))
    return _logs(rule, owner_id, since).filter(talked).values("session_id")


def _ended(rule: AlertRule, owner_id: int, since: datetime, until: datetime) -> QuerySet[CallLog]:
    """The calls that ended in this time, for the carrier or for us."""
    over = Q(status__in=TERMINAL) | Q(session__state=Session.State.ENDED)
    moment = Coalesce("ended_at", "session__ended_at", "created_at")
    return _logs(rule, owner_id, since).filter(over).annotate(over_at=moment).filter(over_at__gte=since, over_at__lte=until)


def _latency(rule: AlertRule, owner_id: int, now: datetime) -> list[Measured]:
    since = now - rule.window
    turns = Turn.objects.filter(session__in=_alive(rule, owner_id, since), created_at__gte=since, latency_ms__isnull=False).order_by()
    told = turns.aggregate(p95=Percentile("latency_ms", 0.95), turns=Count("pk"), calls=Count("session", distinct=True))
    if told["p95"] is None:
        return [Measured("", NO_FIGURES)]
    value = Decimal(round(told["p95"]))
    slowest: list[str] = []
    if rule.limit.is_beyond(value):
        by_call = turns.values("session__session_id").annotate(worst=Max("latency_ms")).order_by("-worst")
        slowest = [row["session__session_id"] for row in by_call[:MOST_CALLS]]
    return [Measured("", Reading(value, told["calls"]), {"turns": told["turns"]}, slowest)]


def _failures(rule: AlertRule, owner_id: int, now: datetime) -> list[Measured]:
    ended = _ended(rule, owner_id, now - rule.window, now)
    dropped = Q(session__end_reason=LINK_LOST, ended_by=EndedBy.CARRIER)
    failed = Q(status=CallStatus.FAILED) | Q(session__end_reason__in=FAILED_TALKS) | dropped
    told = ended.aggregate(calls=Count("pk"), failed=Count("pk", filter=failed))
    total, bad = told["calls"], told["failed"]
    if not total:
        return [Measured("", NO_FIGURES)]
    return [Measured("", Reading(_percent(bad, total), total), {"failed": bad}, _newest(ended.filter(failed)) if bad else [])]


def _unconfirmed(rule: AlertRule, owner_id: int, now: datetime) -> list[Measured]:
    """No call at all is a figure too: nothing is left unconfirmed."""
    ended = _ended(rule, owner_id, now - rule.window, now - CONFIRMS_WITHIN)
    waits = ended.filter(confirmation=Confirmation.NOT_CONFIRMED)
    count = waits.count()
    return [Measured("", Reading(Decimal(count), count), calls=_newest(waits) if count else [])]


def _newest(logs: QuerySet[CallLog]) -> list[str]:
    return list(logs.order_by("-created_at", "-session").values_list("session__session_id", flat=True)[:MOST_CALLS])


def _percent(part: int, whole: int) -> Decimal:
    return (Decimal(part) / whole * 100).quantize(Decimal("0.01"))


# --- money ------------------------------------------------------------------------------------------------------------


def _spend(rule: AlertRule, owner_id: int, now: datetime) -> list[Measured]:
    """What calls cost that began in the window, tests too: they cost the same. Currencies that no rate is known for come on top."""
    began = CallLog.objects.filter(owner_id=owner_id, created_at__gte=now - rule.window).order_by()
    if rule.agent_id is not None:
        began = began.filter(agent_id=rule.agent_id)
    spent = CallSpend.objects.filter(session__in=began.values("session_id"), used__gt=0).order_by()
    totals = {row["currency"]: row["total"] for row in spent.values("currency").annotate(total=Sum("used"))}
    rates, day = Rates(rule.currency), day_of(now)
    counted, uncounted = countable(totals, rates, day)
    calls = spent.aggregate(calls=Count("session", distinct=True))["calls"]
    figures = {"currency": rule.currency, "uncounted": {name: str(amount) for name, amount in uncounted.items()}}
    dearest: list[str] = []
    if rule.limit.is_beyond(counted):
        costs: dict[str, Decimal] = defaultdict(Decimal)
        for currency in totals:
            rows = spent.filter(currency=currency).order_by("-used").values_list("session__session_id", "used")[: MOST_CALLS * 5]
            for session_id, used in rows:
                costs[session_id] += countable({currency: used}, rates, day)[0]
        dearest = sorted(costs, key=lambda session_id: costs[session_id], reverse=True)[:MOST_CALLS]
    return [Measured("", Reading(counted.quantize(Decimal("0.01")), calls), figures, dearest)]


# --- providers and models ---------------------------------------------------------------------------------------------


def _providers(rule: AlertRule, owner_id: int, now: datetime) -> list[Measured]:
    """For each provider the share of its requests that failed. While its breaker is open it is asked by probes alone: those that fail keep
    the share up, and no success dilutes it.
    """
    since = now - rule.window
    alive = _alive(rule, owner_id, since)
    failures = CallEvent.objects.filter(session__in=alive, kind="provider-failed", created_at__gte=since).order_by()
    used = UsageLine.objects.filter(session__in=alive, kind__in=_TALKING, created_at__gte=since).order_by()
    failed = {
        row["facts__provider"]: row
        for row in failures.values("facts__provider").annotate(count=Count("pk"), calls=Count("session", distinct=True))
        if row["facts__provider"]
    }
    worked = {
        row["provider"]: row
        for row in used.values("provider").annotate(count=Count("evidence", distinct=True), calls=Count("session", distinct=True))
    }
    found = []
    for provider in sorted({*failed, *worked}):
        bad, good = failed.get(provider), worked.get(provider)
        bad_count, requests = bad["count"] if bad else 0, (bad["count"] if bad else 0) + (good["count"] if good else 0)
        value = _percent(bad_count, requests)
        calls = max(row["calls"] for row in (bad, good) if row)
        figures: dict[str, Any] = {"failed": bad_count, "requests": requests}
        hit: list[str] = []
        if rule.limit.is_beyond(value):
            of_it = failures.filter(facts__provider=provider)
            why = of_it.values("facts__category").annotate(count=Count("pk")).order_by("-count")
            figures["categories"] = {row["facts__category"] or "unknown": row["count"] for row in why}
            hit = list(
                of_it.values("session__session_id")
                .annotate(last=Max("created_at"))
                .order_by("-last")
                .values_list("session__session_id", flat=True)[:MOST_CALLS]
            )
        found.append(Measured(provider[:80], Reading(value, calls), figures, hit))
    return found


def _retiring(rule: AlertRule, owner_id: int, now: datetime) -> list[Measured]:
    """For each model in use whose last day is known: the days until then, today's operator's day counting as none."""
    agents = Agent.objects.filter(owner_id=owner_id, active=True).order_by("name")
    if rule.agent_id is not None:
        agents = agents.filter(pk=rule.agent_id)
    users: dict[str, list[str]] = defaultdict(list)
    for agent in agents:
        for model in models_of(agent):
            users[model].append(agent.name)
    today, found = timezone.localdate(now), []
    for model, names in sorted(users.items()):
        end = catalogue.retirement(model)
        if end is None or end.on is None:
            continue
        figures = {
            "on": end.on.isoformat(),
            "use": end.use,
            "agents": names[:MOST_AGENTS],
            "more_agents": max(len(names) - MOST_AGENTS, 0),
        }
        found.append(Measured(model[:80], Reading(Decimal((end.on - today).days)), figures))
    return found


def models_of(agent: Agent) -> list[str]:
    """Every model that the agent uses, its stand-ins' among them, each once."""
    stand_ins = [one.get("model", "") for part in (agent.fallbacks or {}).values() for one in part]
    named = [agent.llm_model, agent.voice_model, agent.stt_model, *stand_ins]
    return list(dict.fromkeys(model for model in named if model))


_MEASURES: Final[Mapping[Kind, Callable[[AlertRule, int, datetime], list[Measured]]]] = {
    Kind.LATENCY: _latency,
    Kind.FAILURES: _failures,
    Kind.SPEND: _spend,
    Kind.UNCONFIRMED: _unconfirmed,
    Kind.PROVIDER: _providers,
    Kind.RETIRING: _retiring,
}
