"""Tells whoever watches that something about a call changed. The only user of the channel layer.

Updates are hints: the rows are the truth, a page that reloads is right again. So telling never raises and never takes longer than a
second, and nothing waits for it that matters to a caller.
"""

import asyncio
from functools import partial
from typing import Any

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from calls import wording
from calls.models import CallLog, Session, Turn

logger = structlog.get_logger()

LIMIT_S = 1.0
EVERYTHING = "live.all"  # superusers

# kinds: call.opened, call.updated, turn.updated, turn.ended, call.ended, call.settled


def owner_group(owner_id: int) -> str:
    return f"live.{owner_id}"


def call_group(session_id: str) -> str:
    return f"call.{session_id}"


async def live_update_async(session: Session, kind: str, payload: dict[str, Any]) -> None:
    """Sends one update to the call's page, its owner's live page and every superuser's. Gives up after a second; never raises."""
    message = {"type": "live.update", "kind": kind, "session_id": session.session_id, "payload": payload}
    try:
        layer = get_channel_layer()  # type: ignore[no-untyped-call]  # channels has no types
        if layer is None:
            return
        async with asyncio.timeout(LIMIT_S):
            for group in (call_group(session.session_id), owner_group(session.owner_id), EVERYTHING):
                await layer.group_send(group, message)
    except Exception as error:  # noqa: BLE001 - a blind dashboard must not stop a call
        logger.warning("live_update_lost", session_id=session.session_id, kind=kind, error=type(error).__name__)


def live_update(session: Session, kind: str, payload: dict[str, Any]) -> None:
    """`live_update_async` for code that blocks."""
    try:
        async_to_sync(live_update_async)(session, kind, payload)
    except Exception as error:  # noqa: BLE001 - see above
        logger.warning("live_update_lost", session_id=session.session_id, kind=kind, error=type(error).__name__)


# --- what is told ---------------------------------------------------------------------------------------------------------


def call_facts(session: Session, log: CallLog) -> dict[str, Any]:
    """What a page needs to draw a call in its list: status and times, names, and the human's number with its middle hidden."""
    ended_at = session.ended_at or log.ended_at
    return {
        "session_id": session.session_id,
        "agent": session.agent.name,
        "direction": log.direction,
        "user_phone": wording.mask_number(session.user_phone),
        "status": log.status,
        "state": session.state,
        "created_at": session.created_at.isoformat(),
        "started_at": session.started_at and session.started_at.isoformat(),
        "answered_at": log.answered_at and log.answered_at.isoformat(),
        "ended_at": ended_at and ended_at.isoformat(),
        "end_reason": session.end_reason,
        "failure": log.failure,
        "duration_s": log.duration_s,
        "hangup_requested": session.hangup_requested_at is not None,
        "settled": log.settled_at is not None,
    }


def turn_facts(turn: Turn) -> dict[str, Any]:
    """A turn as pages and the API show it."""
    names = ("number", "speaker", "text", "generated_text", "interrupted", "started_ms", "ended_ms", "endpointing_ms")
    more = ("llm_ms", "tts_ms", "latency_ms", "silence_after_ms")
    return {name: getattr(turn, name) for name in (*names, *more)}


# --- told once the transaction has committed ------------------------------------------------------------------------------


def call_opened_on_commit(session: Session) -> None:
    transaction.on_commit(partial(_tell_call, session.pk, "call.opened"), robust=True)


def call_changed_on_commit(session: Session) -> None:
    transaction.on_commit(partial(_tell_call, session.pk, "call.updated"), robust=True)


def call_ended_on_commit(session: Session) -> None:
    transaction.on_commit(partial(_tell_call, session.pk, "call.ended"), robust=True)


def call_settled_on_commit(session: Session) -> None:
    transaction.on_commit(partial(_tell_call, session.pk, "call.settled"), robust=True)


def turn_ended_on_commit(session: Session, turn: Turn) -> None:
    transaction.on_commit(partial(live_update, session, "turn.ended", turn_facts(turn)), robust=True)


def _tell_call(session_pk: int, kind: str) -> None:
    session = Session.objects.select_related("call_log", "agent").filter(pk=session_pk).first()
    if session is not None:
        live_update(session, kind, call_facts(session, session.call_log))
