"""The operators' pages: live, list of calls, one call. They show what queries find and ask commands for what operators want."""

import json
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agents.models import Agent
from calls import alarms, commands, ledger, overview, presentation, queries, wording
from calls.dispatch import JobKind
from calls.models import Session
from calls.outgoing import endpoints
from calls.page import shown
from calls.status import Direction

PAGE_ROWS = 40
ALARM_ROWS = 10  # more than people act on at once; the admin has them all


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
        "alarms": _alarms(request),
        "budget_alarms": overview.budget_alarms(request.user),
        "voicebot_url": f"{settings.WEBHOOK_BASE_URL}/api/v1/webhooks/exotel/voicebot",
    }
    return render(request, "calls/live.html", context)


def _alarms(request: HttpRequest) -> list[presentation.AlarmLine]:
    calls = [presentation.alarm_line(alarm) for alarm in alarms.open_alarms(request.user)[:ALARM_ROWS]]
    hooks = [presentation.endpoint_line(endpoint) for endpoint in alarms.endpoints_off(request.user)[:ALARM_ROWS]]
    return [*calls, *hooks, *presentation.price_line(ledger.unpriced_uses(request.user))]


class FilterForm(forms.Form):
    """What the list is narrowed to, as people type it. Dates are days in the display time zone, both included."""

    status = forms.ChoiceField(
        required=False, choices=[("", "Any status"), *((str(status), words) for status, (words, _) in wording.STATUS.items())]
    )
    direction = forms.ChoiceField(required=False, choices=[("", "Both directions"), *((str(d), d.value.capitalize()) for d in Direction)])
    agent = forms.ModelChoiceField(queryset=Agent.objects.none(), required=False, empty_label="Any agent")
    number = forms.CharField(required=False, max_length=40)
    since = forms.DateField(required=False, error_messages={"invalid": "Write the first day as YYYY-MM-DD."})
    until = forms.DateField(required=False, error_messages={"invalid": "Write the last day as YYYY-MM-DD."})

    def __init__(self, user: queries.User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        agent = self.fields["agent"]
        assert isinstance(agent, forms.ModelChoiceField)
        agent.queryset = overview.agents_of(user)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            raise forms.ValidationError("The last day lies before the first. Swap the two dates.")
        return cleaned

    def filters(self) -> queries.CallFilters:
        """The filters that make sense; a field with a mistake filters nothing and is reported beside the list."""
        self.is_valid()
        wanted = self.cleaned_data
        agent, since, until = wanted.get("agent"), wanted.get("since"), wanted.get("until")
        return queries.CallFilters(
            status=wanted.get("status", ""),
            direction=wanted.get("direction", ""),
            agent_id=agent.pk if agent else None,
            number=wanted.get("number", ""),
            since=_midnight(since) if since else None,
            until=_midnight(until + timedelta(days=1)) if until else None,
        )


def _midnight(day: Any) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


@require_safe
@never_cache
@login_required
def call_list(request: HttpRequest) -> HttpResponse:
    """Every call, newest first, filtered. htmx asks for the results alone, or for the rows after a cursor alone."""
    form = FilterForm(request.user, request.GET)
    page = queries.call_list(request.user, form.filters(), after=request.GET.get("after"), limit=PAGE_ROWS)
    kept = {name: value for name in form.fields if (value := request.GET.get(name))}
    context = {
        "form": form,
        "rows": [presentation.call_row(session) for session in page.rows],
        "older": f"?{urlencode({**kept, 'after': page.next_cursor})}" if page.next_cursor else "",
        "filtered": bool(kept),
        "continued": bool(request.GET.get("after")),
        "alarms": _alarms(request),
        "budget_alarms": overview.budget_alarms(request.user),
    }
    target = getattr(getattr(request, "htmx", None), "target", None)
    template = {"results": "calls/_results.html", "older": "calls/_rows.html"}.get(target or "", "calls/list.html")
    return render(request, template, context)


@require_safe
@never_cache
@login_required
def call_page(request: HttpRequest, session_id: str) -> HttpResponse:
    """One call: what was said, how fast, what it cost, what the carrier reported."""
    session = _visible(request, session_id)
    log, recording = session.call_log, getattr(session, "recording", None)
    turns = shown.told_turns(list(session.turns.all()), recording)
    summary = queries.charges_summary(session)
    costs = presentation.costs(summary)
    told = endpoints.told_of(session, request.user)
    context = {
        "session": session,
        "log": log,
        "turns": turns,
        "waveform": getattr(session, "waveform", None),
        "undrawn": not any(job.kind == JobKind.DRAW_RECORDING for job in session.jobs.all()),
        **shown.overview(session, turns),
        **shown.remarks(session, request.user),
        **shown.shares(session),
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
    words = "Hanging up: the call ends within a second or two." if asked else "The call was already over."
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
        messages.success(request, "The message is sent again.")
    else:
        messages.warning(request, "Nothing was sent: the endpoint is switched off, or the message is on its way already.")
    return redirect("call-page", session_id=session_id)


def _visible(request: HttpRequest, session_id: str) -> Session:
    """The call, or 404: a call of somebody else's looks like one that never was."""
    session = queries.call_page(request.user, session_id)
    if session is None:
        raise Http404
    return session
