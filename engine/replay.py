"""Which words are new when a recogniser is asked again about audio that it, or another one, has heard before.

A stream that is opened anew gets the last seconds once more, and a little of what had become words already, so that it begins with a
whole word. What was told before is told once. Decisions only; places are ms of the open stream's audio.
"""

from collections.abc import Sequence
from dataclasses import replace

from engine.ports import EagerEndOfTurn, FinalTranscript, InterimTranscript, SpeechStarted, TranscriptEvent, Word

OVERLAP_MS = 500
"""How much audio that became words is sent again before that which did not: enough for the longest part of a word."""


class HeardWords:
    """What has become words so far, over all streams of a call.

    `settled_ms`: audio up to here need not be sent again. `known_ms`: words of the open stream before this place were told by another.
    """

    def __init__(self) -> None:
        self.known_ms = 0.0
        self.settled_ms = 0.0
        self._told_ms = 0.0  # where the last word that was told as final ended
        self._guess: tuple[Word, ...] = ()  # the words told since, which no final has confirmed
        self._guess_at_ms = 0

    def new_in(self, event: TranscriptEvent, now_ms: int) -> TranscriptEvent | None:
        """`event` without what was told before; None if nothing is left of it."""
        match event:
            case SpeechStarted(at_ms=at_ms):
                return event if at_ms >= self.known_ms else None
            case InterimTranscript() | EagerEndOfTurn():
                words = self._new(event.words)
                self._guess, self._guess_at_ms = words or self._guess, now_ms
                return event if len(words) == len(event.words) else (replace(event, text=_text(words), words=words) if words else None)
            case FinalTranscript():
                return self._final(event)
            case _:
                return event

    def reopened(self, first_ms: float, now_ms: int, stale_ms: int) -> FinalTranscript | None:
        """A new stream begins with the audio at `first_ms` of the last one. Gives the words that it will not hear, as a final.

        A guess that is older than `stale_ms` has been taken for the caller's words.
        """
        lost = tuple(word for word in self._guess if _middle(word) < first_ms)
        taken = self._guess if self._guess and now_ms - self._guess_at_ms >= stale_ms else lost
        told_ms = max([self._told_ms, *(float(word.end_ms) for word in taken)])
        self.known_ms = self._told_ms = max(0.0, told_ms - first_ms)
        self.settled_ms, self._guess = 0.0, ()
        return FinalTranscript(_text(lost), end_of_turn=False, end_ms=lost[-1].end_ms) if lost and taken is lost else None

    def _final(self, event: FinalTranscript) -> FinalTranscript | None:
        words = self._new(event.words)
        if event.text and event.end_ms > 0:
            self._guess = ()
            self._told_ms = max(self._told_ms, event.end_ms)
            self.settled_ms = max(self.settled_ms, event.end_ms - (OVERLAP_MS if event.words else 0))
        if len(words) == len(event.words):
            return event
        return replace(event, text=_text(words), words=words) if words or event.end_of_turn else None

    def _new(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        if not words or _middle(words[0]) >= self.known_ms:
            return words
        return tuple(word for word in words if _middle(word) >= self.known_ms)


def _middle(word: Word) -> float:
    """Two recognisers place the ends of a word differently, its middle hardly."""
    return (word.start_ms + word.end_ms) / 2


def _text(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)
