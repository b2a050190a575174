"""The call's timeline and its status: each change of status is one compare-and-swap and one event of its own.

Whoever locks several rows of a call does it in this order: call log, session, recording, jobs.
"""

from datetime import datetime
from typing import Any

import structlog
from django.db import transaction

from calls import broadcast
from calls.models import CallEvent, CallLog, Session
from calls.status import CallStatus, predecessors

logger = structlog.get_logger()


def record_event(
    *, session: Session, key: str, source: str, kind: str, facts: dict[str, Any] | None = None, carrier_time: datetime | None = None
) -> bool:
    """Appends one event. False if an event with this key is there already: it is a copy."""
    event = CallEvent(session=session, key=key[:120], source=source, kind=kind[:40], facts=facts or {}, carrier_time=carrier_time)
    with transaction.atomic():
        before = CallEvent.objects.filter(session=session, key=event.key).exists()
        if before:
            return False
        CallEvent.objects.bulk_create([event], ignore_conflicts=True)
        # A copy that came at the same moment has won or lost by now; the row that stands tells which.
        return CallEvent.objects.filter(session=session, key=event.key, created_at=event.created_at).exists()


def move(session: Session, new: CallStatus, *, source: str, carrier_time: datetime | None = None, **columns: Any) -> bool:
    """Swaps the call's status for `new` if that may follow, with `columns` in the same UPDATE. False: the call stays as it is."""
    with transaction.atomic():
        open_to_it = CallLog.objects.filter(session=session, status__in=predecessors(new))
        if not open_to_it.update(status=new, **columns):
            return False
        record_event(
            session=session, key=f"status:{new}", source=source, kind="status-changed", facts={"to": new}, carrier_time=carrier_time
        )
        broadcast.call_changed_on_commit(session)
    logger.info("call_status_changed", session_id=session.session_id, status=str(new), source=source)
    return True
