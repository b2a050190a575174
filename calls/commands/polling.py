"""Claims calls that the carrier should be asked about. A claim is a lease: if its worker dies, the call comes round again."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from calls.models import CallLog, Session
from calls.status import TERMINAL

LEASE = timedelta(minutes=3)
# An inbound call that was announced and never got audio, or whose talk ended and whose carrier stays silent.
SILENT_FOR = timedelta(minutes=2)
FORGOTTEN_AFTER = timedelta(days=2)
TALKS_WITHIN = timedelta(minutes=1)


def claim_polls(limit: int) -> list[Session]:
    """Up to `limit` calls that are due, oldest first; nobody else gets them until the lease ends or `note_poll` says when."""
    now = timezone.now()
    # A talk whose process lives tells its own end, and that sets the time for a question.
    talks = Q(session__state=Session.State.ACTIVE, session__seen_at__gt=now - TALKS_WITHIN)
    due = Q(poll_after__lte=now) & ~talks
    silent = (
        Q(poll_after=None, settled_at=None, polls=0, call_sid__isnull=False)
        & Q(created_at__lt=now - SILENT_FOR, created_at__gt=now - FORGOTTEN_AFTER)
        & ~Q(session__state=Session.State.ACTIVE)
        & ~Q(status__in=TERMINAL)
    )
    with transaction.atomic():
        rows = CallLog.objects.select_for_update(skip_locked=True, no_key=True, of=("self",)).filter(due | silent)
        claimed = list(rows.order_by("poll_after", "id").values_list("pk", flat=True)[:limit])
        CallLog.objects.filter(pk__in=claimed).update(poll_after=now + LEASE)
    return list(Session.objects.select_related("call_log", "agent", "agent_version").filter(call_log__pk__in=claimed))


def put_off_polls(sessions: Iterable[Session], until: datetime) -> None:
    """Gives claimed calls back unasked: they count no look, and come round from `until` on."""
    CallLog.objects.filter(session__in=[session.pk for session in sessions]).update(poll_after=until)


def claim_poll(session: Session, *, unless_due_later: bool, until: datetime) -> bool:
    """Whether this caller is to ask about this one call now; nobody else does before `until`.

    `unless_due_later`: not if the call is to be asked about at a later time already.
    """
    mine = CallLog.objects.filter(session=session, poll_after=session.call_log.poll_after)
    if unless_due_later:
        mine = mine.filter(Q(poll_after=None) | Q(poll_after__lte=timezone.now()))
    return bool(mine.update(poll_after=until))
