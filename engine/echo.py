"""Is the caller's line giving us our own words back? On a loudspeaker the recogniser hears the agent. Pure; text against text."""

from difflib import SequenceMatcher

from engine.words import words_of

_LEAST_WORDS = 3  # fewer may as well be a caller who repeats a word as a question


def is_echo(heard: str, saying: str, similarity: float) -> bool:
    """Whether `heard`, three words or more, is to `similarity` (0..1, 0: never) a stretch of what the agent is `saying`."""
    words = words_of(heard)
    return len(words) >= _LEAST_WORDS and _is_in(words, words_of(saying), similarity)


def could_be_echo(heard: str, saying: str, similarity: float) -> bool:
    """Whether `heard` is too short to tell, but the beginning of what would be an echo."""
    words = words_of(heard)
    return 0 < len(words) < _LEAST_WORDS and _is_in(words, words_of(saying), similarity)


def _is_in(words: list[str], saying: list[str], similarity: float) -> bool:
    """Compares letters, not words: a recogniser that hears an echo hears it badly."""
    if similarity <= 0 or not saying:
        return False
    heard = " ".join(words)
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(heard)
    for first in range(max(1, len(saying) - len(words) + 1)):
        matcher.set_seq1(" ".join(saying[first : first + len(words)]))
        if matcher.real_quick_ratio() >= similarity and matcher.quick_ratio() >= similarity and matcher.ratio() >= similarity:
            return True
    return False
