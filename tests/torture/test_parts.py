"""A small part of `make torture` for every run of the suite: what it finds there must be zero here too."""

import random

import pytest
from django.utils import timezone

from calls import queries
from calls.models import Job, Session
from calls.tasks import account, analyse, transcribe_recording, upload_recording
from telephony.tasks import fetch_recording
from torture import judge, made, poison, properties

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
