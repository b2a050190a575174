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
from calls.commands.polling import claim_polls, put_off_polls
from calls.failures import place as place_of
from calls.models import CallLog, Session
from calls.status import TERMINAL, CallStatus
from providers.exotel.client import MOST_SIDS, ExotelClient
from providers.exotel.details import CallDetails
from providers.exotel.errors import CarrierCategory, CarrierError, Held
from telephony import pacing
from telephony.polling import FAILED_LOOK, LONGEST_CALL, RECORDING_COMES_WITHIN, next_look

logger = structlog.get_logger()

# A claim is a lease, and an Exotel that answers slowly must not outlast it.
_WORK_FOR_S = 60.0
_AROUND_DIAL = timedelta(minutes=3)
_UNTOLD = (CarrierCategory.RATE_LIMITED, CarrierCategory.CONNECTION)


def reconcile() -> int:
    """Asks about every call that is due; returns how many of them the carrier could tell about."""
    told = 0
    stop_at = time.monotonic() + _WORK_FOR_S
    with pacing.client() as exotel:
        while time.monotonic() < stop_at and (sessions := claim_polls(MOST_SIDS)):
            looked, asked_all = _round(sessions, exotel, stop_at)
            told += looked
            if not asked_all:
                break
    return told


def _round(sessions: list[Session], exotel: ExotelClient, stop_at: float) -> tuple[int, bool]:
    """One request for all of them that have an id, then one for each that it left open. False: Exotel or the time said stop."""
    known = [session for session in sessions if session.call_log.call_sid]
    found: dict[str, CallDetails] = {}
    told = 0
    for place, session in enumerate(sessions):
        try:
            if place == 0 and len(known) > 1:
                found = _in_one_request(known, exotel)
            if time.monotonic() > stop_at:
                put_off_polls(sessions[place:], timezone.now())
                return told, False
            with structlog.contextvars.bound_contextvars(session_id=session.session_id):
                told += look(session, exotel, found.get(session.call_log.call_sid or ""))
        except CarrierError as error:
            # Nothing to do with these calls, so no look of theirs is used up.
            wait = timedelta(seconds=pacing.spread(error.retry_after_s or FAILED_LOOK.total_seconds()))
            logger.warning("carrier_not_asked", category=error.category.value, calls=len(sessions) - place)
            put_off_polls(sessions[place:], timezone.now() + wait)
            return told, False
        except Exception as error:  # noqa: BLE001 - one call that cannot be looked at must not keep the others from it
            _stumbled(session, error)
    return told, True


def _stumbled(session: Session, error: Exception) -> None:
    """A fault of ours at one call. It counts as a look and comes round later, as long as that makes sense."""
    logger.error("call_not_reconciled", session_id=session.session_id, error=type(error).__name__, place=place_of(error))
    is_hopeless = timezone.now() - session.call_log.created_at > LONGEST_CALL
    try:
        commands.note_poll(session=session, next_at=None if is_hopeless else timezone.now() + FAILED_LOOK * (1 + session.call_log.polls))
    except Exception as further:  # noqa: BLE001 - its lease brings it round
        logger.error("poll_not_noted", session_id=session.session_id, error=type(further).__name__)


def _in_one_request(sessions: list[Session], exotel: ExotelClient) -> dict[str, CallDetails]:
    """What Exotel's list says of these calls; nothing if it has no such list for us. Raises `CarrierError` if it was not asked."""
    try:
        return exotel.get_calls([str(session.call_log.call_sid) for session in sessions])
    except CarrierError as error:
        if error.category in _UNTOLD:
            raise
        logger.warning("call_list_not_told", category=error.category.value, status=error.status)
        return {}


def look(session: Session, exotel: ExotelClient, details: CallDetails | None = None) -> bool:
    """Asks about one call, unless that was done (`details`), applies the answer and says when to ask again.

    False if the carrier could not tell. Raises `CarrierError` if it was not, or could not be, asked at all.
    """
    log = session.call_log
    try:
        if details is None or _needs_legs(log, details):
            details = exotel.get_call_details(log.call_sid) if log.call_sid else _search(session, exotel)
    except CarrierError as error:
        if error.category in _UNTOLD:
            raise
        _not_told(session, error)
        return False
    if details is None:
        _never_placed(session)
        return False
    apply(session, details)
    _end_if_asked(session, exotel)
    log = CallLog.objects.get(session=session)
    commands.note_poll(session=session, next_at=_next_at(log, session))
    return True


def apply(session: Session, details: CallDetails) -> None:
    """Hands what Exotel says about a call to `calls`. Told again, it changes nothing, and only that it was asked is kept."""
    if commands.apply_carrier_report(session=session, report=_report(details), source="carrier", key=_key(details)) == commands.COPY:
        note_asked(session, "nothing new")


def note_asked(session: Session, answer: str) -> None:
    """That Exotel was asked about this call, where what it answered does not stand on the timeline as a report of its own."""
    key = f"details:asked:{timezone.now().isoformat()}"
    commands.record_event(session=session, key=key, source="carrier", kind="details-asked", facts={"answer": answer})


def _needs_legs(log: CallLog, details: CallDetails) -> bool:
    """Why nobody talked is told by the legs, and those only in an answer about one call."""
    return details.status in TERMINAL and details.status != CallStatus.COMPLETED and log.status not in TERMINAL and not log.failure


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
    may_come = session.spec().record_calls and log.status == "completed" and since_end < RECORDING_COMES_WITHIN
    is_complete = log.carrier_price is not None and log.duration_s is not None and (bool(log.recording_url) or not may_come)
    talked_until = Session.objects.values_list("ended_at", flat=True).get(pk=session.pk) if session.started_at else None
    wait = next_look(
        since_end=since_end if has_ended else None,
        since_start=now - log.created_at,
        is_complete=is_complete,
        since_talk=now - talked_until if talked_until else None,
    )
    return None if wait is None else now + wait


def _not_told(session: Session, error: CarrierError) -> None:
    """Exotel did not answer, or does not know the call: asked again for as long as that makes sense."""
    now = timezone.now()
    gave_up = now - session.call_log.created_at > LONGEST_CALL or (
        error.category == CarrierCategory.NOT_FOUND and session.call_log.polls >= 5
    )
    logger.warning("call_details_not_told", category=error.category.value, status=error.status, gave_up=gave_up)
    note_asked(session, f"no answer ({error.category.value.replace('_', ' ')})")
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
    note_asked(session, "it has no such call")
    if session.call_log.polls < 2:
        commands.note_poll(session=session, next_at=timezone.now() + FAILED_LOOK)
        return
    commands.dial_refused(session, message="Exotel has no record of this call, so it was not placed. Place it again if it is still wanted.")
    commands.note_poll(session=session, next_at=None)


def _end_if_asked(session: Session, exotel: ExotelClient) -> None:
    """A hang-up that was asked for while nothing of ours was on the line."""
    row = Session.objects.select_related("call_log").get(pk=session.pk)
    if row.hangup_requested_at is not None and row.state == Session.State.WAITING and row.call_log.status not in TERMINAL:
        try_to_end(row, exotel)


def try_to_end(session: Session, exotel: ExotelClient) -> None:
    """Asks Exotel to end the call. It will most likely refuse; the refusal is kept."""
    if not session.call_log.call_sid:
        return
    try:
        exotel.end_call(session.call_log.call_sid)
    except Held:
        return
    except CarrierError as error:
        commands.record_event(
            session=session, key="hang-up", source="carrier", kind="hangup-refused", facts={"reason": error.message[:300]}
        )
    else:
        commands.record_event(session=session, key="hang-up", source="carrier", kind="hangup-accepted")
