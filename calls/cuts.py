"""What the caller heard of a turn against what the agent meant to say: the words that nobody heard, each where it was cut. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_MOST_COMPARED = 2_000  # words of one turn; what is missing of a longer one stands at its end


@dataclass(frozen=True, slots=True)
class Said:
    """A stretch of what the agent meant to say. The heard ones are the turn's text, letter by letter; `before` and `after` one that was not
    heard stand the spaces that keep it apart.
    """

    text: str
    heard: bool = True
    before: str = ""
    after: str = ""


def said(heard: str, generated: str) -> tuple[Said, ...]:
    """`generated` is empty where the caller heard everything. Usually the end is missing; where a voice broke off, also words between."""
    whole = (Said(heard),) if heard else ()
    if not generated.strip() or heard.split() == generated.split():
        return whole
    if generated.startswith(heard.rstrip()):
        rest = generated[len(heard.rstrip()) :]
        return (*whole, Said(rest.strip(), heard=False, before=" " if heard and rest[0].isspace() else ""))
    words, meant = list(re.finditer(r"\S+", heard)), generated.split()
    if max(len(words), len(meant)) > _MOST_COMPARED:
        return (*whole, Said(generated.strip(), heard=False, before=" "))
    return tuple(_word_by_word(heard, words, meant))


def _word_by_word(heard: str, words: Sequence[re.Match[str]], meant: Sequence[str]) -> Iterator[Said]:
    done = 0
    moves = SequenceMatcher(None, meant, [word.group() for word in words], autojunk=False).get_opcodes()
    for move, first, last, at, _end in moves:
        if move not in ("delete", "replace"):
            continue
        place = words[at - 1].end() if at else 0
        if place > done:
            yield Said(heard[done:place])
        done = place
        yield Said(" ".join(meant[first:last]), heard=False, before=" " if place else "", after="" if place else " ")
    if done < len(heard):
        yield Said(heard[done:])
