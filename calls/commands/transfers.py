"""Handing a caller over: the agent's decision, the carrier's question for the numbers, and the outcome. One transfer for each call."""

from collections.abc import Sequence

import structlog
from django.db import transaction
from django.utils import timezone

from calls.commands.timeline import record_event
from calls.models import Session, Transfer

logger = structlog.get_logger()


def decide_transfer(
    session_id: str, *, destination_id: int, name: str, numbers: Sequence[str], ring_s: int, is_agents: bool = True
) -> bool:
    """Keeps that this running call is to be handed over, and to whom. A later decision replaces an earlier one until the carrier has asked.

    False if the session is over or the numbers were given out already: then nothing has changed. An operator's decision (not
    `is_agents`) is on the timeline under the operator's name, which whoever calls sees to.
    """
    with transaction.atomic():
        session = Session.objects.select_for_update(no_key=True).get(session_id=session_id)
        given_out = Transfer.objects.filter(session=session, asked_at__isnull=False).exists()
        if session.state != Session.State.ACTIVE or given_out or not numbers:
            return False
        Transfer.objects.update_or_create(
            session=session,
            defaults={
                "destination_id": destination_id,
                "name": name[:80],
                "numbers": list(numbers),
                "ring_s": ring_s,
                "decided_at": timezone.now(),
            },
        )
        if is_agents:
            record_event(
                session=session,
                key=f"transfer:decided:{destination_id}",
                source="engine",
                kind="transfer-decided",
                facts={"destination": destination_id, "numbers": len(numbers)},
            )
    logger.info("transfer_decided", session_id=session_id, destination_id=destination_id)
    return True


def transfer_asked(session: Session) -> Transfer | None:
    """The transfer whose numbers the carrier is to ring now; None if none was decided. Asking again gives the same."""
    with transaction.atomic():
        transfer = Transfer.objects.select_for_update(no_key=True).filter(session=session).first()
        if transfer is None:
            return None
        if transfer.asked_at is None:
            transfer.asked_at = timezone.now()
            transfer.save(update_fields=["asked_at"])
            record_event(session=session, key="transfer:asked", source="carrier", kind="transfer-asked")
        return transfer


def transfer_ended(session: Session, *, outcome: str) -> bool:
    """What the carrier says of the hand-over. The first word stands; False if there is no transfer or it is known already."""
    with transaction.atomic():
        told = Transfer.objects.filter(session=session, outcome="").update(outcome=outcome[:24], outcome_at=timezone.now())
        if told:
            record_event(session=session, key="transfer:ended", source="carrier", kind="transfer-ended", facts={"outcome": outcome[:24]})
    return bool(told)
