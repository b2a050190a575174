"""Sharing and rounding so that the parts always add up to the whole: nobody trusts a bill that is a paisa out."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal


def rounded_parts(amounts: Sequence[Decimal], places: int) -> list[Decimal]:
    """Each amount at `places` decimals, such that they add up to the rounded sum. Largest remainder: none is off by a unit or more."""
    unit = Decimal(1).scaleb(-places)
    floors = [amount.quantize(unit, rounding=ROUND_FLOOR) for amount in amounts]
    total = sum(amounts, Decimal(0)).quantize(unit, rounding=ROUND_HALF_EVEN)
    missing = int((total - sum(floors, Decimal(0))) / unit)
    by_remainder = sorted(range(len(amounts)), key=lambda place: (floors[place] - amounts[place], place))
    for place in by_remainder[:missing]:
        floors[place] += unit
    return floors


def shared_out(total: Decimal, weights: Sequence[int], places: int) -> list[Decimal]:
    """`total` in parts as `weights` (0 or more) are to each other; added up they are exactly `total`. Without weight the first has all."""
    if not weights:
        return []
    whole = sum(weights)
    if whole == 0:
        return [total, *[Decimal(0)] * (len(weights) - 1)]
    parts = rounded_parts([total * weight / whole for weight in weights], places)
    # What does not fit into `places` stays with the first, so that nothing is lost.
    return [parts[0] + total - sum(parts, Decimal(0)), *parts[1:]]
