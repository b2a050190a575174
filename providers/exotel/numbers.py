"""Phone numbers as Exotel writes them, turned into E.164 and back.

Exotel spells one number differently on every surface (0XXXXXXXXXX, XXXXXXXXXX, 91XXXXXXXXXX, +91…): everything behind this module sees
E.164 only. Never prints a number whole in an error: use `mask` wherever a number may be shown to somebody it does not belong to.
"""

import re

import phonenumbers

_SEPARATORS = re.compile(r"[\s().\-\u2010-\u2015/]+")
_INDIAN = re.compile(r"(?:\+?91|0091)?0?(\d{10})")
_TOLL_FREE = ("1800", "1860")
_MAX_CHARACTERS = 40


class InvalidNumber(ValueError):
    """The text is not a phone number. The message says what to write instead, and never repeats the text."""


def to_e164(text: str, region: str = "IN") -> str:
    """`text` as `+<country code><number>`; without a country code it is read as a number of `region`. Raises `InvalidNumber`."""
    compact = _SEPARATORS.sub("", str(text)[:_MAX_CHARACTERS].removeprefix("tel:"))
    if not compact:
        raise InvalidNumber("This number is empty. Write it with its country code, for example +918047112233.")
    if not re.fullmatch(r"\+?[0-9]+", compact):
        raise InvalidNumber("This number holds characters that no number has. Write digits, for example +918047112233 or 08047112233.")
    if region == "IN" and (indian := _INDIAN.fullmatch(compact)) and not indian[1].startswith("0"):
        # The plan's ten digits, whatever was put before them: the library calls some exophone series impossible, Exotel sells them.
        return f"+91{indian[1]}"
    try:
        parsed = phonenumbers.parse("+" + compact[2:] if compact.startswith("00") else compact, region)
    except phonenumbers.NumberParseException as error:
        raise InvalidNumber(
            "This is not a phone number of any country. Write it with its country code, for example +918047112233."
        ) from error
    if not phonenumbers.is_possible_number(parsed):
        raise InvalidNumber("This number has too few or too many digits. Write it with its country code, for example +918047112233.")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def to_national(e164: str) -> str:
    """An Indian number as Exotel's v1 API spells it, `0XXXXXXXXXX` (toll-free: `1800…`); another country's stays in E.164."""
    if not e164.startswith("+91"):
        return e164
    national = e164[3:]
    return national if national.startswith(_TOLL_FREE) else f"0{national}"


def mask(e164: str) -> str:
    """`+91••••••••12`: the country code and the last two digits; an empty text stays empty."""
    if len(e164) < 5:
        return "•" * len(e164)
    head = 3 if e164.startswith("+") else 0
    return e164[:head] + "•" * (len(e164) - head - 2) + e164[-2:]
