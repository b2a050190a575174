"""When each word of a turn is to be heard in the recording, so that a click on it plays it. Pure.

The transcript of the recording knows the time of its own words; those that a turn shares with it take their time. The rest lie between
them by their letters, and where nothing is known, so do all words between the turn's beginning and its end.
"""

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

_TOKEN = re.compile(r"\S+")
_MS_A_LETTER = 60
_MOST_COMPARED = 2_000  # words of one turn; a longer one is placed by its letters alone


class Said(NamedTuple):
    """A word of the recording's transcript, in ms of the recording."""

    start_ms: int
    end_ms: int
    text: str


class Place(NamedTuple):
    """A word of a turn: its letters `start` to `end` (as JavaScript counts them, in UTF-16) are said at `at_ms`."""

    start: int
    end: int
    at_ms: int


def places(text: str, begin_ms: int, end_ms: int, heard: Sequence[Said] = ()) -> list[Place]:
    """Where the words of a turn are that lasts from `begin_ms` to `end_ms` of the recording. Times never go backwards."""
    tokens = [(match.start(), match.end(), match.group()) for match in _TOKEN.finditer(text)]
    if not tokens:
        return []
    last_ms = max(end_ms, begin_ms + (0 if end_ms > begin_ms else len(text) * _MS_A_LETTER))
    known = _shared([token for *_, token in tokens], heard)
    anchors = [(0, min(begin_ms, known[0][1]) if known else begin_ms)]
    for number, at_ms in known:
        if tokens[number][0] > anchors[-1][0] or number == 0:
            anchors.append((tokens[number][0], max(at_ms, anchors[-1][1] if len(anchors) > 1 else 0)))
    anchors.append((len(text), max(last_ms, anchors[-1][1])))
    units = _utf16(text)
    found, at = [], 0
    for start, end, _token in tokens:
        while at + 2 < len(anchors) and anchors[at + 1][0] <= start:
            at += 1
        (left, left_ms), (right, right_ms) = anchors[at], anchors[at + 1]
        share = (start - left) / (right - left) if right > left else 0.0
        found.append(Place(units[start], units[end], max(round(left_ms + (right_ms - left_ms) * share), 0)))
    return found


def _shared(tokens: Sequence[str], heard: Sequence[Said]) -> list[tuple[int, int]]:
    """(number of the token, ms) of those that the recording has too, in order."""
    if not heard or max(len(tokens), len(heard)) > _MOST_COMPARED:
        return []
    told, said = [_plain(token) for token in tokens], [_plain(word.text) for word in heard]
    blocks = SequenceMatcher(None, told, said, autojunk=False).get_matching_blocks()
    return [(block.a + step, heard[block.b + step].start_ms) for block in blocks for step in range(block.size) if told[block.a + step]]


def _plain(word: str) -> str:
    folded = unicodedata.normalize("NFKC", word).casefold()
    return "".join(letter for letter in folded if unicodedata.category(letter)[0] not in "PSZC")


def _utf16(text: str) -> list[int]:
    """For each place in the text, how many UTF-16 units lie before it."""
    units, at = [0], 0
    for letter in text:
        at += 2 if ord(letter) > 0xFFFF else 1
        units.append(at)
    return units
