"""What an operator types after having mended something."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

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
    assert queries.charges_summary(session).unpriced == 1
    made.override(model="a-model-nobody-priced", unit="output_tokens", price="2", per=1_000_000)

    assert "1 calls have" in typed("price_calls")
    account(Job.objects.get(session=session, kind="calls.account").pk)
    assert queries.charges_summary(session).unpriced == 0
    after = {charge.pk: charge.amount for charge in Charge.objects.filter(session=session)}
    assert len(after) == len(before)
    assert [after[pk] for pk in set(after) - set(before)] == [Decimal("0.000024")]
    assert all(after[pk] == amount for pk, amount in before.items() if pk in after)
    assert "0 calls have" in typed("price_calls")


def test_a_rate_that_was_added_later_reaches_the_calls_of_its_days_and_no_others(session):
    made.use(session, unpriced=False)
    made.end(session)
    commands.note_poll(session=session, next_at=None)
    account(Job.objects.get(session=session, kind="calls.account").pk)
    today = timezone.localdate()
    assert queries.charges_summary(session).converted is None
    typed("exchange_rate", "USD", "INR", "80", "--on", f"{today - timedelta(days=8)}", "--source", "a week too old")
    assert "0 calls have" in typed("price_calls")
    typed("exchange_rate", "USD", "INR", "88.10", "--on", f"{today - timedelta(days=7)}", "--source", "RBI reference rate")
    assert "1 calls have" in typed("price_calls")
    account(Job.objects.get(session=session, kind="calls.account").pk)
    summary = queries.charges_summary(session)
    assert summary.converted == summary.totals["INR"] + summary.totals["USD"] * Decimal("88.10")
    typed("exchange_rate", "USD", "INR", "99", "--source", "today's")
    assert "0 calls have" in typed("price_calls"), "a rate is frozen with its charge"


def test_a_charge_and_a_use_can_never_be_changed_afterwards(session):
    made.use(session)
    commands.account(session)
    for table in ("calls_charge", "calls_usageline", "calls_callevent"):
        with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"update {table} set created_at = now()")
    with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
        Charge.ever.filter(session=session).delete()
