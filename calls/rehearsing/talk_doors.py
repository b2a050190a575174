"""The page on which an agent is tried out in writing."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agents.assembly import NotReady
from agents.models import Agent, AgentDraft
from calls import queries, wording
from calls.commands import CallRefused
from calls.entry import for_those_who_may_change, go, visible
from calls.models import Session
from calls.rehearsing import typed
from calls.rehearsing.rows import WrittenTalk
from calls.rehearsing.stage import TookTooLong
from calls.sentences import in_readers_words

SHOWN = 10
_REFUSALS = (typed.Busy, typed.Over, CallRefused, NotReady, TookTooLong)


@never_cache
@for_those_who_may_change
def begin(request: HttpRequest, pk: int) -> HttpResponse:
    """What to talk with, and the talks that were held; a POST begins one."""
    agent = visible(request, pk)
    if request.method == "POST":
        try:
            talk = typed.begin(agent, by=request.user, is_draft=request.POST.get("with") == "draft")
        except _REFUSALS as error:
            messages.error(request, _words(error))
        else:
            return go(request, "written-talk", pk=pk, session_id=talk.session.session_id)
    talks = WrittenTalk.objects.filter(session__agent=agent).select_related("session", "session__agent_version", "by").order_by("-pk")
    context = {
        "agent": agent,
        "live": agent.current_version,
        "has_draft": AgentDraft.objects.filter(agent=agent).exists(),
        "talks": [_row(talk) for talk in talks[:SHOWN]],
    }
    return render(request, "rehearsing/begin.html", context)


@require_safe
@never_cache
@for_those_who_may_change
def talk_page(request: HttpRequest, pk: int, session_id: str) -> HttpResponse:
    return render(request, "rehearsing/talk.html", _context(visible(request, pk), _talk(request, pk, session_id)))


@require_POST
@for_those_who_may_change
def say(request: HttpRequest, pk: int, session_id: str) -> HttpResponse:
    """One line; without words the operator stays silent. `next` says what waits to be said again, as the exchange of this number."""
    talk, problem = _talk(request, pk, session_id), ""
    line = request.POST.get("line", "")
    try:
        if "next" in request.POST:
            typed.go_on(talk, queries.whole_number(request.POST["next"]) or 0)
        else:
            typed.say(talk, line)
    except _REFUSALS as error:
        problem = _words(error)
    return _shown(request, pk, talk, problem, kept=line if problem else "")


@require_POST
@for_those_who_may_change
def otherwise(request: HttpRequest, pk: int, session_id: str) -> HttpResponse:
    """A line of the past is said otherwise, in a new talk."""
    talk, line = _talk(request, pk, session_id), request.POST.get("line", "").strip()
    place = queries.whole_number(request.POST.get("place"))
    if not line or place is None or not 0 < place < len(talk.exchanges):
        return _shown(request, pk, talk, _("Write what is to be said instead."))
    try:
        anew = typed.otherwise(talk, place, line, by=request.user)
    except _REFUSALS as error:
        return _shown(request, pk, talk, _words(error))
    return go(request, "written-talk", pk=pk, session_id=anew.session.session_id)


@require_POST
@for_those_who_may_change
def end(request: HttpRequest, pk: int, session_id: str) -> HttpResponse:
    talk = _talk(request, pk, session_id)
    typed.end(talk)
    return go(request, "written-talk", pk=pk, session_id=session_id)


def _talk(request: HttpRequest, pk: int, session_id: str) -> WrittenTalk:
    rows = WrittenTalk.objects.select_related("session", "session__agent", "session__agent_version", "session__call_log", "by", "replays")
    return get_object_or_404(rows, session__session_id=session_id, session__agent=visible(request, pk))


def _shown(request: HttpRequest, pk: int, talk: WrittenTalk, problem: str, kept: str = "") -> HttpResponse:
    if not getattr(request, "htmx", False):
        if problem:
            messages.error(request, problem)
        return go(request, "written-talk", pk=pk, session_id=talk.session.session_id)
    talk.refresh_from_db()
    return render(request, "rehearsing/_talk.html", {**_context(talk.session.agent, talk), "problem": problem, "kept": kept})


def _context(agent: Agent, talk: WrittenTalk) -> dict[str, Any]:
    is_over = talk.session.state == Session.State.ENDED
    reason = talk.session.end_reason if is_over else ""
    return {
        "agent": agent,
        "talk": talk,
        "session": talk.session,
        "spec": talk.spec,
        "exchanges": [_exchange(place, each) for place, each in enumerate(talk.exchanges)],
        "is_over": is_over,
        "is_busy": talk.busy_since is not None,
        "ended": wording.end_words(reason) if reason else "",
        "cost": _money(typed.cost(talk)),
        "tokens": sum(each["read"] + each["wrote"] for each in talk.exchanges),
        "longest": typed.LONGEST_LINE,
        "next": talk.waiting[0] if talk.waiting and not is_over else "",
        "left": len(talk.waiting),
    }


def _exchange(place: int, told: dict[str, Any]) -> dict[str, Any]:
    amount = None if told["cost"] is None else Decimal(told["cost"])
    tools = [{**tool, "arguments": list(tool["arguments"].items())} for tool in told["tools"]]
    failures = [in_readers_words(failure) for failure in told["failures"]]
    return {
        **told,
        "place": place,
        "tools": tools,
        "failures": failures,
        "cost_words": _money(amount),
        "is_copied": told.get("is_copied", False),
    }


def _row(talk: WrittenTalk) -> dict[str, Any]:
    said = [each["said"] for each in talk.exchanges if each["said"]]
    is_over = talk.session.state == Session.State.ENDED
    return {"talk": talk, "lines": len(said), "first": said[0] if said else "", "is_over": is_over, "cost": _money(typed.cost(talk))}


def _money(amount: Decimal | None) -> str:
    return _("unknown") if amount is None else wording.money_words(amount, settings.BILLING_CURRENCY, at_most=4)


def _words(error: Exception) -> str:
    return in_readers_words(getattr(error, "message", "") or str(error))
