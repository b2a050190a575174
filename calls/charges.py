"""Usage lines become charges. The price of the day of use is looked up and frozen with the charge; what has no price stays unpriced,
never 0. Nothing here writes: `calls.commands.accounting` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest

from django.conf import settings
from django.utils import timezone

from calls.models import Attempt, CallEvent, CallLog, Charge, UsageLine
from calls.price_book import CARRIER, PriceBook, day_of, price_book
from calls.rates import Rates
from engine.events import EndReason
from engine.usage import Unit, UsageKind, UsageRecord
from pricing.cost import Priced
from pricing.price_list import Price
from pricing.shares import shared_out

MINUTE_S = 60
LOST = "lost"
"""The purpose of what was used in a process that died before it could tell: an estimate."""
UNSEEN = "unseen"
_PLACES = 4  # of the carrier's own figures
_UNKNOWN = "The carrier never told its price."
_ALONE = "The carrier's own call details."
_SHARED = "The carrier's own call details: one price for all legs, shared out by their started minutes."


class Pricing:
    """Turns the uses of calls into charges, all by one reading of prices and rates."""

    def __init__(self, book: PriceBook | None = None, rates: Rates | None = None) -> None:
        self.book = book or price_book()
        self.rates = rates or Rates(settings.BILLING_CURRENCY)

    def charges(self, log: CallLog, lines: Sequence[UsageLine]) -> list[Charge]:
        """What each line of one call costs by what is known now, unsaved: one charge each, and the tax on the carrier's bill."""
        language = log.session.agent_version.spec.get("language", "")
        on_the_line = [line for line in lines if line.kind == UsageKind.TELEPHONY]
        others = [self._charge(line, language) for line in lines if line.kind != UsageKind.TELEPHONY]
        return [*others, *self._carrier_charges(log, on_the_line)]

    def _charge(self, line: UsageLine, language: str) -> Charge:
        record = UsageRecord(UsageKind(line.kind), line.provider, line.model, Unit(line.unit), line.quantity, line.evidence)
        found = self.book.cost(record, language=language, on=day_of(line.created_at))
        if not isinstance(found, Priced):
            return Charge(session_id=line.session_id, usage_line=line, price_source=found.reason[:300])
        price = found.price
        charge = Charge(
            session_id=line.session_id,
            usage_line=line,
            amount=found.money.amount,
            currency=found.money.currency,
            unit_price=price.price,
            price_per=price.per,
            pulse=price.pulse,
            price_source=f"{price.source}, read {price.read_on.isoformat()}"[:300],
            price_list=price.version,
            price_override_id=price.override,
        )
        return self._with_rate(charge, line)

    def _with_rate(self, charge: Charge, line: UsageLine) -> Charge:
        rate = self.rates.rate(charge.currency, day_of(line.created_at))
        if rate is not None:
            charge.exchange_rate, charge.rate_currency, charge.rate_row_id = rate.value, rate.quote, rate.row
        return charge

    def _carrier_charges(self, log: CallLog, lines: Sequence[UsageLine]) -> list[Charge]:
        """The carrier's one price, shared out to the legs; the tax on it is a charge of its own at the first line."""
        if log.carrier_price is None or not log.carrier_currency:
            return [Charge(session_id=line.session_id, usage_line=line, price_source=_UNKNOWN) for line in lines]
        if not lines:
            return []
        shares = shared_out(log.carrier_price, [_own_pulses(line, lines) for line in lines], _PLACES)
        made = [
            Charge(
                session_id=line.session_id,
                usage_line=line,
                amount=share,
                currency=log.carrier_currency,
                price_source=_ALONE if len(lines) == 1 else _SHARED,
            )
            for line, share in zip(lines, shares, strict=True)
        ]
        day = day_of(log.started_at or log.created_at)
        tariff = self.book.tariff(exophone_of(log), log.direction, day)
        tax = self.book.line_tax(log.carrier_currency, day, tariff)
        if tax is not None and tax.percent:
            made.append(
                Charge(
                    session_id=lines[0].session_id,
                    usage_line=lines[0],
                    part=Charge.Part.TAX,
                    amount=tax.of(log.carrier_price).amount,
                    currency=log.carrier_currency,
                    unit_price=tax.percent,
                    price_per=100,
                    price_source=f"{tax.name} {tax.percent.normalize():f} %: {tax.source}, read {tax.read_on.isoformat()}"[:300],
                    price_list=self.book.prices.version,
                )
            )
        return [self._with_rate(charge, charge.usage_line) for charge in made]


def _own_pulses(line: UsageLine, lines: Sequence[UsageLine]) -> int:
    """The leg's started minutes, all told on its first line: later ones only correct its length."""
    leg = [other for other in lines if other.model == line.model]
    return -(-sum(other.quantity for other in leg) // MINUTE_S) if leg[0] is line else 0


def differs(new: Charge, old: Charge) -> bool:
    """Whether another amount comes out, in whatever currency it is read."""
    return (new.amount, new.currency, new.exchange_rate, new.rate_currency) != (
        old.amount,
        old.currency,
        old.exchange_rate,
        old.rate_currency,
    )


def betters(new: Charge, old: Charge) -> bool:
    """Whether `new` knows what `old` did not: a price, the carrier's last word, the day's rate. Never another price of our own."""
    if old.amount is None:
        return new.amount is not None
    if (new.amount, new.currency) != (old.amount, old.currency):
        return new.usage_line.kind == UsageKind.TELEPHONY and new.amount is not None
    return old.exchange_rate is None and new.exchange_rate is not None


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


def exophone_of(log: CallLog) -> str:
    """Our own number on this call, as far as it is known."""
    return log.session.agent_phone or (log.from_phone if log.direction == "outbound" else log.to_phone)


def told_legs(log: CallLog) -> list[int]:
    """Seconds of each leg as the carrier told them, the longest if it told several; empty if it never did."""
    told = CallEvent.objects.filter(session_id=log.session_id, facts__has_key="leg_seconds").values_list("facts__leg_seconds", flat=True)
    return [max(seconds) for seconds in zip_longest(*told, fillvalue=0)]


def telephony_usage(log: CallLog, legs: Sequence[int], lines: Sequence[UsageLine]) -> list[UsageRecord]:
    """The seconds of each leg at the carrier that `lines` do not count yet; none if the carrier never had the call.

    The carrier tells lengths late and then longer: what is stored stays, and the rest comes as a line of its own.
    """
    if not log.call_sid:
        return []
    found = []
    for number, seconds in enumerate(legs if any(legs) else [log.duration_s or 0], 1):
        model = log.direction if number == 1 else f"{log.direction} leg {number}"
        evidence = log.call_sid if number == 1 else f"{log.call_sid}:leg{number}"
        known = [line.quantity for line in lines if line.kind == UsageKind.TELEPHONY and line.model == model]
        if not known and (seconds or number == 1):
            found.append(UsageRecord(UsageKind.TELEPHONY, CARRIER, model, Unit.CALL_SECONDS, seconds, evidence))
        elif known and seconds > sum(known):
            more = seconds - sum(known)
            found.append(UsageRecord(UsageKind.TELEPHONY, CARRIER, model, Unit.CALL_SECONDS, more, f"{evidence}:{seconds}"))
    return found


def unseen_requests(session_pk: int, lines: Sequence[UsageLine]) -> list[UsageRecord]:
    """Paid requests whose end nobody saw, because a process died: probably billed, so each is counted as the one that was repeated."""
    attempts = list(Attempt.objects.filter(job__session_id=session_pk).order_by("number"))
    counted = {line.evidence.partition(":unseen")[0] for line in lines if line.purpose == UNSEEN}
    found = []
    for attempt in attempts:
        name = f"attempt-{attempt.pk}"
        repeated = next((a for a in attempts if a.job_id == attempt.job_id and a.outcome == "ok" and a.request_id), None)
        if attempt.outcome or repeated is None or name in counted:
            continue
        of_it = [line for line in lines if line.evidence.partition(":")[0] == repeated.request_id and line.purpose in ("", "analysis")]
        for number, line in enumerate(of_it, 1):
            evidence = f"{name}:unseen{number}"
            found.append(UsageRecord(UsageKind(line.kind), line.provider, line.model, Unit(line.unit), line.quantity, evidence, UNSEEN))
    return found


@dataclass(frozen=True, slots=True)
class LineEstimate:
    """What the line probably costs by our tariff, until the carrier tells its price. Shown and never stored."""

    amount: Decimal
    tax: Decimal
    currency: str
    leg_seconds: tuple[int, ...]
    tariff: Price


def tariff_amount(tariff: Price, leg_seconds: Sequence[int]) -> Decimal:
    """Each leg in its own started pulses: the carrier bills legs, not calls."""
    return sum((tariff.of(seconds).amount for seconds in leg_seconds), Decimal(0))


def line_estimate(log: CallLog, lines: Sequence[UsageLine], book: PriceBook) -> LineEstimate | None:
    """None if the carrier has told its price or never had the call, nobody has answered, or no tariff counts that day."""
    if (log.is_test and not log.call_sid) or log.carrier_price is not None or (log.answered_at is None and log.session.started_at is None):
        return None
    day = day_of(log.started_at or log.created_at)
    tariff = book.tariff(exophone_of(log), log.direction, day)
    if tariff is None:
        return None
    legs: dict[str, int] = {}
    for line in lines:
        if line.kind == UsageKind.TELEPHONY:
            legs[line.model] = legs.get(line.model, 0) + line.quantity
    seconds = tuple(length for length in legs.values() if length) or (_seconds_so_far(log),)
    amount = tariff_amount(tariff, seconds)
    tax = book.line_tax(tariff.currency, day, tariff)
    return LineEstimate(amount, tax.of(amount).amount if tax is not None else Decimal(0), tariff.currency, seconds, tariff)


def _seconds_so_far(log: CallLog) -> int:
    if log.duration_s:
        return log.duration_s
    began = log.answered_at or log.session.started_at or log.created_at
    return max(round(((log.ended_at or log.session.ended_at or timezone.now()) - began).total_seconds()), 1)


def total_of(charges: Sequence[Charge]) -> dict[str, Decimal]:
    """By currency, exactly: what is unpriced is in none of them."""
    totals: dict[str, Decimal] = {}
    for charge in charges:
        if charge.amount is not None:
            totals[charge.currency] = totals.get(charge.currency, Decimal(0)) + charge.amount
    return totals


def converted(charge: Charge, currency: str) -> Decimal | None:
    """The amount in `currency` by the rate that was frozen with it, exactly; None without an amount or a rate."""
    if charge.amount is None or charge.currency == currency:
        return charge.amount
    if charge.exchange_rate is None or charge.rate_currency != currency:
        return None
    return charge.amount * charge.exchange_rate
