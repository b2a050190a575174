"""Exotel's doors. Each authenticates, reads, keeps the delivery, applies it and answers in the form its applet understands.

Plain views on purpose: whatever method, encoding or Accept header Exotel comes with, it is let in or refused by the same few rules.
    401 no valid secret · 503 no secret configured · 413 body too large · 400 unreadable · 200 unknown call, kept · 500 our own failure
HEAD is answered like GET and changes nothing.

While Postgres is away a delivery goes to the spool (`telephony.spool`) and the door answers what is safe for a call that it cannot look up,
within two seconds. If there is no room on the disk either, a door whose sender tries again answers 503; one behind which a caller waits
answers all the same. Callbacks that come too many at once are spooled too (`telephony.crowd`), so that a flood of them holds up no caller.
"""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from calls.status import SESSION_ID
from providers.exotel import webhooks
from providers.exotel.webhooks import CallReport, is_call_sid
from telephony import applying, catching_up, doors, inbox, parameters, spool
from telephony.away import DATABASE, Away
from telephony.credentials import is_authorised
from telephony.crowd import Crowd
from telephony.doors import Visit
from telephony.parameters import Unreadable
from telephony.spool import Spooled, SpoolFull

logger = structlog.get_logger()

DATABASE.on_return = catching_up.in_background
CROWD = Crowd()
_TOO_MANY: Final = "too many at once"


@dataclass(frozen=True, slots=True)
class Door:
    """One door. `answer` may ask the database through `DATABASE` only; `blind` answers without it.

    `needs_call`: a delivery without CallSid makes no sense here. `comes_again`: its sender repeats what it could not deliver.
    """

    name: str
    answer: Callable[[Visit], HttpResponse]
    blind: Callable[[CallReport], HttpResponse]
    head: Callable[[], HttpResponse]
    needs_call: bool = True
    comes_again: bool = False


def _view(door: Door) -> Callable[..., HttpResponse]:
    @csrf_exempt
    def view(request: HttpRequest, session_id: str = "") -> HttpResponse:
        if request.method not in ("GET", "POST", "HEAD"):
            return HttpResponseNotAllowed(["GET", "POST", "HEAD"])
        if (refusal := _refusal(request)) is not None:
            logger.warning("webhook_refused", door=door.name, status=refusal.status_code)
            return refusal
        if request.method == "HEAD":
            return door.head()
        try:
            return _visited(door, _read(door, request, session_id))
        except Unreadable as error:
            logger.warning("webhook_unreadable", door=door.name, status=error.status, reason=error.message)
            return JsonResponse({"error": error.message}, status=error.status)
        except Exception as error:
            logger.exception("webhook_failed", door=door.name, error=type(error).__name__)
            return JsonResponse({"error": "The delivery could not be applied. It is kept if it could be; send it again."}, status=500)

    view.__name__ = f"{door.name.replace('-', '_')}_door"
    view.comes_again = door.comes_again  # type: ignore[attr-defined]  # for `voiceagents.doors_first`
    return view


def _visited(door: Door, delivery: Spooled) -> HttpResponse:
    """Keeps the delivery, in the inbox or else on the disk, and answers."""
    report = webhooks.read(delivery.params)
    if not door.comes_again:
        return _answered(door, delivery, report)
    if not CROWD.enter():
        return _spooled(door, delivery, report, _TOO_MANY)
    try:
        return _answered(door, delivery, report)
    finally:
        if CROWD.leave():
            logger.warning("callbacks_go_to_the_disk", door=door.name, reason=_TOO_MANY)
            catching_up.in_background(CROWD)


def _answered(door: Door, delivery: Spooled, report: CallReport) -> HttpResponse:
    try:
        visit = DATABASE.ask(partial(_keep, delivery, report))
    except Away as away:
        return _spooled(door, delivery, report, str(away))
    try:
        return door.answer(visit)
    except Away:
        logger.warning("answered_blind", door=door.name, reason="the database went away behind the delivery")
        return door.blind(report)


def _spooled(door: Door, delivery: Spooled, report: CallReport, why: str) -> HttpResponse:
    try:
        spool.append(delivery)
    except SpoolFull as full:
        logger.error("delivery_not_kept", door=door.name, reason=full.reason, database=why)
        if door.comes_again:
            return JsonResponse({"error": "There is neither a database nor room on the disk to keep this. Send it again."}, status=503)
    else:
        # Of too many the flood is told once, not each of them.
        logger.log(logging.DEBUG if why == _TOO_MANY else logging.WARNING, "delivery_spooled", door=door.name, reason=why)
    return door.blind(report)


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


def _read(door: Door, request: HttpRequest, session_id: str) -> Spooled:
    """The delivery as it may be stored. Raises `Unreadable`."""
    params = parameters.read(request)
    report = webhooks.read(params)
    if door.needs_call and not report.call_sid:
        raise Unreadable(400, "CallSid is missing: without it nobody knows which call this is about.")
    if report.call_sid and not is_call_sid(report.call_sid):
        raise Unreadable(400, "CallSid is not an id of a call.")
    if session_id and not re.fullmatch(SESSION_ID, session_id):
        raise Unreadable(400, "The address names no session of ours.")
    return Spooled(
        received_ns=time.time_ns(),
        door=door.name,
        method=request.method or "",
        content_type=request.content_type or "",
        params=parameters.without_secrets(params, settings.EXOTEL_WEBHOOK_SECRETS),
        call_sid=report.call_sid,
        session_id=session_id,
    )


def _keep(told: Spooled, report: CallReport) -> Visit:
    delivery = inbox.keep(told)
    applied = applying.apply(delivery)
    if applied.ignored:
        logger.info("webhook_ignored", door=told.door, delivery_id=delivery.pk, reason=applied.ignored)
    return Visit(report, applied.session, applied.ignored)


incoming = _view(Door("incoming", doors.incoming, doors.incoming_blind, doors.empty("application/xml")))
voicebot = _view(Door("voicebot", doors.voicebot, doors.voicebot_blind, doors.done))
status = _view(Door("status", doors.done, doors.done, doors.done, comes_again=True))
passthru = _view(Door("passthru", doors.passthru, doors.passthru_blind, doors.empty("text/plain")))
after_stream = _view(Door("after-stream", partial(doors.passthru, is_waited_for=False), doors.passthru_blind, doors.empty("text/plain")))
connect = _view(Door("connect", doors.connect, doors.connect_blind, lambda: JsonResponse({})))
recording = _view(Door("recording", doors.done, doors.done, doors.done, needs_call=False, comes_again=True))
