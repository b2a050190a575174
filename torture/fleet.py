"""Workers that are started to be killed, and the beat that wakes them."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator

from celery import Celery
from django.utils import timezone

from calls.models import CallLog, Job, Session
from torture.ground import Ground, kill_group, spawn

TICK_S = 0.5
SPARE = 8
"""Worker processes beyond those that are to be held: they carry the sweeps."""


class Stuck(Exception):
    """What had to happen did not; the message says what was waited for."""


class Fleet:
    """One worker service at a time, everything it asks of the outside going through the gate."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._celery = Celery("beat-of-torture", broker=ground.environment["REDIS_URL"], set_as_current=False)
        self.log = ground.logs / "worker.log"

    @contextlib.contextmanager
    def running(self, processes: int) -> Iterator[subprocess.Popen[bytes]]:
        arguments = ["-m", "celery", "-A", "voiceagents", "worker", "--concurrency", str(processes), "--loglevel", "WARNING"]
        worker = spawn([*arguments, "--without-gossip", "--without-mingle"], self._ground.through_the_gate(), self.log)
        try:
            yield worker
        finally:
            kill_group(worker)

    def tick(self, *names: str) -> None:
        """What beat does, only faster."""
        for name in names or ("calls.sweep_jobs",):
            with contextlib.suppress(OSError):
                self._celery.send_task(name, expires=5)

    def send(self, kind: str, *arguments: object, **named: object) -> None:
        """A message that nobody of ours would send."""
        self._celery.send_task(kind, args=list(arguments), kwargs=dict(named))

    def until(self, is_so: Callable[[], bool], what: str, *, within_s: float, ticks: tuple[str, ...] = ("calls.sweep_jobs",)) -> None:
        """Waits with a beat. Raises `Stuck`."""
        deadline, next_tick = time.monotonic() + within_s, 0.0
        while not is_so():
            if time.monotonic() > deadline:
                raise Stuck(f"it never came to this within {within_s:g} s: {what}; {_unfinished()}")
            if time.monotonic() >= next_tick:
                self.tick(*ticks)
                next_tick = time.monotonic() + TICK_S
            time.sleep(0.05)


def _unfinished() -> str:
    jobs = Job.objects.exclude(state=Job.State.DONE).order_by("-pk").values_list("kind", "state", "attempts", "last_error")
    return "; ".join(" ".join(map(str, job)) for job in jobs[:3])


def leases_run_out(sessions: list[Session]) -> None:
    """What time does. A lease short enough to be waited out would be lost by a slow machine's living worker too."""
    Job.objects.filter(session__in=sessions, state=Job.State.RUNNING).update(lease_until=timezone.now())


def waits_are_over(sessions: list[Session]) -> None:
    """What time does to back-offs and to the carrier's looks."""
    now = timezone.now()
    Job.objects.filter(session__in=sessions, state=Job.State.QUEUED, run_at__gt=now).update(run_at=now)
    CallLog.objects.filter(session__in=sessions, poll_after__gt=now).update(poll_after=now)
