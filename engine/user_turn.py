"""The caller's turn while it is being spoken: the words so far, and when it will be over. Pure; told the time, never asks for it."""

from engine.endpointing import EndSignal, wait_ms
from engine.ports import FinalTranscript, InterimTranscript, SpeechStarted, TranscriptEvent, UtteranceEnded
from engine.tuning import Tuning


class UserTurn:
    """Collects segments until the turn is committed. `due_ms` is when it ends unless more is heard; None while nothing was said."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self.reset()

    def reset(self) -> None:
        self._segments: list[str] = []
        self._interim = ""
        self._started_ms: int | None = None
        self._interim_ms = 0
        self._guessed_last = False
        self.last_word_ms = 0
        self.due_ms: int | None = None

    @property
    def text(self) -> str:
        """Everything said, the unconfirmed guess included."""
        return " ".join([*self._segments, self._interim] if self._interim else self._segments)

    @property
    def has_words(self) -> bool:
        return bool(self._segments or self._interim)

    def started_ms(self, now_ms: int) -> int:
        return min(now_ms, now_ms if self._started_ms is None else self._started_ms)

    def hear(self, event: TranscriptEvent, now_ms: int) -> bool:
        """Takes in what was heard; True if the text changed."""
        before = self.text
        match event:
            case SpeechStarted(at_ms=at_ms):
                if not self.has_words:
                    self._started_ms = at_ms
                elif self.due_ms is not None:
                    self.due_ms = max(self.due_ms, now_ms + self._tuning.words_follow_ms)
            case InterimTranscript(text=text):
                self._interim = text.strip()
                if self._interim:
                    self._interim_ms = now_ms
                    self._expect_end(EndSignal.INTERIM_WORDS, now_ms)
            case FinalTranscript(text=text, end_of_turn=end_of_turn, end_ms=end_ms):
                self._take_final(text.strip(), end_of_turn, end_ms, now_ms)
            case UtteranceEnded(last_word_end_ms=end_ms):
                if self.has_words:
                    self.last_word_ms = max(self.last_word_ms, min(end_ms, now_ms))
                    self._expect_end(EndSignal.UTTERANCE_ENDED, now_ms)
        if self.has_words and self._started_ms is None:
            self._started_ms = now_ms
        return self.text != before

    def close(self) -> None:
        """The turn is over: a guess that was never confirmed becomes words, and the clock stops."""
        if self._interim:
            self._segments.append(self._interim)
            self._interim, self._guessed_last = "", True
            self.last_word_ms = max(self.last_word_ms, self._interim_ms)
        self.due_ms = None

    def _take_final(self, text: str, end_of_turn: bool, end_ms: int, now_ms: int) -> None:
        if text:
            if self._guessed_last:  # the late confirmation of what `close` took for words
                self._segments.pop()
            self._segments.append(text)
            self._interim, self._guessed_last = "", False
            self.last_word_ms = min(end_ms, now_ms) if end_ms > 0 else now_ms
        if self.has_words and (text or end_of_turn):
            self._expect_end(EndSignal.END_OF_TURN if end_of_turn else EndSignal.FINAL_WORDS, now_ms)

    def _expect_end(self, signal: EndSignal, now_ms: int) -> None:
        self.due_ms = now_ms + wait_ms(self.text, signal, self._tuning)
