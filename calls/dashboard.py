"""The operators' pages: live, one call (the list: `calls.list_page`). They show what queries find and ask commands for what is wanted."""

import json

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from calls import commands, overview, presentation, queries
from calls.dispatch import JobKind
from calls.models import Session
from calls.on_top import on_top
from calls.outgoing import endpoints
from calls.page import shown
from calls.sentences import in_readers_words


@require_safe
@never_cache
@login_required
def live(request: HttpRequest) -> HttpResponse:
    """Calls in progress. The first snapshot comes with the page; the socket takes over from there."""
    running, figures = overview.running_calls(request.user), overview.day_figures(request.user)
    allowed = {"sees_numbers": queries.sees_numbers(request.user), "may_listen": queries.may_listen(request.user)}
    context = {
        "snapshot": presentation.snapshot_json(running, figures, **allowed),
        "longest_note": commands.LONGEST_NOTE_CHARS,
        "set_up": overview.set_up(request.user),
        **on_top(request.user),
        "voicebot_url": f"{settings.WEBHOOK_BASE_URL}/api/v1/webhooks/exotel/voicebot",
    }
    return render(request, "calls/live.html", context)


@require_safe
@never_cache
@login_required
def call_page(request: HttpRequest, session_id: str) -> HttpResponse:
    """One call: what was said, how fast, what it cost, what the carrier reported."""
    session = _visible(request, session_id)
    log, recording = session.call_log, getattr(session, "recording", None)
    turns = shown.told_turns(list(session.turns.all()), recording)
    sees_numbers = queries.sees_numbers(request.user)
    beside = [presentation.beside_json(session, row, sees_numbers=sees_numbers) for row in overview.beside(session)]
    summary = queries.charges_summary(session)
    costs = presentation.costs(summary)
    told = endpoints.told_of(session, request.user)
    deletion = session.recording_deletions.last() if recording and recording.state == recording.State.DELETED else None
    context = {
        "session": session,
        "log": log,
        "turns": turns,
        "entries": shown.in_their_order(turns, beside),
        "waveform": getattr(session, "waveform", None),
        "undrawn": not any(job.kind == JobKind.DRAW_RECORDING for job in session.jobs.all()),
        **shown.overview(session, turns),
        **shown.remarks(session, request.user),
        **shown.shares(session),
        "spec": session.stored_spec,
        "recording": recording,
        "link": queries.recording_link(session) if recording and recording.state == recording.State.STORED else None,
        "utterances": presentation.utterances(recording),
        "reading": presentation.read_call(getattr(session, "analysis", None)),
        "deletion": deletion,
        "deleted_why": in_readers_words(f"{deletion.reason} {deletion.carrier}".strip()) if deletion else "",
        "events": presentation.event_lines(session.events.all(), queries.delivery_copies(session)),
        "end": presentation.end_facts(session),
        "costs": costs,
        "minute": presentation.call_minute_words(session, summary.totals, summary.unpriced),
        "estimate": presentation.estimate_words(queries.line_estimate(session)),
        "tools": presentation.tool_lines(session),
        "hooks": presentation.hook_lines(told, may_replay=bool(told) and endpoints.may_replay(request.user)),
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
    words = _("Hanging up: the call ends within a second or two.") if asked else _("The call was already over.")
    if getattr(request, "htmx", False):
        return HttpResponse(status=204, headers={} if asked else {"HX-Trigger": json.dumps({"notice": words})})
    messages.add_message(request, messages.SUCCESS if asked else messages.WARNING, words)
    return redirect("call-page", session_id=session_id)


@require_POST
@login_required
def webhook_replay(request: HttpRequest, session_id: str, message_id: str) -> HttpResponse:
    """Sends one message of a call again, to the endpoint that is named or to every active one that wants it."""
    if not endpoints.may_replay(request.user):
        raise PermissionDenied
    message = next((one for one in endpoints.told_of(_visible(request, session_id), request.user) if one.message_id == message_id), None)
    if message is None:
        raise Http404
    chosen = [one for one in endpoints.listening(message) if request.POST.get("endpoint", "") in ("", str(one.pk))]
    if endpoints.replay([message], chosen, request.user):
        messages.success(request, _("The message is sent again."))
    else:
        messages.warning(request, _("Nothing was sent: the endpoint is switched off, or the message is on its way already."))
    return redirect("call-page", session_id=session_id)


def _visible(request: HttpRequest, session_id: str) -> Session:
    """The call, or 404: a call of somebody else's looks like one that never was."""
    session = queries.call_page(request.user, session_id)
    if session is None:
        raise Http404
    return session
