"""What a running call has cost so far: what was told of, at its price, and what runs with the clock. An estimate, never a bill.

Pure: told everything, the time included. What the call costs in the end is `calls.charges`' to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final

from engine.usage import Unit, UsageKind, UsageRecord
from pricing.cost import Priced, cost
from pricing.price_list import Price, PriceList

LINE: Final = "telephony"


@dataclass(frozen=True, slots=True)
class Reading:
    """Money by currency so far. `unpriced` names what costs something that nobody knows."""

    amounts: Mapping[str, Decimal]
    unpriced: tuple[str, ...] = ()


class Meter:
    """One call's. `running` are uses whose quantity is the call's own length (listening, the transcription to come).

    Listening is told of late, often at the very end: until then it is estimated, and never counted twice. Without a `tariff` the line is
    unpriced. `base` is what the call had cost before this meter began, `on` the operator's day whose prices count (by default today, UTC).
    """

    def __init__(
        self,
        *,
        language: str = "",
        running: Sequence[UsageRecord] = (),
        tariff: Price | None = None,
        base: Mapping[str, Decimal] | None = None,
        prices: PriceList | None = None,
        overrides: Sequence[Price] = (),
        on: date | None = None,
    ) -> None:
        self._on = on
        self._language = language
        self._running = tuple(running)
        self._tariff = tariff
        self._prices, self._overrides = prices, overrides
        self._told: dict[str, Decimal] = dict(base or {})
        self._listened_ms = 0
        self._unpriced: set[str] = set() if tariff else {LINE}

    def use(self, record: UsageRecord) -> None:
        """Takes in one use, once."""
        if record.kind is UsageKind.STT and record.unit is Unit.AUDIO_MS:
            self._listened_ms += record.quantity
        _add(self._told, self._unpriced, self._cost(record), record)

    def read(self, elapsed_ms: int) -> Reading:
        """As of `elapsed_ms` after the meter began."""
        amounts, unpriced = dict(self._told), set(self._unpriced)
        for record in self._running:
            known_ms = self._listened_ms if record.kind is UsageKind.STT else 0
            left = replace(record, quantity=max(elapsed_ms - known_ms, 0))
            _add(amounts, unpriced, self._cost(left), left)
        if self._tariff is not None and elapsed_ms > 0:
            line = self._tariff.of(-(-elapsed_ms // 1000))  # in its started pulses
            amounts[line.currency] = amounts.get(line.currency, Decimal(0)) + line.amount
        return Reading(amounts, tuple(sorted(unpriced)))

    def _cost(self, record: UsageRecord) -> Priced | None:
        found = cost(record, language=self._language, on=self._on, prices=self._prices, overrides=self._overrides)
        return found if isinstance(found, Priced) else None


def _add(amounts: dict[str, Decimal], unpriced: set[str], priced: Priced | None, record: UsageRecord) -> None:
    if priced is None:
        unpriced.add(f"{record.provider} {record.model}".strip())
    else:
        amounts[priced.money.currency] = amounts.get(priced.money.currency, Decimal(0)) + priced.money.amount
