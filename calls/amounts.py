"""Amounts of money as programs read them. Only text: nothing here counts or rounds."""

from decimal import Decimal


def plain(amount: Decimal) -> str:
    """`0.0012`: neither an exponent nor zeros that say nothing, and at least two decimal places."""
    whole, _point, places = f"{amount:f}".partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"
