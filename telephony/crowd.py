"""How many deliveries may be with the database at once, of those for which nobody waits and whose sender comes again.

A flood of them must not stand in the way of a caller's question. The others go to the disk (`telephony.spool`), are answered as soon as
that is written, and come to the inbox when there is room. Which of two reports is applied first does not matter: a call is folded from all.
"""

import threading
from typing import Final

MOST: Final = 4


class Crowd:
    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._inside = 0
        self._were_sent_on = False

    def enter(self) -> bool:
        """Whether there is room for one more. Whoever is let in has to `leave`."""
        with self._lock:
            is_room = self._inside < self._most
            self._inside += is_room
            self._were_sent_on |= not is_room
            return is_room

    def leave(self) -> bool:
        """True if nobody is left inside and others were sent on meanwhile: there is room for them now."""
        with self._lock:
            self._inside -= 1
            is_time = not self._inside and self._were_sent_on
            if is_time:
                self._were_sent_on = False
            return is_time
