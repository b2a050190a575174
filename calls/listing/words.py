"""Words as the search knows them: cut out of what was said, and out of what somebody types into the search field. Pure.

Every script alike: a word is a run of letters, digits and the marks that belong to them, small, in one spelling (NFKC). No stemming, no
stop words, no dictionary, which is what Postgres calls `simple`; only its parser is not used, because it drops or tears apart words of
Indian scripts.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LONGEST_WORD: Final = 60
MOST_WORDS: Final = 5000
LEAST_PREFIX: Final = 3
_MARKS: Final = "".join(
    re.escape(chr(code))
    for first, last in ((0x300, 0x2100), (0xA600, 0xAC00), (0xFE20, 0xFE30))
    for code in range(first, last)
    if unicodedata.category(chr(code))[0] == "M"
)
_WORD: Final = re.compile(rf"(?:[^\W_]|[{_MARKS}])+")
_JOINERS: Final = {0x200C: None, 0x200D: None}  # how letters are drawn, not which they are
_TYPED: Final = re.compile(r'(?P<no>(?<!\S)-)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')


def spelled(text: str) -> str:
    """`text` in the one spelling in which words are compared."""
    return unicodedata.normalize("NFKC", text.translate(_JOINERS)).casefold()


def words_of(text: str) -> list[str]:
    """The words in their order: `"Haan, नमस्ते!"` -> `["haan", "नमस्ते"]`."""
    return [word[:LONGEST_WORD] for word in _WORD.findall(spelled(text))]


def lexemes(texts: Iterable[str]) -> list[str]:
    """Every different word of a call, sorted."""
    found = {word for text in texts for word in words_of(text)}
    return sorted(found)[:MOST_WORDS]


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for. `tsquery` is Postgres' own notation, empty if no word was typed; phrases are looked up in the turns too."""

    tsquery: str
    phrases: tuple[str, ...] = ()


def search(typed: str) -> Search:
    """Words that must all be there; `"in this order"`, `-not`, and `begin*` (three letters or more)."""
    terms: list[str] = []
    phrases: list[str] = []
    for part in _TYPED.finditer(typed):
        said = part["phrase"] if part["phrase"] is not None else part["word"]
        words = words_of(said)
        if not words:
            continue
        begins = part["phrase"] is None and said.endswith("*") and len(words) == 1 and len(words[0]) >= LEAST_PREFIX
        found = " & ".join(_quoted(word) + (":*" if begins else "") for word in words)
        if part["no"]:
            terms.append(f"!({found})")
            continue
        terms.append(found)
        if len(words) > 1:
            phrases.append(" ".join(said.split()))
    return Search(" & ".join(terms), tuple(phrases))


def sought(typed: str) -> list[str]:
    """What is to be marked where it was said: phrases and words that were asked for, the longest first."""
    parts = [
        part["phrase"] if part["phrase"] is not None else part["word"].rstrip("*") for part in _TYPED.finditer(typed) if not part["no"]
    ]
    return sorted({" ".join(part.split()) for part in parts if words_of(part)}, key=len, reverse=True)


def _quoted(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
