"""Numbers, dates and shorthand as people in India say them: lakh and crore, day before month, phone numbers digit by digit.

A voice reads "1,25,000" and "12/05/2026" as somebody from elsewhere would. Where the text is in Devanagari the words are Hindi. What is
ambiguous is left alone: a wrong reading is worse than a clumsy one.
"""

import re
from functools import partial

from engine import shorthand
from engine.tongues import ENGLISH, HINDI, Form, Tongue

_DEVANAGARI = re.compile("[\u0900-\u097f]")
_PLAIN_DIGITS = str.maketrans("०१२३४५६७८९", "0123456789")

_AMOUNT = r"(\d[\d,]*)(?:\.(\d{1,2}))?(?![\d.]*\d)"
_SCALE = r"(\s*(?:lakhs?|lacs?|l|crores?|cr|thousand|million|billion|k|लाख|करोड़|हज़ार|हजार)(?![\w\u0900-\u097f]))?"
_RUPEE = r"(?:₹|\bRs\.?|\bINR|(?<![\w\u0900-\u097f])(?:रु|रू)\.?(?=\s*\d))\s*"
_RUPEE_RANGE = re.compile(rf"{_RUPEE}(\d[\d,]*)\s?[-–]\s?(?:{_RUPEE})?(\d[\d,]*)(?![\d.,]*\d){_SCALE}", re.IGNORECASE)
_RUPEES = re.compile(rf"{_RUPEE}{_AMOUNT}(?:/-)?{_SCALE}", re.IGNORECASE)
_FOREIGN = re.compile(rf"([$€£])\s*{_AMOUNT}{_SCALE}", re.IGNORECASE)
_MONIES = {"$": ("dollar", "dollars", "cent", "cents"), "€": ("euro", "euros", "cent", "cents"), "£": ("pound", "pounds", "penny", "pence")}
_LAKHS = re.compile(r"(?<![\d,.])\d{1,2}(?:,\d\d)+,\d{3}(?![\d,]*\d)")
_SCALES = {"k": "thousand", "cr": "crore", "l": "lakh", "lac": "lakh", "lacs": "lakh", "lakhs": "lakh", "crores": "crore"}
_PERCENT = re.compile(r"(?<=\d)\s?%")

_SECRET_NUMBER = re.compile(
    r"(?i)\b((?:pin\s?code|pin|otp|cvv|zip|(?:card|account|number|mobile|phone)\s+ending)\b(?:\s(?:number|no\.?|code|in|with))?(?:\s?[:=-]|\sis)?\s*)(\d{3}\s?\d{3}|\d{3,8})(?!\d)"
    r"|((?:पिन\s?कोड|पिन|ओटीपी)(?:\s?:|\s(?:है|नंबर))?\s*)(\d{3}\s?\d{3}|\d{3,8})(?!\d)"
)
_CITY_PIN = re.compile(r"(?<=[^\W\d_])(\s?[-–]\s?)([1-9]\d{5})(?!\d)")
_PHONE = re.compile(r"(?<![\w.,])(\+?\d(?:[ \-]?\d){9,13})(?![\w]|[.,]\d)")

_DATE = re.compile(r"(?<![\d/.-])(?:(\d{1,2})([/.-])(\d{1,2})\2(\d{4})|(\d{4})-(\d{2})-(\d{2})|(\d{1,2})/(\d{1,2})/(\d{2}))(?![\d/-]|\.\d)")
_MONTHS = r"(jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?"
_SHORT_MONTH = re.compile(rf"(?i)\b(\d{{1,2}}(?:st|nd|rd|th)?\s){_MONTHS}(?=\s*(?:\d|,|$|\s))")
_DASHED_MONTH = re.compile(r"(?i)(?<![\w-])(\d{1,2})-(jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*-(\d{4})(?![\w-])")
_MONTH_FIRST = re.compile(rf"(?i)(?<![\w-]){_MONTHS}(?=\s(?:[0-3]?\d(?:st|nd|rd|th)?(?![\d:.])|\d{{4}})(?!\w))")
_TIME = re.compile(
    r"(?i)(?<![\d:.])([01]?\d|2[0-3])(?::([0-5]\d)(?::[0-5]\d)?|\.([0-5]\d)(?=\s?[ap]\.?m\b)|(?=\s?[ap]\.?m\b))"
    r"(?:\s?([ap])\.?m\b\.?|\s?hrs?\b\.?)?(\s*बजे)?(?![\d:])"
)
_DAY_PART = re.compile(r"(?:सुबह|दोपहर|शाम|रात|morning|evening)\s*$")
_A_TIME = r"\d{1,2}(?:[:.]\d\d)?\s?[ap]\.?m\b\.?|\d{1,2}:\d\d"
_BETWEEN_TIMES = re.compile(rf"(?i)(?<![\d:])({_A_TIME})\s?[-–]\s?(?={_A_TIME})")
_RANGE = re.compile(r"(?<![\d.,/:+-])(?<!\d )(\d{1,3})\s?[-–]\s?(\d{1,3})(?![\d.,/:-]*\d)(?! \d)")


def spoken_forms(text: str) -> str:
    """`text` with its figures and shorthand written as they are said."""
    tongue = HINDI if _DEVANAGARI.search(text) else ENGLISH
    text = text.translate(_PLAIN_DIGITS)
    for pattern, form in _FORMS:
        text = pattern.sub(partial(_say, form, tongue), text)
    return text


def _say(form: Form, tongue: Tongue, match: re.Match[str]) -> str:
    return form(match, tongue)


def _in_lakhs(digits: str, tongue: Tongue) -> str:
    """A whole number as it is said: from a lakh on in crores, lakhs and the rest."""
    number = int(digits.replace(",", ""))
    if number < 100_000 or number >= 10**12:
        return str(number)
    crores, lakhs, rest = number // 10_000_000, number // 100_000 % 100, number % 100_000
    parts = [f"{crores} {tongue.crore}" if crores else "", f"{lakhs} {tongue.lakh}" if lakhs else "", str(rest) if rest else ""]
    return " ".join(part for part in parts if part)


def _money(amount: tuple[str, str | None, str | None], tongue: Tongue, names: tuple[str, str, str, str], *, in_lakhs: bool) -> str:
    """`amount`: whole, part and scale as they were written. `names`: one and many of the whole, one and many of the part."""
    whole, part, scale = amount[0].rstrip(",").replace(",", ""), amount[1], (amount[2] or "").strip()
    trailing = amount[0][len(amount[0].rstrip(",")) :]
    if scale:
        return f"{whole}{f'.{part}' if part else ''} {_SCALES.get(scale.casefold(), scale)} {names[1]}"
    spoken = f"{_in_lakhs(whole, tongue) if in_lakhs else whole} {names[0] if int(whole) == 1 else names[1]}"
    cents = int(part.ljust(2, "0")) if part else 0
    spoken_cents = f"{cents} {names[2] if cents == 1 else names[3]}" if cents else ""
    if cents and not int(whole):
        return spoken_cents + trailing
    return (f"{spoken} {tongue.joint} {spoken_cents}" if cents else spoken) + trailing


def _rupees(match: re.Match[str], tongue: Tongue) -> str:
    return _money((match.group(1), match.group(2), match.group(3)), tongue, (*tongue.rupees, *tongue.paise), in_lakhs=True)


def _foreign(match: re.Match[str], tongue: Tongue) -> str:
    return _money((match.group(2), match.group(3), match.group(4)), tongue, _MONIES[match.group(1)], in_lakhs=False)


def _rupee_range(match: re.Match[str], tongue: Tongue) -> str:
    scale = (match.group(3) or "").strip()
    scaled = f" {_SCALES.get(scale.casefold(), scale)}" if scale else ""
    return f"{_in_lakhs(match.group(1), tongue)} {tongue.to} {_in_lakhs(match.group(2), tongue)}{scaled} {tongue.rupees[1]}"


def _phone(match: re.Match[str], tongue: Tongue) -> str:
    """Digit by digit, with a breath where the number is written in groups, else between the country and the halves of the ten digits."""
    number = match.group()
    groups = re.split(r"[ \-]", number.lstrip("+"))
    own = groups[1:] if number.startswith("+") and len(groups) > 2 else groups  # a country may be one digit
    if len(groups) == 1 or max(map(len, own)) > 6 or min(map(len, own)) < 2:
        digits = "".join(groups)
        groups = [digits[:-10], digits[-10:-5], digits[-5:]]
    spoken = ", ".join(" ".join(group) for group in groups if group)
    return f"plus {spoken}" if number.startswith("+") else spoken


def _digits(number: str) -> str:
    """A code: six digits in two breaths, else one by one."""
    number = number.replace(" ", "")
    return ", ".join(" ".join(half) for half in ((number[:3], number[3:]) if len(number) == 6 else (number,)))


def _code(match: re.Match[str], tongue: Tongue) -> str:
    label, number = (match.group(1), match.group(2)) if match.group(2) else (match.group(3), match.group(4))
    return label + _digits(number)


def _city_pin(match: re.Match[str], tongue: Tongue) -> str:
    return f", {_digits(match.group(2))}"


def _date(match: re.Match[str], tongue: Tongue) -> str:
    if match.group(1):
        day, month, year = match.group(1, 3, 4)
    elif match.group(5):
        year, month, day = match.group(5, 6, 7)
    else:
        day, month, year = match.group(8), match.group(9), f"20{match.group(10)}"
    if not (1 <= int(day) <= 31 and 1 <= int(month) <= 12):
        return match.group()
    return f"{int(day)} {tongue.months[int(month) - 1]} {year}"


def _month(short: str) -> str:
    return next(month for month in ENGLISH.months if month.casefold().startswith(short[:3].casefold()))


def _short_month(match: re.Match[str], tongue: Tongue) -> str:
    return match.group(1) + _month(match.group(2))


def _dashed_month(match: re.Match[str], tongue: Tongue) -> str:
    return f"{int(match.group(1))} {_month(match.group(2))} {match.group(3)}"


def _time(match: re.Match[str], tongue: Tongue) -> str:
    hour, minute, half = int(match.group(1)), int(match.group(2) or match.group(3) or 0), (match.group(4) or "").casefold()
    oclock = match.group(5) or ""
    if half and not 1 <= hour <= 12:
        half = ""
    if not half and 1 <= hour < 13 and not (oclock and tongue is HINDI):
        return match.group()  # morning or evening: nobody said so
    hour24 = hour % 12 + (12 if half == "p" else 0) if half else hour
    hour12 = hour24 % 12 or 12
    if tongue is HINDI:
        is_told = _DAY_PART.search(match.string[: match.start()]) is not None or not (half or hour24 > 12 or hour24 == 0)
        part = "सुबह" if 4 <= hour24 < 12 else "दोपहर" if 12 <= hour24 < 16 else "शाम" if 16 <= hour24 < 20 else "रात"
        told = "" if is_told else f"{part} "
        return f"{told}{hour12} बजकर {minute} मिनट" if minute else f"{told}{hour12} बजे"
    minutes = f" oh {minute}" if 0 < minute < 10 else f" {minute}" if minute else ""
    ends = "." if match.group().endswith(".") and match.end() == len(match.string) else ""
    return f"{hour12}{minutes} {'AM' if hour24 < 12 else 'PM'}{ends}{oclock}"


_FORMS: tuple[tuple[re.Pattern[str], Form], ...] = (
    (_RUPEE_RANGE, _rupee_range),
    (_RUPEES, _rupees),
    (_FOREIGN, _foreign),
    *shorthand.SIGNS,
    (_DATE, _date),
    (_DASHED_MONTH, _dashed_month),
    (_SHORT_MONTH, _short_month),
    (_MONTH_FIRST, lambda match, tongue: _month(match.group(1))),
    (_SECRET_NUMBER, _code),
    (_CITY_PIN, _city_pin),
    (_PHONE, _phone),
    (_LAKHS, lambda match, tongue: _in_lakhs(match.group(), tongue)),
    (_BETWEEN_TIMES, lambda match, tongue: f"{match.group(1)} {tongue.to} "),
    (_TIME, _time),
    (_RANGE, lambda match, tongue: f"{match.group(1)} {tongue.to} {match.group(2)}"),
    (_PERCENT, lambda match, tongue: f" {tongue.percent}"),
    *shorthand.WORDS,
)
