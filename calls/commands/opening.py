"""Opening the rows of a call that the carrier has brought to us."""

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from agents.models import AgentVersion
from calls import broadcast
from calls.commands.timeline import tell
from calls.models import CallLog, Session
from calls.status import CallStatus, Direction
from calls.told import claims

logger = structlog.get_logger()


def open_call(*, agent_version: AgentVersion, direction: str, user_phone: str, agent_phone: str, call_sid: str) -> Session:
    """The session and call log of the call `call_sid`, opened now or by an earlier copy of the same news.

    Numbers are E.164; `user_phone` is empty if the caller withheld it. Copies that come at the same moment get the same rows.
    """
    if not call_sid:
        raise ValueError("open_call needs the carrier's call_sid: without it two copies of one call would become two calls")
    known = _by_sid(call_sid)
    if known is not None:
        return known
    inbound = Direction(direction) == Direction.INBOUND
    agent = agent_version.agent
    try:
        with transaction.atomic():
            session = Session.objects.create(
                owner_id=agent.owner_id, agent=agent, agent_version=agent_version, user_phone=user_phone, agent_phone=agent_phone
            )
            CallLog.objects.create(
                session=session,
                created_at=session.created_at,
                owner_id=agent.owner_id,
                agent=agent,
                call_sid=call_sid,
                direction=Direction(direction),
                from_phone=user_phone if inbound else agent_phone,
                to_phone=agent_phone if inbound else user_phone,
            )
            facts = {"direction": str(direction), **claims(status=CallStatus.INITIATED, started_at=timezone.now())}
            tell(session, key="opened", source="carrier", kind="call-opened", facts=facts)
            broadcast.call_opened_on_commit(session)
    except IntegrityError:
        # The race of two copies: the UNIQUE call_sid let one of them through, and it is committed by now.
        winner = _by_sid(call_sid)
        if winner is None:
            raise
        return winner
    logger.info("call_opened", session_id=session.session_id, direction=str(direction))
    return session


def _by_sid(call_sid: str) -> Session | None:
    return Session.objects.select_related("call_log", "agent_version").filter(call_log__call_sid=call_sid).first()
