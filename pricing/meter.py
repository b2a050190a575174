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
from pricing.price_list import Price, PriceList, Tax

LINE: Final = "telephony"


@dataclass(frozen=True, slots=True)
class Reading:
    """Money by currency so far. `unpriced` names what costs something that nobody knows."""

    amounts: Mapping[str, Decimal]
    unpriced: tuple[str, ...] = ()


class Meter:
    """One call's. `running` are uses whose quantity is the call's own length (listening, the transcription to come).

    Listening is told of late, often at the very end: until then it is estimated, and never counted twice. Without a `tariff` the line is
    unpriced; `tax` comes on top of it. `base` is what the call had cost before this meter began, `on` the operator's day whose prices count
    (by default today, UTC). A call that no carrier has (not `has_line`) pays for no line.
    """

    def __init__(
        self,
        *,
        language: str = "",
        running: Sequence[UsageRecord] = (),
        tariff: Price | None = None,
        tax: Tax | None = None,
        base: Mapping[str, Decimal] | None = None,
        prices: PriceList | None = None,
        overrides: Sequence[Price] = (),
        on: date | None = None,
        has_line: bool = True,
    ) -> None:
        self._on = on
        self._language = language
        self._running = tuple(running)
        self._tariff, self._tax = tariff, tax
        self._prices, self._overrides = prices, overrides
        self._told: dict[str, Decimal] = dict(base or {})
        self._listened_ms = 0
        self._unpriced: set[str] = set() if tariff or not has_line else {LINE}

    def use(self, record: UsageRecord) -> None:
        """Takes in one use, once."""
        if record.kind is UsageKind.STT and record.unit is Unit.AUDIO_MS:
            self._listened_ms += record.quantity
        _add(self._told, self._unpriced, self._cost(record), record)

    def read(self, elapsed_ms: int, further_legs_ms: Sequence[int] = ()) -> Reading:
        """As of `elapsed_ms` after the meter began. `further_legs_ms`: how long others are on the line, each a leg of its own."""
        amounts, unpriced = dict(self._told), set(self._unpriced)
        for record in self._running:
            known_ms = self._listened_ms if record.kind is UsageKind.STT else 0
            left = replace(record, quantity=max(elapsed_ms - known_ms, 0))
            _add(amounts, unpriced, self._cost(left), left)
        for leg_ms in (elapsed_ms, *further_legs_ms):
            if self._tariff is not None and leg_ms > 0:
                line = self._tariff.of(-(-leg_ms // 1000))  # in its started pulses
                tax = self._tax.of(line.amount).amount if self._tax is not None else Decimal(0)
                amounts[line.currency] = amounts.get(line.currency, Decimal(0)) + line.amount + tax
        return Reading(amounts, tuple(sorted(unpriced)))

    def _cost(self, record: UsageRecord) -> Priced | None:
        found = cost(record, language=self._language, on=self._on, prices=self._prices, overrides=self._overrides)
        return found if isinstance(found, Priced) else None


def _add(amounts: dict[str, Decimal], unpriced: set[str], priced: Priced | None, record: UsageRecord) -> None:
    if priced is None:
        unpriced.add(f"{record.provider} {record.model}".strip())
    else:
        amounts[priced.money.currency] = amounts.get(priced.money.currency, Decimal(0)) + priced.money.amount
