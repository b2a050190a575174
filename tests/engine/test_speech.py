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
        ("₹ 1,00,000/- in all", "1 lakh rupees in all"),
        ("It is ₹1,25,00,000.", "It is 1 crore 25 lakh rupees."),
        ("₹2,35,700 in total", "2 lakh 35700 rupees in total"),
        ("₹500, or ₹800", "500 rupees, or 800 rupees"),
        ("₹500-₹1,000 a day", "500 to 1000 rupees a day"),
        ("Rs 5 cr", "5 crore rupees"),
        ("1,25,000 people", "1 lakh 25000 people"),
        ("125,000 people", "125,000 people"),
        ("यह ₹500 है", "यह 500 रुपये है"),
        ("कुल ₹1,50,000.50 हुए", "कुल 1 लाख 50000 रुपये और 50 पैसे हुए"),
        ("20% छूट", "20 प्रतिशत छूट"),
        ("$20 or $1.05", "20 dollars or 1 dollar and 5 cents"),
        ("Call 98765 43210 now", "Call 9 8 7 6 5, 4 3 2 1 0 now"),
        ("Call +91 98765-43210.", "Call plus 9 1, 9 8 7 6 5, 4 3 2 1 0."),
        ("Call 9876543210", "Call 9 8 7 6 5, 4 3 2 1 0"),
        ("Toll-free 1800-123-4567", "Toll-free 1 8 0 0, 1 2 3, 4 5 6 7"),
        ("080-2345 6789", "0 8 0, 2 3 4 5, 6 7 8 9"),
        ("Your OTP is 482913.", "Your OTP is 4 8 2, 9 1 3."),
        ("PIN code: 560 001", "PIN code: 5 6 0, 0 0 1"),
        ("Bengaluru - 560001", "Bengaluru, 5 6 0, 0 0 1"),
        ("पिन कोड 110001", "पिन कोड 1 1 0, 0 0 1"),
        ("on 12/05/2026 at noon", "on 12 May 2026 at noon"),
        ("on 2026-05-12.", "on 12 May 2026."),
        ("by 31-12-2026", "by 31 December 2026"),
        ("12/05/2026 को", "12 मई 2026 को"),
        ("13/13/2026", "13/13/2026"),
        ("5th Jan 2026", "5th January 2026"),
        ("at 9:00 AM", "at 9 AM"),
        ("at 09:30 p.m. today", "at 9 30 PM today"),
        ("at 9:05 am", "at 9 oh 5 AM"),
        ("at 17:30", "at 5 30 PM"),
        ("10:00 AM-6:30 PM", "10 AM to 6 30 PM"),
        ("सुबह नहीं, 5:30 PM पर", "सुबह नहीं, शाम 5 बजकर 30 मिनट पर"),
        ("10-15 minutes", "10 to 15 minutes"),
        ("5 km away, 1 kg", "5 kilometres away, 1 kilogram"),
        ("60 km/h and 1,200 sq. ft. plot", "60 kilometres per hour and 1,200 square feet plot"),
        ("38.5°C", "38.5 degrees Celsius"),
        ("in 2 hrs", "in 2 hours"),
        ("Dr. Rao, Sunrise Pvt. Ltd.", "Doctor Rao, Sunrise Private Limited."),
        ("fruit, e.g. mango, etc.", "fruit, for example mango, et cetera."),
        ("No. 5, or #7", "number 5, or number 7"),
        ("We are open 24/7", "We are open 24 by 7"),
        ("No. That is all.", "No. That is all."),
        ("version 2.5 of 3", "version 2.5 of 3"),
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


def test_the_pronunciation_list_holds_for_whole_words_in_any_case():
    said = (("Asha", "Aashaa"), ("HDFC", "H D F C"), ("HDFC Bank", "H D F C bank"), ("राम", "राऽम"))
    assert for_voice("asha works at HDFC Bank, not HDFC or Ashay.", said) == "Aashaa works at H D F C bank, not H D F C or Ashay."
    assert for_voice("राम और रामा", said) == "राऽम और रामा"
    assert for_voice("asha", ()) == "asha"


@given(st.text(alphabet=st.characters(categories=["Ll", "Lu", "Zs"]), max_size=200))
def test_plain_words_are_left_alone(text):
    assert for_voice(text) == (" ".join(text.split()) if any(character.isalnum() for character in text) else "")


@given(st.text(max_size=300))
def test_it_takes_any_text(text):
    spoken = for_voice(text)
    assert spoken == "" or any(character.isalnum() for character in spoken)
