"""Takes from a transcript what tells who somebody is, as far as a machine can: numbers, addresses, and what is known of the caller. Pure.

It errs on the side of masking. A name that was spoken and that nobody told us of stays: the page that makes a link says so.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "•••"
_LEAST_DIGITS = 4
_LEAST_KNOWN = 3
_MOST_KNOWN = 200

# Digits of every script, with what people and transcribers write between them. An amount keeps its figures: it tells of nobody.
_NUMBER = re.compile(r"(?P<amount>(?:[₹$€£]|\bRs\.?|\bINR)\s?\d[\d,]*(?:\.\d+)?)|\+?\(?\d(?:[\s\-.,/()–]{0,2}\d)*\)?", re.IGNORECASE)
_MOST_AMOUNT_DIGITS = 9
_MAIL = re.compile(r"[^\s@<>]{1,64}@[^\s@<>]{1,200}")
_SPOKEN_MAIL = re.compile(r"(?<!\S)\S{1,64}\s+at\s+(?:the\s+rate\s+)?\S{1,64}\s+dot\s+\w{1,20}(?:\s+dot\s+\w{1,20})?", re.IGNORECASE)
_LINK = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)

_DIGIT_WORDS = (
    "zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|double|triple|"
    "shunya|shoonya|ek|do|teen|tin|char|chaar|paanch|panch|chhe|chhah|che|saat|sat|aath|nau|"
    "शून्य|एक|दो|तीन|चार|पांच|पाँच|छह|छः|छे|सात|आठ|नौ|डबल|ट्रिपल"
)
_DIGITS_SPOKEN = frozenset(_DIGIT_WORDS.split("|"))
_AROUND = ".,;:!?-–()/+।"
_SPOKEN_NUMBER = re.compile(rf"(?<!\w)(?:{_DIGIT_WORDS})(?:[\s,.\-]+(?:{_DIGIT_WORDS})){{{_LEAST_DIGITS - 1},}}(?!\w)", re.IGNORECASE)

# Of what was extracted from a call, the fields whose names say that they tell who somebody is.
_TELLING = re.compile(
    r"name|phone|mobile|contact|mail|address|street|pin|account|card|aadhaar|pan\b|passport|licen|birth|dob|_id$|^id$", re.IGNORECASE
)


def known_of(customer: Mapping[str, Any], extracted: Any) -> list[str]:
    """What must not be shown wherever it is said: everything told us of the caller, and what telling fields were extracted."""
    found = [*_texts(customer), *(text for name, value in _fields(extracted) if _TELLING.search(name) for text in _texts(value))]
    parts = [part for text in found for part in (text, *text.split())]
    return sorted({part.strip() for part in parts if _LEAST_KNOWN <= len(part.strip()) <= _MOST_KNOWN}, key=len, reverse=True)


def redacted(text: str, known: Iterable[str] = ()) -> str:
    """The text without numbers of four digits or more, mail addresses, links, and without what is known.

    Somebody who dictates a number in parts says little else: of such a turn no figure stays.
    """
    if _is_dictated(text):
        return MASK
    for pattern in (_MAIL, _SPOKEN_MAIL, _LINK, _SPOKEN_NUMBER):
        text = pattern.sub(MASK, text)
    text = _NUMBER.sub(_masked_number, text)
    for word in known:
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", MASK, text, flags=re.IGNORECASE)
    return re.sub(rf"{MASK}(?:[\s,.\-]*{MASK})+", MASK, text)


def _is_dictated(text: str) -> bool:
    words = [word.strip(_AROUND).casefold() for word in text.split()]
    words = [word for word in words if word]
    figures = sum(character.isdigit() for word in words for character in word)
    only = all(word in _DIGITS_SPOKEN or all(letter.isdigit() or letter in _AROUND for letter in word) for word in words)
    return only and (figures > 1 or len(words) > 1)


def _masked_number(match: re.Match[str]) -> str:
    text, digits = match.group(), sum(letter.isdigit() for letter in match.group())
    is_kept = digits <= _MOST_AMOUNT_DIGITS if match.group("amount") else digits < _LEAST_DIGITS
    return text if is_kept else MASK


def _fields(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [pair for name, inner in value.items() for pair in ((str(name), inner), *_fields(inner))]
    return [pair for inner in value for pair in _fields(inner)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [str(value)] if isinstance(value, str | int) and not isinstance(value, bool) else []
