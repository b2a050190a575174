"""Puts work into the queue of record and nudges a worker. The only room that enqueues, and it knows tasks by name alone.

The `Job` row is the truth, a Celery message is a hint: a lost message costs at most one sweep, a repeated one costs one UPDATE that
changes nothing. Nothing here waits for a worker, and a dead broker never undoes what a transaction has saved.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from threading import BoundedSemaphore

import structlog
from celery import current_app
from django.db import transaction
from django.utils import timezone

from calls.models import Job, Session

logger = structlog.get_logger()

# Longer waits stay rows: a message that waits longer than the broker's visibility timeout would be delivered twice.
LONGEST_COUNTDOWN_S = 300

_aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="nudge")
_places = BoundedSemaphore(1000)


class JobKind(StrEnum):
    """Every kind of durable work: the Celery task's name."""

    DIAL = "telephony.dial"
    FETCH_RECORDING = "telephony.fetch_recording"
    UPLOAD_RECORDING = "calls.upload_recording"
    TRANSCRIBE_RECORDING = "calls.transcribe_recording"
    DRAW_RECORDING = "calls.draw_recording"
    ANALYSE = "calls.analyse"
    ACCOUNT = "calls.account"
    REHEARSE = "calls.rehearse"
    DELETE_RECORDING = "telephony.delete_recording"


def enqueue(kind: str, session: Session, run_at: datetime | None = None, *, again: bool = False) -> Job:
    """The session's one job of this kind, made inside the caller's transaction and nudged once that commits.

    Enqueuing it twice changes nothing. `again`: a job that is already done is opened once more (it must be repeatable).
    """
    due = run_at or timezone.now()
    with transaction.atomic():
        Job.objects.bulk_create([Job(kind=kind, session=session, run_at=due)], ignore_conflicts=True)
        job = Job.objects.select_for_update(no_key=True).get(session=session, kind=kind)
        fresh = job.state == Job.State.QUEUED and job.attempts == 0
        if again and job.state == Job.State.DONE:
            job.state, job.attempts, job.run_at, job.last_error, job.finished_at = Job.State.QUEUED, 0, due, "", None
            job.save(update_fields=["state", "attempts", "run_at", "last_error", "finished_at"])
            fresh = True
        elif again and job.state == Job.State.RUNNING:
            # It may have read its facts before ours were written: let it come round once more.
            Job.objects.filter(pk=job.pk).update(last_error=RUN_AGAIN)
        if fresh:
            nudge_on_commit(job)
    return job


# A mark on a running job: when its body ends well it is queued again instead of done.
RUN_AGAIN = "asked to run again while it was running"


def next_step(kind: JobKind, session: Session) -> JobKind:
    """The step itself, or the one behind it if this call's agent does without."""
    # The stored form, not the spec: a version that cannot be read must not keep a job from being parked.
    if kind is JobKind.ANALYSE and session.stored_spec.get("analyse_calls", True) is False:
        return JobKind.ACCOUNT
    return kind


def hurry(kind: str, session: Session) -> None:
    """Ends the waiting of a queued job: what it waits for has arrived."""
    with transaction.atomic():
        for job in Job.objects.select_for_update(no_key=True).filter(
            session=session, kind=kind, state=Job.State.QUEUED, run_at__gt=timezone.now()
        ):
            job.run_at = timezone.now()
            job.save(update_fields=["run_at"])
            nudge_on_commit(job)


def nudge_on_commit(job: Job) -> None:
    """Asks a worker for the job once the transaction commits, without waiting for the broker; long waits are left to the sweeper."""
    nudge_row_on_commit(job.kind, job.pk, max((job.run_at - timezone.now()).total_seconds(), 0.0))


def nudge_row_on_commit(task: str, row_id: int, wait_s: float = 0.0) -> None:
    """The same for whatever row a task takes. A broker that is away holds nobody up."""
    if wait_s <= LONGEST_COUNTDOWN_S:
        transaction.on_commit(partial(nudge_aside, task, row_id, wait_s), robust=True)


def nudge(kind: str, job_id: int, wait_s: float = 0.0) -> bool:
    """Publishes the job's id. False if the broker is away: the sweeper repeats it."""
    try:
        current_app.send_task(kind, args=[job_id], countdown=wait_s or None)
    except Exception as error:  # noqa: BLE001 - the row is safe whatever the broker does
        logger.warning("job_not_nudged", kind=kind, job_id=job_id, error=type(error).__name__)
        return False
    return True


def nudge_aside(kind: str, row_id: int, wait_s: float = 0.0) -> None:
    """`nudge` in a thread of its own, for a process in which a broker that hangs would hold up callers. Too many of them are dropped."""
    if _places.acquire(blocking=False):
        _aside.submit(nudge, kind, row_id, wait_s).add_done_callback(lambda _done: _places.release())


def due_jobs(limit: int, late_by: timedelta) -> list[tuple[str, int]]:
    """Jobs that nobody works on although they should: late in the queue, or past their lease. (kind, id), oldest first."""
    now = timezone.now()
    with transaction.atomic():
        late = Job.objects.select_for_update(skip_locked=True, no_key=True)
        queued = late.filter(state=Job.State.QUEUED, run_at__lte=now - late_by).order_by("run_at").values_list("kind", "pk")[:limit]
        expired = late.filter(state=Job.State.RUNNING, lease_until__lte=now).order_by("run_at").values_list("kind", "pk")[:limit]
        return [*expired, *queued]
