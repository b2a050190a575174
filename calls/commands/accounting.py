"""Accounts a call: every use gets its charge, once, and the call is settled when nothing is left to happen."""

import structlog
from django.db import transaction
from django.utils import timezone

from calls import broadcast, charges, queries
from calls.commands.settlement import write_usage
from calls.commands.timeline import record_event
from calls.dispatch import JobKind
from calls.models import CallLog, Charge, Job, Session
from calls.outgoing.announcing import announce

logger = structlog.get_logger()


def account(session: Session) -> int:
    """Charges every usage line that has no charge, or none with a price; returns how many. Repeating it charges nothing twice.

    The call counts as settled once no other job of it is open; a parked step leaves it unsettled although its costs are there.
    """
    with transaction.atomic():
        log = CallLog.objects.select_for_update(no_key=True, of=("self",)).select_related("session__agent_version").get(session=session)
        lost = charges.lost_listening(log, charges.listened_ms(session.pk), 1 + queries.times_resumed(session))
        write_usage(session.pk, [record for record in (charges.telephony_usage(log), lost) if record is not None])
        made = [charges.charge_for(line, log) for line in charges.uncharged(session.pk)]
        better = [
            charge for charge in (charges.charge_for(line, log) for line in charges.unpriced(session.pk)) if charge.amount is not None
        ]
        # A charge is never changed; one that had no price makes room for one that has.
        Charge.objects.filter(usage_line__in=[charge.usage_line for charge in better], amount=None).delete()
        Charge.objects.bulk_create([*made, *better], ignore_conflicts=True)
        beside = (JobKind.ACCOUNT, JobKind.DELETE_RECORDING)
        unfinished = Job.objects.filter(session=session).exclude(state=Job.State.DONE).exclude(kind__in=beside)
        if log.settled_at is None and not unfinished.exists():
            CallLog.objects.filter(pk=log.pk).update(settled_at=timezone.now())
            record_event(session=session, key="settled", source="api", kind="call-settled", facts={"charges": len(made)})
            announce(session)
            broadcast.call_settled_on_commit(session)
    logger.info("call_accounted", session_id=session.session_id, charges=len(made), priced_now=len(better))
    return len(made) + len(better)
