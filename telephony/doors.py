"""What each door answers, in the form its applet understands: with the database, and blind while that is away.

Every question to the database goes through `DATABASE`, which raises `Away` within two seconds.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import structlog
from django.http import HttpResponse, JsonResponse
from django.utils import timezone

from calls import commands, queries
from calls.commands import BudgetSpent, CallRefused
from calls.models import Session
from providers.exotel.webhooks import CallReport
from telephony import answers, tokens, vacancies
from telephony.addresses import fixed_media_socket, media_socket
from telephony.away import DATABASE, Away
from telephony.branching import GO_ON, branch

logger = structlog.get_logger()

# A Passthru may overtake the end of the talk that it asks about; no caller should hear nothing for longer than this.
_WAIT_FOR_END_S = 2.0
_STEP_S = 0.1


@dataclass(frozen=True, slots=True)
class Visit:
    """One accepted delivery: what it says, which call it is about, and why it was ignored if it was."""

    report: CallReport
    session: Session | None
    ignored: str


def done(_: object = None) -> HttpResponse:
    return JsonResponse({"success": True})


def incoming(visit: Visit) -> HttpResponse:
    if visit.session is None:
        return HttpResponse("No agent assigned", status=404, content_type="text/plain")
    return HttpResponse(DATABASE.ask(partial(_spoken_for, visit.session)), content_type="application/xml")


def _spoken_for(session: Session) -> bytes:
    """Over its budget, a caller hears a sentence of regret and no agent: nothing is recorded, transcribed or read."""
    try:
        commands.admit_caller(session)
    except BudgetSpent:
        return answers.apologise()
    return answers.say_and_record(session.spec(), session.session_id)


def voicebot(visit: Visit) -> HttpResponse:
    if visit.session is None:
        return JsonResponse({"error": visit.ignored}, status=404)
    is_full = vacancies.told() == 0  # asked outside the database's deadline: it is another party
    return DATABASE.ask(partial(_socket_for, visit.session, visit.report.call_sid, is_full))


def _socket_for(session: Session, call_sid: str, is_full: bool) -> HttpResponse:
    if is_full:
        # Told now, the flow goes on at once (branch A behind the Voicebot); at the handshake it would cost the caller two attempts.
        commands.record_event(session=session, key="no-room", source="api", kind="no-room")
        logger.warning("no_room", session_id=session.session_id)
        return JsonResponse({"error": "Every line is busy. Raise MEDIA_MAX_SESSIONS or start another media process."}, status=503)
    try:
        commands.admit_caller(session)
    except BudgetSpent as error:
        # As above: the flow's branch A has the caller before anything of ours costs money.
        return JsonResponse({"error": error.message}, status=503)
    try:
        token = tokens.issue(session, call_sid=call_sid)
    except CallRefused as error:
        if session.state == Session.State.ACTIVE or commands.may_resume(session, timezone.now()):
            # The carrier comes a second time: the line broke. Whether that is so is found out at the handshake.
            return JsonResponse({"url": media_socket(tokens.issue_again(session, call_sid=call_sid))})
        logger.warning("media_token_refused", session_id=session.session_id)
        return JsonResponse({"error": error.message}, status=409)
    return JsonResponse({"url": media_socket(token)})


def voicebot_blind(_: CallReport) -> HttpResponse:
    """The fixed address: if the database is back by the time of the `start` message, the call is answered; else the flow goes on."""
    return JsonResponse({"url": fixed_media_socket()})


def passthru(visit: Visit, *, is_waited_for: bool = True) -> HttpResponse:
    session = _ended(visit.session)
    # A talk whose process died has nobody left to write down how it ended; the sweeper does that much later.
    is_dead = session is not None and session.state == Session.State.ACTIVE and commands.may_resume(session, timezone.now())
    status = branch(
        is_known=session is not None,
        has_talked=session is not None and session.started_at is not None,
        end_reason="crash" if is_dead else session.end_reason if session else "",
        stream_failed=_stream_failed(visit.report),
        has_transfer=session is not None and DATABASE.ask(partial(queries.has_transfer, session)),
        dial_status=visit.report.dial_status,
    )
    if session is not None and is_waited_for:
        with suppress(Away):  # the answer is known: the caller does not wait for a note of it
            DATABASE.ask(partial(_note_branch, session, status, visit.report.dial_status))
    return HttpResponse(status=status, content_type="text/plain")


def _note_branch(session: Session, status: int, dial_status: str) -> None:
    """Which way the flow was sent is a decision of ours; asked again, the same answer is the same one."""
    facts = {"answer": "go on, branch A" if status == GO_ON else "hang up, branch B"}
    commands.record_event(session=session, key=f"flow:{status}:{dial_status}", source="api", kind="flow-answered", facts=facts)


def passthru_blind(report: CallReport) -> HttpResponse:
    status = branch(is_known=False, has_talked=False, end_reason="", stream_failed=_stream_failed(report), dial_status=report.dial_status)
    return HttpResponse(status=status, content_type="text/plain")


def _stream_failed(report: CallReport) -> bool:
    return report.stream is not None and report.stream.status == "failed"


def connect(visit: Visit) -> HttpResponse:
    """Whom to ring for a caller whom the agent hands over: the numbers that were kept with the decision, never the model's."""
    session = visit.session
    transfer = DATABASE.ask(partial(commands.transfer_asked, session)) if session is not None else None
    if session is None or transfer is None:
        return JsonResponse(answers.connect(()))
    record = session.spec().record_calls
    numbers: list[str] = transfer.numbers
    return JsonResponse(answers.connect(numbers, ring_s=transfer.ring_s, exophone=session.agent_phone, record=record))


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
        session = DATABASE.ask(partial(queries.find_session, session_id=session.session_id))
    return session


def connect_blind(_: CallReport) -> HttpResponse:
    return JsonResponse(answers.connect(()))


def incoming_blind(_: CallReport) -> HttpResponse:
    return HttpResponse(answers.apologise(), content_type="application/xml")


def empty(content_type: str) -> Callable[[], HttpResponse]:
    """What a HEAD gets."""
    return lambda: HttpResponse(content_type=content_type)
