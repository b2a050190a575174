"""Both sides of one call as they are heard, cut into packets for whoever listens. Exists only while somebody does.

The caller's frames are its clock: the carrier sends them all the time, silence included. What the agent says is sent ahead of its time, so
it waits here until as much of the caller's time has passed, and is dropped where the carrier drops it. Must never hold up a frame.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np

PACKET_MS: Final = 100
# A listener has this much on the way at most; what comes while that is not confirmed is not for them. So nobody is further behind.
WINDOW: Final = 8
MOST_AHEAD_MS: Final = 2_000  # of the agent's audio; more was never sent ahead


class Ear:
    """One listener's packets, each with its number; at most `WINDOW` are waiting or on the way."""

    def __init__(self, on_packet: Callable[[], None]) -> None:
        self._on_packet = on_packet
        self._waiting: deque[bytes] = deque()
        self._on_the_way = 0
        self.dropped = 0
        self.is_over = False

    def offer(self, packet: bytes) -> None:
        """Takes the packet, or leaves it out where the listener has not kept up."""
        if len(self._waiting) + self._on_the_way >= WINDOW:
            self.dropped += 1
            return
        self._waiting.append(packet)
        self._on_packet()

    def take(self) -> bytes | None:
        """The next packet to send."""
        if not self._waiting:
            return None
        self._on_the_way += 1
        return self._waiting.popleft()

    def confirm(self, count: int) -> None:
        """The listener has received `count` packets more."""
        self._on_the_way = max(self._on_the_way - max(count, 0), 0)

    def end(self) -> None:
        """The call is over: nothing follows."""
        self.is_over = True
        self._on_packet()


class Tap:
    """One call's audio for its `ears`, as packets of interleaved PCM16LE: the caller left, the agent right, with a number before it."""

    def __init__(self, rate_hz: int, chunk_bytes: int) -> None:
        self.ears: list[Ear] = []
        self._chunk_bytes = chunk_bytes
        self._packet_bytes = rate_hz * 2 * PACKET_MS // 1000
        self._most_ahead_bytes = rate_hz * 2 * MOST_AHEAD_MS // 1000
        self._heard = bytearray()  # of the caller
        self._said = bytearray()  # of the agent, at the same time
        self._ahead = bytearray()  # of the agent, not played yet
        self._number = 0

    def caller(self, pcm: bytes) -> None:
        """The caller's next frame has come: as much of the agent's audio is played meanwhile."""
        self._heard += pcm
        played = self._ahead[: len(pcm)]
        del self._ahead[: len(pcm)]
        self._said += played
        self._said += bytes(len(pcm) - len(played))
        while len(self._heard) >= self._packet_bytes:
            self._emit()

    def agent(self, pcm: bytes) -> None:
        """A chunk of the agent's went out; it is played behind those before it."""
        self._ahead += pcm
        if (excess := len(self._ahead) - self._most_ahead_bytes) > 0:
            del self._ahead[:excess]

    def cleared(self) -> None:
        """The carrier drops what it has, but for the rest of the chunk in play."""
        del self._ahead[len(self._ahead) % self._chunk_bytes :]

    def end(self) -> None:
        for ear in self.ears:
            ear.end()

    def _emit(self) -> None:
        size = self._packet_bytes
        both = np.empty(size, dtype="<i2")
        both[0::2] = np.frombuffer(self._heard[:size], dtype="<i2")
        both[1::2] = np.frombuffer(self._said[:size], dtype="<i2")
        del self._heard[:size], self._said[:size]
        self._number += 1
        packet = self._number.to_bytes(4, "little") + both.tobytes()
        for ear in self.ears:
            ear.offer(packet)
