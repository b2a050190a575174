"""Measures one turn: from the caller's last word to the agent's first sound, with its parts. Holds moments, never reads a clock."""

from bisect import bisect_right
from dataclasses import dataclass

from engine.events import TurnLatency

_ANCHOR_EVERY_MS = 500.0
_MOST_ANCHORS = 240


@dataclass(slots=True)
class TurnMoments:
    """When each step of a reply happened, in ms of the session; None for what has not happened."""

    last_word_ms: int
    decided_ms: int
    first_token_ms: int | None = None
    sentence_ms: int | None = None
    tts_audio_ms: int | None = None

    def latency(self, on_link_ms: int) -> TurnLatency:
        """The turn's latency, given when its first audio went out on the link. No part is ever negative."""
        return TurnLatency(
            endpointing_ms=max(0, self.decided_ms - self.last_word_ms),
            llm_ms=_gap(self.decided_ms, self.first_token_ms),
            tts_ms=_gap(self.sentence_ms, self.tts_audio_ms),
            total_ms=max(0, on_link_ms - self.last_word_ms),
        )


def _gap(start_ms: int | None, end_ms: int | None) -> int:
    return 0 if start_ms is None or end_ms is None else max(0, end_ms - start_ms)


class AudioClock:
    """Maps a recogniser's offsets (ms of audio it was sent) to the session's time.

    Audio can stall on its way here, so a single origin would drift: twice a second of audio the pair (offset, time) is kept.
    """

    def __init__(self) -> None:
        self.sent_ms = 0.0
        self._offsets_ms: list[float] = []
        self._times_ms: list[float] = []

    def advance(self, duration_ms: float, arrived_ms: float) -> None:
        """`duration_ms` more audio was sent; its last sample reached us at `arrived_ms`."""
        if not self._offsets_ms or self.sent_ms - self._offsets_ms[-1] >= _ANCHOR_EVERY_MS:
            if len(self._offsets_ms) >= _MOST_ANCHORS:
                del self._offsets_ms[: _MOST_ANCHORS // 2], self._times_ms[: _MOST_ANCHORS // 2]
            self._offsets_ms.append(self.sent_ms)
            self._times_ms.append(arrived_ms - duration_ms)
        self.sent_ms += duration_ms

    def at(self, offset_ms: float) -> int:
        """The session's time of the sample at `offset_ms`; a time before any audio is that of the first."""
        index = bisect_right(self._offsets_ms, offset_ms) - 1
        if index < 0:
            return max(0, int(self._times_ms[0])) if self._times_ms else 0
        return max(0, int(self._times_ms[index] + offset_ms - self._offsets_ms[index]))
