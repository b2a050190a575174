"""Numbers, dates and shorthand as people in India say them: lakh and crore, day before month, phone numbers digit by digit.

A voice reads "1,25,000" and "12/05/2026" as somebody from elsewhere would. Where the text is in Devanagari the words are Hindi. What is
ambiguous is left alone: a wrong reading is worse than a clumsy one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial


@dataclass(frozen=True, slots=True)
class _Tongue:
    rupees: tuple[str, str]
    paise: tuple[str, str]
    lakh: str
    crore: str
    percent: str
    to: str
    months: tuple[str, ...]


_ENGLISH_MONTHS = "January February March April May June July August September October November December"
_HINDI_MONTHS = "जनवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर"
_ENGLISH = _Tongue(
    rupees=("rupee", "rupees"),
    paise=("paisa", "paise"),
    lakh="lakh",
    crore="crore",
    percent="percent",
    to="to",
    months=tuple(_ENGLISH_MONTHS.split()),
)
_HINDI = _Tongue(
    rupees=("रुपया", "रुपये"),
    paise=("पैसा", "पैसे"),
    lakh="लाख",
    crore="करोड़",
    percent="प्रतिशत",
    to="से",
    months=tuple(_HINDI_MONTHS.split()),
)
_Form = Callable[[re.Match[str], _Tongue], str]
_DEVANAGARI = re.compile("[\u0900-\u097f]")

_AMOUNT = r"(\d[\d,]*)(?:\.(\d{1,2}))?(?![\d.]*\d)"
_SCALE = r"(\s*(?:lakhs?|lacs?|crores?|cr|thousand|million|billion|k|लाख|करोड़|हज़ार|हजार)\b)?"
_RUPEE = r"(?:₹|\bRs\.?|\bINR)\s*"
_RUPEE_RANGE = re.compile(rf"{_RUPEE}(\d[\d,]*)\s?[-–]\s?(?:{_RUPEE})?(\d[\d,]*)(?![\d.,]*\d)", re.IGNORECASE)
_RUPEES = re.compile(rf"{_RUPEE}{_AMOUNT}(?:/-)?{_SCALE}", re.IGNORECASE)
_DOLLARS = re.compile(rf"\$\s*{_AMOUNT}{_SCALE}", re.IGNORECASE)
_LAKHS = re.compile(r"(?<![\d,.])\d{1,2}(?:,\d\d)+,\d{3}(?![\d,]*\d)")
_SCALES = {"k": "thousand", "cr": "crore", "lac": "lakh", "lacs": "lakh", "lakhs": "lakh", "crores": "crore"}
_PERCENT = re.compile(r"(?<=\d)\s?%")

_SECRET_NUMBER = re.compile(
    r"(?i)\b((?:pin\s?code|pin|otp|cvv|zip)\b(?:\s(?:number|no\.?|code))?(?:\s?[:=-]|\sis)?\s*)(\d{3}\s?\d{3}|\d{3,8})(?!\d)"
    r"|((?:पिन\s?कोड|पिन|ओटीपी)(?:\s?:|\s(?:है|नंबर))?\s*)(\d{3}\s?\d{3}|\d{3,8})(?!\d)"
)
_CITY_PIN = re.compile(r"(?<=[^\W\d_])(\s?[-–]\s?)([1-9]\d{5})(?!\d)")
_PHONE = re.compile(r"(?<![\w.,])(\+?\d(?:[ \-]?\d){9,13})(?![\w]|[.,]\d)")

_DATE = re.compile(r"(?<![\d/.-])(?:(\d{1,2})([/.-])(\d{1,2})\2(\d{4})|(\d{4})-(\d{2})-(\d{2}))(?![\d/-]|\.\d)")
_SHORT_MONTH = re.compile(r"(?i)\b(\d{1,2}(?:st|nd|rd|th)?\s)(jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?(?=\s*(?:\d|,|$|\s))")
_TIME = re.compile(r"(?i)(?<![\d:])([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?(?:\s?([ap])\.?m\b\.?|\s?बजे)?(?![\d:])")
_BETWEEN_TIMES = re.compile(r"(?i)(\d{1,2}:\d\d(?:\s?[ap]\.?m\.?)?)\s?[-–]\s?(?=\d{1,2}:\d\d)")
_RANGE = re.compile(r"(?<![\d.,/:+-])(?<!\d )(\d{1,3})\s?[-–]\s?(\d{1,3})(?![\d.,/:-]*\d)(?! \d)")
_UNITS: dict[str, tuple[str, str]] = {
    "km/h": ("kilometre per hour", "kilometres per hour"),
    "kmph": ("kilometre per hour", "kilometres per hour"),
    "km": ("kilometre", "kilometres"),
    "cm": ("centimetre", "centimetres"),
    "mm": ("millimetre", "millimetres"),
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
    "°c": ("degree Celsius", "degrees Celsius"),
    "°": ("degree", "degrees"),
}
_UNIT = re.compile(rf"(?i)\b(\d+(?:\.\d+)?)\s?({'|'.join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))})(?![\w/])")
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
    "etc": "et cetera",
    "vs": "versus",
    "ext": "extension",
    "apt": "apartment",
}
_SHORT_WORD = re.compile(rf"(?i)(?<![\w.])({'|'.join(re.escape(word) for word in _SHORTHAND)})\.(\s*$)?(?!\w)")
_NUMBER_SIGN = re.compile(r"(?<!\w)Nos?\.\s?(?=\d)")
_ALWAYS_OPEN = re.compile(r"(?i)\b24\s?[x/×]\s?7\b")


def spoken_forms(text: str) -> str:
    """`text` with its figures and shorthand written as they are said."""
    tongue = _HINDI if _DEVANAGARI.search(text) else _ENGLISH
    for pattern, form in _FORMS:
        text = pattern.sub(partial(_say, form, tongue), text)
    return text


def _say(form: _Form, tongue: _Tongue, match: re.Match[str]) -> str:
    return form(match, tongue)


def _in_lakhs(digits: str, tongue: _Tongue) -> str:
    """A whole number as it is said: from a lakh on in crores, lakhs and the rest."""
    number = int(digits.replace(",", ""))
    if number < 100_000 or number >= 10**12:
        return str(number)
    crores, lakhs, rest = number // 10_000_000, number // 100_000 % 100, number % 100_000
    parts = [f"{crores} {tongue.crore}" if crores else "", f"{lakhs} {tongue.lakh}" if lakhs else "", str(rest) if rest else ""]
    return " ".join(part for part in parts if part)


def _money(match: re.Match[str], tongue: _Tongue, whole_names: tuple[str, str], part_names: tuple[str, str], *, in_lakhs: bool) -> str:
    whole, part, scale = match.group(1).rstrip(",").replace(",", ""), match.group(2), (match.group(3) or "").strip()
    trailing = match.group(1)[len(match.group(1).rstrip(",")) :]
    if scale:
        return f"{whole}{f'.{part}' if part else ''} {_SCALES.get(scale.casefold(), scale)} {whole_names[1]}"
    spoken = f"{_in_lakhs(whole, tongue) if in_lakhs else whole} {whole_names[0] if int(whole) == 1 else whole_names[1]}"
    cents = int(part.ljust(2, "0")) if part else 0
    joint = "और" if tongue is _HINDI else "and"
    return (f"{spoken} {joint} {cents} {part_names[0] if cents == 1 else part_names[1]}" if cents else spoken) + trailing


def _rupees(match: re.Match[str], tongue: _Tongue) -> str:
    return _money(match, tongue, tongue.rupees, tongue.paise, in_lakhs=True)


def _dollars(match: re.Match[str], tongue: _Tongue) -> str:
    return _money(match, tongue, ("dollar", "dollars"), ("cent", "cents"), in_lakhs=False)


def _rupee_range(match: re.Match[str], tongue: _Tongue) -> str:
    return f"{_in_lakhs(match.group(1), tongue)} {tongue.to} {_in_lakhs(match.group(2), tongue)} {tongue.rupees[1]}"


def _phone(match: re.Match[str], tongue: _Tongue) -> str:
    """Digit by digit, with a breath where the number is written in groups, else between the country and the halves of the ten digits."""
    number = match.group()
    groups = re.split(r"[ \-]", number.lstrip("+"))
    if len(groups) == 1 or max(map(len, groups)) > 6 or min(map(len, groups)) < 2:
        digits = "".join(groups)
        groups = [digits[:-10], digits[-10:-5], digits[-5:]]
    spoken = ", ".join(" ".join(group) for group in groups if group)
    return f"plus {spoken}" if number.startswith("+") else spoken


def _digits(number: str) -> str:
    """A code: six digits in two breaths, else one by one."""
    number = number.replace(" ", "")
    return ", ".join(" ".join(half) for half in ((number[:3], number[3:]) if len(number) == 6 else (number,)))


def _code(match: re.Match[str], tongue: _Tongue) -> str:
    label, number = (match.group(1), match.group(2)) if match.group(2) else (match.group(3), match.group(4))
    return label + _digits(number)


def _city_pin(match: re.Match[str], tongue: _Tongue) -> str:
    return f", {_digits(match.group(2))}"


def _date(match: re.Match[str], tongue: _Tongue) -> str:
    day, month, year = (match.group(1), match.group(3), match.group(4)) if match.group(1) else match.group(7, 6, 5)
    if not (1 <= int(day) <= 31 and 1 <= int(month) <= 12):
        return match.group()
    return f"{int(day)} {tongue.months[int(month) - 1]} {year}"


def _short_month(match: re.Match[str], tongue: _Tongue) -> str:
    short = match.group(2)[:3].casefold()
    name = next(month for month in _ENGLISH.months if month.casefold().startswith(short))
    return match.group(1) + name


def _time(match: re.Match[str], tongue: _Tongue) -> str:
    hour, minute, half = int(match.group(1)), int(match.group(2)), (match.group(3) or "").casefold()
    if not half and hour < 13:
        return match.group()  # morning or evening: nobody said so
    if half and not 1 <= hour <= 12:
        half = ""
    hour24 = hour % 12 + (12 if half == "p" else 0) if half else hour
    hour12 = hour24 % 12 or 12
    if tongue is _HINDI:
        part = "सुबह" if 4 <= hour24 < 12 else "दोपहर" if 12 <= hour24 < 16 else "शाम" if 16 <= hour24 < 20 else "रात"
        return f"{part} {hour12} बजकर {minute} मिनट" if minute else f"{part} {hour12} बजे"
    minutes = f" oh {minute}" if 0 < minute < 10 else f" {minute}" if minute else ""
    return f"{hour12}{minutes} {'AM' if hour24 < 12 else 'PM'}" + (
        "." if match.group().endswith(".") and match.end() == len(match.string) else ""
    )


def _unit(match: re.Match[str], tongue: _Tongue) -> str:
    one, many = _UNITS[match.group(2).casefold()]
    return f"{match.group(1)} {one if match.group(1) == '1' else many}"


def _short_word(match: re.Match[str], tongue: _Tongue) -> str:
    return _SHORTHAND[match.group(1).casefold()] + ("" if match.group(2) is None else ".")


_FORMS: tuple[tuple[re.Pattern[str], _Form], ...] = (
    (_RUPEE_RANGE, _rupee_range),
    (_RUPEES, _rupees),
    (_DOLLARS, _dollars),
    (_ALWAYS_OPEN, lambda match, tongue: "24 by 7"),
    (_NUMBER_SIGN, lambda match, tongue: "number "),
    (_DATE, _date),
    (_SHORT_MONTH, _short_month),
    (_SECRET_NUMBER, _code),
    (_CITY_PIN, _city_pin),
    (_PHONE, _phone),
    (_LAKHS, lambda match, tongue: _in_lakhs(match.group(), tongue)),
    (_BETWEEN_TIMES, lambda match, tongue: f"{match.group(1)} {tongue.to} "),
    (_TIME, _time),
    (_RANGE, lambda match, tongue: f"{match.group(1)} {tongue.to} {match.group(2)}"),
    (_UNIT, _unit),
    (_PERCENT, lambda match, tongue: f" {tongue.percent}"),
    (_SHORT_WORD, _short_word),
)
