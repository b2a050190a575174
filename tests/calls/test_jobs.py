"""Durable jobs: claimed once, leased, fenced, backed off, parked. Against the real Postgres and Valkey."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from celery import Celery
from django.db import connection
from django.utils import timezone

from calls import commands, dispatch
from calls.jobs import LeaseLost, Park, RetryLater, claim, finish, run_job
from calls.models import CallEvent, Job, Session
from calls.tasks import sweep_jobs
from engine.errors import ErrorCategory, ProviderError
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db

KIND = "calls.account"


@pytest.fixture
def session() -> Session:
    return made.ringing_call(made.agent_of(made.operator()))


@pytest.fixture
def job(session) -> Job:
    return dispatch.enqueue(KIND, session)


def now_of(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def run(job: Job, body, max_attempts: int = 5) -> Job:
    run_job(job.pk, KIND, body, max_attempts)
    return now_of(job)


def make_due(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(run_at=timezone.now() - timedelta(seconds=1))


def let_lease_run_out(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def raising(error: Exception):
    def body(session, job):
        raise error

    return body


def test_a_job_runs_once_and_its_outcome_is_written_with_its_end(session, job):
    ran = []

    def body(given_session, given_job):
        ran.append((given_session.pk, given_job.attempts))
        return lambda: commands.record_event(session=session, key="outcome", source="api", kind="call-analysed")

    assert run(job, body).state == Job.State.DONE
    run(job, body)
    assert ran == [(session.pk, 1)]
    assert CallEvent.objects.filter(session=session, key="outcome").count() == 1


def test_enqueuing_twice_makes_one_job(session, job):
    assert dispatch.enqueue(KIND, session).pk == job.pk
    assert Job.objects.filter(session=session).count() == 1


def test_a_done_job_opens_again_only_if_asked_to(session, job):
    run(job, lambda s, j: None)
    assert dispatch.enqueue(KIND, session).state == Job.State.DONE
    assert dispatch.enqueue(KIND, session, again=True).state == Job.State.QUEUED


def test_a_job_asked_to_run_again_while_it_runs_comes_round_once_more(session, job):
    def body(given_session, given_job):
        dispatch.enqueue(KIND, given_session, again=True)

    after = run(job, body)
    assert (after.state, after.attempts, after.last_error) == (Job.State.QUEUED, 0, "")
    assert run(job, lambda s, j: None).state == Job.State.DONE


def test_an_outcome_that_fails_leaves_the_job_undone_and_nothing_written(session, job):
    def outcome():
        commands.record_event(session=session, key="half", source="api", kind="recording-lost")
        raise RuntimeError("the second half failed")

    after = run(job, lambda s, j: outcome)
    assert after.state == Job.State.QUEUED
    assert not CallEvent.objects.filter(session=session, key="half").exists()


def test_a_failing_job_backs_off_and_is_parked_with_its_reason(job):
    broken = raising(ProviderError("vendor", ErrorCategory.SERVER, "answered 500", retryable=True))
    for attempt, wait_s in enumerate((10, 60, 300, 900), 1):
        before = timezone.now()
        after = run(job, broken)
        assert (after.state, after.attempts) == (Job.State.QUEUED, attempt)
        assert 0 <= (after.run_at - before).total_seconds() - wait_s < 30
        assert run(job, broken).attempts == attempt, "it is not due yet, so nobody may run it"
        make_due(job)
    after = run(job, broken)
    assert (after.state, after.last_error) == (Job.State.PARKED, "vendor: answered 500 (server)")


@pytest.mark.parametrize(
    "error", [Park("set the key"), ProviderError("vendor", ErrorCategory.AUTHENTICATION, "set the key", retryable=False)]
)
def test_what_only_a_person_can_mend_is_parked_at_once(job, error):
    after = run(job, raising(error))
    assert after.state == Job.State.PARKED
    assert "set the key" in after.last_error


def test_a_foreign_error_is_kept_without_its_message(job):
    after = run(job, raising(ValueError("+919876543210 said something private")))
    assert after.last_error.startswith("ValueError.")
    assert "private" not in after.last_error


def test_waiting_is_not_failing(job):
    for _ in range(12):
        after = run(job, raising(RetryLater(30, "not there yet")))
        assert (after.state, after.attempts, after.last_error) == (Job.State.QUEUED, 0, "not there yet")
        make_due(job)
    assert run(job, lambda s, j: None).state == Job.State.DONE


def test_a_job_whose_worker_died_is_claimed_again_when_its_lease_has_run_out(job):
    assert claim(job.pk) is not None
    assert claim(job.pk) is None
    let_lease_run_out(job)
    second = claim(job.pk)
    assert second is not None
    assert second.attempts == 2


def test_a_worker_that_comes_back_from_the_dead_cannot_write(session, job):
    dead = claim(job.pk)
    assert dead is not None
    let_lease_run_out(job)
    living = claim(job.pk)
    assert living is not None
    with pytest.raises(LeaseLost):
        finish(dead, lambda: commands.record_event(session=session, key="ghost", source="api", kind="recording-lost"))
    assert not CallEvent.objects.filter(session=session, key="ghost").exists()
    finish(living, None)
    assert now_of(job).state == Job.State.DONE


def test_a_job_that_kills_its_workers_is_parked(job):
    for _ in range(5):
        assert claim(job.pk) is not None
        let_lease_run_out(job)
    after = run(job, lambda s, j: pytest.fail("it must not run a sixth time"))
    assert after.state == Job.State.PARKED
    assert "died 5 times" in after.last_error


def test_a_parked_job_runs_again_with_new_attempts_and_only_a_parked_one(job):
    assert not commands.retry_job(job)
    run(job, raising(Park("mend it")))
    assert commands.retry_job(job)
    after = now_of(job)
    assert (after.state, after.attempts) == (Job.State.QUEUED, 0)
    assert run(job, lambda s, j: None).state == Job.State.DONE


def test_a_parked_step_does_not_keep_the_known_costs_from_being_accounted(session):
    fetch = dispatch.enqueue("telephony.fetch_recording", session)
    run_job(fetch.pk, "telephony.fetch_recording", raising(Park("the carrier refuses")), 5)
    assert Job.objects.get(session=session, kind=KIND).state == Job.State.QUEUED


@pytest.mark.parametrize(
    ("state", "run_at_s", "lease_s", "swept"),
    [
        ("queued", -60, None, 1),
        ("queued", -1, None, 0),  # just enqueued: its own nudge is on the way
        ("queued", 60, None, 0),
        ("running", -60, -1, 1),
        ("running", -60, 60, 0),
        ("done", -60, None, 0),
        ("parked", -60, None, 0),
    ],
)
def test_the_sweeper_nudges_what_nobody_works_on(job, state, run_at_s, lease_s, swept):
    now = timezone.now()
    Job.objects.filter(pk=job.pk).update(
        state=state,
        run_at=now + timedelta(seconds=run_at_s),
        lease_until=None if lease_s is None else now + timedelta(seconds=lease_s),
    )
    assert sweep_jobs() == swept


def test_a_dead_broker_loses_no_job(session, monkeypatch):
    nobody_there = Celery("nobody", broker="redis://127.0.0.1:1/0", set_as_current=False)
    nobody_there.conf.task_publish_retry_policy = {"max_retries": 0}
    monkeypatch.setattr(dispatch, "current_app", nobody_there)
    assert dispatch.nudge(KIND, 1) is False
    assert dispatch.enqueue(KIND, session).state == Job.State.QUEUED


@pytest.mark.django_db(transaction=True)
def test_of_many_deliveries_at_once_one_runs_the_body():
    job = dispatch.enqueue(KIND, made.ringing_call(made.agent_of(made.operator())))
    start, ran = Barrier(16), []

    def deliver() -> None:
        try:
            start.wait(60)
            run_job(job.pk, KIND, lambda s, j: ran.append(j.attempts), 5)
        finally:
            connection.close()

    threads = [Thread(target=deliver) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert ran == [1]
    assert now_of(job).state == Job.State.DONE


def test_a_paid_request_leaves_a_trace_before_it_is_made(job):
    first = commands.begin_attempt(job, "vendor")
    second = commands.begin_attempt(job, "vendor")
    commands.close_attempt(second, ok=True, request_id="req-2")
    rows = list(job.paid_attempts.values_list("number", "outcome", "request_id"))
    assert rows == [(first.number, "", ""), (2, "ok", "req-2")]
