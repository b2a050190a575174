"""Whether this process can hold one more conversation: a count of seats, and how late its event loop runs.

A caller who is refused early goes to another process or another applet; one who is let into a process that cannot keep up hears stutter,
and so does everybody else in it. Decides only: nothing here reads rows or touches audio.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final

LAG_EVERY_S: Final = 0.1
_LAG_SAMPLES: Final = 20  # two seconds: a single long pause closes nothing, lasting overload does


class NoRoom(Exception):
    """This process takes no further conversation now. The message says why, for our log."""


def room_for(*, limit: int, taken: int, lag_ms: float, max_lag_ms: int, is_draining: bool) -> int:
    """How many more conversations may begin. Pure."""
    if is_draining or lag_ms > max_lag_ms:
        return 0
    return max(limit - taken, 0)


class LagMeter:
    """How late the event loop runs what is due, as the median of the last two seconds."""

    def __init__(self) -> None:
        self._samples: deque[float] = deque(maxlen=_LAG_SAMPLES)

    def note(self, late_ms: float) -> None:
        self._samples.append(max(late_ms, 0.0))

    @property
    def lag_ms(self) -> float:
        return median(self._samples) if self._samples else 0.0

    async def watch(self) -> None:
        """Measures until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self.note((loop.time() - due) * 1000)


class Seats:
    """A seat is taken from the handshake to the last row: calls that are still being let in, or written down, count too."""

    def __init__(self) -> None:
        self.taken = 0
        self.refused = 0

    @contextmanager
    def take(self, room: int) -> Iterator[None]:
        """A seat for as long as the context lasts. Raises `NoRoom` if `room` is 0."""
        if room <= 0:
            self.refused += 1
            raise NoRoom("draining, as many conversations as MEDIA_MAX_SESSIONS allows, or the event loop runs late")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
