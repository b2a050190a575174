"""Whose is a key that the caller presses: the entry's that a tool waits for, or the talk's? Decisions only; told the time.

Who knows what comes presses a code before the question for it is out. So while an answer is in the making that may yet ask for keys, they
are kept back: a collection that begins takes them first, and only an answer that is written and has asked for none makes them the caller's
words. What comes behind an entry belongs to it: the # that people press out of habit, and after a secret one every key, for the rest of a
PIN that was longer or slower than expected is still a secret. Nothing here may print a key.
"""

from collections import deque
from collections.abc import Callable

from engine.digits import DigitEntry, DigitRules

_MOST_KEYS = 128  # nobody types so fast: a stuck key must not fill the memory
_ONE_GO_MS = 2000  # keys with shorter pauses were pressed in one go and share one fate


class PressedKeys:
    """One conversation's. `on_key` is told of each key that the collection in work can `take`."""

    def __init__(self, on_key: Callable[[], None] = lambda: None) -> None:
        self._on_key = on_key
        self._kept: deque[str] = deque()
        self._last_ms = -_ONE_GO_MS
        self._habit = ""  # the terminator of an entry that was complete without it
        self._drops_the_rest = False  # of what is being pressed in one go
        self._is_secret = False  # the last entry that was asked for
        self.is_wanted = False  # a collection waits for keys
        self.dropped_keys = 0

    @property
    def are_kept(self) -> bool:
        """Whether keys wait for it to be known whose they are."""
        return bool(self._kept) and not self.is_wanted

    def press(self, key: str, now_ms: int, *, may_be_wanted: bool = False) -> bool:
        """Takes a key that is, or may yet be, an entry's; False if it is the talk's."""
        if not may_be_wanted:
            self.forget()
        in_one_go, self._last_ms = now_ms - self._last_ms < _ONE_GO_MS, now_ms
        habit, self._habit = self._habit, ""
        self._drops_the_rest = self._drops_the_rest and in_one_go
        if self.is_wanted:
            self._keep(key)
            self._on_key()
            return True
        if self._drops_the_rest or (habit and key == habit):
            return True
        if may_be_wanted:
            self._keep(key)
            return True
        return self._is_secret

    def release(self) -> tuple[str, ...]:
        """No collection follows: the keys that were kept back and are the talk's. Behind a secret entry none is."""
        if self.is_wanted:
            return ()
        kept = tuple(self._kept)
        self._kept.clear()
        return () if self._is_secret else kept

    def forget(self) -> None:
        """It will never be known whose the kept keys are: nobody gets them, nor what is still pressed in the same go."""
        if self.are_kept:
            self._kept.clear()
            self._drops_the_rest = True

    # --- the collection -----------------------------------------------------------------------------------------------

    def begin(self, rules: DigitRules) -> int:
        """An entry is asked for. Gives how many keys are there already; a terminator before the first of them finishes nothing."""
        self.is_wanted, self._is_secret, self._habit, self._drops_the_rest = True, rules.secret, "", False
        while self._kept and self._kept[0] == rules.terminator:
            self._kept.popleft()
        return len(self._kept)

    def take(self) -> str | None:
        """The next key of the entry, if there is one."""
        return self._kept.popleft() if self._kept else None

    def end(self, rules: DigitRules, entry: DigitEntry | None) -> None:
        """The entry is complete, or (None) nobody waits for it any more."""
        self.is_wanted = False
        self._habit = rules.terminator if entry is not None and entry.outcome == "length" else ""
        if entry is not None and entry.outcome == "timeout":
            self._last_ms += rules.between_timeout_ms  # somebody who is so slow may go on now
        if self._habit and self._kept and self._kept[0] == self._habit:
            self._habit = ""
            self._kept.popleft()
        if rules.secret:
            self._kept.clear()
            self._drops_the_rest = True

    def _keep(self, key: str) -> None:
        if len(self._kept) < _MOST_KEYS:
            self._kept.append(key)
        else:
            self.dropped_keys += 1
