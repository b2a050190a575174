"""Turns a provider's byte stream of PCM into whole samples: a network cuts bytes where it likes."""

from collections.abc import AsyncGenerator, AsyncIterator

from engine.audio import BYTES_PER_SAMPLE, AudioChunk
from providers.connection import Patience, cut_off, unreachable


class SampleAligner:
    """Keeps the odd byte of a chunk until its other half arrives."""

    def __init__(self) -> None:
        self._left = b""

    def feed(self, pcm: bytes) -> bytes:
        """The whole samples available now, in order."""
        joined = self._left + pcm
        whole = len(joined) - len(joined) % BYTES_PER_SAMPLE
        self._left = joined[whole:]
        return joined[:whole]


async def audio_chunks(
    pieces: AsyncIterator[bytes], sample_rate_hz: int, patience: Patience, network_errors: tuple[type[Exception], ...]
) -> AsyncGenerator[AudioChunk]:
    """The audio of one HTTP answer, in chunks of whole samples as they arrive. Half a sample at the very end is noise and dropped.

    Raises `ProviderError`: TRUNCATED if the answer was cut, or held no audio at all; TIMEOUT. `network_errors` are the HTTP
    client's own.
    """
    aligner = SampleAligner()
    try:
        async for piece in patience.each(pieces):
            if pcm := aligner.feed(piece):
                yield AudioChunk(pcm, sample_rate_hz)
    except network_errors as error:
        raise cut_off(patience.provider) if patience.started else unreachable(patience.provider) from error
    if not patience.started:
        raise cut_off(patience.provider)
