"""The doors of one call's page: its waveform, notes, tags and links. A part of `calls.dashboard`: the same people may enter."""

import json

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AbstractBaseUser
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from calls import commands, queries
from calls.entry import visible_call
from calls.models import Recording, Session, Waveform
from calls.page import shown
from calls.page.listening import heard_turns, listening_json
from calls.sentences import in_readers_words


@require_safe
@never_cache
@login_required
def waveform(request: HttpRequest, session_id: str) -> JsonResponse:
    """The recording's picture, and when each word of each turn is to be heard in it."""
    session = visible_call(request, session_id)
    picture = Waveform.objects.filter(session=session).first()
    recording = Recording.objects.filter(session=session, state=Recording.State.STORED).first()
    if picture is None or recording is None:
        raise Http404
    return JsonResponse(listening_json(picture, heard_turns(queries.turns(session), recording), recording))


@require_POST
@login_required
def draw(request: HttpRequest, session_id: str) -> HttpResponse:
    """Asks a worker for the picture of a recording that has none."""
    session = visible_call(request, session_id)
    if not Recording.objects.filter(session=session, state=Recording.State.STORED).exists():
        raise Http404
    commands.draw_waveform(session)
    return _said(request, session, _("The waveform is being drawn. Load the page again in a moment."))


@require_POST
@login_required
def note_add(request: HttpRequest, session_id: str) -> HttpResponse:
    session = visible_call(request, session_id)
    try:
        commands.add_note(session, text=request.POST.get("text", ""), by=_person(request))
    except commands.Declined as no:
        return _remarks(request, session, in_readers_words(no.message), kept_note=request.POST.get("text", ""))
    return _remarks(request, session)


@require_POST
@login_required
def note_remove(request: HttpRequest, session_id: str, note_id: int) -> HttpResponse:
    session = visible_call(request, session_id)
    try:
        removed = commands.remove_note(session, note_id, by=_person(request))
    except commands.Declined as no:
        return _remarks(request, session, in_readers_words(no.message))
    return _remarks(request, session, taken_away=f"remark-{note_id}" if removed else "")


@require_POST
@login_required
def tag_add(request: HttpRequest, session_id: str) -> HttpResponse:
    session = visible_call(request, session_id)
    try:
        commands.add_tag(session, name=request.POST.get("tag", ""), by=_person(request))
    except commands.Declined as no:
        return _remarks(request, session, in_readers_words(no.message))
    return _remarks(request, session)


@require_POST
@login_required
def tag_remove(request: HttpRequest, session_id: str) -> HttpResponse:
    session = visible_call(request, session_id)
    commands.remove_tag(session, name=request.POST.get("tag", ""), by=_person(request))
    return _remarks(request, session)


@require_safe
@never_cache
@login_required
def tags(request: HttpRequest) -> HttpResponse:
    """Tags that are in use, as choices for a field that is being written."""
    return render(request, "calls/page/_tag_options.html", {"names": shown.suggested_tags(request.user, request.GET.get("tag", ""))})


@require_POST
@login_required
def share(request: HttpRequest, session_id: str) -> HttpResponse:
    session, days = visible_call(request, session_id), request.POST.get("days", "")
    try:
        commands.share_call(
            session,
            days=int(days) if days.isascii() and days.isdigit() and len(days) < 4 else 0,
            with_recording=request.POST.get("with_recording") == "yes",
            by=_person(request),
        )
    except commands.Declined as no:
        return _shares(request, session, in_readers_words(no.message))
    return _shares(request, session)


@require_POST
@login_required
def share_revoke(request: HttpRequest, session_id: str, share_id: str) -> HttpResponse:
    session = visible_call(request, session_id)
    commands.revoke_share(session, share_id, by=_person(request))
    return _shares(request, session)


def _remarks(request: HttpRequest, session: Session, problem: str = "", kept_note: str = "", taken_away: str = "") -> HttpResponse:
    """The panel as it stands now; without htmx the whole page, by a redirect. What was taken away goes from the transcript too."""
    if not getattr(request, "htmx", False):
        return _said(request, session, problem)
    told = {"problem": problem, "kept_note": kept_note, "taken_away": taken_away}
    context = {"session": session, **told, **shown.remarks(session, _person(request))}
    return render(request, "calls/page/_remarks.html", context)


def _shares(request: HttpRequest, session: Session, problem: str = "") -> HttpResponse:
    if not getattr(request, "htmx", False):
        return _said(request, session, problem)
    return render(request, "calls/page/_shares.html", {"session": session, "problem": problem, **shown.shares(session)})


def _said(request: HttpRequest, session: Session, words: str) -> HttpResponse:
    if getattr(request, "htmx", False):
        return HttpResponse(status=204, headers={"HX-Trigger": json.dumps({"notice": words})})
    if words:
        messages.add_message(request, messages.WARNING, words)
    return redirect("call-page", session_id=session.session_id)


def _person(request: HttpRequest) -> AbstractBaseUser:
    assert isinstance(request.user, AbstractBaseUser)
    return request.user


# --- without a log-in --------------------------------------------------------------------------------------------------------------


@require_safe
@never_cache
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """A call for whoever has its link: the conversation without what tells who somebody is, no costs, no names, no numbers."""
    link = shown.find_share(token)
    if link is None:
        raise Http404
    if not shown.is_open(link):
        return _for_strangers(render(request, "calls/page/shared_gone.html", status=410))
    session = _session_of(link.session_id)
    recording = getattr(session, "recording", None)
    turns, _heard = shown.nameless_turns(session, recording)
    commands.share_opened(link)
    context = {
        "share": link,
        "days_left": max((link.expires_at - timezone.now()).days, 0),
        "session": session,
        "token": token,
        "turns": turns,
        "link": shown.shared_recording(link, recording),
        "waveform": Waveform.objects.filter(session=session).exists(),
        **shown.overview(session, turns),
    }
    return _for_strangers(render(request, "calls/page/shared.html", context))


@require_safe
@never_cache
def shared_waveform(request: HttpRequest, token: str) -> HttpResponse:
    """The picture of a recording that is shared. Nothing if the link shares no recording, or is not open."""
    link = shown.find_share(token)
    if link is None or not shown.is_open(link) or not link.with_recording:
        raise Http404
    session = _session_of(link.session_id)
    recording, picture = getattr(session, "recording", None), Waveform.objects.filter(session=session).first()
    if picture is None or recording is None or recording.state != Recording.State.STORED:
        raise Http404
    _told, heard = shown.nameless_turns(session, recording)
    return _for_strangers(JsonResponse(listening_json(picture, heard, recording)))


def _session_of(session_pk: int) -> Session:
    return Session.objects.select_related("call_log", "agent", "recording", "analysis").get(pk=session_pk)


def _for_strangers(response: HttpResponse) -> HttpResponse:
    """Found by no search engine, kept nowhere, and told to no other site."""
    response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response["Referrer-Policy"] = "no-referrer"
    return response
