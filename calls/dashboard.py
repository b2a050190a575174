"""The operators' pages: live, one call (the list: `calls.list_page`). They show what queries find and ask commands for what is wanted."""

import json
from statistics import median

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from calls import alarms, commands, overview, presentation, queries, wording
from calls.models import Session

ALARM_ROWS = 10  # more than people act on at once; the admin has them all


@require_safe
@never_cache
@login_required
def live(request: HttpRequest) -> HttpResponse:
    """Calls in progress. The first snapshot comes with the page; the socket takes over from there."""
    running, figures = overview.running_calls(request.user), overview.day_figures(request.user)
    context = {
        "snapshot": presentation.snapshot_json(running, figures),
        "set_up": overview.set_up(request.user),
        "alarms": _alarms(request),
        "budget_alarms": overview.budget_alarms(request.user),
        "voicebot_url": f"{settings.WEBHOOK_BASE_URL}/api/v1/webhooks/exotel/voicebot",
    }
    return render(request, "calls/live.html", context)


def _alarms(request: HttpRequest) -> list[presentation.AlarmLine]:
    return [presentation.alarm_line(alarm) for alarm in alarms.open_alarms(request.user)[:ALARM_ROWS]]


@require_safe
@never_cache
@login_required
def call_page(request: HttpRequest, session_id: str) -> HttpResponse:
    """One call: what was said, how fast, what it cost, what the carrier reported."""
    session = _visible(request, session_id)
    log, recording = session.call_log, getattr(session, "recording", None)
    turns = presentation.turns_json(session.turns.all())
    presentation.mark_unheard(turns, recording)
    latencies = sorted(turn["latency_ms"] for turn in turns if turn["latency_ms"] is not None)
    summary = queries.charges_summary(session)
    costs = presentation.costs(summary)
    context = {
        "session": session,
        "log": log,
        "call": presentation.call_json(session),
        "turns": turns,
        "longest_ms": max([2000, *latencies]),
        "median": wording.latency_words(median(latencies) if latencies else None),
        "slowest": wording.latency_words(latencies[-1]) if latencies else "",
        "spec": session.agent_version.spec,
        "recording": recording,
        "link": queries.recording_link(session) if recording and recording.state == recording.State.STORED else None,
        "utterances": presentation.utterances(recording),
        "reading": presentation.read_call(getattr(session, "analysis", None)),
        "deletion": session.recording_deletions.last() if recording and recording.state == recording.State.DELETED else None,
        "events": presentation.event_lines(session.events.all(), queries.delivery_copies(session)),
        "end": presentation.end_facts(session),
        "costs": costs,
        "minute": presentation.call_minute_words(session, summary.totals, summary.unpriced),
        "estimate": presentation.estimate_words(queries.line_estimate(session)),
        "tools": presentation.tool_lines(session),
        "jobs": [presentation.job_line(job) for job in session.jobs.all()],
        "watch": presentation.is_live(session) or log.settled_at is None,
    }
    return render(request, "calls/call.html", context)


@require_POST
@login_required
def call_hangup(request: HttpRequest, session_id: str) -> HttpResponse:
    """Asks for the end of a call. A page with htmx learns of the result from its socket, any other by a redirect."""
    session = _visible(request, session_id)
    asked = commands.request_hangup(session, by=request.user.get_username())
    words = "Hanging up: the call ends within a second or two." if asked else "The call was already over."
    if getattr(request, "htmx", False):
        return HttpResponse(status=204, headers={} if asked else {"HX-Trigger": json.dumps({"notice": words})})
    messages.add_message(request, messages.SUCCESS if asked else messages.WARNING, words)
    return redirect("call-page", session_id=session_id)


def _visible(request: HttpRequest, session_id: str) -> Session:
    """The call, or 404: a call of somebody else's looks like one that never was."""
    session = queries.call_page(request.user, session_id)
    if session is None:
        raise Http404
    return session
