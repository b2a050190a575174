"""The caller made a sound like speech, and the recogniser says nothing: is it time to ask again? Pure; told the time.

Sound is no speech: it answers nothing and interrupts nobody. But a caller who spoke to a recogniser that is stuck must not be met with
silence. A cough is too short for it, a television never ends, and a street that is loud all the time is asked about twice, then never.
"""

from engine.tuning import Tuning

_LIKE_SPEECH_MS = 400
_ANY_SOUND_MS = 60  # enough where the recogniser has failed: it may have been a short word
_SAME_SPEECH_MS = 1000  # a pause that is shorter belongs to what was said
_MOST_QUESTIONS = 2  # without a word in between


class Unheard:
    """`due_ms` is when to ask, None while there is no reason to. Counts while it is the caller's turn."""

    def __init__(self, tuning: Tuning, *, is_on: bool) -> None:
        self._wait_ms = tuning.unheard_wait_ms
        self._is_on = is_on and self._wait_ms > 0
        self._questions = 0
        self._is_doubted = False
        self._sounded_ms = 0
        self._ended_ms = 0
        self.is_quiet = True  # as far as our own ear can tell

    def begin(self) -> None:
        """Nobody speaks from now on; what was heard before is of no interest."""
        self._sounded_ms = 0

    def sound(self, now_ms: int) -> None:
        if now_ms - self._ended_ms > _SAME_SPEECH_MS:
            self._sounded_ms = 0
        self.is_quiet = False

    def quiet(self, lasted_ms: int, now_ms: int) -> None:
        self.is_quiet = True
        self._sounded_ms += lasted_ms
        self._ended_ms = now_ms

    def words(self) -> None:
        """The recogniser understood something."""
        self._sounded_ms = self._questions = 0
        self._is_doubted = False

    def doubt(self) -> None:
        """The recogniser failed: until it understands something again, every sound may have been a word."""
        self._is_doubted = True

    @property
    def due_ms(self) -> int | None:
        enough_ms = _ANY_SOUND_MS if self._is_doubted else _LIKE_SPEECH_MS
        if not self._is_on or not self.is_quiet or self._sounded_ms < enough_ms or self._questions >= _MOST_QUESTIONS:
            return None
        return self._ended_ms + self._wait_ms

    def ask(self, now_ms: int) -> bool:
        """Whether to ask now."""
        if self.due_ms is None or now_ms < self.due_ms:
            return False
        self._questions += 1
        self._sounded_ms = 0
        return True
