"""The caller's telephone of a rehearsal, on the line's own clock: what is said goes out and what arrives is played, 20 ms at a time.

No task, no socket and no clock of its own: whoever has those calls `tick` for each 20 ms that have passed. A mark comes back when what
was sent before it has been played, never because it has arrived, as with the carrier.
"""

from collections import deque
from typing import Final

import numpy as np

from calls.rehearsing.lines import LINE_RATE_HZ, Heard

TICK_MS: Final = 20
FRAME_BYTES: Final = LINE_RATE_HZ * 2 * TICK_MS // 1000
SILENCE: Final = bytes(FRAME_BYTES)
LOUD_RMS: Final = 200.0  # about -44 dB of full scale: above a resampler's tail, below soft speech
MOST_WAITING_BYTES: Final = 120 * LINE_RATE_HZ * 2  # two minutes; the agent is paced, so more is somebody's mistake
MOST_MARKS: Final = 1_000
KEY_EVERY_TICKS: Final = 10
_STILL_SOUNDS_MS: Final = 200


def is_loud(pcm: bytes) -> bool:
    samples = np.frombuffer(pcm[: len(pcm) & ~1], dtype="<i2").astype(np.float32)
    return bool(samples.size) and float(np.dot(samples, samples)) > LOUD_RMS * LOUD_RMS * samples.size


def without_edges(pcm: bytes) -> bytes:
    """From the first frame with sound to the last: so that the end of what is said is the end of its sound. Whole if nothing is loud."""
    loud = [place for place in range(0, len(pcm), FRAME_BYTES) if is_loud(pcm[place : place + FRAME_BYTES])]
    return pcm[loud[0] : loud[-1] + FRAME_BYTES] if loud else pcm


class Handset:
    def __init__(self) -> None:
        self.now_ms = 0
        self._mouth = b""
        self._said_bytes = 0
        self._keys: deque[str] = deque()
        self._ticks_to_key = 0
        self._waiting = bytearray()
        self._marks: deque[tuple[int, str]] = deque()  # how many bytes are played before each
        self._arrived_bytes = 0
        self._played_bytes = 0
        self._last_sound_ms: int | None = None
        self._sounded_ms = 0
        self._overlap_ms = 0
        self._waits_since_ms: int | None = 0
        self._waits_ms: list[int] = []

    # --- what arrives -----------------------------------------------------------------------------------------------------

    def hear(self, pcm: bytes) -> None:
        if len(self._waiting) + len(pcm) <= MOST_WAITING_BYTES:
            self._waiting += pcm
            self._arrived_bytes += len(pcm)

    def mark(self, name: str) -> None:
        if len(self._marks) < MOST_MARKS:
            self._marks.append((self._arrived_bytes, name))

    def clear(self) -> None:
        """What waits is not played, and the marks behind it are never reached."""
        self._arrived_bytes -= len(self._waiting)
        self._waiting.clear()
        self._marks.clear()

    # --- what is done -----------------------------------------------------------------------------------------------------

    def say(self, pcm: bytes) -> None:
        self._mouth, self._said_bytes, self._overlap_ms = without_edges(pcm), 0, 0

    def hush(self) -> float:
        share = min(1.0, self._said_bytes / len(self._mouth)) if self._mouth else 1.0
        self._mouth = b""
        self._waits_since_ms = None  # whoever is interrupted waits for nothing
        return share

    def press(self, keys: str) -> None:
        self._keys.extend(keys)

    # --- the clock --------------------------------------------------------------------------------------------------------

    def tick(self) -> tuple[bytes, list[str], str]:
        """20 ms later: the frame that the caller's side sends, the marks that were reached, and the key that was pressed, if any."""
        self._play()
        frame = self._speak()
        self.now_ms += TICK_MS
        reached = []
        while self._marks and self._marks[0][0] <= self._played_bytes:
            reached.append(self._marks.popleft()[1])
        return frame, reached, self._key()

    def _play(self) -> None:
        played = bytes(self._waiting[:FRAME_BYTES])
        del self._waiting[:FRAME_BYTES]
        self._played_bytes += len(played)
        if not played or not is_loud(played):
            return
        goes_on = self._last_sound_ms is not None and self.now_ms - self._last_sound_ms < _STILL_SOUNDS_MS
        self._last_sound_ms = self.now_ms + TICK_MS
        self._sounded_ms += TICK_MS
        if self._mouth:
            self._overlap_ms += TICK_MS
        elif self._waits_since_ms is not None and goes_on:
            self._waits_since_ms = self._last_sound_ms  # it has not stopped since the caller spoke: no answer yet to what they said
        elif self._waits_since_ms is not None:
            self._waits_ms.append(self.now_ms - self._waits_since_ms)
            self._waits_since_ms = None

    def _speak(self) -> bytes:
        if not self._mouth:
            return SILENCE
        self._waits_since_ms = None
        frame = self._mouth[self._said_bytes : self._said_bytes + FRAME_BYTES]
        self._said_bytes += FRAME_BYTES
        if self._said_bytes >= len(self._mouth):
            self._mouth = b""
            self._waits_since_ms = self.now_ms + TICK_MS
        return frame + bytes(FRAME_BYTES - len(frame))

    def _key(self) -> str:
        self._ticks_to_key -= 1
        if not self._keys or self._ticks_to_key > 0:
            return ""
        self._ticks_to_key = KEY_EVERY_TICKS
        return self._keys.popleft()

    def heard(self, *, is_over: bool = False) -> Heard:
        return Heard(
            now_ms=self.now_ms,
            is_over=is_over,
            is_speaking=bool(self._mouth),
            quiet_ms=None if self._last_sound_ms is None else self.now_ms - self._last_sound_ms,
            overlap_ms=self._overlap_ms,
            sounded_ms=self._sounded_ms,
            waits_ms=tuple(self._waits_ms),
            waiting_ms=0 if self._waits_since_ms is None else self.now_ms - self._waits_since_ms,
        )
