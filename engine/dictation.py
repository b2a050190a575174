"""Is a number being dictated? People pause between groups of digits longer than between sentences. Pure; text in, verdict out.

Digits are counted as figures ("98765") and as words, in English and Hindi, in either script.
"""

import re

from engine.words import words_of

_DIGITS_SAID = (
    "zero oh one two three four five six seven eight nine double triple"
    " shunya ek do teen tin char chaar paanch panch chhe chhah cheh saat sat aath ath nau"
    " शून्य एक दो तीन चार पाँच पांच छह छः छे सात आठ नौ जीरो ज़ीरो डबल ट्रिपल"
)
_DIGIT_WORDS = frozenset(_DIGITS_SAID.split())
_REPEATS = {"double": 2, "डबल": 2, "triple": 3, "ट्रिपल": 3}
_USUAL_LENGTHS = frozenset({4, 6, 8, 10, 11, 12, 16})
# What is asked for or announced, and how many digits it has.
_LENGTHS = (
    (re.compile(r"\b(?:mobile|phone|contact|whatsapp|telephone)\b|मोबाइल|फ़ोन|फोन", re.IGNORECASE), 10),
    (re.compile(r"\bpin ?code\b|\bpostal\b|पिन ?कोड", re.IGNORECASE), 6),
    (re.compile(r"\baadh?aar\b|आधार", re.IGNORECASE), 12),
    (re.compile(r"\botp\b|ओटीपी|\bnumber\b|\bnambar\b|नंबर|नम्बर|\baccount\b", re.IGNORECASE), 0),
)
_ANNOUNCED = re.compile(
    r"(?:\b(?:number|otp|code|pin|id|nambar)\b|नंबर|नम्बर|कोड|ओटीपी)(?:\s+(?:is|hai|है|yeh|ye|यह))?[\s,:.]*$", re.IGNORECASE
)


def expected_digits(text: str) -> int | None:
    """How many digits the number has that `text` speaks of; 0 if that is open, None if it speaks of no number."""
    return next((length for cue, length in _LENGTHS if cue.search(text)), None)


def trailing_digits(text: str) -> tuple[int, int]:
    """How many digits `text` ends with, and in how many groups they were said."""
    digits = groups = 0
    words = words_of(text)
    for index in range(len(words) - 1, -1, -1):
        word = words[index]
        if word.isdigit():
            digits += len(word)
        elif word in _DIGIT_WORDS:
            digits += _REPEATS.get(word, 2) - 1 if word in _REPEATS else 1
        else:
            break
        groups += 1
    return digits, groups


def is_dictating(text: str, asked: str = "") -> bool:
    """Whether `text` stops in the middle of a number, or right before one. `asked`: what the agent has said last."""
    digits, groups = trailing_digits(text)
    if not digits:
        return bool(_ANNOUNCED.search(text.strip()))
    expected = expected_digits(text)
    if expected is None:
        expected = expected_digits(asked)
    if expected:
        return digits < expected
    if expected == 0:
        return digits not in _USUAL_LENGTHS
    return groups >= 3 and digits < 10
