"""Keys that the caller presses, gathered into one entry. Decisions only: keys go in, a finished entry comes out.

Keys may be a PIN: an entry never prints what was pressed, and nothing here may reach a log.
"""

from dataclasses import dataclass, field
from typing import Literal

_KEYS = frozenset("0123456789*#ABCD")

Outcome = Literal["terminator", "length", "timeout", "nothing"]


@dataclass(frozen=True, slots=True)
class DigitRules:
    """When an entry is complete: at `length` keys (0: any number), at the key `terminator` ("" for none), or when the caller stops.

    `first_timeout_ms` is the patience for the first key, `between_timeout_ms` for each further one. `secret` entries are for the
    operator's systems alone: the model, the transcript and the logs never see them.
    """

    length: int = 0
    terminator: str = "#"
    first_timeout_ms: int = 10_000
    between_timeout_ms: int = 4_000
    secret: bool = False

    def __post_init__(self) -> None:
        if self.terminator and (len(self.terminator) != 1 or self.terminator not in _KEYS):
            raise ValueError("a terminator is one key of the telephone: 0-9, * or #")
        if not self.length >= 0 or not self.first_timeout_ms > 0 or not self.between_timeout_ms > 0:
            raise ValueError("a collection needs a length of 0 or more and time-outs above 0 ms")
        if not self.length and not self.terminator and self.between_timeout_ms > 10_000:
            raise ValueError("without length and terminator only the pause ends an entry: make between_timeout_ms 10,000 or less")


@dataclass(frozen=True, slots=True)
class DigitEntry:
    """What was pressed, without the terminator, and what completed it. `nothing`: not one key within the time."""

    digits: str = field(repr=False)
    outcome: Outcome

    @property
    def masked(self) -> str:
        """Fit for a row or a screen: how many keys, never which."""
        return "•" * len(self.digits)


class DigitCollection:
    """One entry in the making. Feed it keys; whoever has waited `patience_ms` for the next one in vain asks it to `give_up`."""

    def __init__(self, rules: DigitRules) -> None:
        self._rules = rules
        self._pressed = ""

    @property
    def patience_ms(self) -> int:
        return self._rules.between_timeout_ms if self._pressed else self._rules.first_timeout_ms

    def press(self, key: str) -> DigitEntry | None:
        """Takes one key in; gives the entry if that completes it. What no telephone sends is not a key."""
        if key == self._rules.terminator:
            return DigitEntry(self._pressed, "terminator")
        if key not in _KEYS:
            return None
        self._pressed += key
        return DigitEntry(self._pressed, "length") if len(self._pressed) == self._rules.length else None

    def give_up(self) -> DigitEntry:
        return DigitEntry(self._pressed, "timeout" if self._pressed else "nothing")
