"""A call's costs as its page shows them: in lines that add up to the shown total, each with its price and where that is from."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from calls import wording
from calls.charges import LineEstimate, converted
from calls.models import Charge
from calls.queries import ChargesSummary
from calls.sentences import in_readers_words
from pricing.shares import rounded_parts

# Every amount of one currency is shown to this many places, and so is their total; in the operator's currency to the hundredth.
PLACES = 6
CONVERTED_PLACES = 2


@dataclass(frozen=True, slots=True)
class CostLine:
    """What one provider's model used in one unit during the call, at one price; or a tax."""

    what: str
    detail: str
    quantity: str
    unit_price: str
    amount: str
    converted: str
    state: str  # priced, unpriced, pending until the call is accounted, or estimate
    source: str


@dataclass(frozen=True, slots=True)
class PriceNote:
    """Where one price or rate is from."""

    what: str
    source: str


@dataclass(frozen=True, slots=True)
class Costs:
    """The whole section. `converted` is the total in the operator's currency, or why there is none."""

    lines: list[CostLine]
    totals: list[str]
    tax: str
    converted: str
    unpriced: int
    notes: list[PriceNote]


class _Use(NamedTuple):
    """What makes two uses the same line."""

    what: str
    detail: str
    unit: str
    state: str
    unit_price: Decimal | None
    price_per: int | None
    pulse: int | None
    currency: str
    source: str
    price_list: str
    override: int | None
    rate: Decimal | None


def costs(summary: ChargesSummary) -> Costs:
    """Uses of the same thing at the same price are added up: a long call has hundreds, and five prices."""
    groups: dict[_Use, tuple[int, list[Charge]]] = {}
    for line in summary.lines:
        usage = line.usage
        use = _use(wording.usage_words(usage.kind, usage.purpose), f"{usage.provider} {usage.model}".strip(), usage.unit, line.charge)
        quantity, made = groups.get(use, (0, []))
        groups[use] = quantity + usage.quantity, [*made, line.charge] if line.charge is not None else made
    for tax in summary.taxes:
        name = tax.price_source.partition(":")[0]
        groups[_use(name, _("on the carrier's price"), "", tax)] = 0, [tax]
    shown, in_ours = _amounts([made for _quantity, made in groups.values()], summary)
    lines = [
        _cost_line(use, quantity, amount, ours, summary.currency)
        for (use, (quantity, _made)), amount, ours in zip(groups.items(), shown, in_ours, strict=True)
    ]
    totals = {currency: amount.quantize(Decimal(1).scaleb(-PLACES)) for currency, amount in sorted(summary.totals.items())}
    foreign = [currency for currency in totals if currency != summary.currency]
    return Costs(
        lines=lines,
        totals=[wording.money_words(amount, currency) for currency, amount in totals.items()],
        tax=" + ".join(wording.money_words(tax.amount, tax.currency) for tax in summary.taxes),
        converted=_converted_words(summary) if foreign else "",
        unpriced=summary.unpriced,
        notes=_notes(groups, summary),
    )


def _use(what: str, detail: str, unit: str, charge: Charge | None) -> _Use:
    if charge is None:
        return _Use(what, detail, unit, "pending", None, None, None, "", "", "", None, None)
    return _Use(
        what,
        detail,
        unit,
        "unpriced" if charge.amount is None else "priced",
        charge.unit_price,
        charge.price_per,
        charge.pulse,
        charge.currency,
        charge.price_source,
        charge.price_list,
        charge.price_override_id,
        charge.exchange_rate,
    )


def _amounts(groups: Sequence[Sequence[Charge]], summary: ChargesSummary) -> tuple[list[Decimal | None], list[Decimal | None]]:
    """Each group's amount in its own currency and in ours, rounded so that the column adds up to the rounded total."""
    own: list[Decimal | None] = [None] * len(groups)
    ours: list[Decimal | None] = [None] * len(groups)
    for currency in summary.totals:
        places = [number for number, made in enumerate(groups) if made and made[0].currency == currency]
        exact = [sum((charge.amount or Decimal(0) for charge in groups[number]), Decimal(0)) for number in places]
        for number, amount in zip(places, rounded_parts(exact, PLACES), strict=True):
            own[number] = amount
    if summary.converted is not None:
        exact_ours = [sum((converted(charge, summary.currency) or Decimal(0) for charge in made), Decimal(0)) for made in groups]
        for number, amount in enumerate(rounded_parts(exact_ours, CONVERTED_PLACES)):
            ours[number] = amount if own[number] is not None else None
    return own, ours


def _cost_line(use: _Use, quantity: int, amount: Decimal | None, ours: Decimal | None, currency: str) -> CostLine:
    return CostLine(
        what=use.what,
        detail=use.detail,
        quantity=wording.quantity_words(quantity, use.unit) if use.unit else "",
        unit_price=_price_words(use),
        amount=_("not accounted yet") if use.state == "pending" else wording.money_words(amount, use.currency, at_most=PLACES),
        converted=wording.money_words(ours, currency) if ours is not None and use.currency != currency else "",
        state=use.state,
        source=in_readers_words(use.source),
    )


def _price_words(use: _Use) -> str:
    if use.unit_price is None:
        return "–"
    if not use.unit:
        return f"{use.unit_price.normalize():f} %"
    return f"{wording.money_words(use.unit_price, use.currency)} / {wording.per_words(use.price_per, use.unit)}{_pulse_words(use)}"


def _pulse_words(use: _Use) -> str:
    return _(", in pulses of %(pulse)s") % {"pulse": use.pulse} if use.pulse and use.pulse > 1 else ""


def _converted_words(summary: ChargesSummary) -> str:
    if summary.converted is not None:
        exact = summary.converted.quantize(Decimal(1).scaleb(-CONVERTED_PLACES))
        return wording.money_words(exact, summary.currency)
    return _("no rate to %(currency)s for the day") % {"currency": summary.currency} if summary.without_rate else ""


def _notes(groups: dict[_Use, tuple[int, list[Charge]]], summary: ChargesSummary) -> list[PriceNote]:
    notes = []
    for use in groups:
        if not use.source:
            continue
        origin = _("price list %(version)s") % {"version": use.price_list} if use.price_list else ""
        if use.override:
            origin = _("our own price no. %(number)s") % {"number": use.override}
        price = f": {_price_words(use)}" if use.unit_price is not None else ""
        notes.append(
            PriceNote(f"{use.what}, {use.detail}{price}", " · ".join(part for part in (in_readers_words(use.source), origin) if part))
        )
    rates = {(use.currency, use.rate) for use in groups if use.rate is not None}
    notes += [
        PriceNote(f"1 {currency} = {rate.normalize():f} {summary.currency}", _("the day's exchange rate"))
        for currency, rate in rates
        if rate
    ]
    return list(dict.fromkeys(notes))


def estimate_words(estimate: LineEstimate | None) -> CostLine | None:
    """The line's probable cost, as a line that is in no total."""
    if estimate is None:
        return None
    tariff = estimate.tariff
    pulses = sum(tariff.billed(seconds) // tariff.pulse for seconds in estimate.leg_seconds)
    quantity = ngettext("%(pulses)d pulse of %(seconds)d s", "%(pulses)d pulses of %(seconds)d s", pulses)
    if len(estimate.leg_seconds) > 1:
        quantity = ngettext("%(legs)d legs, %(pulses)d pulse of %(seconds)d s", "%(legs)d legs, %(pulses)d pulses of %(seconds)d s", pulses)
    detail = _("by our tariff, until the carrier tells its price")
    if estimate.tax:
        tax = wording.money_words(estimate.tax, estimate.currency, at_most=4)
        detail = _("by our tariff, until the carrier tells its price, %(tax)s of it tax") % {"tax": tax}
    return CostLine(
        what=_("Telephony"),
        detail=detail,
        quantity=quantity % {"legs": len(estimate.leg_seconds), "pulses": pulses, "seconds": tariff.pulse},
        unit_price=f"{wording.money_words(tariff.price, tariff.currency)} / {wording.per_words(tariff.per, 'call_seconds')}",
        amount=wording.money_words(estimate.amount + estimate.tax, estimate.currency, at_most=4),
        converted="",
        state="estimate",
        source=tariff.source,
    )
