"""When Flux says that a turn begins, may be over, goes on or is over: one decision for each look at the line. Pure.

How sure it is grows with the quiet behind the words, and grows slowly where the words ask for more.
"""

import re
from dataclasses import dataclass
from typing import Literal

Event = Literal["Update", "StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EndOfTurn"]

_SURE_AFTER_MS = 700
_UNFINISHED = re.compile(r"(?:[,:–-]|\b(?:and|or|but|so|because|is|my|the|a|to|um|uh|hmm|aur|lekin|toh|matlab))\W*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`eager` None: never says that a turn may be over."""

    eager: float | None
    end: float
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of the open turn at one moment: its words, and for how long nothing was heard behind them (0: speaking)."""

    text: str
    quiet_ms: int


def confidence(look: Look) -> float:
    """How sure it is that the turn is over, between 0 and 1."""
    if not look.text or not look.quiet_ms:
        return 0.0
    share = look.quiet_ms / _SURE_AFTER_MS
    return round(min(0.45, share / 4) if _UNFINISHED.search(look.text) else min(0.99, share), 3)


class Turn:
    """The state of one stream between its turns and inside one."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._eager_text: str | None = None
        self.is_open = False
        self.index = 0
        self.trigger = ""

    def look(self, look: Look) -> Event:
        """The one event that this moment is worth."""
        if not self.is_open:
            if not look.text:
                return "Update"
            self.is_open = True
            return "StartOfTurn"
        if self._eager_text is not None and (look.text != self._eager_text or not look.quiet_ms):
            self._eager_text = None
            return "TurnResumed"
        sure = confidence(look)
        if self._thresholds.eager is not None and self._eager_text is None and sure >= self._thresholds.eager:
            self._eager_text = look.text
            return "EagerEndOfTurn"
        if sure >= self._thresholds.end:
            return self.end("model")
        if look.quiet_ms >= self._thresholds.timeout_ms:
            return self.end("timeout")
        return "Update"

    def end(self, trigger: str) -> Event:
        """The turn is over; the next look may begin another. The caller moves `index` on once the event was told."""
        self.is_open, self._eager_text, self.trigger = False, None, trigger
        return "EndOfTurn"
