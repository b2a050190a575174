"""The price list: read from prices.toml, checked as a whole, and looked up without ever guessing."""

import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from engine.usage import Unit, UsageKind, UsageRecord
from pricing.money import Money

Key = tuple[UsageKind, str, str, Unit, str]
PRICES_FILE = Path(__file__).with_name("prices.toml")
ANY_MODEL = "*"


class BadPriceList(ValueError):
    """The price list cannot be used. The message names the entry and says what to write."""


@dataclass(frozen=True, slots=True)
class Price:
    """`price` buys `per` units of `unit` (60000 audio_ms is a minute). `model` is exact, or `*` for every model of the provider.

    `language` is empty unless this price counts for one language only (as in "multi": several at once costs more). `source` and
    `read_on` say where and when somebody read it.
    """

    kind: UsageKind
    provider: str
    model: str
    unit: Unit
    price: Decimal
    per: int
    currency: str
    source: str
    read_on: date
    language: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not self.price.is_finite() or self.price < 0:
            raise ValueError("`price` must be 0 or more")
        if self.per < 1:
            raise ValueError("`per` must be 1 or more: how many units the price buys")
        if not self.provider or not self.model or not self.source:
            raise ValueError("`provider`, `model` and `source` must not be empty")
        Money(self.price, self.currency)

    @property
    def key(self) -> Key:
        return self.kind, self.provider, self.model, self.unit, self.language


class PriceList:
    """Prices by what they are for."""

    def __init__(self, prices: list[Price]) -> None:
        self._prices: dict[Key, Price] = {}
        for price in prices:
            if price.key in self._prices:
                raise BadPriceList(f"{_name(price.key)} is priced twice. Remove one of the two entries.")
            self._prices[price.key] = price

    def __len__(self) -> int:
        return len(self._prices)

    def __iter__(self) -> Any:
        return iter(self._prices.values())

    def find(self, record: UsageRecord, language: str = "") -> Price | None:
        """The model's own price (for the language, else for any), else the provider's for every model, else None.

        Never a price of another model.
        """
        for model in (record.model, ANY_MODEL):
            for tongue in dict.fromkeys((language, "")):
                if found := self._prices.get((record.kind, record.provider, model, record.unit, tongue)):
                    return found
        return None


def parse(text: str) -> PriceList:
    """Reads a price list in TOML. Raises `BadPriceList`."""
    try:
        # Decimals from the first digit on: a float in between would already have rounded.
        content = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise BadPriceList(f"the price list is not valid TOML: {error}") from error
    entries = content.pop("price", None)
    if content:
        raise BadPriceList(f"the price list has unknown parts: {', '.join(sorted(content))}. Only [[price]] entries belong there.")
    if not isinstance(entries, list):
        raise BadPriceList("the price list has no [[price]] entry.")
    return PriceList([_price(entry, number) for number, entry in enumerate(entries, 1)])


def _price(entry: Any, number: int) -> Price:
    where = f"[[price]] entry {number}"
    if isinstance(entry, dict):
        where += f" ({entry.get('provider', '?')} {entry.get('model', '?')} {entry.get('unit', '?')})"
        if unknown := set(entry) - set(Price.__dataclass_fields__):
            raise BadPriceList(f"{where}: unknown field {', '.join(sorted(unknown))}.")
    try:
        return msgspec.convert(entry, Price)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise BadPriceList(f"{where}: {error}") from error


@lru_cache(maxsize=1)
def price_list() -> PriceList:
    """The prices of this release, read once."""
    return parse(PRICES_FILE.read_text(encoding="utf-8"))


def _name(key: Key) -> str:
    kind, provider, model, unit, language = key
    return f"{provider} {model} ({', '.join(filter(None, (kind, unit, language)))})"
