"""How much longer this caller needs than others. Learned from being cut off, unlearned turn by turn. Pure."""

_STEP_MS = 250
_BACK_MS = 100


class Patience:
    """`extra_ms` is added to every wait for the end of a turn; never more than `most_ms`."""

    def __init__(self, most_ms: int) -> None:
        self._most_ms = most_ms
        self.extra_ms = 0

    def cut_off(self) -> None:
        """We took a pause for the end, and the caller went on."""
        self.extra_ms = min(self._most_ms, self.extra_ms + _STEP_MS)

    def heard_out(self) -> None:
        """The caller had finished indeed."""
        self.extra_ms = max(0, self.extra_ms - _BACK_MS)
