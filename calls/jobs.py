"""Durable jobs: work that happens once its row exists, whatever dies on the way.

A worker claims a job by one conditional UPDATE that sets a lease. The body is repeatable; what it found out is written by the callable
it returns, in the very transaction that marks the job done, and only while the lease is still ours. So a worker that was thought dead
and comes back can spend time, but cannot write.

    done          the outcome is written, the next job is enqueued, all in one transaction
    RetryLater    not a failure: what it waits for is not there yet; the try is not counted
    failure       tried again after 10 s, 60 s, 5 min, 15 min; parked with its reason after `max_attempts`
    Park          tried again by a person only (and so is any error that says of itself that retrying is useless)
    death         the lease runs out, the sweeper nudges, another worker claims; a job that kills its workers is parked too
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, cast

import structlog
from celery import Task, shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from calls import dispatch
from calls.failures import describe, place
from calls.models import Job, Session

logger = structlog.get_logger()

BACK_OFF_S = (10, 60, 300, 900)
Outcome = Callable[[], object]
Body = Callable[[Session, Job], Outcome | None]

# What still can be done for a call if a step of its settlement is parked: read and account for what is known.
_AFTER_PARKED = {
    dispatch.JobKind.FETCH_RECORDING: dispatch.JobKind.ANALYSE,
    dispatch.JobKind.UPLOAD_RECORDING: dispatch.JobKind.ANALYSE,
    dispatch.JobKind.TRANSCRIBE_RECORDING: dispatch.JobKind.ANALYSE,
    dispatch.JobKind.ANALYSE: dispatch.JobKind.ACCOUNT,
}
# How late a job of a kind that this release does not know may be: while a newer one is rolled out, its workers will take it.
_UNKNOWN_FOR = timedelta(hours=1)


class RetryLater(Exception):
    """What the job waits for is not there yet. Give `delay` (seconds or timedelta) or `run_at`; `reason` is shown to operators."""

    def __init__(self, delay: float | timedelta = 10, reason: str = "", *, run_at: datetime | None = None) -> None:
        super().__init__(reason)
        wait = delay if isinstance(delay, timedelta) else timedelta(seconds=delay)
        self.run_at = run_at or timezone.now() + wait
        self.reason = reason


class Park(Exception):
    """The job needs a person. `reason` says what is wrong and what to do, without personal data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LeaseLost(Exception):
    """Somebody else works on the job now; what this worker found out must not be written."""


def durable_job(kind: str, max_attempts: int = 5) -> Callable[[Body], Task[Any, Any]]:
    """Makes a body `(session, job) -> outcome or None` the Celery task `kind`, which takes a job's id."""

    def decorate(body: Body) -> Task[Any, Any]:
        @wraps(body)
        def run(job_id: object = None, *more: object, **further: object) -> None:
            """What another release sent along is not needed: the row knows everything. Without a row's id there is nothing to do."""
            if type(job_id) is int and 0 < job_id < 2**63:
                run_job(job_id, kind, body, max_attempts)
            else:
                logger.warning("job_message_not_understood", job=kind)

        return cast("Task[Any, Any]", shared_task(name=kind)(run))

    return decorate


def run_job(job_id: int, kind: str, body: Body, max_attempts: int) -> None:
    """Claims the job and carries it as far as it goes now. Never raises for what goes wrong inside; the row says it."""
    job = claim(job_id)
    if job is None:
        return
    with structlog.contextvars.bound_contextvars(session_id=job.session.session_id, job=kind):
        if job.attempts > max_attempts:
            park(
                job,
                job.last_error or f"Its worker died {max_attempts} times while running it. Look at the worker's log, then run it again.",
            )
            return
        logger.info("job_started", attempt=job.attempts)
        try:
            outcome = body(job.session, job)
            finish(job, outcome)
        except RetryLater as wait:
            requeue(job, run_at=wait.run_at, reason=wait.reason, counted=False)
        except Park as stop:
            park(job, stop.reason)
        except LeaseLost:
            logger.warning("job_lease_lost")
        except Exception as error:  # noqa: BLE001 - one of the three places where errors end: the job's row keeps the reason
            _fail(job, error, max_attempts)


def claim(job_id: int) -> Job | None:
    """The job, leased to this worker, or None: it is done, parked, not due yet, or somebody else's."""
    now = timezone.now()
    free = Q(state=Job.State.QUEUED, run_at__lte=now) | Q(state=Job.State.RUNNING, lease_until__lte=now)
    lease = now + timedelta(seconds=settings.JOB_LEASE_S)
    if not Job.objects.filter(free, pk=job_id).update(state=Job.State.RUNNING, attempts=F("attempts") + 1, lease_until=lease):
        return None
    return Job.objects.select_related("session__call_log", "session__agent_version").get(pk=job_id)


def renew(job: Job, lease_s: float) -> None:
    """The lease from now on, for a body that tells by it that it lives: a short one is found dead sooner. Raises `LeaseLost`."""
    until = timezone.now() + timedelta(seconds=lease_s)
    if not Job.objects.filter(pk=job.pk, state=Job.State.RUNNING, lease_until=job.lease_until).update(lease_until=until):
        raise LeaseLost
    job.lease_until = until


def finish(job: Job, outcome: Outcome | None) -> None:
    """Writes the outcome and marks the job done, together or not at all. Raises `LeaseLost`."""
    with transaction.atomic():
        if outcome is not None:
            outcome()
        # Only now, because jobs are locked after everything else of a call; a lost lease takes the outcome back.
        row = _ours(job)
        if row.last_error == dispatch.RUN_AGAIN:
            row.state, row.attempts, row.run_at = Job.State.QUEUED, 0, timezone.now()
        else:
            row.state, row.finished_at = Job.State.DONE, timezone.now()
        row.lease_until, row.last_error = None, ""
        row.save(update_fields=["state", "attempts", "run_at", "finished_at", "lease_until", "last_error"])
        if row.state == Job.State.QUEUED:
            dispatch.nudge_on_commit(row)
    logger.info("job_done", attempt=job.attempts)


def requeue(job: Job, *, run_at: datetime, reason: str, counted: bool) -> None:
    """Puts the job back until `run_at`. `counted`: this try was a failure and uses up one of its attempts."""
    with transaction.atomic():
        row = _ours(job)
        row.state, row.run_at, row.lease_until, row.last_error = Job.State.QUEUED, run_at, None, reason[:500]
        if not counted:
            row.attempts = max(row.attempts - 1, 0)
        row.save(update_fields=["state", "run_at", "lease_until", "last_error", "attempts"])
        dispatch.nudge_on_commit(row)


def park(job: Job, reason: str) -> None:
    """Stops the job until a person runs it again, and lets the call's settlement go on as far as it can without it."""
    with transaction.atomic():
        row = _ours(job)
        row.state, row.lease_until, row.last_error, row.finished_at = Job.State.PARKED, None, reason[:500], timezone.now()
        row.save(update_fields=["state", "lease_until", "last_error", "finished_at"])
        follower = _AFTER_PARKED.get(cast(dispatch.JobKind, job.kind))
        if follower is not None:
            dispatch.enqueue(dispatch.next_step(follower, job.session), job.session, again=True)
    logger.error("job_parked", reason=reason[:500], attempt=job.attempts)


def park_unknown() -> int:
    """Parks jobs of kinds that no worker takes: their messages would be published and thrown away for ever. Returns how many."""
    late = timezone.now() - _UNKNOWN_FOR
    lost = Job.objects.filter(state__in=[Job.State.QUEUED, Job.State.RUNNING], run_at__lte=late).exclude(kind__in=list(dispatch.JobKind))
    reason = "This release knows no work of this kind. Run the release that made it, or delete the row."
    return lost.update(state=Job.State.PARKED, last_error=reason, lease_until=None, finished_at=timezone.now())


def _ours(job: Job) -> Job:
    row = Job.objects.select_for_update(no_key=True).get(pk=job.pk)
    if row.state != Job.State.RUNNING or row.lease_until != job.lease_until:
        raise LeaseLost
    return row


def _fail(job: Job, error: Exception, max_attempts: int) -> None:
    useless = getattr(error, "retryable", True) is False
    logger.warning("job_failed", attempt=job.attempts, error=type(error).__name__, place=place(error))
    try:
        if useless or job.attempts >= max_attempts:
            park(job, describe(error))
        else:
            wait = timedelta(seconds=BACK_OFF_S[min(job.attempts, len(BACK_OFF_S)) - 1])
            requeue(job, run_at=timezone.now() + wait, reason=describe(error), counted=True)
    except LeaseLost:
        logger.warning("job_lease_lost")
