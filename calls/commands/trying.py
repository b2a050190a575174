"""Calls that are tests, in writing or rehearsed: opened, begun and ended by us alone. No carrier has them, nobody is told."""

from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from agents.models import AgentVersion
from calls.commands.conversation import end_session
from calls.commands.timeline import record_event, tell
from calls.kinds import Kind
from calls.models import CallLog, Session, ToolRun, Turn
from calls.status import CallStatus, Direction
from calls.told import claims

logger = structlog.get_logger()


def open_test(*, agent_version: AgentVersion, by: str, draft: dict[str, Any] | None = None, by_voice: bool = False) -> Session:
    """The rows of a test that nobody has begun yet. With `draft`, a stored spec, the agent talks as that beside the version. One `by_voice`
    begins once its audio is opened.
    """
    agent = agent_version.agent
    with transaction.atomic():
        session = Session.objects.create(owner_id=agent.owner_id, agent=agent, agent_version=agent_version, draft_spec=draft)
        log = CallLog(session=session, owner_id=agent.owner_id, agent=agent, direction=Direction.INBOUND, is_test=True)
        log.created_at = session.created_at
        log.save(force_insert=True)
        kind: Kind = "voice-test-opened" if by_voice else "test-opened"
        record_event(session=session, key="opened", source="operator", kind=kind, facts={"by": by})
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
    """The conversation is over, or none will be; what it cost is added up. `lasted_ms` is how long it would have taken on the telephone."""
    return end_session(session.session_id, reason=reason, at=timezone.now(), lasted=timedelta(milliseconds=lasted_ms))
