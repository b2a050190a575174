"""Paid requests of jobs: written down before they are made, and closed with what they used."""

from collections.abc import Sequence

from django.db import transaction

from calls.commands.conversation import add_usage
from calls.models import Attempt, Job
from engine.usage import UsageRecord


def begin_attempt(job: Job, provider: str) -> Attempt:
    """Writes down, before a paid request is made, that money may be spent. Committed at once."""
    number = Attempt.objects.filter(job=job).count() + 1
    return Attempt.objects.create(job=job, number=number, provider=provider)


def close_attempt(attempt: Attempt, *, ok: bool, request_id: str = "", usage: Sequence[UsageRecord] = ()) -> None:
    """What became of the paid request, and what it used, both or neither: what its worker makes of the answer may still be lost.

    A row without an outcome is one that nobody saw the end of.
    """
    with transaction.atomic():
        add_usage(attempt.job.session.session_id, usage)
        Attempt.objects.filter(pk=attempt.pk).update(outcome="ok" if ok else "failed", request_id=request_id[:80])
