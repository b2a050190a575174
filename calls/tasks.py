"""What happens after a call, as durable jobs, and the sweepers that repair what died. Doors: nothing imports this room.

    telephony.fetch_recording -> upload_recording -> transcribe_recording -> analyse -> account
                                                  -> draw_recording

Each body may run twice, wholly or in part, and is written so that this costs time only; see `calls.jobs`.
"""

import tempfile
import time
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from agents.assembly import NotReady, batch_transcriber
from calls import analysing, audio_files, commands, dispatch, queries
from calls.jobs import Outcome, Park, RetryLater, durable_job, park_unknown
from calls.models import Job, Recording, Session
from calls.page import drawing
from calls.rehearsing import runs, typed
from engine.errors import ProviderError

logger = structlog.get_logger()

SWEEP_LIMIT = 200
ORPHAN_AFTER_S = 24 * 3600
RECORDING_PREFIX = "recordings/"
_STORAGE_AT_ONCE = 500
_STORAGE_S = 240.0  # the beat comes again after ten minutes
MOST_LOSSES = 5


@durable_job(dispatch.JobKind.UPLOAD_RECORDING)
def upload_recording(session: Session, job: Job) -> Outcome | None:
    """Puts the recording into our bucket. The key follows from the session, so a repeated upload overwrites itself."""
    recording = Recording.objects.get(session=session)
    if recording.state in (Recording.State.STORED, Recording.State.DELETED):
        return None
    if not settings.RECORDING_STORE.bucket:
        raise Park("AWS_S3_BUCKET is not set, so recordings cannot be stored. Set it in .env, restart the worker, and run this job again.")
    path = _spooled(recording)
    if path is None:
        return _fetch_again(session)
    key = f"{RECORDING_PREFIX}{session.session_id}.{audio_files.extension(recording.content_type)}"
    stored = queries.storage().put_file(path, key, recording.content_type or "application/octet-stream", recording.sha256)
    return partial(
        commands.recording_stored,
        session,
        bucket=settings.RECORDING_STORE.bucket,
        key=stored.key,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
    )


@durable_job(dispatch.JobKind.TRANSCRIBE_RECORDING)
def transcribe_recording(session: Session, job: Job) -> Outcome | None:
    """Transcribes the local copy and then removes it. Each paid request has its Attempt row before it is made."""
    recording = Recording.objects.get(session=session)
    if recording.transcript is not None or recording.state == Recording.State.DELETED:
        return partial(commands.transcription_over, session)
    path = _spooled(recording)
    if path is None:
        return _fetch_again(session)
    try:
        transcriber = batch_transcriber(session.spec())
    except NotReady as error:
        raise Park(str(error)) from error
    channels = audio_files.channel_count(path)
    attempt = commands.begin_attempt(job, transcriber.provider)
    try:
        heard = transcriber.transcribe(path, multichannel=channels > 1)
    except ProviderError as error:
        commands.close_attempt(attempt, ok=False, request_id=error.request_id)
        raise
    commands.close_attempt(attempt, ok=True, request_id=heard.request_id, usage=heard.usage)

    def outcome() -> None:
        commands.recording_transcribed(
            session,
            request_id=heard.request_id,
            duration_ms=heard.duration_ms,
            channels=heard.channels,
            utterances=[
                {
                    "channel": said.channel,
                    "speaker": said.speaker,
                    "start_ms": said.start_ms,
                    "end_ms": said.end_ms,
                    "text": said.text,
                    "confidence": said.confidence,
                    "words": [list(word) for word in said.words],
                }
                for said in heard.utterances
            ],
            text=heard.text,
        )
        transaction.on_commit(partial(path.unlink, missing_ok=True), robust=True)

    return outcome


@durable_job(dispatch.JobKind.REHEARSE, max_attempts=runs.MOST_TRIES)
def rehearse(session: Session, job: Job) -> Outcome | None:
    """Holds one scenario's conversation in writing and grades it."""
    return runs.rehearse(session, job)


@durable_job(dispatch.JobKind.DRAW_RECORDING)
def draw_recording(session: Session, job: Job) -> Outcome | None:
    """Draws the recording from the local copy while there is one, else from storage. Nothing waits for it."""
    recording = Recording.objects.get(session=session)
    if recording.state != Recording.State.STORED:
        return None
    try:
        picture = _picture(recording)
    except drawing.Undrawable as error:
        raise Park(f"{error} The page plays it without a waveform.") from error
    return partial(commands.waveform_drawn, session, channels=picture.channels, duration_ms=picture.duration_ms, peaks=picture.peaks)


def _picture(recording: Recording) -> drawing.Picture:
    if recording.spool_path:
        with suppress(FileNotFoundError):  # the transcription is done with it and has removed it
            return drawing.draw(Path(recording.spool_path), audio_files.channel_count(Path(recording.spool_path)))
    settings.RECORDING_SPOOL_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=f"drawn-{recording.session.session_id}-", dir=settings.RECORDING_SPOOL_DIR) as copy:
        path = Path(copy.name)
        queries.storage(recording.bucket).get_file(recording.key, path)
        return drawing.draw(path, audio_files.channel_count(path))


@durable_job(dispatch.JobKind.ANALYSE)
def analyse(session: Session, job: Job) -> Outcome:
    """Has the finished call read by the agent's language model. Each paid request has its Attempt row before it is made."""
    return analysing.analyse(session, job)


@durable_job(dispatch.JobKind.ACCOUNT)
def account(session: Session, job: Job) -> Outcome:
    """Charges what the call used, once the talk is over and the carrier has told its price or will not tell it any more."""
    session.refresh_from_db()
    log = session.call_log
    log.refresh_from_db()
    patience_s = 10 if timezone.now() - job.created_at < timedelta(minutes=2) else 60
    if session.state != Session.State.ENDED:
        raise RetryLater(patience_s, "The conversation is still running.")
    if queries.awaits_carrier(log):
        raise RetryLater(patience_s, "The carrier has not told its price yet.")
    return partial(commands.account, session)


def _spooled(recording: Recording) -> Path | None:
    """The local copy if it is here and whole; None sends the recording back to be fetched."""
    path = Path(recording.spool_path) if recording.spool_path else None
    try:
        if path is not None and path.stat().st_size == recording.size_bytes:
            return path
    except FileNotFoundError:
        pass
    logger.warning("recording_spool_gone")
    return None


def _fetch_again(session: Session) -> Outcome:
    if queries.times_lost(session) >= MOST_LOSSES:
        raise Park(
            f"The local copy of the recording vanished {MOST_LOSSES} times before it was stored. "
            "RECORDING_SPOOL_DIR must be one directory that every worker shares and nobody cleans; mend it and run this job again."
        )
    return partial(commands.recording_lost, session)


@shared_task(name="calls.sweep_jobs", expires=60)
def sweep_jobs() -> int:
    """Nudges every job that nobody works on although it is due; returns how many. Parks those that no worker will ever take."""
    if parked := park_unknown():
        logger.error("jobs_of_unknown_kind_parked", found=parked)
    late = dispatch.due_jobs(SWEEP_LIMIT, late_by=timedelta(seconds=settings.JOB_SWEEP_S))
    nudged = sum(dispatch.nudge(kind, job_id) for kind, job_id in late)
    if late:
        logger.info("jobs_swept", found=len(late), nudged=nudged)
    return nudged


@shared_task(name="calls.tidy_recordings", expires=600)
def tidy_recordings() -> None:
    """What nobody waits for: deletions that are due, uploads that were never finished, local copies that nobody needs any more."""
    due = commands.order_due_deletions(SWEEP_LIMIT)
    spooled = _forget_spooled()
    aborted = queries.storage().abort_orphans(RECORDING_PREFIX, ORPHAN_AFTER_S) if settings.RECORDING_STORE.bucket else 0
    if due or aborted or spooled:
        logger.info("recordings_tidied", deletions_ordered=due, uploads_aborted=aborted, local_copies_removed=spooled)


def _forget_spooled() -> int:
    """A worker that dies between its commit and its unlink leaves a copy behind; so does one that dies while it downloads."""
    oldest = time.time() - ORPHAN_AFTER_S
    left = [path for path in settings.RECORDING_SPOOL_DIR.glob("*sess_*") if path.is_file() and path.stat().st_mtime < oldest]
    needed = queries.spool_in_use([str(path) for path in left])
    gone = [path for path in left if str(path) not in needed]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)


@shared_task(name="calls.sweep_sessions", expires=60)
def sweep_sessions() -> int:
    """Ends the sessions of dead media processes, the calls of unknown dials, tests that nobody began and those that everybody left; returns
    how many.
    """
    return commands.sweep_silent_sessions() + commands.give_up_unknown_dials() + commands.give_up_unopened_tests() + typed.put_away()


@shared_task(name="calls.account_storage", expires=3600)
def account_storage() -> int:
    """Notes what keeping recordings used of the last month, for some minutes at a time; returns how many."""
    until, noted = time.monotonic() + _STORAGE_S, 0
    while (now := commands.account_storage(_STORAGE_AT_ONCE)) == _STORAGE_AT_ONCE and time.monotonic() < until:
        noted += now
    return noted + now


@shared_task(name="calls.meter_handed_over", expires=30)
def meter_handed_over() -> int:
    """Meters the calls that go on with a person; returns how many."""
    return commands.meter_handed_over()


@shared_task(name="calls.release_reservations", expires=600)
def release_reservations() -> int:
    """Gives back what calls hold in their budgets that were never accounted; returns how many."""
    return commands.release_forgotten()
