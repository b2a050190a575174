"""When to begin an answer before the caller has surely finished, and whether it may be kept. Pure; told the time.

A wrong guess costs tokens and nothing else: nobody hears it. So it is made only where the words sound complete, and not often in a turn.
The recogniser waits for its pause before it says that a turn is over; words that came while the line was quiet already are the same
words then, so they need not stand still first.
"""

import re

from engine.dictation import is_dictating
from engine.endpointing import looks_unfinished
from engine.ports import EagerEndOfTurn, FinalTranscript, InterimTranscript, TranscriptEvent, TurnResumed
from engine.tuning import Tuning
from engine.words import words_of

_FRESH_MS = 200  # words that came just before the line was known to be quiet may well be those of its last sound
_SOUNDING_MS = 1000  # while the caller still makes a sound, words that stand still only wait for the next message
_WITHOUT_A_STOP_MS = 250  # words without a full stop may be a breath between two words
_SENTENCE_END = re.compile(r"[.?!।][\"'”’)]*\s*$")


class Speculation:
    """One caller's turn. `due_ms` is when an answer should be prepared, unless more is heard; None while there is no reason to."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._is_quiet = self._is_sounding = False  # as our own ear knows it: at first it knows nothing
        self.reset()

    def reset(self) -> None:
        """The turn was answered or given up."""
        self.due_ms: int | None = None
        self.prepared_id: int | None = None
        self._prepared: list[str] = []
        self._words: list[str] = []
        self._words_ms = 0  # when they came
        self._guesses = 0

    def hear(self, event: TranscriptEvent, text: str, asked: str, now_ms: int) -> int | None:
        """Takes in an event after which the whole turn reads `text`. Gives the id of what was prepared if that is worthless now."""
        words = words_of(text)
        changed, self._words = words != self._words, words
        dropped_id = self.drop() if isinstance(event, TurnResumed) or words != self._prepared else None
        if isinstance(event, TurnResumed):
            self.due_ms = None
        elif isinstance(event, EagerEndOfTurn):
            self.due_ms = now_ms if self._is_worth_it(text, asked) else None
        elif isinstance(event, InterimTranscript | FinalTranscript) and (changed or self._is_quiet):
            self._words_ms = now_ms
            self.due_ms = now_ms + self._stable_ms(event, text) if self._is_worth_it(text, asked) else None
        return dropped_id

    def sound(self) -> None:
        """Our own ear hears the caller."""
        self._is_quiet, self._is_sounding = False, True

    def quiet(self, text: str, asked: str, now_ms: int) -> None:
        """Our own ear hears that the caller's sound is over; the turn reads `text`, which may lack its last word: recognisers lag."""
        self._is_quiet, self._is_sounding = True, False
        if self.due_ms is not None and self._is_worth_it(text, asked):
            since_ms = self._words_ms if now_ms - self._words_ms <= _FRESH_MS else now_ms
            self.due_ms = max(now_ms, since_ms + self._stands_still_ms(text))

    def _stable_ms(self, event: TranscriptEvent, text: str) -> int:
        is_whole = bool(_SENTENCE_END.search(text))
        if self._is_quiet or (isinstance(event, FinalTranscript) and (is_whole or event.end_of_turn)):  # a final will not change
            return 0
        return self._stands_still_ms(text) + (_SOUNDING_MS if self._is_sounding else 0)

    def _stands_still_ms(self, text: str) -> int:
        return self._tuning.eager_stable_ms + (0 if _SENTENCE_END.search(text) else _WITHOUT_A_STOP_MS)

    def is_due(self, now_ms: int) -> bool:
        return self.due_ms is not None and now_ms >= self.due_ms

    def prepare(self, reply_id: int, text: str) -> None:
        """The answer to `text` is in work under `reply_id`."""
        self.due_ms, self.prepared_id, self._prepared = None, reply_id, words_of(text)
        self._guesses += 1

    def drop(self) -> int | None:
        """Forgets what was prepared and gives its id, if there was anything."""
        dropped_id, self.prepared_id = self.prepared_id, None
        return dropped_id

    def take(self) -> int | None:
        """The turn is over and is to be answered: gives the id of the prepared answer to exactly these words, if there is one."""
        kept_id = self.prepared_id
        self.reset()
        return kept_id

    def _is_worth_it(self, text: str, asked: str) -> bool:
        if not self._tuning.speculate or self.prepared_id is not None or self._guesses >= self._tuning.max_guesses or not self._words:
            return False
        return not looks_unfinished(text, self._tuning.unfinished_words) and not is_dictating(text, asked)
