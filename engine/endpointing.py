"""Has the caller finished? Decisions only: words and signals in, a wait in ms out. No clock, no await.

A recogniser's word is taken, but not blindly: "my number is" is not the end of a sentence however long the breath after it.
"""

import re
from enum import Enum

from engine.tuning import Tuning

_DANGLING = (
    "a an the and or but so because if when while that which who my your his her our their its is are was were am be to of for from in on"
    " at with by as about um uh er erm umm aur ya lekin kyunki toh matlab mera meri mere ka ki ke ko se par"
    " और या लेकिन क्योंकि मेरा मेरी का की के को से"
)
_UNFINISHED_LAST_WORDS = frozenset(_DANGLING.split())
_TRAILING = re.compile(r"[,\-–—:;]$|\.\.\.$|…$")
_LAST_WORD = re.compile(r"([^\s.,!?;:।…\"')\]]+)[\s.,!?;:।…\"')\]]*$")


class EndSignal(Enum):
    """What makes us think of the end of a turn, from the strongest to the weakest."""

    UTTERANCE_ENDED = "utterance-ended"
    END_OF_TURN = "end-of-turn"
    FINAL_WORDS = "final-words"
    INTERIM_WORDS = "interim-words"


def looks_unfinished(text: str) -> bool:
    """Whether the words alone suggest that more is coming: a trailing comma, a dangling "and", a lone "um"."""
    text = text.strip()
    if not text:
        return True
    if _TRAILING.search(text):
        return True
    last = _LAST_WORD.search(text)
    if last is None or last.group(1).casefold() not in _UNFINISHED_LAST_WORDS:
        return False
    return not text.endswith(("?", "!"))


def wait_ms(text: str, signal: EndSignal, tuning: Tuning) -> int:
    """How long to wait, from the signal on and without further words, before the turn is over."""
    match signal:
        case EndSignal.UTTERANCE_ENDED:
            return 0  # the gap that the provider waited for was the wait
        case EndSignal.END_OF_TURN:
            return tuning.unfinished_wait_ms if looks_unfinished(text) else 0
        case EndSignal.FINAL_WORDS:
            return tuning.quiet_gap_ms
        case EndSignal.INTERIM_WORDS:
            return max(tuning.stale_interim_ms, tuning.quiet_gap_ms)
