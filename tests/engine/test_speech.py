import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.speech import for_voice


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("**Yes**, we *do* have `tea`.", "Yes, we do have tea."),
        ("# Menu\n- tea\n- coffee", "Menu tea coffee"),
        ("See [our site](https://example.com/x) now", "See our site now"),
        ("Visit https://www.example.com/path?q=1.", "Visit example dot com."),
        ("Write to asha@example.co.in please", "Write to asha at example dot co dot in please"),
        ("It is ₹500.", "It is 500 rupees."),
        ("It is ₹1,250.50 only", "It is 1250 rupees and 50 paise only"),
        ("Rs. 1 is enough", "1 rupee is enough"),
        ("about Rs 2.5 lakh", "about 2.5 lakh rupees"),
        ("₹ 1,00,000/- in all", "100000 rupees in all"),
        ("$20 or $1.05", "20 dollars or 1 dollar and 5 cents"),
        ("Call 98765 43210 now", "Call 9 8 7 6 5, 4 3 2 1 0 now"),
        ("Call +91 98765-43210.", "Call plus 9 1, 9 8 7 6 5, 4 3 2 1 0."),
        ("10% off & more", "10 percent off and more"),
        ("Great! 😀👍🏽", "Great!"),
        ("snake_case stays", "snake_case stays"),
        ("आपका स्वागत है 🙏", "आपका स्वागत है"),
        ("a < b and <b>bold</b>", "a < b and bold"),
        ("", ""),
        ("😀 ***", ""),
        ("order 12345 at 9:30", "order 12345 at 9:30"),
        ("between 2024 and 2026", "between 2024 and 2026"),
    ],
)
def test_what_is_written_becomes_what_is_said(written, spoken):
    assert for_voice(written) == spoken


@given(st.text(alphabet=st.characters(categories=["Ll", "Lu", "Zs"]), max_size=200))
def test_plain_words_are_left_alone(text):
    assert for_voice(text) == (" ".join(text.split()) if any(character.isalnum() for character in text) else "")


@given(st.text(max_size=300))
def test_it_takes_any_text(text):
    spoken = for_voice(text)
    assert spoken == "" or any(character.isalnum() for character in spoken)
