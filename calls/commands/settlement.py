"""After the call: the recording's way into our storage, its transcript, and the jobs that carry them.

fetch (telephony) -> upload -> transcribe -> analyse -> account          a call with a recording
                                             analyse -> account          a call without one
                                                        account          where nothing was said, or the agent does without analysis
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from calls import analysis, broadcast, dispatch, queries
from calls.commands.timeline import record_event, tell
from calls.dispatch import JobKind
from calls.models import Analysis, CallLog, Job, Recording, RehearsalResult, Session, UsageLine
from calls.outgoing.announcing import announce
from calls.status import CallStatus
from calls.told import claims
from engine.usage import UsageRecord

logger = structlog.get_logger()

# The carrier fills in price, duration and recording some minutes after the end; the first look comes early all the same.
FIRST_POLL_S = 10


def soon(seconds: float) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)


def begin_settlement(session: Session) -> None:
    """Starts what has to happen after the call; later facts (a recording's address) join a settlement that has begun."""
    with transaction.atomic():
        log = CallLog.objects.select_for_update(no_key=True, of=("self",)).select_related("session__agent_version").get(session=session)
        announce(session)
        if log.call_sid and log.poll_after is None and log.polls == 0 and log.settled_at is None:
            CallLog.objects.filter(pk=log.pk).update(poll_after=soon(FIRST_POLL_S))
        if not _expects_recording(log):
            dispatch.enqueue(_after_recording(log.session, is_unread=log.is_test and _is_read_by_others(log.session)), session)
            return
        recording, _ = Recording.objects.get_or_create(session=session, defaults={"source_url": log.recording_url})
        if log.recording_url and not recording.source_url:
            Recording.objects.filter(pk=recording.pk, source_url="").update(source_url=log.recording_url)
            dispatch.hurry(JobKind.FETCH_RECORDING, session)
        if recording.state == Recording.State.MISSING and log.recording_url:
            # It was given up for lost and has turned up after all.
            Recording.objects.filter(pk=recording.pk).update(state=Recording.State.EXPECTED)
            dispatch.enqueue(JobKind.FETCH_RECORDING, session, again=True)
        else:
            dispatch.enqueue(JobKind.FETCH_RECORDING, session)


def end_without_carrier(session: Session, *, has_talked: bool, at: datetime, lasted: timedelta | None = None) -> None:
    """The end of a call that no carrier had is ours to tell, and certain. Needs the call log's lock. `lasted`: if no clock measured it."""
    status = CallStatus.COMPLETED if has_talked else CallStatus.CANCELED
    facts = claims(status=status, ended_at=at, duration_s=round(lasted.total_seconds()) if lasted else None)
    tell(session, key="test-over", source="engine", kind="test-over", facts=facts, holds_lock=True)
    begin_settlement(session)


def _expects_recording(log: CallLog) -> bool:
    """Whether there may be a recording and we want it. A call that nobody answered has none, nor one without a carrier."""
    # The stored form, not the spec: a version that cannot be read must not keep its calls from ending.
    if log.is_test or log.session.stored_spec.get("record_calls", True) is False:
        return False
    return bool(log.recording_url) or log.status == CallStatus.COMPLETED or log.session.started_at is not None


def _is_read_by_others(session: Session) -> bool:
    """What was tried in writing is read by whoever tried it, and a rehearsal is graded: a run of many would pay for a summary of each."""
    return not session.stream_sid or RehearsalResult.objects.filter(session=session).exists()


def _after_recording(session: Session, *, is_unread: bool = False) -> JobKind:
    """What comes once there is a transcript, or none to wait for. A call without a conversation has nothing to read."""
    if session.started_at is None or is_unread:
        return JobKind.ACCOUNT
    return dispatch.next_step(JobKind.ANALYSE, session)


def recording_fetched(session: Session, *, path: str, size_bytes: int, sha256: str, content_type: str) -> None:
    """The recording lies at `path` on this machine; its upload is next. Copies of the same news change nothing."""
    with transaction.atomic():
        fetched = Recording.objects.filter(session=session, state__in=[Recording.State.EXPECTED, Recording.State.FETCHED]).update(
            state=Recording.State.FETCHED, spool_path=path, size_bytes=size_bytes, sha256=sha256, content_type=content_type
        )
        if fetched:
            record_event(
                session=session, key="recording:fetched", source="carrier", kind="recording-fetched", facts={"size_bytes": size_bytes}
            )
            dispatch.enqueue(JobKind.UPLOAD_RECORDING, session, again=True)


def recording_missing(session: Session, reason: str) -> None:
    """The carrier has no recording of this call, or none that we may take; the call is accounted without it."""
    with transaction.atomic():
        Recording.objects.filter(session=session, state=Recording.State.EXPECTED).update(state=Recording.State.MISSING)
        record_event(session=session, key="recording:missing", source="carrier", kind="recording-missing", facts={"reason": reason[:300]})
        dispatch.enqueue(_after_recording(session), session)


def recording_lost(session: Session) -> None:
    """The local copy is gone before storage had one (another machine, a cleaned disk): the carrier is asked for it again."""
    with transaction.atomic():
        if (
            not Recording.objects.filter(session=session)
            .exclude(state=Recording.State.DELETED)
            .update(state=Recording.State.EXPECTED, spool_path="")
        ):
            return
        number = queries.times_lost(session) + 1
        record_event(session=session, key=f"recording:lost:{number}", source="api", kind="recording-lost")
        dispatch.enqueue(JobKind.FETCH_RECORDING, session, again=True)


def recording_stored(session: Session, *, bucket: str, key: str, size_bytes: int, sha256: str) -> None:
    """Storage holds a verified copy; its transcription is next, and beside it its picture, which nothing waits for."""
    with transaction.atomic():
        Recording.objects.filter(session=session).update(
            state=Recording.State.STORED, bucket=bucket, key=key, size_bytes=size_bytes, sha256=sha256
        )
        record_event(session=session, key="recording:stored", source="api", kind="recording-stored", facts={"size_bytes": size_bytes})
        dispatch.enqueue(JobKind.TRANSCRIBE_RECORDING, session, again=True)
        dispatch.enqueue(JobKind.DRAW_RECORDING, session, again=True)
        broadcast.call_changed_on_commit(session)


def recording_transcribed(
    session: Session,
    *,
    request_id: str,
    duration_ms: int,
    channels: int,
    utterances: Sequence[dict[str, Any]],
    text: str,
) -> None:
    """The transcript; reading it is next. What it used stands with its paid attempt."""
    with transaction.atomic():
        told = analysis.clean(list(utterances))
        Recording.objects.filter(session=session).update(
            transcript=told,
            transcript_text=analysis.clean(text),
            alignment=queries.aligned(session, told).to_json(),
            transcript_request_id=request_id[:80],
            duration_ms=duration_ms,
            channels=channels,
            spool_path="",
        )
        record_event(session=session, key="recording:transcribed", source="api", kind="recording-transcribed", facts={"channels": channels})
        transcription_over(session)
        broadcast.call_changed_on_commit(session)


def transcription_over(session: Session) -> None:
    """There is a transcript, or none will come: reading it is next."""
    dispatch.enqueue(dispatch.next_step(JobKind.ANALYSE, session), session, again=True)


def call_analysed(
    session: Session,
    *,
    summary: str,
    outcome: str,
    sentiment: str,
    extraction: dict[str, Any] | None,
    evidence: dict[str, Any],
    provider: str,
    model: str,
    request_id: str,
) -> None:
    """What the model made of the call; accounting is next. What is there already stands: the same call is not read twice."""
    with transaction.atomic():
        row = Analysis(
            session=session,
            summary=summary,
            outcome=outcome,
            sentiment=sentiment,
            extraction=extraction,
            evidence=evidence,
            provider=provider,
            model=model[:64],
            request_id=request_id[:80],
        )
        Analysis.objects.bulk_create([row], ignore_conflicts=True)
        record_event(session=session, key="analysed", source="api", kind="call-analysed", facts={"outcome": outcome})
        analysis_over(session)
        broadcast.call_changed_on_commit(session)


def analysis_over(session: Session) -> None:
    """There is nothing (more) to read: accounting is next."""
    dispatch.enqueue(JobKind.ACCOUNT, session, again=True)


def write_usage(session_pk: int, records: Sequence[UsageRecord]) -> None:
    """Appends usage; the same use (same evidence) is stored once however often it is told."""
    UsageLine.objects.bulk_create(
        [
            UsageLine(
                session_id=session_pk,
                kind=record.kind,
                provider=record.provider,
                model=record.model[:64],
                unit=record.unit,
                quantity=record.quantity,
                evidence=record.evidence[:120],
                purpose=record.purpose[:24],
            )
            for record in records
        ],
        ignore_conflicts=True,
    )


def retry_job(job: Job, by: str = "") -> bool:
    """Runs a parked job again with a fresh number of attempts, and keeps who asked for it. False if it is not parked."""
    with transaction.atomic():
        row = Job.objects.select_for_update(no_key=True).get(pk=job.pk)
        if row.state != Job.State.PARKED:
            return False
        number = row.session.events.filter(kind="job-run-again").count() + 1
        facts = {"job": row.kind, "by": by, "was": row.last_error[:200]}
        record_event(session=row.session, key=f"job-run-again:{number}", source="operator", kind="job-run-again", facts=facts)
        row.state, row.attempts, row.run_at, row.finished_at = Job.State.QUEUED, 0, timezone.now(), None
        row.save(update_fields=["state", "attempts", "run_at", "finished_at"])
        dispatch.nudge_on_commit(row)
    logger.info("job_run_again", session_id=row.session.session_id, job=row.kind)
    return True
