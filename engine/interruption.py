"""From a sound to an interruption: the agent falls silent at once, and goes on where it was cut if it was none. Pure; told the time.

A caller who begins to speak must not be talked over, and a cough, a door or a "haan" must not cost the rest of the sentence.
"""

from enum import Enum

from engine.barge_in import Verdict
from engine.ports import FinalTranscript, SpeechStarted, TranscriptEvent
from engine.tuning import Tuning

_MOST_WINDOWS = 2


class Order(Enum):
    GO_ON = "go-on"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


class Interruption:
    """One reply's. `due_ms` is when to `look` again, None while there is nothing to wait for."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self.is_paused = False
        self.due_ms: int | None = None
        self._paused_ms = 0
        self._false_starts = 0

    def hear(self, verdict: Verdict, event: TranscriptEvent, now_ms: int) -> Order:
        match verdict:
            case Verdict.SOUND:
                return self._hear_sound(event.at_ms if isinstance(event, SpeechStarted) else now_ms, now_ms)
            case Verdict.INTERRUPTION:
                return Order.STOP
            case Verdict.ECHO:
                self._false_starts += not self.is_paused  # a pause that it ends is counted there
                return self._false_alarm(counts=True)
            case Verdict.ACKNOWLEDGEMENT if isinstance(event, FinalTranscript):
                return self._false_alarm(counts=False)
            case Verdict.ACKNOWLEDGEMENT:
                self.due_ms = now_ms + self._tuning.acknowledgement_wait_ms if self.is_paused else None
            case Verdict.FEW_WORDS | Verdict.PERHAPS_ECHO:
                self._wait_for_more(now_ms)
            case Verdict.NOTHING if isinstance(event, FinalTranscript) and event.end_of_turn:
                return self._false_alarm(counts=True)  # there was a sound, it is over, and it had no words
        return Order.GO_ON

    def look(self, now_ms: int) -> Order:
        """`due_ms` has come, or not yet."""
        if self.due_ms is None or now_ms < self.due_ms:
            return Order.GO_ON
        return self._false_alarm(counts=True) if self.is_paused else self._pause(now_ms)

    def _hear_sound(self, began_ms: int, now_ms: int) -> Order:
        if self.is_paused:
            self._wait_for_more(now_ms)
            return Order.GO_ON
        if self._false_starts >= self._tuning.max_false_starts:
            return Order.GO_ON  # a noisy line: from now on only words count
        if now_ms - began_ms >= self._tuning.min_speech_ms:
            return self._pause(now_ms)
        self.due_ms = began_ms + self._tuning.min_speech_ms
        return Order.GO_ON

    def _pause(self, now_ms: int) -> Order:
        self.is_paused, self._paused_ms = True, now_ms
        self.due_ms = now_ms + self._tuning.false_start_ms
        return Order.PAUSE

    def _false_alarm(self, *, counts: bool) -> Order:
        was_paused, self.is_paused, self.due_ms = self.is_paused, False, None
        if not was_paused:
            return Order.GO_ON
        self._false_starts += counts
        return Order.RESUME

    def _wait_for_more(self, now_ms: int) -> None:
        """The sound goes on: so does the pause, but not for ever, or a television would silence the agent."""
        if self.is_paused:
            window_ms = self._tuning.false_start_ms
            self.due_ms = max(now_ms, min(now_ms + window_ms, self._paused_ms + _MOST_WINDOWS * window_ms))
