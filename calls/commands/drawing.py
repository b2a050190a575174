"""A recording's waveform, written once."""

from django.db import transaction

from calls import broadcast, dispatch
from calls.dispatch import JobKind
from calls.models import Job, Recording, Session, Waveform


def waveform_drawn(session: Session, *, channels: int, duration_ms: int, peaks: bytes) -> None:
    """Keeps the picture. One that is drawn again takes the place of the old; a recording that was deleted meanwhile has none."""
    with transaction.atomic():
        recording = Recording.objects.select_for_update(no_key=True).get(session=session)
        if recording.state != Recording.State.STORED:
            return
        Waveform.objects.update_or_create(session=session, defaults={"channels": channels, "duration_ms": duration_ms, "peaks": peaks})
        broadcast.call_changed_on_commit(session)


def draw_waveform(session: Session) -> Job:
    """Asks for the picture of a recording that is in storage, also of one that was stored before there were pictures."""
    return dispatch.enqueue(JobKind.DRAW_RECORDING, session, again=True)
