"""Exotel's doors. Each authenticates, reads, keeps the delivery, applies it and answers in the form its applet understands.

Plain views on purpose: whatever method, encoding or Accept header Exotel comes with, it is let in or refused by the same few rules.
    401 no valid secret · 503 no secret configured · 413 body too large · 400 unreadable · 200 unknown call, kept · 500 our own failure
HEAD is answered like GET and changes nothing.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from calls import commands, queries
from calls.commands import CallRefused
from calls.models import Session
from providers.exotel import webhooks
from providers.exotel.webhooks import CallReport, is_call_sid
from telephony import answers, applying, inbox, parameters, tokens, vacancies
from telephony.addresses import media_socket
from telephony.branching import branch
from telephony.credentials import is_authorised
from telephony.parameters import Unreadable

logger = structlog.get_logger()

_SESSION_ID = re.compile(r"sess_[0-9A-Za-z]{1,35}")
# A Passthru may overtake the end of the talk that it asks about; no caller should hear nothing for longer than this.
_WAIT_FOR_END_S = 2.0
_STEP_S = 0.1


@dataclass(frozen=True, slots=True)
class Visit:
    """One accepted delivery: what it says, which call it is about, and why it was ignored if it was."""

    report: CallReport
    session: Session | None
    ignored: str


Answer = Callable[[Visit], HttpResponse]


def _door(
    name: str, answer: Answer, *, needs_call: bool = True, head: Callable[[], HttpResponse] | None = None
) -> Callable[..., HttpResponse]:
    """The view of one door. `needs_call`: a delivery without CallSid makes no sense here."""

    @csrf_exempt
    def view(request: HttpRequest, session_id: str = "") -> HttpResponse:
        if request.method not in ("GET", "POST", "HEAD"):
            return HttpResponseNotAllowed(["GET", "POST", "HEAD"])
        if (refusal := _refusal(request)) is not None:
            logger.warning("webhook_refused", door=name, status=refusal.status_code)
            return refusal
        if request.method == "HEAD":
            return head() if head else _done()
        try:
            params = parameters.read(request)
            visit = _visit(name, request, params, session_id, needs_call)
        except Unreadable as error:
            logger.warning("webhook_unreadable", door=name, status=error.status, reason=error.message)
            return JsonResponse({"error": error.message}, status=error.status)
        except Exception as error:
            logger.exception("webhook_failed", door=name, error=type(error).__name__)
            return JsonResponse({"error": "The delivery could not be applied. It is kept if it could be; send it again."}, status=500)
        return answer(visit)

    view.__name__ = f"{name.replace('-', '_')}_door"
    return view


def _refusal(request: HttpRequest) -> HttpResponse | None:
    if not settings.EXOTEL_WEBHOOK_SECRETS:
        message = "No webhook secret is configured, so nothing is let in. Set EXOTEL_WEBHOOK_SECRETS and give its first value to Exotel."
        return JsonResponse({"error": message}, status=503)
    if is_authorised(
        secrets=settings.EXOTEL_WEBHOOK_SECRETS,
        authorization=request.headers.get("Authorization", ""),
        query_string=request.META.get("QUERY_STRING", ""),
    ):
        return None
    message = "Give one of EXOTEL_WEBHOOK_SECRETS as ?key= or as the password of Basic credentials."
    return JsonResponse({"error": message}, status=401, headers={"WWW-Authenticate": 'Basic realm="exotel", charset="UTF-8"'})


def _visit(name: str, request: HttpRequest, params: dict[str, Any], session_id: str, needs_call: bool) -> Visit:
    report = webhooks.read(params)
    if needs_call and not report.call_sid:
        raise Unreadable(400, "CallSid is missing: without it nobody knows which call this is about.")
    if report.call_sid and not is_call_sid(report.call_sid):
        raise Unreadable(400, "CallSid is not an id of a call.")
    if session_id and not _SESSION_ID.fullmatch(session_id):
        raise Unreadable(400, "The address names no session of ours.")
    stored = parameters.without_secrets(params, settings.EXOTEL_WEBHOOK_SECRETS)
    delivery = inbox.keep(
        door=name,
        method=request.method or "",
        content_type=request.content_type or "",
        params=stored,
        call_sid=report.call_sid,
        session_id=session_id,
    )
    applied = applying.apply(delivery)
    if applied.ignored:
        logger.info("webhook_ignored", door=name, delivery_id=delivery.pk, reason=applied.ignored)
    return Visit(report, applied.session, applied.ignored)


# --- what each door answers -------------------------------------------------------------------------------------------


def _done(_: Visit | None = None) -> HttpResponse:
    return JsonResponse({"success": True})


def _incoming(visit: Visit) -> HttpResponse:
    if visit.session is None:
        return HttpResponse("No agent assigned", status=404, content_type="text/plain")
    spec = visit.session.agent_version.as_spec()
    return HttpResponse(answers.say_and_record(spec, visit.session.session_id), content_type="application/xml")


def _voicebot(visit: Visit) -> HttpResponse:
    if visit.session is None:
        return JsonResponse({"error": visit.ignored}, status=404)
    if vacancies.told() == 0:
        # Told now, the flow goes on at once (branch A behind the Voicebot); at the handshake it would cost the caller two attempts.
        commands.record_event(session=visit.session, key="no-room", source="api", kind="no-room")
        logger.warning("no_room", session_id=visit.session.session_id)
        return JsonResponse({"error": "Every line is busy. Raise MEDIA_MAX_SESSIONS or start another media process."}, status=503)
    try:
        token = tokens.issue(visit.session, call_sid=visit.report.call_sid)
    except CallRefused as error:
        if visit.session.state == Session.State.ACTIVE or commands.may_resume(visit.session, timezone.now()):
            # The carrier comes a second time: the line broke. Whether that is so is found out at the handshake.
            return JsonResponse({"url": media_socket(tokens.issue_again(visit.session, call_sid=visit.report.call_sid))})
        logger.warning("media_token_refused", session_id=visit.session.session_id)
        return JsonResponse({"error": error.message}, status=409)
    return JsonResponse({"url": media_socket(token)})


def _passthru(visit: Visit) -> HttpResponse:
    session = _ended(visit.session)
    # A talk whose process died has nobody left to write down how it ended; the sweeper does that much later.
    is_dead = session is not None and session.state == Session.State.ACTIVE and commands.may_resume(session, timezone.now())
    stream_failed = visit.report.stream is not None and visit.report.stream.status == "failed"
    status = branch(
        is_known=session is not None,
        has_talked=session is not None and session.started_at is not None,
        end_reason="crash" if is_dead else session.end_reason if session else "",
        stream_failed=stream_failed,
        has_transfer=session is not None and queries.has_transfer(session),
        dial_status=visit.report.dial_status,
    )
    return HttpResponse(status=status, content_type="text/plain")


def _connect(visit: Visit) -> HttpResponse:
    """Whom to ring for a caller whom the agent hands over: the numbers that were kept with the decision, never the model's."""
    transfer = commands.transfer_asked(visit.session) if visit.session is not None else None
    if visit.session is None or transfer is None:
        return JsonResponse(answers.connect(()))
    record = visit.session.agent_version.as_spec().record_calls
    numbers: list[str] = transfer.numbers
    return JsonResponse(answers.connect(numbers, ring_s=transfer.ring_s, exophone=visit.session.agent_phone, record=record))


def _ended(session: Session | None) -> Session | None:
    """The session once it has ended or is known to be dead, if that is a matter of moments.

    Without a sign of life since we asked it is waited for until it counts as dead: a little longer, but that caller was let down.
    """
    began, last_seen = time.monotonic(), session.seen_at if session else None
    while session is not None and session.state == Session.State.ACTIVE and not commands.may_resume(session, timezone.now()):
        limit_s = _WAIT_FOR_END_S if session.seen_at != last_seen else commands.DEAD_AFTER.total_seconds() + _STEP_S
        if time.monotonic() - began > limit_s:
            break
        time.sleep(_STEP_S)
        session = queries.find_session(session_id=session.session_id)
    return session


incoming = _door("incoming", _incoming, head=lambda: HttpResponse(content_type="application/xml"))
voicebot = _door("voicebot", _voicebot)
status = _door("status", _done)
passthru = _door("passthru", _passthru, head=lambda: HttpResponse(content_type="text/plain"))
after_stream = _door("after-stream", _passthru, head=lambda: HttpResponse(content_type="text/plain"))
connect = _door("connect", _connect, head=lambda: JsonResponse({}))
recording = _door("recording", _done, needs_call=False)
