"""Cuts a stream of text into pieces that can be spoken on their own. The pieces, joined, are the text: nothing is lost or changed.

A cut in the wrong place is heard: "at five p.m. | tomorrow" or "Rs. | 500" sound broken. The first piece is cut as early as it can be
spoken, since the caller is waiting; later ones are kept longer, since each is a request and a change of intonation.
"""

import re

_ENDERS = ".!?।॥…"
_WIDE_ENDERS = "。！？"
_CLOSERS = "\"'”’)]}*_»"
_CLAUSE_ENDERS = ",;:—–"
_SHORTENED = (
    "mr mrs ms dr prof sr jr st rs re inr no nos vs etc approx dept govt ltd pvt co inc tel ph ext min max hr hrs jan feb apr jun jul"
    " aug sep sept oct nov dec shri smt rd ave apt fig"
)
_ABBREVIATIONS = frozenset(_SHORTENED.split())
_DOTTED = re.compile(r"^(?:[^\W\d_]\.)+$")  # "p.m.", "e.g.", and the lone initial "A."
_LIST_NUMBER = re.compile(r"^\(?\d{1,3}\.$")
_FIRST_CLAUSE_CHARS = 20  # about a second of speech: time enough to fetch what follows
_LATER_MIN_CHARS = 24
_CEILING_CHARS = 220
_HARD_CEILING_CHARS = 1000


class SentenceCutter:
    """Feed it deltas of any size; where it cuts depends on the text alone, never on how the text was sliced."""

    def __init__(self) -> None:
        self._text = ""
        self._is_first = True
        self._last_clause = 0
        self._last_space = 0

    def feed(self, delta: str) -> list[str]:
        """The pieces that `delta` completes."""
        pieces = []
        for character in delta:
            self._text += character
            cut = self._cut_after(character)
            if cut:
                pieces.append(self._take(cut))
        return pieces

    def flush(self) -> list[str]:
        """What is left when the text has ended."""
        return [self._take(len(self._text))] if self._text else []

    def _cut_after(self, character: str) -> int:
        """Where to cut now that `character` is the last one; 0 for nowhere."""
        size = len(self._text)
        if character.isspace():
            if self._ends_sentence(character) and self._is_long_enough():
                return size
            self._last_space = size
            if self._text.rstrip().endswith(tuple(_CLAUSE_ENDERS)):
                self._last_clause = size
                if self._is_first and size >= _FIRST_CLAUSE_CHARS:
                    return size
        elif character in _WIDE_ENDERS and self._is_long_enough():
            return size
        if size >= _HARD_CEILING_CHARS:
            return size
        if size >= _CEILING_CHARS:
            return self._last_clause if self._last_clause >= _FIRST_CLAUSE_CHARS else self._last_space
        return 0

    def _ends_sentence(self, space: str) -> bool:
        text = self._text.rstrip()
        if not text:
            return False
        if space == "\n":
            return True
        bare = text.rstrip(_CLOSERS)
        if not bare or bare[-1] not in _ENDERS:
            return False
        if bare[-1] != "." or bare.endswith(".."):
            return True
        last_word = bare.split()[-1].lstrip(_CLOSERS + "([{\"'“‘")
        return not (_DOTTED.match(last_word) or _LIST_NUMBER.match(last_word) or last_word[:-1].casefold() in _ABBREVIATIONS)

    def _is_long_enough(self) -> bool:
        if not any(character.isalnum() for character in self._text):
            return False
        return self._is_first or len(self._text) >= _LATER_MIN_CHARS

    def _take(self, size: int) -> str:
        piece, self._text = self._text[:size], self._text[size:]
        self._is_first = False
        self._last_clause = 0
        self._last_space = self._text.rfind(" ") + 1
        return piece


def cut(text: str) -> list[str]:
    """All pieces of a text that is known whole."""
    cutter = SentenceCutter()
    return cutter.feed(text) + cutter.flush()
