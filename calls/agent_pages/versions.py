"""An agent's page with its versions, two of them side by side, and the way back to an earlier one."""

from itertools import pairwise

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agents import comparison, drafts
from agents.models import Agent, AgentDraft, AgentVersion
from agents.restoring import restore as bring_back
from agents.versions import changes
from calls import queries
from calls.agent_pages import record, words
from calls.agent_pages.views import REASON_MOST, reason_of
from calls.entry import go, needs, visible

SHOWN = 20
DRAFT = "draft"


@require_safe
@never_cache
@login_required
def agent_page(request: HttpRequest, pk: int) -> HttpResponse:
    """What is live, whether a draft differs from it, and how each version did."""
    agent = visible(request, pk)
    before = queries.whole_number(request.GET.get("before"))
    rows = agent.versions.select_related("published_by").order_by("-number")
    if before is not None:
        rows = rows.filter(number__lt=before)
    versions = list(rows[: SHOWN + 1])
    records = record.records(versions[:SHOWN], owner_id=agent.owner_id, agent_id=agent.pk)
    earlier = {newer.pk: older for newer, older in pairwise(versions)}
    lines = [
        {
            "version": version,
            "record": words.record_words(records[version.pk]),
            "previous": earlier.get(version.pk),
            "changed": words.change_words(_changed(earlier.get(version.pk), version)),
        }
        for version in versions[:SHOWN]
    ]
    draft = AgentDraft.objects.filter(agent=agent).select_related("saved_by").first()
    live = agent.current_version
    context = {
        "agent": agent,
        "live": live,
        "spec": live.spec,
        "draft": draft,
        "draft_changes": words.change_words([change.field for change in drafts.draft_changes(agent)]) if draft else "",
        "lines": lines,
        "older": versions[SHOWN - 1].number if len(versions) > SHOWN else None,
        "is_newest": before is None,
        "phones": agent.phones.all(),
        "tools": agent.http_tools.all(),
        "destinations": agent.destinations.all(),
        "reason_most": REASON_MOST,
    }
    return render(request, "agents/page.html", context)


def _changed(older: AgentVersion | None, newer: AgentVersion) -> list[str]:
    return [change.field for change in changes(older.spec if older else None, newer.spec)]


@require_safe
@never_cache
@login_required
def compare(request: HttpRequest, pk: int) -> HttpResponse:
    """Two versions side by side; `to=draft` is the draft."""
    agent = visible(request, pk)
    live = agent.current_version
    right_name = request.GET.get("to") or str(live.number)
    left = _version(agent, request.GET.get("from") or str(max(live.number - 1, 1)))
    right = None if right_name == DRAFT else _version(agent, right_name)
    sections = comparison.compare(left.spec, right.spec if right else drafts.spec_of(agent).to_json())
    shown = [version for version in (left, right) if version is not None]
    records = {pk: words.record_words(found) for pk, found in record.records(shown, owner_id=agent.owner_id, agent_id=agent.pk).items()}
    context = {
        "agent": agent,
        "left": left,
        "right": right,
        "live": live,
        "left_record": records[left.pk],
        "right_record": records[right.pk] if right else None,
        "sections": sections,
        "numbers": list(agent.versions.values_list("number", flat=True)[:200]),
        "has_draft": AgentDraft.objects.filter(agent=agent).exists(),
        "reason_most": REASON_MOST,
    }
    return render(request, "agents/compare.html", context)


def _version(agent: Agent, number: str) -> AgentVersion:
    return get_object_or_404(agent.versions.select_related("published_by"), number=queries.whole_number(number))


@require_POST
@needs("agents.change_agent")
def restore(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Publishes an earlier version again, as a new one."""
    agent = visible(request, pk)
    version = _version(agent, str(number))
    try:
        done = bring_back(version, by=request.user, reason=reason_of(request))
    except ValidationError as error:
        messages.error(request, _("Version %(number)d cannot come back: ") % {"number": number} + " ".join(error.messages))
        return go(request, "agent-page", pk=agent.pk)
    for warning in done.warnings:
        messages.warning(request, warning)
    if done.is_new:
        facts = {"old": number, "new": done.version.number}
        messages.success(request, _("Version %(old)d is live again, as version %(new)d. Calls in progress keep theirs.") % facts)
    else:
        messages.success(request, _("Version %(number)d is what is live already.") % {"number": number})
    return go(request, "agent-page", pk=agent.pk)
