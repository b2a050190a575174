"""What operators do to a call while it goes on: whisper, hand over, listen. Only to calls that they can see, and audited.

Asked by the live page's scripts; what cannot be done is said in words for people, as `error`.
"""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from calls import commands, listening, queries
from calls.entry import visible_call
from calls.models import Session

OVER = gettext_noop("This call is over.")


@require_POST
@login_required
def whisper(request: HttpRequest, session_id: str) -> HttpResponse:
    """Gives the agent a note that the caller does not hear. The note shows in the transcript by itself."""
    text = request.POST.get("text", "").strip()
    if not text:
        return _refused(_("Write what the agent should know."), status=400)
    order = commands.whisper(visible_call(request, session_id), text=text, by=request.user.get_username())
    return HttpResponse(status=204) if order else _refused(_(OVER))


@require_POST
@login_required
def hand_over(request: HttpRequest, session_id: str) -> HttpResponse:
    """Gives the caller to one of the agent's destinations."""
    session, wanted = visible_call(request, session_id), queries.whole_number(request.POST.get("destination"))
    order = commands.hand_over(session, destination_id=wanted, by=request.user.get_username()) if wanted is not None else None
    return (
        HttpResponse(status=204)
        if order
        else _refused(_("The caller cannot be handed over any more, or this agent has no such destination."))
    )


@require_POST
@never_cache
@login_required
def listen(request: HttpRequest, session_id: str) -> HttpResponse:
    """The address at which the browser hears the call. That somebody listens is kept once they do."""
    session = visible_call(request, session_id)
    if not queries.may_listen(request.user):
        return _refused(_("You may not listen to calls. An administrator can give you the permission for it."), status=403)
    if session.state != Session.State.ACTIVE:
        return _refused(_("Nobody talks in this call now."))
    return JsonResponse({"url": listening.address(session, by=request.user.get_username())})


def _refused(words: str, *, status: int = 409) -> JsonResponse:
    return JsonResponse({"error": words}, status=status)
