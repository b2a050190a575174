"""Where a word that was searched for was said: one line of the conversation for each call on the page. Nothing here writes."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from django.db.models import Q

from calls.listing.words import sought
from calls.models import Turn

_AROUND: Final = 60


@dataclass(frozen=True, slots=True)
class Line:
    """A stretch of a turn around the word that was found."""

    speaker: str
    before: str
    word: str
    after: str


def said_where(session_pks: Collection[int], typed: str) -> dict[int, Line]:
    """By session; those are missing in which only the recording's transcript has the word."""
    words = sought(typed)
    if not words or not session_pks:
        return {}
    any_of = Q()
    for word in words:
        any_of |= Q(text__icontains=word)
    turns = Turn.objects.filter(any_of, session__in=session_pks).order_by("session_id", "number").distinct("session_id")
    return {pk: line for pk, speaker, text in turns.values_list("session_id", "speaker", "text") if (line := _line(speaker, text, words))}


def _line(speaker: str, text: str, words: Collection[str]) -> Line | None:
    found = re.search("|".join(re.escape(word) for word in words), text, re.IGNORECASE)
    if found is None:
        return None
    start, end = max(found.start() - _AROUND, 0), min(found.end() + _AROUND, len(text))
    lead, trail = "…" if start else "", "…" if end < len(text) else ""
    return Line(speaker, lead + text[start : found.start()], found[0], text[found.end() : end] + trail)
