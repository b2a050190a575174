"""Money is exact and knows its currency."""

from decimal import Decimal

import pytest

from pricing.money import Money


def test_money_of_one_currency_adds_up():
    assert Money(Decimal("0.1"), "INR") + Money(Decimal("0.2"), "INR") == Money(Decimal("0.3"), "INR")


def test_two_currencies_are_never_added():
    with pytest.raises(ValueError, match="without a rate"):
        Money(Decimal(1), "INR") + Money(Decimal(1), "USD")


@pytest.mark.parametrize("amount", [0.1, 1, Decimal("NaN"), Decimal("Infinity")])
def test_money_is_made_of_decimals_only(amount):
    with pytest.raises(TypeError, match="Decimal"):
        Money(amount, "INR")


@pytest.mark.parametrize("currency", ["", "rs", "inr", "RUPEE", "₹₹₹"])
def test_a_currency_has_three_capital_letters(currency):
    with pytest.raises(ValueError, match="three capital letters"):
        Money(Decimal(1), currency)


def test_money_is_rounded_to_nine_places_half_to_even():
    assert Money(Decimal("0.0000000005"), "USD").rounded().amount == Decimal(0)
    assert Money(Decimal("0.0000000015"), "USD").rounded().amount == Decimal("0.000000002")
    assert str(Money(Decimal("1.5"), "INR")) == "1.5 INR"
