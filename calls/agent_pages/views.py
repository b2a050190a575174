"""The pages themselves: agents, a new one, the form, and what the form asks for while it is filled in.

Everybody sees their own agents; to make and change them takes Django's permissions, as in the admin.
"""

from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agents import drafts, preview, validation, variables
from agents.models import Agent, AgentDraft, Publication
from agents.spec import AgentSpec
from agents.starters import Starter, starters
from agents.visibility import sees_everything, visible_agents
from calls import queries
from calls.agent_pages import estimating, record, words
from calls.agent_pages.forms import AgentForm
from calls.entry import View, go, needs, visible
from calls.sentences import in_readers_words

REASON_MOST = 300


@require_safe
@never_cache
@login_required
def agent_list(request: HttpRequest) -> HttpResponse:
    agents = list(
        visible_agents(request.user).select_related("draft", "owner").prefetch_related("phones").order_by("-active", "name", "id")
    )
    live = record.live_versions(agents)
    owner_id = None if sees_everything(request.user) else request.user.pk
    records = record.records(live.values(), owner_id=owner_id, days=record.LIST_DAYS)
    rows = [
        {"agent": agent, "version": live[agent.pk], "record": words.record_words(records[live[agent.pk].pk])}
        for agent in agents
        if agent.pk in live
    ]
    return render(request, "agents/list.html", {"rows": rows})


@require_safe
@never_cache
@needs("agents.add_agent")
def gallery(request: HttpRequest) -> HttpResponse:
    """What a new agent can begin from."""
    return render(request, "agents/gallery.html", {"starters": starters().values()})


@never_cache
@needs("agents.add_agent")
def new(request: HttpRequest, key: str = "") -> HttpResponse:
    """The form of a new agent, filled in by a starter or empty."""
    starter = starters().get(key)
    if key and starter is None:
        raise Http404
    owner: Any = request.user
    agent = starter.agent(owner) if starter else Agent(owner=owner)
    form = AgentForm(request.POST or None, instance=agent)
    if request.method == "POST" and form.is_valid():
        try:
            made = _create(form.instance, starter, request)
        except IntegrityError:  # another request took the name between the check and the write
            form.add_error("name", _("There is already an agent of this name. Choose another name."))
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("%(name)s is made. It answers as soon as a phone number is given to it.") % {"name": made.name})
            return redirect("agent-page", pk=made.pk)
    return render(request, "agents/form.html", _form_context(form, starter=starter))


def _create(agent: Agent, starter: Starter | None, request: HttpRequest) -> Agent:
    reason = _("From the template “%(title)s”.") % {"title": starter.title} if starter else _("Made.")
    with transaction.atomic():
        agent.save(publication=Publication(by=request.user, reason=reason))
        if starter:
            starter.make_tools(agent)
    return agent


@never_cache
@needs("agents.change_agent")
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """The form of an agent with its draft. Saving keeps a draft; publishing makes it live, with a reason."""
    agent = visible(request, pk)
    form = AgentForm(request.POST or None, instance=drafts.with_draft(agent))
    if request.method == "POST" and form.is_valid():
        draft = drafts.save_draft(form.instance, by=request.user)
        if request.POST.get("do") == "publish":
            return _publish(request, agent)
        message = (
            _("Draft saved. Callers still meet what is live.") if draft else _("Nothing differs from what is live, so there is no draft.")
        )
        messages.success(request, message)
        return redirect("agent-edit", pk=agent.pk)
    return render(request, "agents/form.html", _form_context(form, agent=agent))


def _form_context(form: AgentForm, *, agent: Agent | None = None, starter: Starter | None = None) -> dict[str, Any]:
    return {
        "form": form,
        "agent": agent,
        "starter": starter,
        "draft": AgentDraft.objects.filter(agent=agent).select_related("saved_by").first() if agent else None,
        "variables": ("agent_name", "caller_number", "date", "time", "customer.name"),
        "known": ",".join(variables.KNOWN),
        "estimate": _estimate(form.instance),
        "reason_most": REASON_MOST,
    }


def _estimate(agent: Agent) -> words.EstimateWords:
    spec = agent.spec()
    exophone = agent.phones.values_list("number", flat=True).first() if agent.pk else ""
    return words.estimate_words(estimating.estimated(spec, exophone=exophone or ""), estimating.answers_in(spec))


def _candidate(request: HttpRequest) -> Agent:
    """The agent as the form stands, unsaved; what is wrong in it stays as it was."""
    number = queries.whole_number(request.POST.get("agent"))
    if number is not None:
        agent = drafts.with_draft(visible(request, number))
    else:
        owner: Any = request.user
        agent = Agent(owner=owner)
    form = AgentForm(request.POST, instance=agent)
    form.is_valid()
    filled_in: Agent = form.instance
    return filled_in


def _may_fill_in(view: View) -> View:
    """For whoever may make or change agents: what the form asks for while it is filled in."""

    @wraps(view)
    @require_POST
    @login_required
    def checked(request: HttpRequest) -> HttpResponse:
        if not any(request.user.has_perm(f"agents.{may}_agent") for may in ("add", "change")):
            raise PermissionDenied
        return view(request)

    return checked


@_may_fill_in
def estimate(request: HttpRequest) -> HttpResponse:
    """The panel of costs for the form as it stands."""
    agent = _candidate(request)
    found = dict(validation.variable_problems(agent))
    return render(request, "agents/_estimate.html", {"estimate": _estimate(agent), "variable_problems": found})


@_may_fill_in
def hear(request: HttpRequest) -> HttpResponse:
    """Speaks the first message of the form as it stands; a player, or why there is none."""
    spec: AgentSpec = _candidate(request).spec()
    try:
        return render(request, "agents/_preview.html", {"preview": preview.speak(spec, who=request.user)})
    except preview.NoPreview as error:
        told = str(error).replace(error.reason, in_readers_words(error.reason)) if error.reason else str(error)
        return render(request, "agents/_preview.html", {"problem": told})


@require_safe
@login_required
def hear_audio(request: HttpRequest, key: str) -> HttpResponse:
    """The audio of a preview. Its name is a fingerprint that only whoever had it spoken was told."""
    try:
        audio = preview.wav(key)
    except preview.NoPreview as error:
        return HttpResponse(str(error), status=503, content_type="text/plain; charset=utf-8")
    if audio is None:
        raise Http404
    return HttpResponse(audio, content_type="audio/wav", headers={"Cache-Control": "private, max-age=3600"})


@require_POST
@needs("agents.change_agent")
def publish(request: HttpRequest, pk: int) -> HttpResponse:
    """Makes the draft live."""
    return _publish(request, visible(request, pk))


def reason_of(request: HttpRequest) -> str:
    """Why somebody publishes, as it can be kept."""
    return request.POST.get("reason", "").strip()[:REASON_MOST]


def _publish(request: HttpRequest, agent: Agent) -> HttpResponse:
    reason = reason_of(request)
    if not reason:
        messages.error(request, _("Write why you publish it: whoever looks at its calls later will want to know."))
        return redirect("agent-edit", pk=agent.pk)
    try:
        version = drafts.publish_draft(agent, by=request.user, reason=reason)
    except drafts.NothingToPublish as error:
        messages.warning(request, str(error))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("agent-edit", pk=agent.pk)
    else:
        messages.success(request, _("Version %(number)d is live. Calls in progress keep theirs.") % {"number": version.number})
        for warning in validation.warnings(Agent.objects.get(pk=agent.pk)):
            messages.warning(request, warning)
    return redirect("agent-page", pk=agent.pk)


@require_POST
@needs("agents.change_agent")
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    agent = visible(request, pk)
    if drafts.discard(agent):
        messages.success(request, _("The draft is gone. The form shows what is live."))
    return go(request, "agent-page", pk=agent.pk)


@require_POST
@needs("agents.change_agent")
def switch(request: HttpRequest, pk: int) -> HttpResponse:
    """An agent that is switched off answers no call and places none."""
    seen = visible(request, pk)
    with transaction.atomic():
        # Read anew and held: saving writes the whole row, and somebody may be publishing another prompt just now.
        agent = get_object_or_404(Agent.objects.select_for_update(no_key=True), pk=seen.pk)
        agent.active = request.POST.get("active") == "yes"
        agent.save(publication=Publication(by=request.user))
    messages.success(request, _("It answers calls again.") if agent.active else _("It answers no call and places none."))
    return redirect("agent-page", pk=agent.pk)
