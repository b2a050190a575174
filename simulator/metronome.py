"""One clock for all live streams of a server: every stream is asked once in 20 ms, each at its own moment within them.

A timer and a task for each call cost more than what the call does in its 20 ms. It catches up without drift, and keeps how late it was:
a line that is late measures itself and not the other side.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PERIOD_MS = 20
SLOTS = 10
_SLOT_S = PERIOD_MS / SLOTS / 1_000
_KEPT = 100_000

Beat = Callable[[], None]


class Metronome:
    """`SLOTS` groups of streams, one after the other: real lines do not speak in chorus. It rests while nobody listens to it."""

    def __init__(self) -> None:
        self._slots: list[list[Beat]] = [[] for _ in range(SLOTS)]
        self._count = 0
        self._origin_s = 0.0
        self._step = 0
        self._timer: asyncio.TimerHandle | None = None
        self.late_ms: deque[float] = deque(maxlen=_KEPT)

    @contextmanager
    def joined(self, beat: Beat) -> Iterator[None]:
        """Calls `beat` every 20 ms, first a whole period from now at the latest; it must neither block nor raise."""
        slot = min(self._slots, key=len)
        slot.append(beat)
        self._count += 1
        if self._timer is None:
            self._origin_s, self._step = asyncio.get_running_loop().time(), 0
            self._wait()
        try:
            yield
        finally:
            slot.remove(beat)
            self._count -= 1

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(self._origin_s + (self._step + 1) * _SLOT_S, self._strike)

    def _strike(self) -> None:
        if not self._count:
            self._timer = None
            return
        now = asyncio.get_running_loop().time()
        while (due := self._origin_s + (self._step + 1) * _SLOT_S) <= now:
            self._step += 1
            slot = self._slots[self._step % SLOTS]
            if slot:
                self.late_ms.append((now - due) * 1_000)
            for beat in tuple(slot):
                beat()
        self._wait()
