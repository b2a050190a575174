"""What Indian businesses write, as it is said on the phone in India: in English, and in Hindi where the text is Hindi."""

import pytest

from engine.speech import for_voice


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        # money
        ("₹1,25,000.50", "1 lakh 25000 rupees and 50 paise"),
        ("₹0.50 a unit", "50 paise a unit"),
        ("Rs.500/- only", "500 rupees only"),
        ("₹5L or Rs. 1.5L", "5 lakh rupees or 1.5 lakh rupees"),
        ("₹2.5 Cr, ₹50k", "2.5 crore rupees, 50 thousand rupees"),
        ("Rs. 5-10 lakh", "5 to 10 lakh rupees"),
        ("₹500 - ₹1,000", "500 to 1000 rupees"),
        ("₹ 5,000/month", "5000 rupees per month"),
        ("₹999.00, INR 25,000", "999 rupees, 25000 rupees"),
        ("a package of 12 LPA", "a package of 12 lakh per annum"),
        ("€20 or £1", "20 euros or 1 pound"),
        ("रु. 500 या रु 5 लाख", "500 रुपये या 5 लाख रुपये"),
        ("₹१,२५,०००", "1 लाख 25000 रुपये"),
        ("₹500/माह", "500 रुपये प्रति माह"),
        # numbers of things and people
        ("+1 415 555 2671", "plus 1, 4 1 5, 5 5 5, 2 6 7 1"),
        ("1800 123 4567", "1 8 0 0, 1 2 3, 4 5 6 7"),
        ("फ़ोन ९८७६५ ४३२१०", "फ़ोन 9 8 7 6 5, 4 3 2 1 0"),
        ("your card ending 4321", "your card ending 4 3 2 1"),
        ("the year ending 2026", "the year ending 2026"),
        ("A/c no. 1234567890", "account no. 1 2 3 4 5, 6 7 8 9 0"),
        ("Noida - 201301", "Noida, 2 0 1, 3 0 1"),
        ("1,50,000+ patients and 100+ doctors", "1 lakh 50000 plus patients and 100 plus doctors"),
        ("कमरा १२३", "कमरा 123"),
        # dates
        ("12/08/26", "12 August 2026"),
        ("15-Aug-2026 or Aug 15, 2026", "15 August 2026 or August 15, 2026"),
        ("since Jan 2026", "since January 2026"),
        ("jan be 5", "jan be 5"),
        ("w.e.f. 1/9/2026", "with effect from 1 September 2026"),
        ("१२/०८/२०२६ को", "12 अगस्त 2026 को"),
        ("31/14/26", "31/14/26"),
        # times
        ("9am-6pm", "9 AM to 6 PM"),
        ("9 AM - 6 PM, Mon-Sat", "9 AM to 6 PM, Monday to Saturday"),
        ("open at 7 p.m. today", "open at 7 PM today"),
        ("at 5.30 pm", "at 5 30 PM"),
        ("at 17:00 hrs", "at 5 PM"),
        ("at 00:30", "at 12 30 AM"),
        ("आज 5:30 pm बजे", "आज शाम 5 बजकर 30 मिनट"),
        ("शाम 5:30 बजे आइए", "शाम 5 बजकर 30 मिनट आइए"),
        ("सुबह 9 am", "सुबह 9 बजे"),
        ("10 बजे", "10 बजे"),
        ("Monday to Friday", "Monday to Friday"),
        ("the sun sat low", "the sun sat low"),
        # units
        ("1/2 kg, 100 sq.ft., 5 ft", "half a kilogram, 100 square feet, 5 feet"),
        ("a 2BHK of 1,200 sqft", "a 2 B H K of 1,200 square feet"),
        ("it is -5°C", "it is minus 5 degrees Celsius"),
        ("10-15 mins", "10 to 15 minutes"),
        # shorthand
        ("MG Rd, Opp. the bank", "MG Road, opposite the bank"),
        ("Dr Rao of Sunrise Pvt Ltd", "Doctor Rao of Sunrise Private Limited"),
        ("डॉ. राव", "डॉक्टर राव"),
        ("T&C apply", "terms and conditions apply"),
        ("A & B, and/or C", "A and B, and/or C"),
        # what is for the eye
        ("1. Tea", "1, Tea"),
        ("2) Coffee", "2, Coffee"),
        ("It was 5. Then it was 6.", "It was 5. Then it was 6."),
        ("Sure :) see you", "Sure see you"),
        ("**Price:** `₹500`", "Price: 500 rupees"),
    ],
)
def test_it_is_said_as_it_is_said_here(written, spoken):
    assert for_voice(written) == spoken


@pytest.mark.parametrize(
    "text",
    [
        "I am 5 minutes away",
        "GSTIN 27AAPFU0939F1ZV",
        "MH 12 AB 1234",
        "in the year 2023-24",
        "at 10:30",
        "Mr. Rao and Mrs. Rao",
        "St. Mary's",
        "2nd and 3rd floor",
    ],
)
def test_what_a_voice_reads_well_or_nobody_can_be_sure_of_is_left_alone(text):
    assert for_voice(text) == text
