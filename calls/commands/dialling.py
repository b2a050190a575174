"""Outbound calls up to the carrier's answer. A number is dialled at most once: an unknown outcome is never tried again."""

from collections.abc import Mapping

import structlog
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from agents.models import Agent
from calls import broadcast, dispatch
from calls.commands.refusals import CallRefused
from calls.commands.settlement import begin_settlement, soon
from calls.commands.spending import check_budgets
from calls.commands.timeline import move, record_event, tell
from calls.models import CallLog, Session
from calls.status import CallStatus, Direction
from calls.told import claims

logger = structlog.get_logger()


def queue_outbound_call(
    *, owner: AbstractBaseUser, agent: Agent, to_phone: str, from_phone: str = "", customer: Mapping[str, str] | None = None
) -> Session:
    """Opens an outbound call and queues its dial. Numbers are E.164; an empty `from_phone` is chosen when dialling.

    `customer` is what the agent's {{customer.…}} say.
    Raises `CallRefused`.
    """
    if not agent.active:
        raise CallRefused(f"The agent “{agent.name}” is inactive. Activate it, or place the call with another agent.")
    if not to_phone:
        raise CallRefused("There is no number to call. Give one with its country code, for example +919876543210.")
    if to_phone == from_phone:
        raise CallRefused("The number to call and the number to call from are the same. Change one of them.")
    check_budgets(agent)
    with transaction.atomic():
        session = Session.objects.create(
            owner_id=owner.pk,
            agent=agent,
            agent_version=agent.current_version,
            user_phone=to_phone,
            agent_phone=from_phone,
            customer=dict(customer or {}),
        )
        CallLog.objects.create(
            session=session,
            created_at=session.created_at,
            owner_id=owner.pk,
            agent=agent,
            direction=Direction.OUTBOUND,
            from_phone=from_phone,
            to_phone=to_phone,
        )
        tell(session, key="opened", source="api", kind="call-queued", facts={"direction": "outbound", **claims(status=CallStatus.QUEUED)})
        dispatch.enqueue(dispatch.JobKind.DIAL, session)
        broadcast.call_opened_on_commit(session)
    logger.info("call_queued", session_id=session.session_id)
    return session


def claim_dial(session: Session) -> bool:
    """True for exactly one caller, ever: that one may ask the carrier to dial. Once more for each time it was put off."""
    if move(session, CallStatus.INITIATED, source="api", kind="dial-claimed", started_at=timezone.now()):
        return True
    put_off = CallLog.objects.filter(session=session, status=CallStatus.INITIATED, dial_put_off=True)
    with transaction.atomic():
        now = timezone.now()
        if not put_off.update(dial_put_off=False, started_at=now):
            return False
        record_event(session=session, key=f"dial-claimed:{now.isoformat()}", source="api", kind="dial-claimed")
    return True


def dial_put_off(session: Session) -> None:
    """The one who had claimed the dial gives it back: the carrier had too many requests, so it is certain that nobody's phone rings."""
    claimed = CallLog.objects.filter(session=session, status=CallStatus.INITIATED, call_sid=None, dial_outcome="", dial_put_off=False)
    with transaction.atomic():
        if claimed.update(dial_put_off=True):
            key = f"dial:put-off:{timezone.now().isoformat()}"
            record_event(session=session, key=key, source="carrier", kind="dial-put-off")


def cancel_dial(session: Session, *, reason: str) -> bool:
    """The call is not dialled after all; the operator reads why. False if it is not queued any more."""
    with transaction.atomic():
        if not move(session, CallStatus.CANCELED, source="api", kind="call-canceled", failure=reason[:300], ended_at=timezone.now()):
            return False
        Session.objects.filter(pk=session.pk, state=Session.State.WAITING).update(
            state=Session.State.ENDED, ended_at=timezone.now(), media_token_id=""
        )
        broadcast.call_ended_on_commit(session)
        begin_settlement(session)
    return True


def dial_accepted(session: Session, *, call_sid: str, from_phone: str) -> None:
    """The carrier took the order. That does not mean that anybody has answered, or that the phone rings.

    It may come out late: what was written down while nobody knew is no failure any more.
    """
    with transaction.atomic():
        log = CallLog.objects.select_for_update(no_key=True).get(session=session)
        if log.call_sid and log.call_sid != call_sid:
            logger.error("dial_sid_differs", session_id=session.session_id)
        log.call_sid = log.call_sid or call_sid
        log.from_phone = from_phone or log.from_phone
        if log.poll_after is None and log.settled_at is None:
            log.poll_after = soon(RINGING_POLL_S)
        log.save(update_fields=["call_sid", "from_phone", "poll_after"])
        Session.objects.filter(pk=session.pk).update(agent_phone=log.from_phone)
        tell(session, key="dial:accepted", source="carrier", kind="dial-accepted")
        broadcast.call_changed_on_commit(session)


# Nobody rings longer than this: then the carrier is asked even if no callback came.
RINGING_POLL_S = 75


def dial_refused(session: Session, *, message: str) -> None:
    """The carrier said no; the call has failed and its reason is shown to operators."""
    with transaction.atomic():
        said = claims(status=CallStatus.FAILED, cause=message[:300], ended_at=timezone.now())
        told = tell(session, key="dial:refused", source="carrier", kind="dial-refused", facts=said)
        if told is not None and told.ends_call:
            # It has no audio, so it has no conductor: its session ends here.
            Session.objects.filter(pk=session.pk, state=Session.State.WAITING).update(
                state=Session.State.ENDED, ended_at=timezone.now(), media_token_id=""
            )
            broadcast.call_ended_on_commit(session)
            begin_settlement(session)


def dial_unknown(session: Session, *, message: str) -> None:
    """Nobody knows whether the carrier dialled. The call is not dialled again; what the carrier reports later still counts.

    If its news or its audio was faster than this, there is nothing unknown about it any more.
    """
    with transaction.atomic():
        log = CallLog.objects.select_for_update(no_key=True).get(session=session)
        tell(session, key="dial:unknown", source="carrier", kind="dial-unknown", facts=claims(cause=message[:300]))
        if not log.call_sid:
            CallLog.objects.filter(pk=log.pk).update(poll_after=soon(RINGING_POLL_S))
