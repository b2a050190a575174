"""Recordings that are kept no longer: what is due, and the proof of each deletion.

The agent's present retention counts, for recordings made before it was set as well. Transcripts and analyses stay: only audio is deleted.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import DurationField, Exists, ExpressionWrapper, F, OuterRef, Value
from django.utils import timezone

from calls import broadcast, dispatch
from calls.commands.timeline import record_event
from calls.dispatch import JobKind
from calls.models import CallEvent, Job, Recording, RecordingDeletion, Session, Waveform

logger = structlog.get_logger()

_BEGUN: Final = "recording-deletion-begun"


def order_due_deletions(limit: int) -> int:
    """Orders the deletion of recordings whose time is over, the oldest first; returns how many."""
    kept_for = ExpressionWrapper(F("session__agent__recording_retention_days") * Value(timedelta(days=1)), output_field=DurationField())
    due = (
        Recording.objects.filter(state__in=[Recording.State.STORED, Recording.State.FETCHED])
        .filter(session__agent__recording_retention_days__isnull=False, session__created_at__lt=timezone.now() - kept_for)
        .exclude(Exists(Job.objects.filter(session=OuterRef("session"), kind=JobKind.DELETE_RECORDING).exclude(state=Job.State.DONE)))
        .select_related("session")
        .order_by("session__created_at")[:limit]
    )
    ordered = 0
    for recording in due:
        dispatch.enqueue(JobKind.DELETE_RECORDING, recording.session, again=True)
        ordered += 1
    return ordered


def recording_deletion_begun(session: Session, versions: Sequence[dict[str, Any]]) -> None:
    """What storage is about to be told to remove. Told again after a crash, what is left joins what was there."""
    if versions:
        number = CallEvent.objects.filter(session=session, kind=_BEGUN).count() + 1
        record_event(session=session, key=f"{_BEGUN}:{number}", source="api", kind=_BEGUN, facts={"versions": list(versions)})


def recording_deleted(session: Session, *, carrier: str) -> None:
    """The proof: storage was asked afterwards and had nothing. Nobody fetches it from the carrier again."""
    with transaction.atomic():
        recording = Recording.objects.select_for_update(no_key=True).select_related("session__agent").get(session=session)
        if recording.state == Recording.State.DELETED:
            return
        told = [one for event in CallEvent.objects.filter(session=session, kind=_BEGUN) for one in event.facts["versions"]]
        versions = list({(one["version_id"], one["is_marker"]): one for one in told}.values())
        days = recording.session.agent.recording_retention_days
        RecordingDeletion.objects.create(
            session=session,
            reason=f"The agent keeps recordings for {days} days.",
            bucket=recording.bucket,
            key=recording.key,
            sha256=recording.sha256,
            versions=versions,
            found_after=False,
            carrier=carrier,
        )
        Recording.objects.filter(pk=recording.pk).update(state=Recording.State.DELETED, spool_path="", key="")
        Waveform.objects.filter(session=session).delete()
        record_event(
            session=session,
            key="recording:deleted",
            source="api",
            kind="recording-deleted",
            facts={"versions": len(versions), "carrier": carrier},
        )
        broadcast.call_changed_on_commit(session)
    logger.info("recording_deleted", session_id=session.session_id, versions=len(versions))
