"""A small part of `make torture` for every run of the suite: what it finds there must be zero here too."""

import os
import random

import pytest
from django.utils import timezone

from calls import queries
from calls.models import Job, Session
from calls.tasks import account, analyse, transcribe_recording, upload_recording
from telephony.tasks import fetch_recording
from tests.torture.conftest import database_url
from torture import crash, judge, made, poison, properties
from torture.fleet import Fleet
from torture.ground import LEASE_S, Ground, kill_group

STEPS = {task.name: task for task in (fetch_recording, upload_recording, transcribe_recording, analyse, account)}


@pytest.mark.django_db
def test_any_order_of_events_any_copies_and_any_gaps_come_to_one_end():
    chance = random.Random(properties.SEED)
    orders = [properties.CLEAN, *(properties.interleaving(chance) for _ in range(12))]
    assert len(set(properties.ends(orders))) == 1


def work_off(session: Session) -> None:
    """What workers and time do to a call, in this process."""
    for _ in range(60):
        job = Job.objects.filter(session=session, state=Job.State.QUEUED, kind__in=STEPS).order_by("run_at").first()
        if job is None:
            return
        Job.objects.filter(pk=job.pk).update(run_at=timezone.now())
        STEPS[job.kind](job.pk)


@pytest.mark.django_db
def test_poison_is_parked_with_its_reason_and_the_next_call_is_none_the_worse(gate):
    queries.storage().ensure_bucket()
    gate.altered.update(poison.ALTERED)
    agent = made.agent()
    for bad in poison.poisons():
        session = made.over(agent, gate, file=bad.file, url=bad.url, mark=bad.mark, minutes_ago=bad.minutes_ago)
        work_off(session)
        assert not poison.not_ended_well(bad, session), bad.name
    good = made.over(agent, gate)
    work_off(good)
    assert not judge.judge([good], gate, judge.lines_of(good)).reasons


@pytest.mark.processes
@pytest.mark.timeout(420)
def test_workers_killed_at_a_held_request_and_at_a_commit_lose_nothing(torture_database, gate, outside, tmp_path, settings):
    queries.storage().ensure_bucket()
    (tmp_path / "logs").mkdir()
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "REDIS_URL": settings.REDIS_URL.rsplit("/", 1)[0] + "/9",
        "RECORDING_SPOOL_DIR": str(settings.RECORDING_SPOOL_DIR),
        "JOB_LEASE_S": str(LEASE_S),
        "JOB_SWEEP_S": "1",
    }
    ground = Ground(tmp_path, environment, None, None, gate, outside)
    fleet, agent = Fleet(ground), made.agent()
    clean = crash.undisturbed(ground, fleet, agent)
    points = [crash.Point(crash.UPLOAD, "after", door="put"), crash.Point(crash.ACCOUNT, "after", stop="finish")]
    rows = crash.settle_course(ground, fleet, points, [made.over(agent, gate) for _ in range(3)], clean)
    for service in ground.services:
        kill_group(service)
    assert [(row.trials, row.lost, row.doubled, row.details) for row in rows] == [(3, 0, 0, [])] * 2
