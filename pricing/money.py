"""Money: a Decimal and its currency, never a float, and never two currencies in one sum."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

# Nine places: one cached token of the cheapest model costs a hundred-millionth of a dollar.
PLACES = Decimal("0.000000001")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency (ISO 4217, upper case)."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal) or not self.amount.is_finite():
            raise TypeError(f"money needs a finite Decimal, not {self.amount!r}: a float would lose part of it")
        if len(self.currency) != 3 or not self.currency.isascii() or not self.currency.isupper():
            raise ValueError(f"{self.currency!r} is not a currency; write its three capital letters, for example INR")

    def __add__(self, other: "Money") -> "Money":
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} cannot be added without a rate")
        return Money(self.amount + other.amount, self.currency)

    def rounded(self) -> "Money":
        """To nine places, halves to the even neighbour: what a charge stores."""
        return Money(self.amount.quantize(PLACES, rounding=ROUND_HALF_EVEN), self.currency)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"
