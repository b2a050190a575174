"""The pages of rehearsals: an agent's scenarios, their form, runs as they go on, and what each conversation showed."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agents.models import Agent, AgentDraft
from calls import queries, wording
from calls.commands import CallRefused
from calls.entry import for_those_who_may_change, go, visible
from calls.models import RehearsalResult, RehearsalRun, Scenario
from calls.rehearsing import from_calls, publishing, runs
from calls.rehearsing.forms import ScenarioForm
from calls.sentences import in_readers_words

RUNS_SHOWN = 10
_TONES = {"passed": "good", "failed": "bad", "broken": "bad", "stopped": "quiet", "running": "live", "waiting": "wait"}


@require_safe
@never_cache
@login_required
def rehearsals(request: HttpRequest, pk: int) -> HttpResponse:
    """The scenarios with their latest results, and the latest runs."""
    agent = visible(request, pk)
    latest = runs.latest(agent)
    scenarios = list(Scenario.objects.filter(agent=agent))
    newest = list(RehearsalRun.objects.filter(agent=agent).select_related("version", "begun_by")[:RUNS_SHOWN])
    context = {
        "agent": agent,
        "live": agent.current_version,
        "has_draft": AgentDraft.objects.filter(agent=agent).exists(),
        "scenarios": [_scenario_row(one, latest.get(one.pk)) for one in scenarios],
        "any_active": any(one.active for one in scenarios),
        "runs": [{"run": run, "progress": runs.progress(run)} for run in newest],
        "is_required": publishing.is_required(agent),
    }
    return render(request, "rehearsing/rehearsals.html", context)


@never_cache
@for_those_who_may_change
def scenario(request: HttpRequest, pk: int, scenario_id: int | None = None) -> HttpResponse:
    """The form of a scenario, new or known."""
    agent = visible(request, pk)
    known = _scenario(agent, scenario_id) if scenario_id else Scenario(agent=agent, created_by=_user(request))
    form = ScenarioForm(request.POST or None, instance=known)
    if request.method == "POST":
        source = request.POST.get("from_call", "")
        if source and scenario_id is None:
            known.from_call = queries.call_page(request.user, source)
        if form.is_valid():
            kept = form.save()
            messages.success(request, _("“%(name)s” is kept.") % {"name": kept.name})
            return redirect("rehearsals", pk=pk)
    return _form(request, agent, form)


@require_safe
@never_cache
@for_those_who_may_change
def from_call(request: HttpRequest, pk: int, session_id: str) -> HttpResponse:
    """The form of a new scenario, filled in from a call."""
    agent = visible(request, pk)
    session = queries.call_page(request.user, session_id)
    if session is None or session.agent_id != agent.pk:
        raise Http404
    return _form(request, agent, ScenarioForm(instance=from_calls.proposal(agent, session)), source=session_id)


def _form(request: HttpRequest, agent: Agent, form: ScenarioForm, source: str = "") -> HttpResponse:
    context = {"agent": agent, "form": form, "scenario": form.instance, "source": source or request.POST.get("from_call", "")}
    return render(request, "rehearsing/scenario.html", context)


@require_POST
@for_those_who_may_change
def delete(request: HttpRequest, pk: int, scenario_id: int) -> HttpResponse:
    gone = _scenario(visible(request, pk), scenario_id)
    try:
        runs.forget(gone)
    except runs.StillRehearsed as error:
        messages.error(request, in_readers_words(error.message))
        return go(request, "rehearsals", pk=pk)
    messages.success(request, _("“%(name)s” is deleted.") % {"name": gone.name})
    return go(request, "rehearsals", pk=pk)


@require_POST
@for_those_who_may_change
def begin(request: HttpRequest, pk: int) -> HttpResponse:
    """Orders a run: of one scenario, or of all active ones."""
    agent, one = visible(request, pk), queries.whole_number(request.POST.get("scenario"))
    chosen = [_scenario(agent, one)] if one is not None else None
    by_voice = {"voice": True, "text": False}.get(request.POST.get("how", ""))
    try:
        run = runs.begin_run(agent, by=request.user, is_draft=request.POST.get("with") == "draft", scenarios=chosen, by_voice=by_voice)
    except (runs.NothingToRehearse, CallRefused) as error:
        messages.error(request, in_readers_words(error.message))
        return go(request, "rehearsals", pk=pk)
    return go(request, "rehearsal-run", pk=pk, run_id=run.pk)


@require_safe
@never_cache
@login_required
def run_page(request: HttpRequest, pk: int, run_id: int) -> HttpResponse:
    """A run: how far it is, and what each conversation showed. While it goes on the page asks again every two seconds."""
    agent, run = visible(request, pk), _run(request, pk, run_id)
    progress = runs.progress(run)
    waits_for = runs.waits_for(run)
    results = [{**_result(one), "waits_for": in_readers_words(waits_for.get(one.session_id, ""))} for one in progress.results]
    context = {"agent": agent, "run": run, "progress": progress, "results": results}
    name = "rehearsing/_run.html" if getattr(request, "htmx", False) else "rehearsing/run.html"
    return render(request, name, context)


@require_POST
@for_those_who_may_change
def stop(request: HttpRequest, pk: int, run_id: int) -> HttpResponse:
    runs.stop_run(_run(request, pk, run_id))
    return go(request, "rehearsal-run", pk=pk, run_id=run_id)


@require_POST
@for_those_who_may_change
def rule(request: HttpRequest, pk: int) -> HttpResponse:
    """Whether publishing takes passed rehearsals."""
    agent, required = visible(request, pk), request.POST.get("required") == "yes"
    publishing.require(agent, required, by=request.user)
    messages.success(
        request, _("Only what has passed its rehearsals is published now.") if required else _("Publishing asks for no rehearsals.")
    )
    return go(request, "rehearsals", pk=pk)


def _user(request: HttpRequest) -> Any:
    return request.user


def _scenario(agent: Agent, scenario_id: int) -> Scenario:
    return get_object_or_404(Scenario, pk=scenario_id, agent=agent)


def _run(request: HttpRequest, pk: int, run_id: int) -> RehearsalRun:
    return get_object_or_404(RehearsalRun.objects.select_related("version", "begun_by"), pk=run_id, agent=visible(request, pk))


def _scenario_row(one: Scenario, result: RehearsalResult | None) -> dict[str, Any]:
    is_stale = result is not None and not result.shows(one)
    return {"scenario": one, "result": _result(result) if result else None, "is_stale": is_stale}


def _result(result: RehearsalResult) -> dict[str, Any]:
    cost = wording.money_words(result.cost, settings.BILLING_CURRENCY, at_most=4) if result.cost is not None else ""
    failed = [verdict for verdict in result.verdicts if not verdict["passed"]]
    return {
        "row": result,
        "problem": " · ".join(in_readers_words(problem) for problem in result.problem.split(" · ")),
        "verdicts": [{**verdict, "why": in_readers_words(verdict["why"])} for verdict in result.verdicts],
        "words": result.get_state_display(),
        "tone": _TONES.get(result.state, "quiet"),
        "cost": cost,
        "lasted": wording.duration_words(result.lasted_ms / 1000) if result.lasted_ms is not None else "",
        "failed": len(failed),
    }
