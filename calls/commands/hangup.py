"""An operator wants a call to end. There is no hang-up request at the carrier: we close our side of its audio."""

from functools import partial

import structlog
from django.db import transaction
from django.utils import timezone

from calls import broadcast
from calls.commands.settlement import begin_settlement
from calls.commands.timeline import move, record_event
from calls.models import CallLog, Session
from calls.status import TERMINAL, CallStatus

logger = structlog.get_logger()


def request_hangup(session: Session, *, by: str, source: str = "operator") -> bool:
    """Ends the call: at once if it is still queued, within about a second if it talks, on answer if it rings.

    False if there is nothing to end: the call is over. `by` names who asked (a user name); `source` is `sweeper` if nobody did, but a
    watchdog of ours.
    """
    with transaction.atomic():
        log = CallLog.objects.select_for_update(no_key=True).get(session=session)
        row = Session.objects.select_for_update(no_key=True).get(pk=session.pk)
        if log.status in TERMINAL or row.state == Session.State.ENDED:
            return False
        if row.hangup_requested_at is None:
            Session.objects.filter(pk=row.pk).update(hangup_requested_at=timezone.now())
        record_event(session=session, key="hangup-requested", source=source, kind="hangup-requested", facts={"by": by[:150]})
        canceled = partial(move, session, CallStatus.CANCELED, source=source, kind="call-canceled", ended_at=timezone.now())
        if log.status == CallStatus.QUEUED and canceled():
            Session.objects.filter(pk=row.pk).update(state=Session.State.ENDED, ended_at=timezone.now(), media_token_id="")
            broadcast.call_ended_on_commit(session)
            begin_settlement(session)
        else:
            broadcast.call_changed_on_commit(session)
    logger.info("call_hangup_requested", session_id=session.session_id)
    return True
