"""Decides when a live stream has something to say: one channel's audio in, steps out. Pure; recognising is somebody else's work."""

from dataclasses import dataclass

from simulator.speech import SpeechDetector, SpeechOnset


@dataclass(frozen=True, slots=True)
class Began:
    """Speech began at `at_ms`."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Guess:
    """Time for an interim of what was heard until `until_ms`."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class Cut:
    """The speech is long: what is settled of it becomes final, though the speaker goes on."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The speaker has been quiet for long enough since `spoken_until_ms`."""

    until_ms: int
    spoken_until_ms: int


@dataclass(frozen=True, slots=True)
class Quiet:
    """A stretch without speech is closed with an empty final."""

    until_ms: int


Step = Began | Guess | Cut | Ended | Quiet


class Ear:
    """One channel. Times count from the stream's first audio."""

    def __init__(self, detector: SpeechDetector, *, interim_ms: int, segment_ms: int) -> None:
        self._detector = detector
        self._interim_ms = interim_ms
        self._segment_ms = segment_ms
        self._segment_from_ms = 0
        self._guessed_ms = 0
        self.speaking = False

    def feed(self, pcm: bytes, until_ms: int) -> list[Step]:
        """What the audio up to `until_ms` (of which `pcm` is the newest piece) calls for, in order."""
        steps: list[Step] = []
        for turn in self._detector.feed(pcm):
            if isinstance(turn, SpeechOnset):
                self.speaking = True
                self._segment_from_ms, self._guessed_ms = turn.at_ms, until_ms
                steps.append(Began(turn.at_ms))
            else:
                self.speaking = False
                self._segment_from_ms = until_ms
                steps.append(Ended(until_ms, turn.at_ms))
        if until_ms - self._segment_from_ms >= self._segment_ms:
            self._segment_from_ms = self._guessed_ms = until_ms
            steps.append(Cut(until_ms) if self.speaking else Quiet(until_ms))
        elif self.speaking and until_ms - self._guessed_ms >= self._interim_ms:
            self._guessed_ms = until_ms
            steps.append(Guess(until_ms))
        return steps


class AudioWindow:
    """The last stretch of a PCM16LE mono stream, addressed by ms from its beginning."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._bytes_per_ms = 2 * sample_rate_hz // 1000
        self._held = bytearray()
        self._begin_ms = 0

    def add(self, pcm: bytes) -> None:
        self._held += pcm

    @property
    def end_ms(self) -> int:
        return self._begin_ms + len(self._held) // self._bytes_per_ms

    def between(self, start_ms: float, end_ms: float) -> bytes:
        """What is still held of that stretch."""
        start = max(0, int(start_ms) - self._begin_ms) * self._bytes_per_ms
        return bytes(self._held[start : max(0, int(end_ms) - self._begin_ms) * self._bytes_per_ms])

    def forget_before(self, ms: float) -> None:
        gone_ms = min(int(ms), self.end_ms) - self._begin_ms
        if gone_ms > 0:
            del self._held[: gone_ms * self._bytes_per_ms]
            self._begin_ms += gone_ms
