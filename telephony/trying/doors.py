"""The page on which an agent is tried by voice, and what its scripts ask for: a socket's address, and why that did not open.

Whoever may change an agent may try it. What cannot be done is said in words for people, as `error`.
"""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_required, permission_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agents.models import Agent
from calls import commands, queries
from calls.entry import visible
from calls.models import Session
from providers.exotel.numbers import InvalidNumber, to_e164
from telephony import tokens, vacancies
from telephony.addresses import media_socket
from telephony.trying import candidates

MAY = "agents.change_agent"
MICROPHONE = "camera=(), geolocation=(), microphone=(self)"
LONGEST_FACT = 200
_FULL = gettext_lazy("Every line is busy. Wait until a call has ended, raise MEDIA_MAX_SESSIONS, or start another media process.")


@require_safe
@never_cache
@login_required
@permission_required(MAY, raise_exception=True)
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """`?what=` names the draft or a version; what it needs to know of its caller can be filled in."""
    agent = visible(request, pk)
    chosen = _chosen(agent, request.GET.get("what", ""))
    spec = chosen.spec()
    context = {
        "agent": agent,
        "chosen": chosen,
        "spec": spec,
        "choices": candidates.choices(agent),
        "wanted": candidates.wanted(spec),
        "longest_fact": LONGEST_FACT,
    }
    answer = render(request, "trying/page.html", context)
    answer.headers["Permissions-Policy"] = MICROPHONE
    return answer


@require_POST
@never_cache
@login_required
@permission_required(MAY, raise_exception=True)
def start(request: HttpRequest, pk: int) -> HttpResponse:
    """Opens a test call; the answer names the address that opens its audio, once and within two minutes."""
    agent = visible(request, pk)
    chosen = _chosen(agent, request.POST.get("what", ""))
    try:
        number = to_e164(typed) if (typed := request.POST.get("number", "").strip()) else ""
        candidates.judge(agent, chosen)
        if vacancies.told() == 0:
            return _refused(str(_FULL), status=503)
        session = commands.open_spoken_test(
            chosen.version, by=request.user.get_username(), draft=chosen.draft, user_phone=number, customer=_customer(request, chosen)
        )
        token = tokens.issue(session, call_sid=session.session_id)
    except InvalidNumber as error:
        return _refused(_(str(error)), status=400)
    except (candidates.NotTriable, commands.CallRefused) as error:
        return _refused(error.message)
    where = {"pk": agent.pk, "session_id": session.session_id}
    return JsonResponse(
        {
            "session_id": session.session_id,
            "socket": media_socket(token),
            "unopened_url": reverse("agent-try-unopened", kwargs=where),
            "call_url": reverse("call-page", args=[session.session_id]),
        }
    )


@require_POST
@never_cache
@login_required
@permission_required(MAY, raise_exception=True)
def unopened(request: HttpRequest, pk: int, session_id: str) -> HttpResponse:
    """The page could not open the audio, or was left before: the test is closed, and why is said as far as it is known."""
    session = _test(request, pk, session_id)
    if not commands.close_unopened(session):
        return JsonResponse({"words": _("The audio was opened, and is closed again.")})
    room = vacancies.told()
    if room == 0:
        return JsonResponse({"words": _FULL})
    root = urlsplit(settings.MEDIA_BASE_URL)
    address = f"{root.scheme}://{root.netloc}"
    if room is None:
        return JsonResponse(
            {
                "words": _("No media process answers. Start one; this page looks for it at %(address)s (MEDIA_BASE_URL).")
                % {"address": address}
            }
        )
    return JsonResponse(
        {
            "words": _("This browser cannot reach the media process at %(address)s. MEDIA_BASE_URL must lead there from here too.")
            % {"address": address}
        }
    )


def _chosen(agent: Agent, key: str) -> candidates.Candidate:
    chosen = candidates.candidate(agent, key)
    if chosen is None:
        raise Http404
    return chosen


def _customer(request: HttpRequest, chosen: candidates.Candidate) -> dict[str, str]:
    """What was filled in of what this candidate wants to know; nothing else is taken."""
    sent = {name: request.POST.get(f"customer.{name}", "") for name in candidates.wanted(chosen.spec()).customer}
    told = {name: value.replace("\0", "").strip()[:LONGEST_FACT] for name, value in sent.items()}
    return {name: value for name, value in told.items() if value}


def _test(request: HttpRequest, pk: int, session_id: str) -> Session:
    tests = queries.visible_sessions(request.user).filter(agent_id=pk, call_log__is_test=True)
    session: Session | None = tests.filter(session_id=session_id).first()
    if session is None:
        raise Http404
    return session


def _refused(words: str, *, status: int = 409) -> JsonResponse:
    return JsonResponse({"error": words}, status=status)
