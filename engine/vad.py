"""A cheap ear: tells speech from quiet by energy over a noise floor that it learns. Pure; must never block and never keep audio.

It is no match for a trained detector (a cough or a door counts as speech), so a session uses it only where the recogniser
reports the start of speech late or not at all (`Tuning.local_vad`).
"""

from enum import Enum

import numpy as np

from engine.audio import AudioChunk

_QUIETEST_RMS = 60.0
_OVER_FLOOR = 3.5
_FLOOR_RISE_PER_MS = 0.0002
_START_MS = 60.0
_STOP_MS = 300.0


class SpeechEdge(Enum):
    STARTED = "started"
    STOPPED = "stopped"


class EnergyDetector:
    """Reports an edge when speech has lasted 60 ms or quiet has lasted 300 ms. Feed it whole frames in order."""

    def __init__(self) -> None:
        self._floor_rms = _QUIETEST_RMS
        self._speaking = False
        self._against_ms = 0.0

    def feed(self, chunk: AudioChunk) -> SpeechEdge | None:
        if not chunk.pcm:
            return None
        samples = np.frombuffer(chunk.pcm, dtype="<i2").astype(np.float32)
        rms = float(np.sqrt(np.dot(samples, samples) / len(samples)))
        frame_ms = chunk.duration_ms
        loud = rms > max(_QUIETEST_RMS, self._floor_rms) * _OVER_FLOOR
        self._learn_floor(rms, frame_ms)
        if loud == self._speaking:
            self._against_ms = 0.0
            return None
        self._against_ms += frame_ms
        if self._against_ms < (_STOP_MS if self._speaking else _START_MS):
            return None
        self._speaking, self._against_ms = loud, 0.0
        return SpeechEdge.STARTED if loud else SpeechEdge.STOPPED

    def _learn_floor(self, rms: float, frame_ms: float) -> None:
        """Falls at once, rises slowly: speech must not teach the ear that it is noise."""
        if rms < self._floor_rms:
            self._floor_rms = max(_QUIETEST_RMS, rms)
        else:
            self._floor_rms += (rms - self._floor_rms) * min(1.0, _FLOOR_RISE_PER_MS * frame_ms)
