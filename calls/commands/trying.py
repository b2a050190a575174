"""Calls that are tests in writing: opened, begun and ended by us alone. They have no carrier, ring nobody and are told to nobody."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from agents.models import AgentVersion
from calls import dispatch
from calls.commands.conversation import end_session
from calls.commands.timeline import record_event, tell
from calls.models import CallLog, Session, ToolRun, Turn
from calls.status import CallStatus, Direction
from calls.told import claims

logger = structlog.get_logger()


def open_test(*, agent_version: AgentVersion, by: str, customer: Mapping[str, Any] | None = None) -> Session:
    """The rows of a test that nobody has begun yet."""
    agent = agent_version.agent
    with transaction.atomic():
        session = Session.objects.create(owner_id=agent.owner_id, agent=agent, agent_version=agent_version, customer=dict(customer or {}))
        log = CallLog(session=session, owner_id=agent.owner_id, agent=agent, direction=Direction.INBOUND, is_test=True)
        log.created_at = session.created_at
        log.save(force_insert=True)
        record_event(session=session, key="opened", source="operator", kind="test-opened", facts={"by": by})
    logger.info("test_opened", session_id=session.session_id)
    return session


def begin_test(session: Session) -> None:
    """The conversation begins now. Repeating it forgets what an earlier try, whose process died, has left of the talk."""
    now = timezone.now()
    with transaction.atomic():
        CallLog.objects.select_for_update(no_key=True).only("pk").get(session=session)
        # Without a sign of life: no sweeper waits for the next one of somebody who only writes.
        Session.objects.filter(pk=session.pk).exclude(state=Session.State.ENDED).update(state=Session.State.ACTIVE, started_at=now)
        said = claims(status=CallStatus.IN_PROGRESS, started_at=now, answered_at=now)
        if tell(session, key="test:began", source="api", kind="test-began", facts=said, holds_lock=True) is None:
            Turn.objects.filter(session=session).delete()
            ToolRun.objects.filter(session=session, state=ToolRun.State.RUNNING).update(state=ToolRun.State.UNKNOWN, ended_at=now)
    session.refresh_from_db()


def end_test(session: Session, *, reason: str, lasted_ms: int) -> bool:
    """The conversation is over; what it cost is added up. `lasted_ms` is how long it would have taken on the telephone."""
    now = timezone.now()
    with transaction.atomic():
        if not end_session(session.session_id, reason=reason, at=now):
            return False
        lasted = timedelta(milliseconds=lasted_ms)
        said = claims(status=CallStatus.COMPLETED, ended_at=now, duration_s=round(lasted.total_seconds()))
        tell(session, key="test:ended", source="api", kind="test-ended", facts=said)
        dispatch.enqueue(dispatch.JobKind.ACCOUNT, session, again=True)
    return True
