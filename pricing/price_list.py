"""The price list: read from prices.toml, checked as a whole, and looked up for a day without ever guessing."""

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from engine.usage import Unit, UsageKind, UsageRecord
from pricing.money import Money

Key = tuple[UsageKind, str, str, Unit, str]
PRICES_FILE = Path(__file__).with_name("prices.toml")
ANY_MODEL = "*"
Entry = TypeVar("Entry", "Price", "Tax")
# What the list itself puts on a price, and no entry may.
_GIVEN = ("version", "override")


class BadPriceList(ValueError):
    """The price list cannot be used. The message names the entry and says what to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """What counts from a day on (None: from ever) and until another, which is not part of it (None: until further notice)."""

    source: str
    read_on: date
    effective_from: date | None = None
    effective_until: date | None = None
    note: str = ""

    def _check_days(self) -> None:
        if not self.source:
            raise ValueError("`source` must not be empty")
        if self.effective_from and self.effective_until and self.effective_until <= self.effective_from:
            raise ValueError("`effective_until` is the first day on which it no longer counts: it must come after `effective_from`")

    def counts_on(self, day: date) -> bool:
        return (self.effective_from or date.min) <= day < (self.effective_until or date.max)

    def overlaps(self, other: "Dated") -> bool:
        first, last = (self.effective_from or date.min), (self.effective_until or date.max)
        return first < (other.effective_until or date.max) and (other.effective_from or date.min) < last


@dataclass(frozen=True, slots=True, kw_only=True)
class Price(Dated):
    """`price` buys `per` units of `unit` (60000 audio_ms is a minute). `model` is exact, or `*` for every model of the provider.

    Whatever is used is billed in started `pulse`s: 61 call_seconds at a pulse of 60 are billed as 120. `language` is empty unless
    this price counts for one language only (as in "multi": several at once costs more). `source` and `read_on` say where and when
    somebody read it; `version` is the list's, `override` the number of the operator's own row instead.
    """

    kind: UsageKind
    provider: str
    model: str
    unit: Unit
    price: Decimal
    per: int
    currency: str
    pulse: int = 1
    language: str = ""
    version: str = ""
    override: int | None = None

    def __post_init__(self) -> None:
        if not self.price.is_finite() or self.price < 0:
            raise ValueError("`price` must be 0 or more")
        if self.per < 1:
            raise ValueError("`per` must be 1 or more: how many units the price buys")
        if self.pulse < 1:
            raise ValueError("`pulse` must be 1 or more: how many units are billed at a time")
        if not self.provider or not self.model:
            raise ValueError("`provider` and `model` must not be empty")
        self._check_days()
        Money(self.price, self.currency)

    @property
    def key(self) -> Key:
        return self.kind, self.provider, self.model, self.unit, self.language

    def billed(self, quantity: int) -> int:
        """`quantity` in whole pulses."""
        return -(-quantity // self.pulse) * self.pulse

    def of(self, quantity: int) -> Money:
        """What `quantity` costs, rounded once, to nine places."""
        return Money(self.price * self.billed(quantity) / self.per, self.currency).rounded()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tax(Dated):
    """A tax that comes on top of everything of one `kind` that is billed in `currency`, shown as a line of its own."""

    kind: UsageKind
    currency: str
    name: str
    percent: Decimal

    def __post_init__(self) -> None:
        if not self.percent.is_finite() or not 0 <= self.percent <= 100:
            raise ValueError("`percent` must be between 0 and 100")
        if not self.name:
            raise ValueError("`name` must not be empty")
        self._check_days()

    def of(self, amount: Decimal) -> Money:
        return Money(amount * self.percent / 100, self.currency).rounded()


class PriceList:
    """Prices and taxes by what they are for and the day they count on. `version` tells one release of the list from another."""

    def __init__(self, prices: Sequence[Price], taxes: Sequence[Tax] = (), version: str = "") -> None:
        self.version = version
        self._taxes = list(taxes)
        self._prices: dict[Key, list[Price]] = {}
        for price in prices:
            same = self._prices.setdefault(price.key, [])
            if any(price.overlaps(other) for other in same):
                raise BadPriceList(f"{_name(price.key)} is priced twice for the same day. Remove one of the two entries or give them days.")
            same.append(replace(price, version=version))

    def __len__(self) -> int:
        return sum(len(same) for same in self._prices.values())

    def __iter__(self) -> Iterator[Price]:
        return (price for same in self._prices.values() for price in same)

    def find(self, record: UsageRecord, language: str = "", *, on: date | None = None) -> Price | None:
        """The model's own price (for the language, else for any) on that day (by default today, UTC), else the provider's for every
        model, else None. Never a price of another model, and never of another day.
        """
        on = on or datetime.now(UTC).date()
        for model in (record.model, ANY_MODEL):
            for tongue in dict.fromkeys((language, "")):
                for price in self._prices.get((record.kind, record.provider, model, record.unit, tongue), ()):
                    if price.counts_on(on):
                        return price
        return None

    def tax(self, kind: UsageKind, currency: str, *, on: date) -> Tax | None:
        """The tax on top of `kind` in `currency` that day, if there is one."""
        return next((tax for tax in self._taxes if tax.kind == kind and tax.currency == currency and tax.counts_on(on)), None)


def newest_that_fits(prices: Iterable[Price], record: UsageRecord, language: str = "", *, on: date) -> Price | None:
    """Among an operator's own prices: as `PriceList.find`, and of several for one day the one that was written last."""
    fitting = [price for price in prices if price.override is not None and price.counts_on(on)]
    for model in (record.model, ANY_MODEL):
        for tongue in dict.fromkeys((language, "")):
            key = (record.kind, record.provider, model, record.unit, tongue)
            if same := [price for price in fitting if price.key == key]:
                return max(same, key=lambda price: (price.effective_from or date.min, price.override or 0))
    return None


def parse(text: str) -> PriceList:
    """Reads a price list in TOML. Raises `BadPriceList`."""
    try:
        # Decimals from the first digit on: a float in between would already have rounded.
        content = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise BadPriceList(f"the price list is not valid TOML: {error}") from error
    version, taxes, entries = content.pop("version", ""), content.pop("tax", []), content.pop("price", None)
    if content:
        raise BadPriceList(
            f"the price list has unknown parts: {', '.join(sorted(content))}. Only version, [[tax]] and [[price]] belong there."
        )
    if not isinstance(version, str) or len(version) > 32:
        raise BadPriceList('`version` must be a text of at most 32 characters, as in version = "2026-11-22".')
    if not isinstance(entries, list):
        raise BadPriceList("the price list has no [[price]] entry.")
    if not isinstance(taxes, list):
        raise BadPriceList("taxes are written as [[tax]] entries.")
    return PriceList(
        [_entry(Price, entry, f"[[price]] entry {number}") for number, entry in enumerate(entries, 1)],
        [_entry(Tax, entry, f"[[tax]] entry {number}") for number, entry in enumerate(taxes, 1)],
        version,
    )


def _entry(kind: type[Entry], entry: Any, where: str) -> Entry:
    if isinstance(entry, dict):
        where += f" ({entry.get('provider', '?')} {entry.get('model', '?')} {entry.get('unit', '?')})"
        if unknown := set(entry) - ({field.name for field in fields(kind)} - set(_GIVEN)):
            raise BadPriceList(f"{where}: unknown field {', '.join(sorted(unknown))}.")
    try:
        return msgspec.convert(entry, kind)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise BadPriceList(f"{where}: {error}") from error


@lru_cache(maxsize=1)
def price_list() -> PriceList:
    """The prices of this release, read once."""
    return parse(PRICES_FILE.read_text(encoding="utf-8"))


def _name(key: Key) -> str:
    kind, provider, model, unit, language = key
    return f"{provider} {model} ({', '.join(filter(None, (kind, unit, language)))})"
