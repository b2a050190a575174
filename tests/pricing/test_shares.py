"""Parts add up: rounded, converted or shared out, to the last digit."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.shares import rounded_parts, shared_out

AMOUNTS = st.lists(st.decimals(min_value=-1000, max_value=10**6, places=9), max_size=20)


@given(amounts=AMOUNTS, places=st.integers(0, 8))
def test_rounded_parts_add_up_to_the_rounded_sum_and_none_is_off_by_a_unit(amounts, places):
    unit = Decimal(1).scaleb(-places)
    parts = rounded_parts(amounts, places)
    assert sum(parts, Decimal(0)) == sum(amounts, Decimal(0)).quantize(unit, rounding=ROUND_HALF_EVEN)
    assert all(abs(part - amount) < unit for part, amount in zip(parts, amounts, strict=True))


@given(total=st.decimals(0, 10**6, places=9), weights=st.lists(st.integers(0, 10**6), max_size=12), places=st.integers(0, 6))
def test_shares_add_up_to_the_whole(total, weights, places):
    shares = shared_out(total, weights, places)
    assert len(shares) == len(weights)
    if weights:
        assert sum(shares) == total
    assert all(share.is_finite() for share in shares)


@pytest.mark.parametrize(
    ("amounts", "places", "parts"),
    [
        (["0.333333", "0.333333", "0.333334"], 2, ["0.33", "0.33", "0.34"]),
        (["1.005", "1.005"], 2, ["1.01", "1.00"]),
        (["0.004", "0.004", "0.004"], 2, ["0.01", "0.00", "0.00"]),
        ([], 2, []),
        (["5"], 0, ["5"]),
    ],
)
def test_the_largest_remainders_are_rounded_up(amounts, places, parts):
    assert rounded_parts([Decimal(amount) for amount in amounts], places) == [Decimal(part) for part in parts]


def test_without_any_weight_the_first_has_it_all():
    assert shared_out(Decimal("1.20"), [0, 0], 4) == [Decimal("1.20"), Decimal(0)]
