"""Drafts of agents: kept beside what is live, judged like it, tried without being published, and published with a reason.

What a draft does not name stays as it is live; so does what was published meanwhile by another door.
"""

from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from agents.models import Agent, AgentDraft, AgentVersion, Publication
from agents.spec import AgentSpec
from agents.validation import name_problem
from agents.versions import Change, changes

# Whose it is and whether it takes calls is no matter of versions.
_NOT_IN_A_DRAFT: Final = ("id", "owner", "active", "created_at", "updated_at")
FIELDS: Final = tuple(field.name for field in Agent._meta.concrete_fields if field.name not in _NOT_IN_A_DRAFT)


class NothingToPublish(ValueError):
    """The draft is the same as what is live, or there is none."""


def save_draft(agent: Agent, *, by: Any) -> AgentDraft | None:
    """Keeps how `agent` stands in memory, without touching what is live. None, and no draft, if nothing differs from that."""
    live = Agent.objects.get(pk=agent.pk)
    differing = {name: getattr(agent, name) for name in FIELDS if getattr(agent, name) != getattr(live, name)}
    with transaction.atomic():
        if not differing:
            AgentDraft.objects.filter(agent=live).delete()
            return None
        began_on = AgentDraft.objects.filter(agent=live).values_list("based_on", flat=True).first()
        based_on = began_on if began_on is not None else live.current_version.number
        draft, _new = AgentDraft.objects.update_or_create(agent=live, defaults={"fields": differing, "based_on": based_on, "saved_by": by})
    return draft


def with_draft(agent: Agent) -> Agent:
    """The agent as it would be if its draft were published: an instance of its own that nobody may save."""
    candidate: Agent = Agent.objects.get(pk=agent.pk)
    draft = AgentDraft.objects.filter(agent=agent).first()
    for name, value in (draft.fields if draft else {}).items():
        if name in FIELDS:  # what an older release kept and this one does not know stays away
            setattr(candidate, name, value)
    return candidate


def spec_of(agent: Agent) -> AgentSpec:
    """What a conversation with the draft needs: for trying it before callers meet it."""
    return with_draft(agent).spec()


def draft_changes(agent: Agent) -> list[Change]:
    """What callers would meet otherwise if the draft were published now."""
    return changes(agent.current_version.spec, spec_of(agent).to_json())


def judge(agent: Agent) -> None:
    """Raises `ValidationError` for an agent that could not talk as it stands."""
    agent.full_clean(validate_constraints=False)
    if problem := name_problem(agent):
        raise ValidationError({"name": problem})


def publish_draft(agent: Agent, *, by: Any, reason: str) -> AgentVersion:
    """Makes the draft live. Raises `ValidationError` or `NothingToPublish`; the draft is kept then."""
    with transaction.atomic():
        Agent.objects.select_for_update(no_key=True).get(pk=agent.pk)
        if not AgentDraft.objects.filter(agent=agent).exists():
            raise NothingToPublish(_("There is no draft: somebody has published or discarded it."))
        candidate = with_draft(agent)
        judge(candidate)
        before = candidate.current_version.number
        candidate.save(publication=Publication(by=by, reason=reason))
        AgentDraft.objects.filter(agent=agent).delete()
        version = candidate.current_version
    if version.number == before:
        raise NothingToPublish(_("Nothing that callers meet has changed, so there is no new version."))
    return version


def discard(agent: Agent) -> bool:
    """Whether there was a draft."""
    gone, _each = AgentDraft.objects.filter(agent=agent).delete()
    return gone > 0
