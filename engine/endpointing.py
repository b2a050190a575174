"""Has the caller finished? Decisions only: words and signals in, a wait in ms out. No clock, no await.

A recogniser's word is taken, but not blindly: "my number is" is not the end of a sentence however long the breath after it.
"""

import re
from enum import Enum

from engine.dictation import is_dictating
from engine.tuning import Tuning
from engine.words import UNFINISHED

_TRAILING = re.compile(r"[,\-–—:;]$|\.\.\.$|…$")
_LAST_WORD = re.compile(r"([^\s.,!?;:।…\"')\]]+)[\s.,!?;:।…\"')\]]*$")


class EndSignal(Enum):
    """What makes us think of the end of a turn, from the strongest to the weakest."""

    UTTERANCE_ENDED = "utterance-ended"
    END_OF_TURN = "end-of-turn"
    FINAL_WORDS = "final-words"
    INTERIM_WORDS = "interim-words"


def looks_unfinished(text: str, unfinished: frozenset[str] = UNFINISHED) -> bool:
    """Whether the words alone suggest that more is coming: a trailing comma, a dangling "and", a lone "um"."""
    text = text.strip()
    if not text:
        return True
    if _TRAILING.search(text):
        return True
    last = _LAST_WORD.search(text)
    if last is None or last.group(1).casefold() not in unfinished:
        return False
    return not text.endswith(("?", "!"))


def wait_ms(text: str, signal: EndSignal, tuning: Tuning, *, quiet_ms: int = 0, asked: str = "", extra_ms: int = 0) -> int:
    """How long to wait, from the signal on and without further words, before the turn is over.

    `quiet_ms` have passed since the last word; `asked` is what the agent has said last; `extra_ms` is what this caller needs more than
    others (`patience.py`).
    """
    unhurried_ms = _unhurried_ms(text, tuning, asked)
    match signal:
        case EndSignal.UTTERANCE_ENDED:  # the gap that the provider waited for was the wait, or a part of it
            return max(0, unhurried_ms - quiet_ms)
        case EndSignal.END_OF_TURN:
            return max(unhurried_ms, tuning.complete_wait_ms) + extra_ms
        case EndSignal.FINAL_WORDS:
            return max(unhurried_ms, tuning.quiet_gap_ms) + extra_ms
        case EndSignal.INTERIM_WORDS:
            return max(unhurried_ms, tuning.stale_interim_ms, tuning.quiet_gap_ms)


def _unhurried_ms(text: str, tuning: Tuning, asked: str) -> int:
    if is_dictating(text, asked):
        return tuning.dictation_wait_ms
    return tuning.unfinished_wait_ms if looks_unfinished(text, tuning.unfinished_words) else 0
