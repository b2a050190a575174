"""What things cost on a day, all sources together: the operator's own rows first, then the release's price list."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal

from django.utils import timezone

from calls.price_rows import PriceOverride
from engine.usage import Unit, UsageKind, UsageRecord
from pricing.cost import Priced, Unpriced, cost
from pricing.price_list import ANY_MODEL, Price, PriceList, Tax, price_list

# The carrier's bill is its own: it names its price itself, and ours is only an estimate until then.
CARRIER = "carrier"


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Prices and taxes as of one reading of the rows."""

    overrides: Sequence[Price]
    own_taxes: dict[int, Decimal]
    prices: PriceList

    def cost(self, record: UsageRecord, *, language: str, on: date) -> Priced | Unpriced:
        return cost(record, language=language, on=on, overrides=self.overrides, prices=self.prices)

    def tariff(self, exophone: str, direction: str, on: date) -> Price | None:
        """What a second on the line costs: by the exophone, else by the direction, else by what counts for every call."""
        for model in (exophone, direction, ANY_MODEL):
            if not model:
                continue
            found = self.cost(UsageRecord(UsageKind.TELEPHONY, CARRIER, model, Unit.CALL_SECONDS, 0, "tariff"), language="", on=on)
            if isinstance(found, Priced) and found.price.model == model:
                return found.price
        return None

    def line_tax(self, currency: str, on: date, tariff: Price | None = None) -> Tax | None:
        """The tax on the carrier's bill that day; the tariff's own rate comes before the law's as we have it."""
        own = self.own_taxes.get(tariff.override) if tariff is not None and tariff.override is not None else None
        listed = self.prices.tax(UsageKind.TELEPHONY, currency, on=on)
        if own is None or tariff is None:
            return listed
        if listed is not None:
            return replace(listed, percent=own, source=tariff.source, read_on=tariff.read_on)
        return Tax(kind=UsageKind.TELEPHONY, currency=currency, name="Tax", percent=own, source=tariff.source, read_on=tariff.read_on)


def price_book() -> PriceBook:
    """Reads the operator's rows once; hold it for one piece of work."""
    rows = list(PriceOverride.objects.order_by("id"))
    taxes = {row.pk: row.tax_percent for row in rows if row.tax_percent is not None}
    return PriceBook([_price(row) for row in rows], taxes, price_list())


def _price(row: PriceOverride) -> Price:
    return Price(
        kind=UsageKind(row.kind),
        provider=row.provider,
        model=row.model,
        unit=Unit(row.unit),
        language=row.language,
        price=row.price,
        per=row.per,
        pulse=row.pulse,
        currency=row.currency,
        effective_from=row.effective_from,
        effective_until=row.effective_until,
        source=row.reason,
        read_on=day_of(row.created_at),
        override=row.pk,
    )


def day_of(moment: datetime) -> date:
    """The operator's day in which this moment lies: whose prices and rates count."""
    return timezone.localtime(moment).date()


def midnight(day: date) -> datetime:
    """When the operator's day begins."""
    return timezone.make_aware(datetime.combine(day, time.min))
