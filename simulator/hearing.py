"""When is there sound in a line? By energy alone, frame by frame, as an ear would tell: no word is understood here."""

from dataclasses import dataclass

import numpy as np

LOUD_RMS = 200.0
"""About -44 dB of full scale: above line noise and resampler tails, below soft speech."""
PAUSE_MS = 800
"""A shorter quiet belongs to the same stretch of speech: between two sentences a voice rests for about half a second."""


def is_loud(frame: bytes) -> bool:
    samples = np.frombuffer(frame, dtype="<i2").astype(np.float32)
    return bool(samples.size) and float(np.dot(samples, samples)) > LOUD_RMS * LOUD_RMS * samples.size


@dataclass(slots=True)
class Stretch:
    """Sound from `start_ms` to `end_ms`, with no pause as long as `PAUSE_MS` in it."""

    start_ms: float
    end_ms: float


class Ear:
    """Listens to one side of a call and keeps its stretches of sound."""

    def __init__(self) -> None:
        self.stretches: list[Stretch] = []
        self.last_loud_ms: float | None = None
        self._onset: Stretch | None = None

    def hear(self, frame: bytes | None, at_ms: float, frame_ms: float = 20.0) -> bool:
        """Takes the frame that begins at `at_ms` (None: silence); answers whether it is loud."""
        if frame is None or not is_loud(frame):
            return False
        if self._onset is None or at_ms - self._onset.end_ms >= PAUSE_MS:
            self._onset = Stretch(at_ms, at_ms + frame_ms)
            self.stretches.append(self._onset)
        self._onset.end_ms = at_ms + frame_ms
        self.last_loud_ms = at_ms + frame_ms
        return True

    def is_open(self, now_ms: float) -> bool:
        """Whether the latest stretch may still go on."""
        return self._onset is not None and now_ms - self._onset.end_ms < PAUSE_MS


def bounds_ms(pcm: bytes, sample_rate_hz: int, frame_ms: int = 20) -> tuple[float, float]:
    """Where in `pcm` the sound begins and ends, to a frame; the whole of it where nothing is loud."""
    size = sample_rate_hz * 2 * frame_ms // 1_000
    loud = [place for place in range(0, len(pcm), size) if is_loud(pcm[place : place + size])]
    per_ms = sample_rate_hz * 2 / 1_000
    if not loud:
        return 0.0, len(pcm) / per_ms
    return loud[0] / per_ms, min(loud[-1] + size, len(pcm)) / per_ms
