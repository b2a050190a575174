"""Alarms: what costs money or a caller until a person, or time, has put it right. Raised, kept up to date and cleared in place."""

from decimal import Decimal

import structlog
from django.db import transaction
from django.utils import timezone

from calls.commands.timeline import record_event
from calls.models import Alarm, Session

logger = structlog.get_logger()


def raise_alarm(session: Session, kind: str, *, text: str, amount: Decimal | None = None, currency: str = "") -> bool:
    """Raises the alarm, or brings the one that stands up to date. True if it is new, or had been cleared.

    `amount` with its currency is what it has cost so far; None: nobody knows.
    """
    how = {"text": text[:300], "amount": amount, "currency": currency if amount is not None else ""}
    with transaction.atomic():
        alarm, is_new = Alarm.objects.select_for_update(no_key=True).get_or_create(session=session, kind=kind, defaults=how)
        rises = is_new or alarm.cleared_at is not None
        if not is_new:
            Alarm.objects.filter(pk=alarm.pk).update(**how, cleared_at=None, **({"raised_at": timezone.now()} if rises else {}))
        if rises:
            key = f"alarm:{kind}:{timezone.now().isoformat()}"
            record_event(session=session, key=key, source="sweeper", kind="alarm-raised", facts={"alarm": kind})
    if rises:
        told = str(amount) if amount is not None else "unknown"
        logger.error("alarm_raised", session_id=session.session_id, kind=kind, text=text, amount=told, currency=currency)
    return rises


def clear_alarm(session: Session, kind: str, *, text: str = "", amount: Decimal | None = None, currency: str = "") -> bool:
    """What the alarm was about is over; `text` and `amount` are its last word if given. False if none was open."""
    last = {"text": text[:300]} if text else {}
    cost = {"amount": amount, "currency": currency} if amount is not None else {}
    with transaction.atomic():
        cleared = Alarm.objects.filter(session=session, kind=kind, cleared_at=None).update(cleared_at=timezone.now(), **last, **cost)
        if cleared:
            key = f"alarm:{kind}:cleared:{timezone.now().isoformat()}"
            record_event(session=session, key=key, source="sweeper", kind="alarm-cleared", facts={"alarm": kind})
    if cleared:
        logger.warning("alarm_cleared", session_id=session.session_id, kind=kind)
    return bool(cleared)
