"""What the agent said last, and what the caller said meanwhile without stopping it. Pure; told the time.

Two things hang on it: our own words may come back as an echo, and a "haan" said into the end of a question is its answer.
"""

from collections import deque

from engine.echo import is_echo
from engine.farewell import is_farewell
from engine.ports import FinalTranscript
from engine.tuning import Tuning

_ECHO_TAIL_MS = 2000  # how late the recogniser may bring the agent's own last words
_ANSWERED_EARLY_MS = 2000  # how long before the end of a question it may be answered
_SPOKEN_OVER_MS = 800


class AgentWords:
    """The last sentences of one agent turn after the other."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._sentences: deque[str] = deque(maxlen=2)
        self._murmur: tuple[FinalTranscript, int] | None = None
        self._began_ms = 0
        self._ended_ms = -_ECHO_TAIL_MS - 1

    @property
    def saying(self) -> str:
        """The sentence in play and the one before: an echo lags."""
        return " ".join(self._sentences)

    @property
    def last(self) -> str:
        return self._sentences[-1] if self._sentences else ""

    @property
    def takes_leave(self) -> bool:
        return is_farewell(self.last)

    def begin(self, now_ms: int) -> None:
        """A turn became audible."""
        self._sentences.clear()
        self._murmur = None
        self._began_ms = now_ms

    def say(self, sentence: str) -> None:
        self._sentences.append(sentence)

    def has_only_begun(self, now_ms: int) -> bool:
        """Whether an interruption now means that the agent spoke too soon, into the caller's own turn."""
        return now_ms - self._began_ms < _SPOKEN_OVER_MS

    def set_aside(self, words: FinalTranscript, now_ms: int) -> None:
        """The caller said so while the agent spoke; it stopped nobody."""
        self._murmur = words, now_ms

    def end(self, now_ms: int) -> FinalTranscript | None:
        """The turn was heard to its end. Gives the caller's answer if it was a question that was answered before it was over."""
        murmur, self._murmur, self._ended_ms = self._murmur, None, now_ms
        if murmur is None or not self.last.rstrip().endswith("?") or now_ms - murmur[1] > _ANSWERED_EARLY_MS:
            return None
        return murmur[0]

    def is_late_echo(self, text: str, speech_started_ms: int, now_ms: int) -> bool:
        """Whether `text` is the turn's own end, recognised after it: soon enough, and nobody began to speak since."""
        if now_ms - self._ended_ms > _ECHO_TAIL_MS or speech_started_ms > self._ended_ms:
            return False
        return is_echo(text, self.saying, self._tuning.echo_similarity)
