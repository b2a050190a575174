"""Runs one engine session for one call and keeps what it says: turns, usage and events go to Postgres beside the audio, never on it.

The conductor never lets a database, a broker or a dashboard touch the voice: a slow or absent one delays rows. It ends the session's
row in every case, and if even that cannot be written, the sweeper does it from the missing sign of life.
"""

import asyncio

import structlog
from django.conf import settings
from django.utils import timezone

from agents import assembly
from calls import commands
from calls.conductor.deadline import unhurried
from calls.conductor.heartbeat import Heartbeat
from calls.conductor.live import LiveFeed
from calls.conductor.notes import Notebook
from calls.conductor.rows import Writer
from calls.failures import place
from calls.models import Session
from engine.events import EndReason
from engine.ports import AudioLink
from engine.session import ConversationSession

logger = structlog.get_logger()

# After the talk: how long its rows may still take, and how long a drained process waits for goodbyes.
ROWS_LIMIT_S = 30.0
GOODBYE_LIMIT_S = 15.0

_heartbeat = Heartbeat()


async def conduct(session: Session, link: AudioLink) -> None:
    """Holds the conversation of an active session over its link, to its end. Raises only its own cancellation."""
    with structlog.contextvars.bound_contextvars(session_id=session.session_id):
        writer = Writer(session)
        live = LiveFeed(session)
        notebook = Notebook(session, writer, live)
        writing, showing = writer.start(), live.start()
        reason = EndReason.CRASH
        try:
            reason = await _converse(session, link, notebook)
        except asyncio.CancelledError:
            reason = EndReason.SHUTDOWN
            raise
        except Exception as error:  # noqa: BLE001
            # One of the three places where errors end: the line is closed and the reason is kept.
            reason = EndReason.PROVIDER_FAILED if isinstance(error, assembly.NotReady) else EndReason.CRASH
            notebook.failed(error)
            logger.error("conversation_failed", error=type(error).__name__, reason=reason.value, place=place(error))
            await link.close()
        finally:
            _heartbeat.leave(session.session_id)
            showing.cancel()
            await unhurried(_finish(session, writer, writing, notebook.reason or reason))


async def _converse(session: Session, link: AudioLink, notebook: Notebook) -> EndReason:
    plan, parts = assembly.assemble(session.agent_version.as_spec())
    conversation = ConversationSession(plan, parts, link, notebook.take)
    _heartbeat.join(session.session_id, conversation.request_end)
    logger.info("conversation_started")
    ended = await conversation.run()
    logger.info("conversation_ended", reason=ended.reason.value, duration_ms=ended.at_ms)
    return ended.reason


async def _finish(session: Session, writer: Writer, writing: "asyncio.Task[None]", reason: EndReason) -> None:
    """The rest of the rows, then the session's end: accounting begins with the latter, so it comes last."""
    ended_at = timezone.now()
    writer.finish(ROWS_LIMIT_S)
    await asyncio.wait({writing}, timeout=ROWS_LIMIT_S + 5)
    writing.cancel()
    if not await writer.write(lambda: commands.end_session(session.session_id, reason=reason, at=ended_at), "session-end"):
        logger.error("session_end_not_written", reason=reason.value)


def room() -> int:
    """How many more conversations fit into this process; 0 while it drains."""
    if _heartbeat.draining:
        return 0
    return max(settings.MEDIA_MAX_SESSIONS - len(_heartbeat), 0)


async def drain(deadline_s: float) -> None:
    """Takes no more conversations, waits for the running ones, and says goodbye in those that still run at the deadline."""
    _heartbeat.draining = True
    logger.info("draining", sessions=len(_heartbeat))
    if not await _heartbeat.emptied(deadline_s):
        logger.warning("drain_deadline_passed", sessions=len(_heartbeat))
        _heartbeat.end_all(EndReason.SHUTDOWN)
        await _heartbeat.emptied(GOODBYE_LIMIT_S)
