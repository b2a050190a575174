"""What a shared transcript shows of the people in it: no number, no address, nothing that we were told of the caller."""

import pytest

from calls.page.redaction import MASK, known_of, redacted


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("My number is 98765 43210, ok?", f"My number is {MASK}, ok?"),
        ("+91 98765-43210", MASK),
        ("call 080 4711 2233", f"call {MASK}"),
        ("(022) 1234.5678", MASK),
        ("receipt 4821.", f"receipt {MASK}."),
        ("PAN ABCDE1234F", f"PAN ABCDE{MASK}F"),
        ("मेरा नंबर ९८७६५४३२१० है", f"मेरा नंबर {MASK} है"),
        ("it is nine eight seven six", f"it is {MASK}"),
        ("नौ आठ सात छह पांच", MASK),
        ("double nine, eight seven, six", MASK),
        ("write to asha.rao@example.com please", f"write to {MASK} please"),
        ("asha at gmail dot com", MASK),
        ("asha at the rate clinic dot co dot in", MASK),
        ("see https://clinic.example/p?id=7 or www.clinic.example", f"see {MASK} or {MASK}"),
    ],
)
def test_numbers_and_addresses_are_masked_in_every_script_and_spelling(said, shown):
    assert redacted(said) == shown


@pytest.mark.parametrize("dictated", ["987.", "9 8 7", "six five", "98, seven six", "नौ आठ"])
def test_a_number_that_is_dictated_in_parts_leaves_no_part(dictated):
    assert redacted(dictated) == MASK


@pytest.mark.parametrize(
    "said",
    ["Monday at 10:30", "the fee is ₹1,500 or Rs. 12500.50", "room 12, floor 3", "one or two days", "ten", "", "हाँ जी, कल सुबह", "yes."],
)
def test_what_tells_of_nobody_stays(said):
    assert redacted(said) == said


def test_an_amount_that_is_as_long_as_a_number_is_a_number():
    assert redacted("₹9876543210") == MASK


def test_what_is_known_of_the_caller_is_masked_wherever_it_is_said():
    known = known_of(
        {"name": "Ananya Krishnan", "plan": {"city": "Mysuru"}, "age": 7, "vip": True},
        {"patient": {"first_name": "Asha"}, "phones": [{"mobile": 12345}], "day": "Monday", "note": "Krishnan"},
    )
    assert redacted("I am ANANYA krishnan from Mysuru, for Asha on Monday.", known) == f"I am {MASK} from {MASK}, for {MASK} on Monday."
    assert redacted("Ashanti is no Asha", known) == f"Ashanti is no {MASK}"


def test_a_customer_without_facts_hides_nothing():
    assert known_of({}, None) == [] and known_of({}, "Asha") == [] and known_of({"a": "of"}, [1]) == []


def test_long_senseless_text_is_redacted_in_a_moment():
    for text in ("one two " * 3000 + "x", "1 " * 5000 + "z", "a at b " * 3000, "a" * 20_000 + "@", "-" * 20_000, "......" * 4000):
        redacted(text)
