"""A cheap ear: tells sound from quiet by energy over a noise floor that it learns. Pure; must never block and never keep audio.

It is no match for a trained detector: a cough or a door counts as sound. So what it hears begins no turn and interrupts nobody, unless
the recogniser reports the start of speech late or not at all (`Tuning.local_vad`); it tells when the line fell quiet, and when a caller
made a sound of which the recogniser said nothing.
"""

from enum import Enum

from engine.audio import AudioChunk

_QUIETEST_LEVEL = 50.0
_OVER_FLOOR = 3.5
_FLOOR_RISE_PER_MS = 0.0002
_WHILE_SOUNDING = 0.2  # of that: a long vowel is no background
_START_MS = 60.0
_STOP_MS = 300.0
_EVERY = 5  # samples; an average over a part of them is close enough, and without numpy: with a hundred calls that costs twice as much


class SpeechEdge(Enum):
    STARTED = "started"
    STOPPED = "stopped"


class EnergyDetector:
    """Reports an edge when sound has lasted 60 ms or quiet has lasted `stop_ms`. Feed it whole frames in order.

    It looks at one frame in each `look_ms`: for every call, 50 times a second, a look has its price.
    """

    def __init__(self, *, stop_ms: float = _STOP_MS, look_ms: float = 0) -> None:
        self._stop_ms = stop_ms
        self._look_ms = look_ms
        self._since_look_ms = 0.0
        self._floor = _QUIETEST_LEVEL
        self._speaking = False
        self._against_ms = 0.0

    def feed(self, chunk: AudioChunk) -> SpeechEdge | None:
        if len(chunk.pcm) < 2:
            return None
        self._since_look_ms += chunk.duration_ms
        if self._since_look_ms < self._look_ms:
            return None
        frame_ms, self._since_look_ms = self._since_look_ms, 0.0
        samples = memoryview(chunk.pcm[: len(chunk.pcm) & ~1]).cast("h")[::_EVERY]
        level = sum(map(abs, samples)) / len(samples)
        loud = level > max(_QUIETEST_LEVEL, self._floor) * _OVER_FLOOR
        self._learn_floor(level, frame_ms)
        if loud == self._speaking:
            self._against_ms = 0.0
            return None
        self._against_ms += frame_ms
        if self._against_ms < (self._stop_ms if self._speaking else _START_MS):
            return None
        self._speaking, self._against_ms = loud, 0.0
        return SpeechEdge.STARTED if loud else SpeechEdge.STOPPED

    def _learn_floor(self, level: float, frame_ms: float) -> None:
        """Falls at once, rises slowly: speech must not teach the ear that it is noise."""
        if level < self._floor:
            self._floor = max(_QUIETEST_LEVEL, level)
        else:
            self._floor += (level - self._floor) * min(1.0, _FLOOR_RISE_PER_MS * frame_ms * (_WHILE_SOUNDING if self._speaking else 1.0))
