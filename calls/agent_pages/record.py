"""How the calls of each version of an agent went (tests are none): the figures of analytics, put together by version."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Final

from django.utils import timezone

from agents.models import Agent, AgentVersion
from calls.analytics.figures import Asked, By, Figures, Part, figures
from calls.analytics.keeping import BEGINNING, HOUR
from calls.models import Analysis

_CLEAR: Final = (Analysis.Outcome.ACHIEVED, Analysis.Outcome.PARTLY, Analysis.Outcome.NOT_ACHIEVED)
# A list of many agents looks back so far; the versions of one are told from their first call on.
LIST_DAYS: Final = 90


def records(
    versions: Collection[AgentVersion], *, owner_id: int | None = None, agent_id: int | None = None, days: int | None = None
) -> dict[int, Figures]:
    """By the version's primary key, one for each of `versions`; without latencies. All are of this owner and agent, if one is named.

    `days`: their calls of so many days; None: all of them.
    """
    if not versions:
        return {}
    now = timezone.now()
    since = now - timedelta(days=days) if days is not None else BEGINNING
    asked = Asked(since, now + HOUR, owner_id, agent_id, versions=tuple(version.pk for version in versions))
    found = figures(asked, By.VERSION, parts=Part.OUTCOMES | Part.COSTS)
    return {version.pk: found.get(version.pk, Figures()) for version in versions}


def achieved_percent(figures: Figures) -> int | None:
    """Of the calls in which somebody talked and whose outcome is clear, how many achieved what they were for."""
    judged = sum(figures.outcomes.get(outcome, 0) for outcome in _CLEAR)
    return round(100 * figures.outcomes.get(Analysis.Outcome.ACHIEVED, 0) / judged) if judged else None


def live_versions(agents: Iterable[Agent]) -> dict[int, AgentVersion]:
    """The newest version of each agent, by the agent's primary key."""
    newest = AgentVersion.objects.filter(agent__in=list(agents)).order_by("agent_id", "-number").distinct("agent_id")
    return {version.agent_id: version for version in newest.select_related("published_by")}
