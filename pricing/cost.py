"""The cost of one use: its quantity times its price, exactly. What has no price is unpriced, which is not the same as free."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from engine.usage import UsageRecord
from pricing.money import Money
from pricing.price_list import Price, PriceList, newest_that_fits, price_list


@dataclass(frozen=True, slots=True)
class Priced:
    """`money` at nine places, and the price that made it."""

    money: Money
    price: Price


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Nobody told us a price. `reason` is for operators."""

    reason: str


def cost(
    record: UsageRecord,
    *,
    language: str = "",
    on: date | None = None,
    overrides: Iterable[Price] = (),
    prices: PriceList | None = None,
) -> Priced | Unpriced:
    """What `record` costs by the price of the day `on` (by default today, UTC). Raises ValueError for a negative quantity.

    An operator's own price (`overrides`) comes before the list's (by default this release's). `language` is the one that was
    spoken, as agents name it: some models cost more in some.
    """
    if record.quantity < 0:
        raise ValueError(f"a quantity of {record.quantity} {record.unit} cannot have been used")
    day = on or datetime.now(UTC).date()
    listed = price_list() if prices is None else prices
    price = newest_that_fits(overrides, record, language, on=day) or listed.find(record, language, on=day)
    if price is None:
        return Unpriced(
            f"No price for {record.provider} {record.model} ({record.kind}, per {record.unit}) on {day.isoformat()}, "
            "neither in pricing/prices.toml nor in the admin's price overrides."
        )
    return Priced(price.of(record.quantity), price)
