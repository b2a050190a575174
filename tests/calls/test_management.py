"""What an operator types after having mended something."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from calls import commands, dispatch, queries
from calls.jobs import Park, run_job
from calls.models import Charge, Job
from calls.tasks import account
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db


def typed(*arguments: str) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


@pytest.fixture
def session():
    return made.talking_call(made.agent_of(made.operator(), record_calls=False))


def parked(session, kind: str) -> Job:
    job = dispatch.enqueue(kind, session)

    def body(session, job):
        raise Park("the bucket does not exist")

    run_job(job.pk, kind, body, 5)
    return job


def test_parked_jobs_are_listed_with_their_reasons_and_run_only_when_asked_to(session):
    job = parked(session, "calls.upload_recording")
    parked(session, "calls.transcribe_recording")
    listed = typed("retry_jobs")
    assert "the bucket does not exist" in listed
    assert "2 parked" in listed
    assert "1 of 1 run again" in typed("retry_jobs", "--run", "--kind", "calls.upload_recording", "--session", session.session_id)
    job.refresh_from_db()
    assert job.state == Job.State.QUEUED
    assert "1 parked" in typed("retry_jobs")
    assert "No parked job" in typed("retry_jobs", "--session", "sess_unheard_of")


def test_a_price_that_was_added_later_prices_old_calls_and_changes_no_old_price(session):
    made.use(session)
    made.end(session)
    commands.note_poll(session=session, next_at=None)
    account(Job.objects.get(session=session, kind="calls.account").pk)
    before = {charge.pk: charge.amount for charge in Charge.objects.filter(session=session)}
    # As if the release that accounted the call had not known the voice: that line was stored without a price.
    line = session.usage_lines.get(kind="tts")
    Charge.objects.get(usage_line=line).delete()
    Charge.objects.create(session=session, usage_line=line, price_source="no price")
    assert queries.charges_summary(session).unpriced == 2

    assert "1 calls have unpriced lines" in typed("price_calls")
    account(Job.objects.get(session=session, kind="calls.account").pk)
    assert queries.charges_summary(session).unpriced == 1
    kept = {charge.pk: charge.amount for charge in Charge.objects.filter(session=session) if charge.pk in before}
    assert all(before[pk] == amount for pk, amount in kept.items())
    assert len(kept) == len(before) - 1


def test_a_charge_and_a_use_can_never_be_changed_afterwards(session):
    made.use(session)
    commands.account(session)
    for table in ("calls_charge", "calls_usageline", "calls_callevent"):
        with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"update {table} set created_at = now()")
