"""An agent that must rehearse is published only with what its active scenarios have passed with. Going back needs no rehearsal."""

from typing import Any

from django.utils.translation import gettext as _

from agents.models import Agent
from calls.models import RehearsalRule, Scenario
from calls.rehearsing.runs import missing

_MOST_NAMED = 5


def is_required(agent: Agent) -> bool:
    return RehearsalRule.objects.filter(agent=agent, required=True).exists()


def require(agent: Agent, required: bool, *, by: Any) -> None:
    RehearsalRule.objects.update_or_create(agent=agent, defaults={"required": required, "changed_by": by})


def objection(agent: Agent, spec: dict[str, Any]) -> str:
    """What keeps this spec from being published; "" if nothing does."""
    if not is_required(agent):
        return ""
    if not Scenario.objects.filter(agent=agent, active=True).exists():
        return _(
            "This agent must pass its rehearsals before it is published, but it has no active scenario. Write one, or switch that off."
        )
    names = [scenario.name for scenario in missing(agent, spec)]
    if not names:
        return ""
    shown = ", ".join(f"“{name}”" for name in names[:_MOST_NAMED]) + (" …" if len(names) > _MOST_NAMED else "")
    return _("It has not passed these rehearsals as it stands now: %(names)s. Rehearse the draft, then publish.") % {"names": shown}
