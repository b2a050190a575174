"""The cost of one use: its quantity times its price, exactly. What has no price is unpriced, which is not the same as free."""

from dataclasses import dataclass
from decimal import Decimal

from engine.usage import UsageRecord
from pricing.money import Money
from pricing.price_list import Price, PriceList, price_list


@dataclass(frozen=True, slots=True)
class Priced:
    """`money` at nine places, and the price that made it."""

    money: Money
    price: Price


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Nobody told us a price. `reason` is for operators."""

    reason: str


def cost(record: UsageRecord, *, language: str = "", prices: PriceList | None = None) -> Priced | Unpriced:
    """What `record` costs by `prices` (by default this release's). Raises ValueError for a negative quantity.

    `language` is the one that was spoken, as agents name it: some models cost more in some.
    """
    if record.quantity < 0:
        raise ValueError(f"a quantity of {record.quantity} {record.unit} cannot have been used")
    price = (price_list() if prices is None else prices).find(record, language)
    if price is None:
        return Unpriced(f"No price for {record.provider} {record.model} ({record.kind}, per {record.unit}) in pricing/prices.toml.")
    return Priced(Money(price.price * Decimal(record.quantity) / Decimal(price.per), price.currency).rounded(), price)
