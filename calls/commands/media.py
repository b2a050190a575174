"""Who may open a call's audio: one token, one use, one call. And who may take it over when the stream that had it is dead."""

import secrets
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from calls import broadcast, queries
from calls.commands.refusals import CallRefused
from calls.commands.timeline import record_event, tell
from calls.models import CallLog, Session
from calls.status import TERMINAL, CallStatus
from calls.timeline import changes
from calls.told import claims
from engine.events import EndReason

logger = structlog.get_logger()

# A media process tells every second that its conversations live: one that has been silent for this long is dead.
DEAD_AFTER: Final = timedelta(seconds=3.5)
# A line that broke may be picked up for this long; the carrier itself tries again at once or not at all.
RESUMABLE_FOR: Final = timedelta(seconds=60)
MOST_RESUMPTIONS: Final = 3
_BROKE: Final = (EndReason.LINK_LOST, EndReason.CRASH)

_ISSUE = """
UPDATE calls_session SET media_token_id = CASE WHEN media_token_id = '' THEN %s ELSE media_token_id END
WHERE id = %s AND state = %s
RETURNING media_token_id
"""


def issue_media_token(session: Session) -> str:
    """The id of the token that may open this session's audio. Asking again before its use gives the same one: copies agree.

    Raises `CallRefused` if the audio was opened already or the call is over.
    """
    fresh = secrets.token_urlsafe(24)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_ISSUE, [fresh, session.pk, Session.State.WAITING])
            found = cursor.fetchone()
        if found is not None:
            if found[0] == fresh:
                record_event(session=session, key="audio-offered", source="engine", kind="audio-offered")
            return str(found[0])
    row = Session.objects.get(pk=session.pk)
    raise CallRefused(f"The audio of {row.session_id} cannot be opened: its session is {row.state}.")


def claim_media(*, token_id: str, call_sid: str, stream_sid: str) -> Session | None:
    """The session whose audio this is, now active, or None: the token is unknown, used, or belongs to another call.

    Only one of several simultaneous claims succeeds. A reconnect is `resume_media`'s.
    """
    if not token_id:
        return None
    now = timezone.now()
    with transaction.atomic():
        locked = CallLog.objects.select_for_update(no_key=True, of=("self",)).only("session_id")
        session_pk = next((log.session_id for log in locked.filter(session__media_token_id=token_id)), None)
        if session_pk is None:
            return None
        # Looked at again under the lock: whoever came first has used the token up.
        awaited = Session.objects.select_related("call_log", "agent_version", "agent")
        session = next(iter(awaited.filter(pk=session_pk, media_token_id=token_id, state=Session.State.WAITING)), None)
        if session is None:
            return None
        log = session.call_log
        if log.is_test:
            call_sid = ""  # no carrier knows this call: nobody is to be asked about it, nor pays for its line
        if log.call_sid and call_sid and log.call_sid != call_sid:
            logger.warning("media_claim_refused", session_id=session.session_id, reason="the token belongs to another call")
            return None
        if call_sid and not log.call_sid:
            # An outbound call's audio can be faster than the answer to its dial, and it ends every doubt about one that got none.
            CallLog.objects.filter(pk=log.pk, call_sid=None).update(call_sid=call_sid)
        claimed = {"state": Session.State.ACTIVE, "media_token_id": "", "stream_sid": stream_sid[:64], "started_at": now, "seen_at": now}
        claimed["listen_url"] = settings.MEDIA_LISTEN_URL
        Session.objects.filter(pk=session.pk).update(**claimed)
        for name, value in claimed.items():
            setattr(session, name, value)
        answered = claims(status=CallStatus.IN_PROGRESS, answered_at=now)
        told = tell(session, key="stream:started", source="stream", kind="stream-started", facts=answered, holds_lock=True)
    if told is None:
        log.refresh_from_db()
        return session
    log.call_sid = log.call_sid or call_sid or None
    for name, value in changes(told.before, told.after).items():
        setattr(log, name, value)
    return session


def is_awaited(*, session_id: str, token_id: str) -> bool:
    """Whether the audio of this session is still to be opened, and with this token."""
    return Session.objects.filter(session_id=session_id, state=Session.State.WAITING, media_token_id=token_id).exists()


def may_resume(session: Session, now: datetime) -> bool:
    """Whether another stream may go on with this session: its process is dead, or its line has just broken. Pure."""
    if session.call_log.status in TERMINAL or session.hangup_requested_at is not None:
        return False
    if session.state == Session.State.ACTIVE:
        return session.seen_at is not None and now - session.seen_at >= DEAD_AFTER
    if session.state == Session.State.ENDED:
        return session.end_reason in _BROKE and session.ended_at is not None and now - session.ended_at <= RESUMABLE_FOR
    return False


def resume_media(*, session_id: str, call_sid: str, stream_sid: str) -> Session | None:
    """The session, active again in a new stream of the same call, or None: it lives elsewhere, is over, or is another call's.

    Only one of several simultaneous ones succeeds: whoever is first has just given a sign of life.
    """
    now = timezone.now()
    with transaction.atomic():
        log = CallLog.objects.select_for_update(no_key=True, of=("self",)).filter(session__session_id=session_id).first()
        if log is None or not call_sid or log.call_sid != call_sid:
            return None
        session = Session.objects.select_related("call_log").get(pk=log.session_id)
        part = queries.times_resumed(session) + 1
        if not may_resume(session, now) or part > MOST_RESUMPTIONS:
            return None
        Session.objects.filter(pk=session.pk).update(
            state=Session.State.ACTIVE,
            media_token_id="",
            stream_sid=stream_sid[:64],
            seen_at=now,
            ended_at=None,
            end_reason="",
            listen_url=settings.MEDIA_LISTEN_URL,
        )
        record_event(session=session, key=f"stream:resumed:{part}", source="stream", kind="stream-resumed", facts={"part": part})
        broadcast.call_changed_on_commit(session)
    logger.warning("stream_resumed", session_id=session_id, part=part)
    return Session.objects.select_related("call_log", "agent_version", "agent").get(pk=session.pk)


def is_resumed(session: Session) -> bool:
    """Whether a session that was just given to a stream had one before. Pure: the first claim sets both moments to the same."""
    return session.started_at != session.seen_at
