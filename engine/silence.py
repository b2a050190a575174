"""The ladder of silence: asks whether the caller is there, asks again, and then lets go. Pure; told the time.

"Audio is arriving" never counts as life: only words and keys do; a sound of speech puts the question off for a moment.
"""

from engine.tuning import Tuning


class SilenceLadder:
    def __init__(self, timeout_ms: int, tuning: Tuning) -> None:
        self._timeout_ms = timeout_ms
        self._tuning = tuning
        self._quiet_since_ms = 0
        self._sound_ms = -tuning.words_follow_ms
        self._asked = 0
        self._is_over = False

    def begin(self, now_ms: int, *, after_farewell: bool = False) -> None:
        """Nobody speaks from now on. `after_farewell`: everything is said, so the silence is the end of the talk."""
        self._quiet_since_ms = max(self._quiet_since_ms, now_ms)
        self._is_over = after_farewell and self._tuning.farewell_wait_ms > 0

    def sound(self, now_ms: int) -> None:
        self._sound_ms = now_ms

    def life(self, now_ms: int) -> None:
        """Words or a key: the caller is there."""
        self._asked = 0
        self._is_over = False
        self._quiet_since_ms = max(self._quiet_since_ms, now_ms)

    @property
    def is_over(self) -> bool:
        """Whether the next thing after this silence is to hang up without another word."""
        return self._is_over

    @property
    def due_ms(self) -> int:
        patience_ms = min(self._timeout_ms, self._tuning.farewell_wait_ms) if self._is_over else self._timeout_ms
        return max(self._quiet_since_ms + patience_ms, self._sound_ms + self._tuning.words_follow_ms)

    def ask(self) -> bool:
        """The silence has lasted: whether to ask once more, or (False) to let go."""
        if self._asked >= self._tuning.silence_prompts:
            return False
        self._asked += 1
        return True
