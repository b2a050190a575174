"""The caller's turn while it is being spoken: the words so far, and when it will be over. Pure; told the time, never asks for it."""

from engine.endpointing import EndSignal, wait_ms
from engine.patience import Patience
from engine.ports import EagerEndOfTurn, FinalTranscript, InterimTranscript, SpeechStarted, TranscriptEvent, TurnResumed, UtteranceEnded
from engine.tuning import Tuning


class UserTurn:
    """Collects segments until the turn is committed. `due_ms` is when it ends unless more is heard; None while nothing was said.

    `asked` is what the agent has said last: an answer to it may be a number that takes its time.
    """

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self.patience = Patience(tuning.max_extra_wait_ms)
        self.asked = ""
        self.reset()

    def reset(self) -> None:
        self._segments: list[str] = []
        self._interim = ""
        self._keys = ""  # pressed, and still the last segment
        self.has_keys = False
        self._started_ms: int | None = None
        self._interim_ms = 0
        self._heard_ms = 0
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
                if self.has_words:
                    self._expect_more(now_ms)
                else:
                    self._started_ms = at_ms
            case TurnResumed():
                self._expect_more(now_ms)
            case InterimTranscript(text=text) | EagerEndOfTurn(text=text):
                self._take_interim(text.strip(), now_ms)
            case FinalTranscript(text=text, end_of_turn=end_of_turn, end_ms=end_ms):
                self._take_final(text.strip(), end_of_turn, end_ms, now_ms)
            case UtteranceEnded(last_word_end_ms=end_ms):
                if self.has_words:
                    self.last_word_ms = max(self.last_word_ms, min(end_ms, now_ms))
                    self._expect_end(EndSignal.UTTERANCE_ENDED, now_ms)
        if self.has_words and self._started_ms is None:
            self._started_ms = now_ms
        return self.text != before

    def press(self, key: str, now_ms: int) -> None:
        """Takes in a key. A row of keys is one entry of the turn: `[pressed 1234]`."""
        if key == self._tuning.key_end and self._keys:
            self.due_ms = now_ms
            return
        if self._keys:
            self._segments.pop()
        self._keys += key
        self.has_keys = True
        self._segments.append(f"[pressed {self._keys}]")
        self._guessed_last = False
        self._started_ms = now_ms if self._started_ms is None else self._started_ms
        self.last_word_ms = self._heard_ms = now_ms
        self.due_ms = now_ms + self._tuning.key_gap_ms

    def close(self) -> None:
        """The turn is over: a guess that was never confirmed becomes words, and the clock stops."""
        if self._interim:
            self._segments.append(self._interim)
            self._interim, self._guessed_last, self._keys = "", True, ""
            self.last_word_ms = max(self.last_word_ms, self._interim_ms)
        self.due_ms = None

    def _take_interim(self, text: str, now_ms: int) -> None:
        self._interim = text
        if text:
            self._interim_ms = self._heard_ms = now_ms
            self._expect_end(EndSignal.INTERIM_WORDS, now_ms)
        elif not self._segments:
            self.due_ms = None  # the only words there were have been taken back

    def _take_final(self, text: str, end_of_turn: bool, end_ms: int, now_ms: int) -> None:
        if text:
            if self._guessed_last:  # the late confirmation of what `close` took for words
                self._segments.pop()
            self._segments.append(text)
            self._interim, self._guessed_last, self._keys = "", False, ""
            self.last_word_ms = min(end_ms, now_ms) if end_ms > 0 else now_ms
            self._heard_ms = now_ms
        if self.has_words and (text or end_of_turn):
            self._expect_end(EndSignal.END_OF_TURN if end_of_turn else EndSignal.FINAL_WORDS, now_ms)

    def _expect_end(self, signal: EndSignal, now_ms: int) -> None:
        quiet_ms, extra_ms = now_ms - self.last_word_ms, self.patience.extra_ms
        self._be_due(now_ms + wait_ms(self.text, signal, self._tuning, quiet_ms=quiet_ms, asked=self.asked, extra_ms=extra_ms), now_ms)

    def _expect_more(self, now_ms: int) -> None:
        """A sound of speech without words yet: they are given a moment to come."""
        if self.due_ms is not None:
            self._be_due(max(self.due_ms, now_ms + self._tuning.words_follow_ms), now_ms)

    def _be_due(self, due_ms: int, now_ms: int) -> None:
        """Patience has a ceiling, counted from the last word: a noisy line must not keep a turn open."""
        self.due_ms = max(now_ms, min(due_ms, self._heard_ms + self._tuning.max_wait_ms))
