"""Usage lines become charges. The price is looked up once and frozen with the charge; what has no price stays unpriced, never 0."""

from django.db import models

from calls.models import CallLog, Charge, UsageLine
from engine.usage import Unit, UsageKind, UsageRecord
from pricing.cost import Priced, cost

# The carrier's bill is its own: one line for each call, with the carrier's figure instead of a price list.
CARRIER = "carrier"


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
