"""Who may open a call's audio: one token, one use, one call."""

import secrets

import structlog
from django.db import transaction
from django.utils import timezone

from calls.commands.dialling import CallRefused
from calls.commands.timeline import move, record_event
from calls.models import CallLog, Session
from calls.status import CallStatus

logger = structlog.get_logger()


def issue_media_token(session: Session) -> str:
    """The id of the token that may open this session's audio. Asking again before its use gives the same one: copies agree.

    Raises `CallRefused` if the audio was opened already or the call is over.
    """
    with transaction.atomic():
        row = Session.objects.select_for_update(no_key=True).get(pk=session.pk)
        if row.state != Session.State.WAITING:
            raise CallRefused(f"The audio of {row.session_id} cannot be opened: its session is {row.state}.")
        if not row.media_token_id:
            row.media_token_id = secrets.token_urlsafe(24)
            row.save(update_fields=["media_token_id"])
        return row.media_token_id


def claim_media(*, token_id: str, call_sid: str, stream_sid: str) -> Session | None:
    """The session whose audio this is, now active, or None: the token is unknown, used, or belongs to another call.

    Only one of several simultaneous claims succeeds. A reconnect of a running conversation is refused.
    """
    if not token_id:
        return None
    now = timezone.now()
    with transaction.atomic():
        log = CallLog.objects.select_for_update(no_key=True, of=("self",)).filter(session__media_token_id=token_id).first()
        if log is None:
            return None
        # Looked at again under the lock: whoever came first has used the token up.
        session = Session.objects.filter(pk=log.session_id, media_token_id=token_id, state=Session.State.WAITING).first()
        if session is None:
            return None
        if log.call_sid and call_sid and log.call_sid != call_sid:
            logger.warning("media_claim_refused", session_id=session.session_id, reason="the token belongs to another call")
            return None
        if call_sid and not log.call_sid:
            # An outbound call's audio can be faster than the answer to its dial, and it ends every doubt about one that got none.
            doubt = {"dial_outcome": "accepted", "failure": ""} if log.dial_outcome == "unknown" else {}
            CallLog.objects.filter(pk=log.pk, call_sid=None).update(call_sid=call_sid, **doubt)
        Session.objects.filter(pk=session.pk).update(
            state=Session.State.ACTIVE, media_token_id="", stream_sid=stream_sid[:64], started_at=now, seen_at=now
        )
        record_event(session=session, key="stream:started", source="stream", kind="stream-started")
        answered = {} if log.answered_at else {"answered_at": now}
        move(session, CallStatus.IN_PROGRESS, source="stream", **answered)
    return Session.objects.select_related("call_log", "agent_version", "agent").get(pk=session.pk)
