"""Which exchange rate counts on a day: the newest of that day or the seven before it. Without one there is none; nothing is guessed."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Q

from calls.price_rows import ExchangeRate

GOOD_FOR = timedelta(days=7)
_PLACES = Decimal("0.0000000001")


@dataclass(frozen=True, slots=True)
class Rate:
    """How much of `quote` one `base` was on the day `on`, by which row."""

    base: str
    quote: str
    value: Decimal
    on: date
    source: str
    row: int


class Rates:
    """Rates into one currency. Each pair and day is asked for once."""

    def __init__(self, quote: str) -> None:
        self.quote = quote
        self._known: dict[tuple[str, date], Rate | None] = {}

    def rate(self, base: str, on: date) -> Rate | None:
        """None if `base` is the quote itself, or nobody entered a rate for that day or the seven days before."""
        if base == self.quote or not base:
            return None
        if (base, on) not in self._known:
            self._known[base, on] = exchange_rate(base, self.quote, on)
        return self._known[base, on]


def exchange_rate(base: str, quote: str, on: date) -> Rate | None:
    """The newest rate for that day or the seven before it; one that was entered the other way round is turned over."""
    pair = Q(base=base, quote=quote) | Q(base=quote, quote=base)
    row = ExchangeRate.objects.filter(pair, on__lte=on, on__gte=on - GOOD_FOR).order_by("-on", "-id").first()
    if row is None:
        return None
    value = row.rate if row.base == base else (1 / row.rate).quantize(_PLACES)
    return Rate(base, quote, value, row.on, row.source, row.pk)
