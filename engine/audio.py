"""Audio as the engine handles it: signed 16-bit little-endian mono PCM with its rate. Nothing else crosses a port."""

from collections.abc import Iterator
from dataclasses import dataclass

BYTES_PER_SAMPLE = 2


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """PCM16LE mono bytes (an even number of them) at `sample_rate_hz`."""

    pcm: bytes
    sample_rate_hz: int

    @property
    def duration_ms(self) -> float:
        return duration_ms(len(self.pcm), self.sample_rate_hz)


def duration_ms(size_bytes: int, sample_rate_hz: int) -> float:
    """How long `size_bytes` of PCM16 mono play, in ms."""
    return size_bytes * 1000 / (BYTES_PER_SAMPLE * sample_rate_hz)


def size_bytes(duration_ms: float, sample_rate_hz: int) -> int:
    """The size of `duration_ms` of PCM16 mono, rounded down to a whole sample."""
    return int(duration_ms * sample_rate_hz / 1000) * BYTES_PER_SAMPLE


def silence(duration_ms: float, sample_rate_hz: int) -> bytes:
    return bytes(size_bytes(duration_ms, sample_rate_hz))


def split(pcm: bytes, chunk_bytes: int) -> Iterator[bytes]:
    """Cuts `pcm` into pieces of `chunk_bytes`; the last may be shorter."""
    for start in range(0, len(pcm), chunk_bytes):
        yield pcm[start : start + chunk_bytes]
