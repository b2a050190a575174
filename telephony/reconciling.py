"""Carrier truth: asks Exotel how calls really went and hands the answer to `calls`.

Never dials, and never guesses: what Exotel does not say stays unknown. Numbers, money and recordings come from here rather than from
webhooks, because those are not signed.
"""

import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.utils import timezone

from calls import commands
from calls.commands.polling import claim_polls
from calls.models import CallLog, Session
from calls.status import TERMINAL
from providers.exotel.client import ExotelClient
from providers.exotel.details import CallDetails
from providers.exotel.errors import CarrierCategory, CarrierError
from telephony import addresses
from telephony.polling import FAILED_LOOK, LONGEST_CALL, RECORDING_COMES_WITHIN, next_look

logger = structlog.get_logger()

# Few at a time and not for long: a claim is a lease, and an Exotel that answers slowly must not outlast it.
_BATCH = 4
_WORK_FOR_S = 60.0
_AROUND_DIAL = timedelta(minutes=3)


def reconcile() -> int:
    """Asks about every call that is due; returns how many of them the carrier could tell about."""
    told = 0
    stop_at = time.monotonic() + _WORK_FOR_S
    with ExotelClient(addresses.exotel()) as exotel:
        while time.monotonic() < stop_at and (sessions := claim_polls(_BATCH)):
            for session in sessions:
                with structlog.contextvars.bound_contextvars(session_id=session.session_id):
                    told += look(session, exotel)
    return told


def look(session: Session, exotel: ExotelClient) -> bool:
    """Asks about one call, applies the answer and says when to ask again. False if the carrier could not tell."""
    log = session.call_log
    try:
        details = exotel.get_call_details(log.call_sid) if log.call_sid else _search(session, exotel)
    except CarrierError as error:
        _not_told(session, error)
        return False
    if details is None:
        _never_placed(session)
        return False
    commands.apply_carrier_report(session=session, report=_report(details), source="carrier", key=_key(details))
    _try_to_end(session, exotel)
    log = CallLog.objects.get(session=session)
    commands.note_poll(session=session, next_at=_next_at(log, session))
    return True


def _report(details: CallDetails) -> commands.CarrierReport:
    has_ended = details.status in TERMINAL
    return commands.CarrierReport(
        status=details.status,
        started_at=details.started_at,
        ended_at=details.ended_at if has_ended else None,
        duration_s=details.duration_s if has_ended else None,
        recording_url=details.recording_url,
        price=details.price,
        currency=details.currency,
        facts={"asked": True, **_legs(details)},
    )


def _legs(details: CallDetails) -> dict[str, Any]:
    """How the legs went, and why nobody talked as far as they tell: Exotel gives no other reason."""
    spoken = [word for word in details.leg_statuses if word not in ("completed", "in-progress")]
    facts = {"legs": list(details.leg_statuses), "causes": spoken if details.status in TERMINAL else []}
    told = {name: words for name, words in facts.items() if words}
    if details.status in TERMINAL and any(details.leg_seconds):
        return {**told, "leg_seconds": list(details.leg_seconds)}  # the carrier bills legs
    return told


def _key(details: CallDetails) -> str:
    """The same facts told again are one event, and other ones another."""
    facts = (details.status, details.started_at, details.duration_s, details.price, details.ended_at, details.recording_url)
    told = repr((*facts, details.leg_statuses, details.leg_seconds)).encode()
    return f"details:{details.status}:{hashlib.sha256(told).hexdigest()[:32]}"


def _next_at(log: CallLog, session: Session) -> datetime | None:
    now = timezone.now()
    has_ended = log.status in TERMINAL
    since_end = now - (log.ended_at or log.created_at)
    may_come = session.agent_version.as_spec().record_calls and log.status == "completed" and since_end < RECORDING_COMES_WITHIN
    is_complete = log.carrier_price is not None and log.duration_s is not None and (bool(log.recording_url) or not may_come)
    wait = next_look(
        since_end=since_end if has_ended else None,
        since_start=now - log.created_at,
        is_complete=is_complete,
        is_talking=Session.objects.filter(pk=session.pk, state=Session.State.ACTIVE).exists(),
    )
    return None if wait is None else now + wait


def _not_told(session: Session, error: CarrierError) -> None:
    """Exotel did not answer, or does not know the call: asked again for as long as that makes sense."""
    now = timezone.now()
    gave_up = now - session.call_log.created_at > LONGEST_CALL or (
        error.category == CarrierCategory.NOT_FOUND and session.call_log.polls >= 5
    )
    logger.warning("call_details_not_told", category=error.category.value, status=error.status, gave_up=gave_up)
    commands.note_poll(session=session, next_at=None if gave_up else now + FAILED_LOOK * (1 + min(session.call_log.polls, 10)))


# --- dials with an unknown outcome --------------------------------------------------------------------------------------


def _search(session: Session, exotel: ExotelClient) -> CallDetails | None:
    """The one call to this person around the time of the dial that belongs to no session yet; None if there is none, or more than one."""
    log = session.call_log
    dialled_at = log.started_at or log.created_at
    since, until = dialled_at - _AROUND_DIAL, dialled_at + _AROUND_DIAL
    candidates = [
        call
        for call in exotel.list_calls(since=since, until=until, person=log.to_phone)
        if call.person == log.to_phone and since <= (call.created_at or datetime.min.replace(tzinfo=UTC)) <= until
    ]
    taken = set(CallLog.objects.filter(call_sid__in=[call.call_sid for call in candidates]).values_list("call_sid", flat=True))
    free = [call for call in candidates if call.call_sid and call.call_sid not in taken]
    if len(free) != 1:
        return None
    commands.dial_accepted(session, call_sid=free[0].call_sid, from_phone=free[0].exophone)
    logger.info("unknown_dial_found")
    return exotel.get_call_details(free[0].call_sid)


def _never_placed(session: Session) -> None:
    """Exotel's list has no such call. After three looks that is the answer: it was never placed."""
    if session.call_log.polls < 2:
        commands.note_poll(session=session, next_at=timezone.now() + FAILED_LOOK)
        return
    commands.dial_refused(session, message="Exotel has no record of this call, so it was not placed. Place it again if it is still wanted.")
    commands.note_poll(session=session, next_at=None)


def _try_to_end(session: Session, exotel: ExotelClient) -> None:
    """A hang-up that was asked for while nothing of ours was on the line. Exotel will most likely refuse; the refusal is kept."""
    row = Session.objects.select_related("call_log").get(pk=session.pk)
    if (
        row.hangup_requested_at is None
        or row.state != Session.State.WAITING
        or row.call_log.status in TERMINAL
        or not row.call_log.call_sid
    ):
        return
    try:
        exotel.end_call(row.call_log.call_sid)
    except CarrierError as error:
        commands.record_event(session=row, key="hang-up", source="carrier", kind="hangup-refused", facts={"reason": error.message[:300]})
    else:
        commands.record_event(session=row, key="hang-up", source="carrier", kind="hangup-accepted")
