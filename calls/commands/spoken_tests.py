"""Trying an agent out from a browser: a call without a carrier, marked as a test from its first row on.

It is let in, limited and charged like any other call; only the line is missing, and with it everything that a carrier would be asked for.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog
from django.db import transaction
from django.utils import timezone

from agents.models import AgentVersion
from agents.spec import AgentSpec
from calls import broadcast
from calls.commands.conversation import end_session
from calls.commands.spending import admit, check_budgets
from calls.commands.timeline import tell
from calls.models import CallLog, Session
from calls.status import CallStatus, Direction
from calls.told import claims
from engine.events import EndReason

logger = structlog.get_logger()

# Longer than a token is good for: whoever has not opened the audio by then never will.
UNOPENED_FOR: Final = timedelta(minutes=5)
# So far back is looked: not through every test that there ever was.
_LOOKED_BACK: Final = timedelta(days=7)


def open_spoken_test(
    version: AgentVersion, *, by: str, draft: AgentSpec | None = None, user_phone: str = "", customer: Mapping[str, str] | None = None
) -> Session:
    """Opens the rows of a test call. With `draft` the agent talks as that, begun on `version`; it is kept as it is now.

    `by` is a user name; `user_phone` (E.164) and `customer` are what the agent is told of its caller. Raises `BudgetSpent`.
    """
    agent = version.agent
    check_budgets(agent)  # by itself: the alarm that it may raise is kept, though no call is
    with transaction.atomic():
        session = Session.objects.create(
            owner_id=agent.owner_id,
            agent=agent,
            agent_version=version,
            draft_spec=draft.to_json() if draft is not None else None,
            user_phone=user_phone,
            customer=dict(customer or {}),
        )
        CallLog.objects.create(
            session=session,
            created_at=session.created_at,
            owner_id=agent.owner_id,
            agent=agent,
            direction=Direction.INBOUND,
            from_phone=user_phone,
            is_test=True,
        )
        facts = {
            "by": by[:150],
            "as": "draft" if draft is not None else f"version {version.number}",
            **claims(status=CallStatus.INITIATED, started_at=timezone.now()),
        }
        tell(session, key="opened", source="operator", kind="tried-by-voice", facts=facts)
        admit(session)
        broadcast.call_opened_on_commit(session)
    logger.info("spoken_test_opened", session_id=session.session_id, draft=draft is not None)
    return session


def close_unopened(session: Session) -> bool:
    """Ends a spoken test whose audio was never opened. False if it was, or if the test is over."""
    with transaction.atomic():
        log = CallLog.objects.select_for_update(no_key=True, of=("self",)).select_related("session").get(session=session)
        if not log.is_test or log.status != CallStatus.INITIATED or log.session.state != Session.State.WAITING:
            return False
        return end_session(session.session_id, reason=EndReason.CALLER_HANGUP, at=timezone.now(), source="operator")


def give_up_unopened_tests() -> int:
    """Ends the tests that nobody began to talk in; returns how many. A rehearsal waits for its worker as long as it takes."""
    before = timezone.now() - UNOPENED_FOR
    # A rehearsal waits as well, queued, and for a worker: as long as that takes.
    left = CallLog.objects.filter(
        is_test=True,
        status=CallStatus.INITIATED,
        session__state=Session.State.WAITING,
        created_at__lt=before,
        created_at__gt=before - _LOOKED_BACK,
    )
    return sum(close_unopened(log.session) for log in left.select_related("session").order_by("created_at")[:200])
