import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.exotel.numbers import InvalidNumber, mask, to_e164, to_national

MOBILE, EXOPHONE = "+919876543210", "+918047112233"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("09876543210", MOBILE),
        ("9876543210", MOBILE),
        ("919876543210", MOBILE),
        ("+919876543210", MOBILE),
        ("+91 98765-43210", MOBILE),
        ("(0) 98765 43210", MOBILE),
        ("00919876543210", MOBILE),
        ("+9109876543210", MOBILE),
        ("tel:+919876543210", MOBILE),
        ("08047112233", EXOPHONE),
        ("8047112233", EXOPHONE),
        ("04412345678", "+914412345678"),
        ("1800 123 4567", "+9118001234567"),
        ("+14155552671", "+14155552671"),
        ("004915112345678", "+4915112345678"),
    ],
)
def test_every_spelling_becomes_the_same_number(written, number):
    assert to_e164(written) == number


@pytest.mark.parametrize(
    "written", ["", "  ", "anonymous", "null", "0", "91", "+999", "sip:alice@example.com", "98765x3210", "0" * 60, "+"]
)
def test_what_is_no_number_is_refused_with_what_to_write(written):
    with pytest.raises(InvalidNumber) as refused:
        to_e164(written)
    message = str(refused.value)
    assert "+918047112233" in message
    assert len(written.strip()) < 4 or written not in message


@given(st.integers(min_value=1_000_000_000, max_value=9_999_999_999))
def test_any_ten_digits_round_trip_through_the_national_form(subscriber):
    number = to_e164(str(subscriber))
    assert to_e164(to_national(number)) == number == f"+91{subscriber}"


def test_the_national_form_is_the_one_exotel_writes():
    assert to_national(MOBILE) == "09876543210"
    assert to_national("+9118001234567") == "18001234567"
    assert to_national("+14155552671") == "+14155552671"


def test_a_mask_keeps_the_country_and_two_digits():
    assert mask("+919876543212") == "+91••••••••12"
    assert mask("") == ""
    assert mask("123") == "•••"
