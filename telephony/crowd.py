"""How many deliveries may be with the database at once, of those for which nobody waits and whose sender comes again.

A flood of them must not stand in the way of a caller's question. Once they are too many, all that come go to the disk (`telephony.spool`)
and are answered as soon as that is written; when those inside are done, one of them has what is on the disk brought in together, which
costs far less than one by one, and the way inside is open again. Which of two reports is applied first does not matter: a call is folded
from all.
"""

import threading
from typing import Final

MOST: Final = 4


class Crowd:
    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._inside = 0
        self._is_diverted = False
        self._is_bringing = False

    def enter(self) -> bool:
        """Whether there is room for one more. Whoever is let in has to `leave`; the others go to the disk."""
        with self._lock:
            self._is_diverted |= self._inside >= self._most
            if self._is_diverted:
                return False
            self._inside += 1
            return True

    def leave(self) -> bool:
        """True for the last one out while others go to the disk: it has them brought in, until it `is_over`."""
        with self._lock:
            self._inside -= 1
            is_time = self._is_diverted and not self._inside and not self._is_bringing
            self._is_bringing |= is_time
            return is_time

    def open(self) -> None:
        """What was on the disk is in the inbox."""
        with self._lock:
            self._is_diverted = False

    def give_up(self) -> None:
        """They could not be brought in. The way inside is open, and the last one out of the next crowd tries again."""
        with self._lock:
            self._is_diverted = self._is_bringing = False

    def is_over(self) -> bool:
        """Whether nobody was sent to the disk since it was opened: then the one who brings them in may go."""
        with self._lock:
            self._is_bringing = self._is_diverted
            return not self._is_diverted
