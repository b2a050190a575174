"""Shorthand and units as they are said: "5 km", "Pvt. Ltd.", "Mon-Fri". What could mean two things is left alone."""

import re

from engine.tongues import Form, Tongue

_UNITS: dict[str, tuple[str, str]] = {
    "km/h": ("kilometre per hour", "kilometres per hour"),
    "kmph": ("kilometre per hour", "kilometres per hour"),
    "km": ("kilometre", "kilometres"),
    "kms": ("kilometre", "kilometres"),
    "cm": ("centimetre", "centimetres"),
    "mm": ("millimetre", "millimetres"),
    "ft": ("foot", "feet"),
    "kg": ("kilogram", "kilograms"),
    "kgs": ("kilogram", "kilograms"),
    "gm": ("gram", "grams"),
    "gms": ("gram", "grams"),
    "mg": ("milligram", "milligrams"),
    "ml": ("millilitre", "millilitres"),
    "ltr": ("litre", "litres"),
    "ltrs": ("litre", "litres"),
    "sq ft": ("square foot", "square feet"),
    "sq. ft.": ("square foot", "square feet"),
    "sq.ft.": ("square foot", "square feet"),
    "sq.ft": ("square foot", "square feet"),
    "sqft": ("square foot", "square feet"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
    "min": ("minute", "minutes"),
    "mins": ("minute", "minutes"),
    "sec": ("second", "seconds"),
    "secs": ("second", "seconds"),
    "gb": ("gigabyte", "gigabytes"),
    "mb": ("megabyte", "megabytes"),
    "mbps": ("megabit per second", "megabits per second"),
    "kwh": ("kilowatt hour", "kilowatt hours"),
    "kw": ("kilowatt", "kilowatts"),
    "lpa": ("lakh per annum", "lakh per annum"),
    "bhk": ("B H K", "B H K"),
    "°c": ("degree Celsius", "degrees Celsius"),
    "°": ("degree", "degrees"),
}
_A_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_UNIT = re.compile(rf"(?i)(?<![\d/])\b(\d+(?:\.\d+)?)\s?({_A_UNIT})(?![\w/])")
_PART_OF_UNIT = re.compile(rf"(?i)(?<![\d/])(1/2|1/4|3/4|½|¼|¾)\s?({_A_UNIT})(?![\w/])")
_PARTS = {"1/2": "half a", "½": "half a", "1/4": "a quarter", "¼": "a quarter", "3/4": "three quarters of a", "¾": "three quarters of a"}
_MINUS = re.compile(r"(?<![\w)])[-−](?=\d+(?:\.\d+)?\s?°)")

_SHORTHAND = {
    "dr": "Doctor",
    "prof": "Professor",
    "smt": "Shrimati",
    "pvt": "Private",
    "ltd": "Limited",
    "govt": "Government",
    "dept": "Department",
    "approx": "approximately",
    "e.g": "for example",
    "i.e": "that is",
    "w.e.f": "with effect from",
    "etc": "et cetera",
    "vs": "versus",
    "ext": "extension",
    "apt": "apartment",
    "rd": "Road",
    "bldg": "Building",
    "flr": "floor",
    "opp": "opposite",
    "डॉ": "डॉक्टर",
}
_SHORT_WORD = re.compile(rf"(?i)(?<![\w.])({'|'.join(re.escape(word) for word in _SHORTHAND)})\.(\s*$)?(?!\w)")
_WITHOUT_DOT = re.compile(r"\b(Rd|Bldg|Pvt|Ltd|Govt|Dept|Smt|Dr(?=\s[A-Z]))(?![\w.'])")
_ACCOUNT = re.compile(r"\b[Aa]/[Cc](?!\w)")
_TERMS = re.compile(r"\bT\s?&\s?Cs?\b")
_NUMBER_SIGN = re.compile(r"(?<!\w)Nos?\.\s?(?=\d)")
_ALWAYS_OPEN = re.compile(r"(?i)\b24\s?[x/×]\s?7\b")
_AND_MORE = re.compile(r"(?<=\d)\+(?![\d\w])")
_PER = re.compile(
    r"(?<=[\w\u0900-\u097f])\s?/\s?(?=(?:month|day|week|year|hour|night|person|head|visit|session|piece|kg|km|sq|माह|दिन|साल)\b)"
)

_DAYS = {day[:3].casefold(): day for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")}
_A_DAY = r"(mon|tue|wed|thu|fri|sat|sun)(?:s|rs|r|nes|ur)?\b\.?"
_DAY_RANGE = re.compile(rf"(?i)\b{_A_DAY}\s?(?:[-–]|to)\s?{_A_DAY}")


def _unit(match: re.Match[str], tongue: Tongue) -> str:
    one, many = _UNITS[match.group(2).casefold()]
    return f"{match.group(1)} {one if match.group(1) == '1' else many}"


def _part_of_unit(match: re.Match[str], tongue: Tongue) -> str:
    return f"{_PARTS[match.group(1)]} {_UNITS[match.group(2).casefold()][0]}"


def _short_word(match: re.Match[str], tongue: Tongue) -> str:
    return _SHORTHAND[match.group(1).casefold()] + ("" if match.group(2) is None else ".")


def _day_range(match: re.Match[str], tongue: Tongue) -> str:
    return f"{_DAYS[match.group(1).casefold()]} {tongue.to} {_DAYS[match.group(2).casefold()]}"


SIGNS: tuple[tuple[re.Pattern[str], Form], ...] = (
    (_ALWAYS_OPEN, lambda match, tongue: "24 by 7"),
    (_NUMBER_SIGN, lambda match, tongue: "number "),
    (_ACCOUNT, lambda match, tongue: "account"),
    (_TERMS, lambda match, tongue: "terms and conditions"),
    (_DAY_RANGE, _day_range),
    (_MINUS, lambda match, tongue: "minus "),
)
"""What must be read before the numbers are."""

WORDS: tuple[tuple[re.Pattern[str], Form], ...] = (
    (_PART_OF_UNIT, _part_of_unit),
    (_PER, lambda match, tongue: f" {tongue.per} "),
    (_UNIT, _unit),
    (_AND_MORE, lambda match, tongue: f" {tongue.plus}"),
    (_SHORT_WORD, _short_word),
    (_WITHOUT_DOT, lambda match, tongue: _SHORTHAND[match.group(1).casefold()]),
)
"""What stands behind numbers, and words."""
