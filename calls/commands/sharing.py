"""Links that show a call to people without a log-in: made, opened, withdrawn. Each deed is an event of the call."""

from datetime import timedelta

import structlog
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from calls.commands.refusals import Declined
from calls.commands.timeline import record_event
from calls.models import CallShare, Session

logger = structlog.get_logger()

MOST_OPEN_SHARES = 20
SHARE_DAYS = (1, 7, 30)


def share_call(session: Session, *, days: int, with_recording: bool, by: AbstractBaseUser) -> CallShare:
    """Raises `Declined` for a term that is not offered, or one link too many."""
    if days not in SHARE_DAYS:
        raise Declined(f"A link lasts {', '.join(map(str, SHARE_DAYS))} days. Choose one of them.")
    with transaction.atomic():
        Session.objects.select_for_update(no_key=True).get(pk=session.pk)
        if CallShare.objects.filter(session=session, revoked_at=None, expires_at__gt=timezone.now()).count() >= MOST_OPEN_SHARES:
            raise Declined(f"A call has at most {MOST_OPEN_SHARES} open links. Withdraw one that nobody needs.")
        share = CallShare.objects.create(
            session=session, author_id=by.pk, with_recording=with_recording, expires_at=timezone.now() + timedelta(days=days)
        )
        facts = {"by": by.get_username()[:150], "days": days, "recording": "yes" if with_recording else "no"}
        record_event(session=session, key=f"share:{share.pk}", source="operator", kind="share-made", facts=facts)
    logger.info("call_shared", session_id=session.session_id, days=days, with_recording=with_recording)
    return share


def revoke_share(session: Session, share_id: str, *, by: AbstractBaseUser) -> bool:
    """Withdraws a link at once. False if there is none, or it was withdrawn before."""
    with transaction.atomic():
        share = CallShare.objects.select_for_update(no_key=True).filter(session=session, share_id=share_id, revoked_at=None).first()
        if share is None:
            return False
        CallShare.objects.filter(pk=share.pk).update(revoked_at=timezone.now(), revoked_by_id=by.pk)
        facts = {"by": by.get_username()[:150]}
        record_event(session=session, key=f"share:{share.pk}:revoked", source="operator", kind="share-revoked", facts=facts)
    logger.info("call_share_revoked", session_id=session.session_id)
    return True


def share_opened(share: CallShare) -> None:
    """Counts one opening of a link. Who opened it is nobody's business."""
    CallShare.objects.filter(pk=share.pk).update(opened=F("opened") + 1, opened_at=timezone.now())
