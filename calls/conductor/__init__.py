"""Runs one engine session for one call and keeps what it says: turns, usage and events go to Postgres beside the audio, never on it.

The conductor never lets a database, a broker or a dashboard touch the voice: a slow or absent one delays rows. It ends the session's
row in every case, and if even that cannot be written, the sweeper does it from the missing sign of life.
"""

import asyncio
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import structlog
from django.conf import settings
from django.utils import timezone

from agents import assembly
from calls import commands
from calls.conductor.capacity import LagMeter, NoRoom, Seats, room_for
from calls.conductor.deadline import unhurried
from calls.conductor.heartbeat import Heartbeat
from calls.conductor.line import Line
from calls.conductor.live import LiveFeed
from calls.conductor.notes import Notebook
from calls.conductor.on_call import on_call
from calls.conductor.orders import obey
from calls.conductor.resuming import Before, continued, recall
from calls.conductor.rows import Writer
from calls.conductor.till import Tab, Till
from calls.failures import place
from calls.models import Session
from engine.events import EndReason
from engine.ports import AudioLink
from engine.session import ConversationSession

logger = structlog.get_logger()

__all__ = ["Load", "NoRoom", "conduct", "drain", "load", "room", "seat", "watch_lag"]

# After the talk its rows may take as long as an outage of the database; of a process that has to stop they get less.
ROWS_KEPT_S = 600.0
ROWS_LIMIT_S = 30.0
_GRACE_S = 5.0
# How long a drained process waits for goodbyes.
GOODBYE_LIMIT_S = 15.0

_heartbeat = Heartbeat()
_till = Till()
_seats = Seats()
_lag = LagMeter()
_finishing: set[Writer] = set()


async def conduct(session: Session, link: AudioLink) -> None:
    """Holds the conversation of an active session over its link, to its end. Raises only its own cancellation."""
    with structlog.contextvars.bound_contextvars(session_id=session.session_id):
        writer = Writer(session)
        live = LiveFeed(session)
        before = await recall(session)
        tab = Tab(session, live, is_resumed=before.part > 0)
        notebook = Notebook(session, writer, live, _heartbeat.drafts, before, tab, Line(link))
        notebook.line_began()
        writing, showing = writer.start(), live.start()
        reason = EndReason.CRASH
        try:
            reason = await _converse(session, link, notebook, before, tab)
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
            _heartbeat.talk_is_over(session.session_id, tab.request_end)
            _till.leave(tab)
            showing.cancel()
            notebook.line_ended()
            try:
                finishing = _finish(session, writer, writing, notebook.reason or reason)
                await unhurried(finishing, hurry=partial(writer.hurry, ROWS_LIMIT_S))
            finally:
                _heartbeat.leave(session.session_id, tab.request_end)


async def _converse(session: Session, link: AudioLink, notebook: Notebook, before: Before, tab: Tab) -> EndReason:
    spec = session.spec()
    plan, parts = await assembly.assemble_with_audio(spec, on_call(session, spec), link.sample_rate_hz)
    conversation = ConversationSession(continued(plan, before), parts, link, notebook.take)
    _heartbeat.join(session.session_id, conversation.request_end, partial(obey, conversation.request))
    _till.join(tab, conversation.request_end)
    logger.info("conversation_started")
    ended = await conversation.run()
    logger.info("conversation_ended", reason=ended.reason.value, duration_ms=ended.at_ms)
    return ended.reason


async def _finish(session: Session, writer: Writer, writing: "asyncio.Task[None]", reason: EndReason) -> None:
    """The rest of the rows, then the session's end: accounting begins with the latter, so it comes last."""
    ended_at = timezone.now()
    writer.finish(ROWS_LIMIT_S if reason == EndReason.SHUTDOWN else ROWS_KEPT_S)
    _finishing.add(writer)
    try:
        await writer.finished(writing, _GRACE_S)
        if not await writer.write(
            lambda: commands.end_session(session.session_id, reason=reason, at=ended_at, stream_sid=session.stream_sid), "session-end"
        ):
            logger.error("session_end_not_written", reason=reason.value)
    finally:
        _finishing.discard(writer)


@dataclass(frozen=True, slots=True)
class Load:
    """How this process is doing. `calls` counts from the handshake to the last row."""

    calls: int
    room: int
    lag_ms: float
    is_draining: bool
    refused: int


def load() -> Load:
    calls = max(_seats.taken, len(_heartbeat))
    free = room_for(
        limit=settings.MEDIA_MAX_SESSIONS,
        taken=calls,
        lag_ms=_lag.lag_ms,
        max_lag_ms=settings.MEDIA_MAX_LAG_MS,
        is_draining=_heartbeat.draining,
    )
    return Load(calls, free, _lag.lag_ms, _heartbeat.draining, _seats.refused)


def room() -> int:
    """How many more conversations fit into this process; 0 while it drains or runs late."""
    return load().room


def seat() -> AbstractContextManager[None]:
    """A place for one call, from its handshake to its last row. Entering it raises `NoRoom`."""
    return _seats.take(room())


async def watch_lag() -> None:
    """Measures how late the loop runs, until cancelled."""
    await _lag.watch()


async def drain(deadline_s: float) -> None:
    """Takes no more conversations, waits for the running ones to end and their rows to be written; who still talks at the deadline is
    told goodbye, and so is whoever was being let in when the drain began.
    """
    _heartbeat.draining = True
    logger.info("draining", sessions=load().calls)
    if await _emptied(deadline_s):
        return
    logger.warning("drain_deadline_passed", sessions=load().calls)
    _heartbeat.end_all(EndReason.SHUTDOWN)
    for writer in _finishing:
        writer.hurry(ROWS_LIMIT_S)
    if not await _emptied(GOODBYE_LIMIT_S + ROWS_LIMIT_S):
        logger.error("drain_left_calls", sessions=load().calls)


async def _emptied(limit_s: float) -> bool:
    """Waits until nobody talks and nothing is left to write. False if that is not so after `limit_s`."""
    try:
        async with asyncio.timeout(limit_s):
            while _seats.taken or len(_heartbeat):  # noqa: ASYNC110 - looked at once per process, when it stops
                await asyncio.sleep(0.05)
    except TimeoutError:
        return False
    return True
