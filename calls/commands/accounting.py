"""Accounts a call: every use gets its charge, once, and the call is settled when nothing is left to happen.

Charges are only ever added. One that proves wrong is superseded by a new row in the same transaction; `store_charges` is the one place
that writes them, under the lock of the call's log.
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.db import transaction
from django.utils import timezone

from calls import broadcast, charges, queries
from calls.commands.listing import list_call
from calls.commands.settlement import write_usage
from calls.commands.spending import book
from calls.commands.timeline import record_event
from calls.dispatch import JobKind
from calls.models import CallLog, Charge, Job, Session, UsageLine
from calls.outgoing.announcing import announce
from engine.usage import UsageKind

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stored:
    """What one accounting wrote: charges of uses that had none, and charges with the ones they took the place of."""

    made: list[Charge]
    replaced: list[tuple[Charge, Charge]]  # old, new


def account(session: Session) -> int:
    """Charges every use that has no charge, and betters charges that lacked a price or a rate; returns how many were written.

    Repeating it charges nothing twice. The call counts as settled once no other job of it is open; a parked step leaves it unsettled
    although its costs are there.
    """
    with transaction.atomic():
        log = _locked(session)
        lines = list(UsageLine.objects.filter(session=session).order_by("id"))
        lost = charges.lost_listening(log, charges.listened_ms(session.pk), 1 + queries.times_resumed(session))
        late = [*charges.telephony_usage(log, charges.told_legs(log), lines), *charges.unseen_requests(session.pk, lines)]
        if lost is not None:
            late.append(lost)
        if late:
            write_usage(session.pk, late)
            lines = list(UsageLine.objects.filter(session=session).order_by("id"))
        wanted = charges.Pricing().charges(log, lines)
        stored = store_charges(session, wanted, replace_if=charges.betters, reason="accounted again: more was known")
        book(session)
        beside = (JobKind.ACCOUNT, JobKind.DRAW_RECORDING, JobKind.DELETE_RECORDING)
        list_call(session)
        unfinished = Job.objects.filter(session=session).exclude(state=Job.State.DONE).exclude(kind__in=beside)
        if log.settled_at is None and not unfinished.exists():
            CallLog.objects.filter(pk=log.pk).update(settled_at=timezone.now())
            record_event(session=session, key="settled", source="api", kind="call-settled", facts={"charges": len(stored.made)})
            announce(session)
            broadcast.call_settled_on_commit(session)
    logger.info("call_accounted", session_id=session.session_id, charges=len(stored.made), superseded=len(stored.replaced))
    _alarm(session, stored)
    return len(stored.made) + len(stored.replaced)


def reprice(session: Session, *, reason: str, dry_run: bool = False, pricing: charges.Pricing | None = None) -> list[tuple[Charge, Charge]]:
    """Charges what was charged before by the prices, rates and carrier's figures of today's knowledge; gives (old, new) where they differ.

    Uses that have no charge yet are left to `account`. With `dry_run` nothing is written.
    """
    with transaction.atomic():
        log = _locked(session)
        lines = list(UsageLine.objects.filter(session=session, charge__isnull=False).distinct().order_by("id"))
        wanted = (pricing or charges.Pricing()).charges(log, lines)
        stored = store_charges(session, wanted, replace_if=charges.differs, reason=reason, dry_run=dry_run)
        changes = [*stored.replaced, *((_nothing(charge), charge) for charge in stored.made)]
        if changes and not dry_run:
            book(session)
            list_call(session)
            broadcast.call_changed_on_commit(session)
    if changes and not dry_run:
        logger.info("call_repriced", session_id=session.session_id, superseded=len(stored.replaced), charges=len(stored.made))
    return changes


def store_charges(
    session: Session, wanted: list[Charge], *, replace_if: Callable[[Charge, Charge], bool], reason: str, dry_run: bool = False
) -> Stored:
    """Writes what is missing, and what takes the place of a live charge if `replace_if(new, old)`. Needs the call log's lock."""
    live = {(charge.usage_line_id, charge.part): charge for charge in Charge.objects.filter(session=session).select_related("usage_line")}
    stored = Stored([], [])
    for new in [*wanted, *_taxes_no_more(wanted, live)]:
        old = live.get((new.usage_line_id, new.part))
        if old is None:
            stored.made.append(new)
        elif replace_if(new, old):
            new.supersedes, new.reason = old, reason[:200]
            stored.replaced.append((old, new))
    if not dry_run:
        Charge.objects.bulk_create([*stored.made, *(new for _old, new in stored.replaced)])
    return stored


def _locked(session: Session) -> CallLog:
    return CallLog.objects.select_for_update(no_key=True, of=("self",)).select_related("session__agent_version").get(session=session)


def _taxes_no_more(wanted: list[Charge], live: dict[tuple[int, str], Charge]) -> list[Charge]:
    """A tax that was charged and is due no more stays in the books as nothing."""
    due = {(charge.usage_line_id, charge.part) for charge in wanted}
    asked = {charge.usage_line_id for charge in wanted if charge.amount is not None}
    return [
        Charge(
            session_id=old.session_id,
            usage_line=old.usage_line,
            part=old.part,
            amount=old.amount * 0,
            currency=old.currency,
            price_source="No tax is due.",
            exchange_rate=old.exchange_rate,
            rate_currency=old.rate_currency,
            rate_row_id=old.rate_row_id,
        )
        for key, old in live.items()
        if old.part == Charge.Part.TAX and key not in due and old.amount is not None and old.usage_line_id in asked
    ]


def _nothing(charge: Charge) -> Charge:
    return Charge(session_id=charge.session_id, usage_line=charge.usage_line, part=charge.part, amount=None)


def _alarm(session: Session, stored: Stored) -> None:
    """An unknown price is nobody's to overlook: it is logged as an error for whoever watches, once for each model of a call."""
    unknown = {(c.usage_line.kind, c.usage_line.provider, c.usage_line.model, c.usage_line.unit) for c in stored.made if c.amount is None}
    for kind, provider, model, unit in sorted(unknown):
        if kind == UsageKind.TELEPHONY:
            logger.warning("carrier_price_unknown", session_id=session.session_id)
        else:
            logger.error("price_unknown", session_id=session.session_id, kind=kind, provider=provider, model=model, unit=unit)
