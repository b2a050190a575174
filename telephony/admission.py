"""Who may open a media socket, decided before anything is accepted or paid for. The database is asked here and never again during the talk.

With a token: it must be ours, fresh and still waiting. Without one (a statically configured Voicebot applet): one of the webhook secrets as
Basic credentials; the call's rows are then opened from its `start` message.

A stream of a call that had one before may go on with it once the first is known to be dead: its process has given no sign of life, or its
line broke. Knowing that takes a few seconds, less than the carrier waits for a handshake; a conversation that lives is never taken over.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from calls import commands, queries
from calls.broadcast import delivered_here
from calls.models import Session
from providers.exotel.media import Started
from providers.exotel.webhooks import CallReport, e164_or_empty, is_call_sid
from telephony import applying, tokens
from telephony.away import Breaker, is_away
from telephony.credentials import is_authorised
from telephony.tokens import BadToken, MediaToken

T = TypeVar("T")

# Threads of our own: a database that hangs must not use up those in which host names are looked up.
_THREADS: Final = ThreadPoolExecutor(max_workers=8, thread_name_prefix="admission")
# The carrier knocks twice and then leads the caller on; until then they hear nothing, so a database that is away is given up soon.
_DATABASE_LIMIT_S: Final = 2.5
_breaker = Breaker()
# Longer than a dead process needs to be known as dead, shorter than the carrier waits.
_PICK_UP_WITHIN_S: Final = 7.0
_LOOK_EVERY_S: Final = 0.25


class Refused(Exception):
    """The socket is not let in. `reason` is for our log, never for the peer; `status` is the HTTP answer to a handshake."""

    def __init__(self, reason: str, *, status: int = 403) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class Pass:
    """A socket that is accepted now. `token` is None for a statically configured applet; `picks_up`: it goes on with a line that broke."""

    token: MediaToken | None
    picks_up: bool = False
    at: datetime = field(default_factory=timezone.now)


async def at_handshake(*, token: str, authorization: str) -> Pass:
    """Decides on the handshake alone. Raises `Refused`."""
    if not token:
        if not is_authorised(secrets=settings.EXOTEL_WEBHOOK_SECRETS, authorization=authorization, query_string=""):
            raise Refused("no token in the path and no valid Basic credentials")
        await _with_database(_ask)  # known now, the flow goes on at once; known at the `start`, the caller has heard an answered silence
        return Pass(None)
    try:
        known = tokens.check(token)
    except BadToken as error:
        raise Refused(f"token: {error.reason}") from error
    if known.is_fresh and await _with_database(partial(_is_awaited, known)):
        return Pass(known)
    if await _broke(known.session_id):
        return Pass(known, picks_up=True)
    raise Refused("token: used, replaced, expired or of a call that is over")


async def at_start(admitted: Pass, started: Started) -> Session:
    """Claims the call's audio for this socket: exactly one of several gets it. Raises `Refused`."""
    if not is_call_sid(started.call_sid) or not is_call_sid(started.stream_sid):
        raise Refused("start: names no call or no stream")
    token = admitted.token
    if token is not None and token.call_sid and token.call_sid != started.call_sid:
        raise Refused("start: the token was made for another call")
    if token is not None:
        open_it = partial(_resume, token.session_id, started) if admitted.picks_up else partial(_claim, token.token_id, started)
        return await _with_database(open_it)
    known = await _with_database(partial(_open_static, started))
    if known.state == Session.State.WAITING:
        return await _with_database(partial(_claim, known.media_token_id, started))
    if await _broke(known.session_id):
        return await _with_database(partial(_resume, known.session_id, started))
    raise Refused(f"start: the call's session is {known.state}")


async def database_answers() -> bool:
    """Whether new calls could be let in right now."""
    try:
        await _with_database(_ask)
    except Refused:
        return False
    return True


async def _with_database(work: Callable[[], T]) -> T:
    """Runs `work` in a thread with a healthy connection. A database that is away or too slow refuses the socket, and for a moment every
    socket behind it, so that none of them has to wait to learn the same.
    """
    if not _breaker.may_try():
        raise Refused("the database was away a moment ago", status=503)
    try:
        async with asyncio.timeout(_DATABASE_LIMIT_S):
            # Rows tell dashboards of themselves; a caller must not wait for a broker that hangs.
            with delivered_here():
                answer: T = await database_sync_to_async(work, thread_sensitive=False, executor=_THREADS)()
    except (DatabaseError, InterfaceError, TimeoutError) as error:
        if isinstance(error, TimeoutError) or is_away(error):
            _breaker.failed()
        else:
            _breaker.answered()
        raise Refused(f"the database did not answer ({type(error).__name__})", status=503) from error
    except Exception:
        _breaker.answered()  # it has said no, but it has said it
        raise
    _breaker.answered()
    return answer


def _ask() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _is_awaited(token: MediaToken) -> bool:
    return commands.is_awaited(session_id=token.session_id, token_id=token.token_id)


def _claim(token_id: str, started: Started) -> Session:
    session = commands.claim_media(token_id=token_id, call_sid=started.call_sid, stream_sid=started.stream_sid)
    if session is None:
        raise Refused("start: the call's audio is open already, or the token belongs to another call")
    return session


def _resume(session_id: str, started: Started) -> Session:
    session = commands.resume_media(session_id=session_id, call_sid=started.call_sid, stream_sid=started.stream_sid)
    if session is None:
        raise Refused("start: the call goes on elsewhere, is over, or broke too often")
    return session


async def _broke(session_id: str) -> bool:
    """Whether the stream that this session had is dead. Waits while that is not known; a sign of life settles it."""
    first_seen = None
    deadline = asyncio.get_running_loop().time() + _PICK_UP_WITHIN_S
    while asyncio.get_running_loop().time() < deadline:
        session = await _with_database(partial(queries.find_session, session_id=session_id))
        if session is None:
            return False
        if commands.may_resume(session, timezone.now()):
            return True
        first_seen = first_seen or session.seen_at
        if session.state != Session.State.ACTIVE or session.seen_at != first_seen:
            return False
        await asyncio.sleep(_LOOK_EVERY_S)
    return False


def _open_static(started: Started) -> Session:
    """The rows of a call that only its `start` has told us of, with the id that claims its audio if that is still to be claimed."""
    report = _as_report(started)
    session = applying.find(report)
    try:
        if session is None:
            session = applying.open_for(report)
        if session.state == Session.State.WAITING:
            commands.admit_caller(session)
            session.media_token_id = commands.issue_media_token(session)
    except applying.Unanswered as error:
        raise Refused(f"start: {error.message}") from error
    except commands.CallRefused as error:
        raise Refused(f"start: {error.message}") from error
    return session


def _as_report(started: Started) -> CallReport:
    """`start` says who talks to whom, but not who called: the side that is one of our phones is ours."""
    custom_field = started.custom_parameters.get("CustomField", "")
    caller, called = e164_or_empty(started.from_number), e164_or_empty(started.to_number)
    return CallReport(
        call_sid=started.call_sid,
        custom_field=custom_field if is_call_sid(custom_field) else "",  # our own ids are of that shape
        direction=None,
        human=caller,
        exophones=tuple(number for number in (called, caller) if number),
        status=None,
        event_type="",
        created_at=None,
        started_at=None,
        ended_at=None,
        updated_at=None,
        duration_s=None,
        recording_url="",
        cause="",
    )
