"""The line's work behind the doors: dial, fetch a recording, ask the carrier, repair what was left over. Decisions are elsewhere."""

import time
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
from celery import shared_task
from django.conf import settings
from django.utils import timezone

from calls import audio_files, commands, queries
from calls.jobs import Outcome, Park, RetryLater, durable_job
from calls.models import CallLog, Job, Recording, Session
from calls.status import CallStatus
from providers.exotel.details import CallDetails
from providers.exotel.errors import CarrierCategory, CarrierError, Held, OutcomeUnknown
from providers.exotel.orders import CallOrder, ToFlow, ToStream
from providers.exotel.pace import Purpose
from providers.exotel.recordings import DELETION, SpoolFull
from telephony import addresses, applying, catching_up, overruns, pacing, reconciling, tokens
from telephony.models import Phone

logger = structlog.get_logger()

# A refusal that is certain may be asked again: nobody's phone has rung.
_DIAL_PAUSES_S = (1.0, 3.0)
_DIAL_WAITS = timedelta(minutes=12)  # for its turn among Exotel's requests of a minute; later a call is given up
_RECORDING_WAIT = timedelta(minutes=75)  # Exotel's own figure is 15 minutes; the last look at a call's details comes after 51
_RECORDING_STEP_S = 30
_ROOM_WAIT = timedelta(hours=24)  # how long a full disk is waited for before a person is asked
_ROOM_STEP_S = 300


@durable_job("telephony.dial", max_attempts=3)
def dial(session: Session, job: Job) -> Outcome | None:
    """Asks Exotel for the call, at most once. A worker that dies between asking and hearing leaves an unknown outcome, no second call."""
    log = session.call_log
    if log.status != CallStatus.QUEUED and not log.dial_put_off:
        is_left_hanging = log.status == CallStatus.INITIATED and not log.dial_outcome and not log.call_sid
        return partial(commands.dial_unknown, session, message=_DIED) if is_left_hanging else None
    if log.dial_put_off and session.hangup_requested_at is not None:
        return partial(commands.dial_refused, session, message="Somebody hung up before the call was placed.")
    exophone = log.from_phone or _exophone_of(session)
    if not exophone:
        message = "The agent has no phone to call from. Assign it an active one under Phones."
        return partial(commands.dial_refused, session, message=message) if commands.claim_dial(session) else None
    try:
        commands.admit(session)
        order = _order(session, exophone)
    except commands.BudgetSpent as error:
        return _given_up(session, log, error.message)
    except commands.CallRefused:
        return None  # cancelled in the meantime
    if (wait_s := pacing.SHARED.take(Purpose.DIAL)) > 0:
        if timezone.now() - job.created_at < _DIAL_WAITS:
            raise RetryLater(pacing.spread(wait_s), _WAITS)
        return _given_up(session, log, _WAITED)
    if not commands.claim_dial(session):
        return None
    try:
        placed = _place(order)
    except OutcomeUnknown as error:
        return partial(commands.dial_unknown, session, message=error.message)
    except CarrierError as error:
        if error.category == CarrierCategory.RATE_LIMITED and timezone.now() - job.created_at < _DIAL_WAITS:
            # Certain that nobody's phone rings: whoever comes next may dial.
            commands.dial_put_off(session)
            raise RetryLater(pacing.spread(error.retry_after_s or pacing.HOLD_S), _WAITS) from error
        return partial(commands.dial_refused, session, message=error.message)
    return partial(_placed, session, placed, exophone)


_WAITS = "Exotel's limit of requests per minute is used up; the call waits for its turn."
_WAITED = "Exotel's limit of requests per minute was used up for too long. Nobody was called; place the call again, or fewer calls at once."
_DIED = "The worker died while it asked Exotel to dial. Exotel may have placed the call; it is not dialled again."


def _given_up(session: Session, log: CallLog, message: str) -> Outcome:
    """A dial that was never made, or put off by Exotel, and comes to nothing."""
    if log.dial_put_off:
        return partial(commands.dial_refused, session, message=message)
    return partial(commands.cancel_dial, session, reason=message)


def _place(order: CallOrder) -> CallDetails:
    with pacing.client(pacing.Prepaid(pacing.SHARED)) as exotel:
        for pause_s in _DIAL_PAUSES_S:
            try:
                return exotel.make_call(order)
            except CarrierError as error:
                if not error.retryable or error.category == CarrierCategory.RATE_LIMITED:
                    raise
                logger.warning("dial_refused_for_now", category=error.category.value, status=error.status)
                time.sleep(pause_s)
        return exotel.make_call(order)


def _order(session: Session, exophone: str) -> CallOrder:
    spec = session.spec()
    target = ToFlow(settings.EXOTEL_APP_ID) if settings.EXOTEL_APP_ID else ToStream(addresses.media_socket(tokens.issue(session)))
    return CallOrder(
        person=session.call_log.to_phone,
        exophone=exophone,
        target=target,
        time_limit_s=overruns.cap_s(spec, may_hand_over=bool(settings.EXOTEL_APP_ID and spec.destinations)),
        status_callback=addresses.door("status"),
        custom_field=session.session_id,
        record=spec.record_calls,
    )


def _exophone_of(session: Session) -> str:
    phone = Phone.objects.filter(agent_id=session.agent_id, active=True).order_by("id").first()
    return phone.number if phone else ""


def _placed(session: Session, placed: CallDetails, exophone: str) -> None:
    commands.dial_accepted(session, call_sid=placed.call_sid, from_phone=exophone)


@durable_job("telephony.fetch_recording")
def fetch_recording(session: Session, job: Job) -> Outcome | None:
    """Brings the recording to this machine's spool. Waits while Exotel prepares it; gives up when it never will."""
    recording, log = Recording.objects.filter(session=session).first(), CallLog.objects.get(session=session)
    if recording is None or recording.state in (Recording.State.STORED, Recording.State.DELETED):
        return None
    waited = timezone.now() - (log.ended_at or session.ended_at or log.created_at)
    if not log.recording_url:
        if waited > _RECORDING_WAIT or not log.call_sid or (log.poll_after is None and log.polls > 0):
            return partial(commands.recording_missing, session, "Exotel named no recording of this call.")
        raise RetryLater(_RECORDING_STEP_S, "Exotel has not named the recording yet.")
    path = settings.RECORDING_SPOOL_DIR / f"{session.session_id}.audio"
    try:
        with pacing.client() as exotel:
            found = exotel.download_recording(log.recording_url, path, settings.RECORDING_MAX_BYTES)
    except SpoolFull as error:
        if timezone.now() - job.created_at > _ROOM_WAIT:
            raise Park(error.message) from error
        logger.error("recording_spool_full")
        raise RetryLater(_ROOM_STEP_S, error.message) from error
    except Held as error:
        raise RetryLater(pacing.spread(error.wait_s), error.message) from error
    except CarrierError as error:
        if error.category == CarrierCategory.NOT_FOUND:
            if waited > _RECORDING_WAIT:
                return partial(commands.recording_missing, session, "Exotel named a recording but never had it.")
            raise RetryLater(_RECORDING_STEP_S if waited > timedelta(minutes=2) else 5, error.message) from error
        if error.category == CarrierCategory.RATE_LIMITED:
            raise RetryLater(pacing.spread(error.retry_after_s or pacing.HOLD_S), error.message) from error
        if not error.retryable:
            raise Park(error.message) from error
        raise
    _verify(path)
    return partial(
        commands.recording_fetched,
        session,
        path=str(path),
        size_bytes=found.size_bytes,
        sha256=found.sha256,
        content_type=found.content_type,
    )


def _verify(path: Path) -> None:
    """Refuses what cannot be a whole recording, and removes it, before it is stored or anybody is paid to listen to it."""
    flaw = audio_files.flaw(path)
    if not flaw:
        return
    path.unlink(missing_ok=True)
    if flaw == audio_files.CUT_SHORT:
        message = "The recording ends before its own header says it does. It is fetched again."
        raise CarrierError(CarrierCategory.PROTOCOL, message, retryable=True)
    raise Park(
        "The recording is no playable audio: its header makes no sense. Listen to it in Exotel's dashboard, then run this job again."
    )


@durable_job("telephony.delete_recording")
def delete_recording(session: Session, job: Job) -> Outcome | None:
    """Deletes our copies of a recording for good, asks whether they are gone, and says what becomes of the carrier's."""
    recording = Recording.objects.get(session=session)
    if recording.state == Recording.State.DELETED or not queries.recording_is_due(session):
        return None
    if recording.spool_path:
        Path(recording.spool_path).unlink(missing_ok=True)
    if recording.key:
        store = queries.storage(recording.bucket)
        versions = store.versions(recording.key)
        # Written down first: whoever has to finish this after a crash finds nothing left to tell of.
        commands.recording_deletion_begun(session, [asdict(one) for one in versions])
        store.delete_for_good(recording.key, versions)
    return partial(commands.recording_deleted, session, carrier=DELETION)


@shared_task(name="telephony.reconcile_calls")
def reconcile_calls() -> None:
    """Asks the carrier about every call that is due."""
    reconciling.reconcile()


@shared_task(name="telephony.sweep_overruns", expires=60)
def sweep_overruns() -> int:
    """Looks after calls that go on past their cap; returns how many do."""
    return overruns.sweep()


@shared_task(name="telephony.apply_deliveries")
def apply_deliveries() -> None:
    """Applies what could not be applied when it came."""
    applying.repair()


@shared_task(name="telephony.empty_spool", expires=60)
def empty_spool() -> int:
    """Brings what was spooled on this machine while Postgres was away into the inbox."""
    return catching_up.catch_up()
