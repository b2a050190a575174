"""Killing the worker with -9 inside each of the five post-call steps loses nothing and charges nothing twice.

Real processes: a Celery worker on the real Valkey and Postgres, and the simulator as Exotel, Deepgram, OpenAI and S3. Each step is made
slow from outside, the worker is killed while its job runs, and the next worker has to find everything by itself.
"""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import httpx
import pytest
from celery import Celery
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from calls import commands, queries
from calls.models import Analysis, Attempt, CallLog, Charge, Job, Recording, Session, UsageLine
from tests.calls import made_calls as made

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

PERSON, OTHER, EXOPHONE = "09812345678", "09812345679", "08047112233"
LEASE_S = 120
SIMULATED = """
[exotel]
details_delay_s = 0.2
recording_delay_s = 0.2

[[exotel.exophones]]
number = "08047112233"

[[exotel.people]]
number = "09812345678"
scenario = { step = [{ say = "I need an appointment" }, { pause_ms = 300 }, { hangup = true }] }
"""


def eventually(
    is_so: Callable[[], object],
    what: str,
    within_s: float = 90.0,
    between: Callable[[], object] = lambda: None,
    log: Path | None = None,
) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > deadline:
            jobs = list(Job.objects.values_list("kind", "state", "attempts", "last_error"))
            pytest.fail(f"it never came to this: {what}. Jobs: {jobs}. {log.read_text()[-3000:] if log else ''}")
        between()
        time.sleep(0.1)


@contextmanager
def process(arguments: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen]:
    with log.open("ab") as output:
        started = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        kill(started)


def kill(started: subprocess.Popen) -> None:
    """-9 for the whole tree: no handler, no farewell."""
    if started.poll() is None:
        os.killpg(started.pid, signal.SIGKILL)
    started.wait(30)


@pytest.fixture
def outside(tmp_path) -> Iterator[str]:
    """The simulator's root URL."""
    (tmp_path / "simulator.toml").write_text(SIMULATED)
    log = tmp_path / "simulator.log"
    arguments = [
        "-m",
        "simulator",
        "serve",
        "--port",
        "0",
        "--settings",
        str(tmp_path / "simulator.toml"),
        "--data",
        str(tmp_path / "data"),
    ]
    with process(arguments, log):
        eventually(lambda: "http://" in log.read_text(), "the simulator serves", log=log)
        yield next(word for word in log.read_text().split() if word.startswith("http://"))


class Workers:
    """One worker after the other, and the beat that wakes it, on a broker database of their own."""

    def __init__(self, outside: str, directory: Path) -> None:
        self.log = directory / "worker.log"
        self._broker = settings.REDIS_URL.rsplit("/", 1)[0] + "/7"
        database = settings.DATABASE_URL.rsplit("/", 1)[0] + "/" + connection.settings_dict["NAME"]
        self._environment = {
            "DATABASE_URL": database,
            "REDIS_URL": self._broker,
            "EXOTEL_BASE_URL": f"{outside}/exotel",
            "DEEPGRAM_BASE_URL": f"{outside}/deepgram",
            "OPENAI_BASE_URL": f"{outside}/openai/v1",
            "AWS_S3_ENDPOINT_URL": f"{outside}/s3",
            "RECORDING_SPOOL_DIR": str(directory / "spool"),
            "JOB_LEASE_S": str(LEASE_S),
            "JOB_SWEEP_S": "1",
            "LOG_LEVEL": "INFO",
        }
        self._celery = Celery("beat-of-the-test", broker=self._broker, set_as_current=False)

    def next(self):
        arguments = ["-m", "celery", "-A", "voiceagents", "worker", "--concurrency", "1", "--without-gossip", "--without-mingle"]
        return process(arguments, self.log, **self._environment)

    def tick(self, *names: str) -> None:
        """What beat does, only faster."""
        for name in names or ("calls.sweep_jobs", "telephony.reconcile_calls"):
            self._celery.send_task(name, expires=5)
        time.sleep(0.4)


def finished_call(outside: str) -> str:
    """Two people talk on Exotel's line and are recorded; the call is over, priced, and its recording is there. Its CallSid."""
    credentials = ("sim-key", "sim-token")
    calls = f"{outside}/exotel/v1/Accounts/simulated1/Calls"
    order = {"From": PERSON, "To": OTHER, "CallerId": EXOPHONE, "Record": "true", "RecordingChannels": "dual"}
    placed = httpx.post(f"{calls}/connect.json", data=order, auth=credentials, timeout=30)
    assert placed.status_code == 200, placed.text
    sid = placed.json()["Call"]["Sid"]

    def details():
        return httpx.get(f"{calls}/{sid}.json", auth=credentials, timeout=30).json()["Call"]

    eventually(lambda: details()["Status"] == "completed" and details()["RecordingUrl"] and details()["Price"], "the call is over")
    return str(sid)


def kind_of(session: Session, kind: str) -> Job | None:
    return Job.objects.filter(session=session, kind=kind).first()


def is_done(session: Session, kind: str) -> bool:
    job = kind_of(session, kind)
    return job is not None and job.state == Job.State.DONE


def is_running(session: Session, kind: str) -> bool:
    job = kind_of(session, kind)
    return job is not None and job.state == Job.State.RUNNING


def the_lease_runs_out(session: Session, kind: str) -> None:
    """What time does. A lease short enough to be waited out would be lost by a slow machine's living worker too."""
    assert Job.objects.filter(session=session, kind=kind, state=Job.State.RUNNING).update(lease_until=timezone.now())


def test_a_worker_killed_inside_every_step_loses_nothing_and_charges_nothing_twice(outside, tmp_path, settings):
    settings.RECORDING_STORE = replace(settings.RECORDING_STORE, endpoint_url=f"{outside}/s3")
    queries.storage().ensure_bucket()
    agent = made.agent_of(made.operator(), language="en-US", analyse_calls=True)
    session = commands.open_call(
        agent_version=agent.current_version,
        direction="inbound",
        user_phone="+919812345678",
        agent_phone="+918047112233",
        call_sid=finished_call(outside),
    )
    made.use(session)
    CallLog.objects.filter(session=session).update(poll_after=session.created_at)
    workers = Workers(outside, tmp_path)

    def taken(target: str) -> int:
        return sum(n for name, n in httpx.get(f"{outside}/control/state").json()["faults_taken"].items() if name.startswith(target))

    def hangs(kind: str, target: str) -> bool:
        return is_running(session, kind) and taken(target) > 0

    steps = [
        ("telephony.fetch_recording", "exotel.recording"),
        ("calls.upload_recording", "s3.put"),
        ("calls.transcribe_recording", "deepgram.batch"),
        ("calls.analyse", "openai.chat"),
    ]
    for kind, target in steps:
        httpx.post(f"{outside}/control/faults", json={"target": target, "fault": "hang"}).raise_for_status()
        with workers.next() as worker:
            eventually(
                partial(hangs, kind, target),
                f"{kind} hangs at {target}",
                between=workers.tick,
                log=workers.log,
            )
            kill(worker)
        assert is_running(session, kind), "nobody could tell the row that its worker is dead"
        the_lease_runs_out(session, kind)
        httpx.delete(f"{outside}/control/faults").raise_for_status()

    # The model has answered and is to be paid; the worker dies before it can write that down. A lock on the table holds it there.
    with workers.next() as worker, transaction.atomic():
        with connection.cursor() as cursor:
            # The table, not the session's row: foreign keys are looked at when a transaction ends, and that end would outlive the worker.
            cursor.execute("lock table calls_usageline in share mode")
        wait_for_lock(workers, "calls.analyse", "calls_usageline")
        kill(worker)
    the_lease_runs_out(session, "calls.analyse")
    assert not Analysis.objects.exists(), "nobody has seen that answer"

    # Accounting asks nobody outside: it is stopped in the middle of its transaction in the same way.
    with workers.next() as worker, transaction.atomic():
        CallLog.objects.select_for_update().get(session=session)
        wait_for_lock(workers, "calls.account", "calls_calllog")
        kill(worker)
    assert is_done(session, "calls.analyse")
    assert is_running(session, "calls.account")
    the_lease_runs_out(session, "calls.account")
    assert not Charge.objects.exists(), "the killed transaction has left nothing"

    with workers.next():
        eventually(lambda: CallLog.objects.get(session=session).settled_at, "the call is settled", between=workers.tick, log=workers.log)
        workers.tick()

    assert {job.kind: job.state for job in Job.objects.filter(session=session)} == {
        kind: "done" for kind in (*(kind for kind, _target in steps), "calls.draw_recording", "calls.account")
    }
    recording = Recording.objects.get(session=session)
    link = queries.recording_link(session)
    assert link is not None
    stored = httpx.get(link).content
    assert (recording.state, recording.channels, len(stored)) == (Recording.State.STORED, 2, recording.size_bytes)
    assert hashlib.sha256(stored).hexdigest() == recording.sha256
    assert stored.startswith(b"RIFF")
    assert "appointment" in recording.transcript_text.lower()
    assert not list((tmp_path / "spool").glob("*")), "nothing stays behind in the spool"

    def attempts(kind: str) -> list[str]:
        return list(Attempt.objects.filter(job__session=session, job__kind=kind).order_by("number").values_list("outcome", flat=True))

    assert attempts("calls.transcribe_recording") == ["", "ok"], "the killed request left its trace, the second one succeeded"
    assert attempts("calls.analyse") == ["", "", "ok"], "one line for each kill that may have wasted a request"
    assert Analysis.objects.filter(session=session).count() == 1
    assert UsageLine.objects.filter(session=session, purpose="analysis").count() == 2
    assert UsageLine.objects.filter(session=session, purpose="unseen", kind="llm").count() == 4, "each killed request is visible on its own"
    transcribed = UsageLine.objects.filter(session=session, kind="transcription").order_by("id")
    assert [line.purpose for line in transcribed] == ["", "", "unseen", "unseen"], "both channels, and once more for the killed request"
    assert UsageLine.objects.filter(session=session, kind="telephony").count() == 2, "the carrier told both legs"
    assert Charge.ever.filter(session=session, part="").count() == UsageLine.objects.filter(session=session).count() == 17
    summary = queries.charges_summary(session)
    assert summary.totals["INR"] - (summary.taxes[0].amount or 0) == CallLog.objects.get(session=session).carrier_price
    assert summary.totals["USD"] > Decimal("0.03")


def wait_for_lock(workers: Workers, kind: str, table: str) -> None:
    """Until the running job waits for the row that this transaction has locked, at that table. Seen from another connection."""
    other = connection.copy()

    def waits() -> bool:
        with other.cursor() as cursor:
            cursor.execute(
                "select count(*) from pg_stat_activity where datname = %s and wait_event_type = 'Lock' and query like %s",
                [connection.settings_dict["NAME"], f"%{table}%"],
            )
            is_waiting = bool(cursor.fetchone()[0])
            cursor.execute("select count(*) from calls_job where kind = %s and state = 'running'", [kind])
            return is_waiting and bool(cursor.fetchone()[0])

    try:
        eventually(waits, f"{kind} runs", between=lambda: workers.tick("calls.sweep_jobs"), log=workers.log)
    finally:
        other.close()
