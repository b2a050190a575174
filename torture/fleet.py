"""Workers that are started to be killed, and the beat that wakes them."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import redis
from celery import Celery
from django.utils import timezone

from calls.models import CallLog, Job, Session
from torture.ground import Ground, spawn

TICK_S = 0.5
SPARE = 8
"""Worker processes beyond those that are to be held: they carry the sweeps."""


class Stuck(Exception):
    """What had to happen did not; the message says what was waited for."""


@dataclass(frozen=True)
class Worker:
    """One worker service: its main process and those that carry its tasks, in a session of their own."""

    pid: int

    def kill(self) -> None:
        """-9 for the whole tree at once: no handler, no farewell."""
        deadline = time.monotonic() + 30
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
            while time.monotonic() < deadline:
                os.kill(self.pid, 0)
                time.sleep(0.02)


class Fleet:
    """One worker service at a time, everything it asks of the outside going through the gate."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._celery = Celery("beat-of-torture", broker=ground.environment["REDIS_URL"], set_as_current=False)
        self._broker = redis.Redis.from_url(ground.environment["REDIS_URL"])
        self.log = ground.logs / "worker.log"

    @contextlib.contextmanager
    def running(self, processes: int) -> Iterator[Worker]:
        nursery = self._nursery()
        assert nursery.stdin is not None and nursery.stdout is not None
        nursery.stdin.write(f"{processes} {self.log}\n".encode())
        nursery.stdin.flush()
        worker = Worker(int(nursery.stdout.readline()))
        try:
            yield worker
        finally:
            worker.kill()

    def _nursery(self) -> "subprocess.Popen[bytes]":
        if self._ground.nursery is None:
            log, environment = self._ground.logs / "nursery.log", self._ground.through_the_gate()
            nursery = spawn(["-m", "torture.nursery"], environment, log, is_asked=True)
            self._ground.nursery = nursery
            self._ground.services.append(nursery)
            assert nursery.stdout is not None
            if nursery.stdout.readline() != b"ready\n":
                raise Stuck(f"no worker can be started: {log.read_text(encoding='utf-8')[-2000:]}")
        return self._ground.nursery

    def tick(self, *names: str) -> None:
        """What beat does, only faster, and not while there are messages that nobody has taken: repeated ones would take up the workers."""
        if self._broker.llen("celery"):
            return
        for name in names or ("calls.sweep_jobs",):
            with contextlib.suppress(OSError):
                self._celery.send_task(name, expires=5)

    def send(self, kind: str, *arguments: object, **named: object) -> None:
        """A message that nobody of ours would send."""
        self._celery.send_task(kind, args=list(arguments), kwargs=dict(named))

    def send_pickled(self, kind: str, *arguments: object) -> None:
        """A message in a form that no worker opens: it could run anything."""
        self._celery.send_task(kind, args=list(arguments), serializer="pickle")

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
