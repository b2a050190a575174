"""Usage lines become charges. The price is looked up once and frozen with the charge; what has no price stays unpriced, never 0."""

from collections.abc import Sequence

from django.db import models

from calls.models import CallLog, Charge, UsageLine
from engine.events import EndReason
from engine.usage import Unit, UsageKind, UsageRecord
from pricing.cost import Priced, cost

# The carrier's bill is its own: one line for each call, with the carrier's figure instead of a price list.
CARRIER = "carrier"
LOST = "lost"
"""The purpose of what was used in a process that died before it could tell: an estimate."""


def charge_for(line: UsageLine, log: CallLog) -> Charge:
    """The charge of one usage line, unsaved."""
    if line.kind == UsageKind.TELEPHONY:
        return _carrier_charge(line, log)
    record = UsageRecord(UsageKind(line.kind), line.provider, line.model, Unit(line.unit), line.quantity, line.evidence)
    found = cost(record, language=log.session.agent_version.spec.get("language", ""))
    if not isinstance(found, Priced):
        return Charge(session_id=line.session_id, usage_line=line, price_source=found.reason[:300])
    return Charge(
        session_id=line.session_id,
        usage_line=line,
        amount=found.money.amount,
        currency=found.money.currency,
        unit_price=found.price.price,
        price_per=found.price.per,
        price_source=f"{found.price.source}, read {found.price.read_on.isoformat()}"[:300],
    )


def _carrier_charge(line: UsageLine, log: CallLog) -> Charge:
    if log.carrier_price is None or not log.carrier_currency:
        return Charge(session_id=line.session_id, usage_line=line, price_source="The carrier never told its price.")
    return Charge(
        session_id=line.session_id,
        usage_line=line,
        amount=log.carrier_price,
        currency=log.carrier_currency,
        price_source="The carrier's own call details.",
    )


def lost_listening(log: CallLog, told_ms: Sequence[int], streams: int) -> UsageRecord | None:
    """What the recogniser heard in a stream whose process died before it could tell: an estimate, by the time that nothing was told for.

    `told_ms`: what was told, one entry for each of its own streams. None unless fewer told than there were streams of the call.
    """
    session = log.session
    has_died = streams > 1 or session.end_reason == EndReason.CRASH
    if not has_died or len(told_ms) >= streams or session.started_at is None or session.ended_at is None:
        return None
    missing_ms = round((session.ended_at - session.started_at).total_seconds() * 1000) - sum(told_ms)
    stt = session.agent_version.as_spec().stt
    evidence = f"estimate-{session.session_id}"
    return UsageRecord(UsageKind.STT, stt.provider, stt.model, Unit.AUDIO_MS, missing_ms, evidence, LOST) if missing_ms > 0 else None


def listened_ms(session_pk: int) -> list[int]:
    """What recognisers told of this call, without what was estimated."""
    lines = UsageLine.objects.filter(session_id=session_pk, kind=UsageKind.STT, unit=Unit.AUDIO_MS).exclude(purpose=LOST)
    return list(lines.values_list("quantity", flat=True))


def uncharged(session_pk: int) -> models.QuerySet[UsageLine]:
    return UsageLine.objects.filter(session_id=session_pk, charge__isnull=True)


def unpriced(session_pk: int) -> models.QuerySet[UsageLine]:
    """Lines that were charged when nobody knew a price."""
    return UsageLine.objects.filter(session_id=session_pk, charge__isnull=False, charge__amount=None)


def telephony_usage(log: CallLog) -> UsageRecord | None:
    """The call's seconds at the carrier, or None if the carrier never had the call."""
    if not log.call_sid:
        return None
    return UsageRecord(UsageKind.TELEPHONY, CARRIER, log.direction, Unit.CALL_SECONDS, log.duration_s or 0, log.call_sid)
