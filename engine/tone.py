"""Hears a machine's beep: one steady pitch that lasts. Pure; must never block and never keep audio.

Speech wavers, keys are two pitches at once, and the lines' own ringing and busy tones are lower: none of them is taken for it.
"""

import numpy as np

from engine.audio import AudioChunk

_FRAME_MS = 20
_LEAST_MS = 200
_LEAST_RMS = 300.0
_LOWEST_HZ, _HIGHEST_HZ = 600.0, 2200.0
_PURITY = 0.8  # of the energy lies around the one pitch
_DRIFT_HZ = 60.0


class ToneDetector:
    """Says once per tone that it has lasted 200 ms."""

    def __init__(self) -> None:
        self._pitch_hz = 0.0
        self._lasted_ms = 0

    def feed(self, chunk: AudioChunk) -> bool:
        samples = np.frombuffer(chunk.pcm, dtype="<i2").astype(np.float32)
        size = chunk.sample_rate_hz * _FRAME_MS // 1000
        return any([self._feed(samples[start : start + size], chunk.sample_rate_hz) for start in range(0, len(samples) - size + 1, size)])

    def _feed(self, frame: "np.ndarray[tuple[int], np.dtype[np.float32]]", rate_hz: int) -> bool:
        pitch_hz = _pure_pitch_hz(frame, rate_hz)
        if pitch_hz is None or abs(pitch_hz - self._pitch_hz) > _DRIFT_HZ:
            self._pitch_hz, self._lasted_ms = pitch_hz or 0.0, _FRAME_MS if pitch_hz else 0
            return False
        self._lasted_ms += _FRAME_MS
        return self._lasted_ms == _LEAST_MS


def _pure_pitch_hz(frame: "np.ndarray[tuple[int], np.dtype[np.float32]]", rate_hz: int) -> float | None:
    """The one pitch of `frame`, or None if it is quiet or of more than one."""
    if float(np.sqrt(np.dot(frame, frame) / len(frame))) < _LEAST_RMS:
        return None
    power = np.abs(np.fft.rfft(frame * np.hanning(len(frame)))) ** 2
    peak = int(np.argmax(power))
    pitch_hz = peak * rate_hz / len(frame)
    around = float(power[max(0, peak - 2) : peak + 3].sum())
    is_pure = around >= _PURITY * float(power.sum())
    return pitch_hz if is_pure and _LOWEST_HZ <= pitch_hz <= _HIGHEST_HZ else None
