"""Speech for fast tests: text that travels as tones and can be read back from the audio alone.

One UTF-8 byte is one 40 ms symbol of two tones inside the telephone band, so 25 characters a second. Every word begins with a chirp,
which a matched filter finds to the sample: so it is read from any start, after resampling, µ-law, noise, lost pieces and cuts.
Whitespace is one space; `voice` and `speed` change nothing. What is not made of these tones (noise, real speech) reads as nothing.
"""

import asyncio
import codecs
from collections.abc import AsyncIterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from simulator.speech import Recognition, SpeechOffset, SpeechOnset, Word

SYMBOL_MS = 40
_EDGE_MS = 2
_PIECE_MS = 200
_LOW_HZ = 400 + 75 * np.arange(16)
_HIGH_HZ = 1_700 + 75 * np.arange(16)
_BIN_HZ = 1_000 // SYMBOL_MS  # every tone is a whole number of these, so a symbol's spectrum has it in one bin
_BLOCK = 4_096
_CHIRP_HZ = (400, 3_000)
_AMPLITUDE = 6_000
_SYNC_LEAST = 0.5  # of a perfect match; data symbols reach 0.2, noise 0.3
_PURITY_LEAST = 0.45  # share of a symbol's energy in its two tones
_LONG_MS = 10_000  # above this the reading leaves the event loop

Floats = NDArray[np.float32]


class TonesSpeech:
    """The back end "tones"."""

    name = "tones"

    async def warm(self) -> None:
        _alphabet(8_000)

    async def synthesise(self, text: str, sample_rate_hz: int, *, voice: str = "", speed: float = 1.0) -> bytes:
        return write(text, sample_rate_hz)

    async def synthesise_stream(self, text: str, sample_rate_hz: int, *, voice: str = "", speed: float = 1.0) -> AsyncIterator[bytes]:
        pcm = write(text, sample_rate_hz)
        piece_bytes = 2 * sample_rate_hz * _PIECE_MS // 1000
        for start in range(0, len(pcm), piece_bytes):
            yield pcm[start : start + piece_bytes]

    async def recognise(self, pcm: bytes, sample_rate_hz: int) -> Recognition:
        if len(pcm) > 2 * sample_rate_hz * _LONG_MS // 1000:
            return await asyncio.to_thread(read, pcm, sample_rate_hz)
        return read(pcm, sample_rate_hz)

    def detector(self, sample_rate_hz: int, *, quiet_ms: int = 300) -> "ToneDetector":
        return ToneDetector(sample_rate_hz, quiet_ms)


def write(text: str, sample_rate_hz: int) -> bytes:
    """`text` as tones: a chirp and then one symbol a byte for each word."""
    symbols: list[int] = []
    for word in text.split():
        symbols.append(256)
        symbols.extend(word.encode())
    return _alphabet(sample_rate_hz)[symbols].tobytes()


def read(pcm: bytes, sample_rate_hz: int) -> Recognition:
    """The words in the audio, each from its chirp to the first symbol that is not one."""
    size = sample_rate_hz * SYMBOL_MS // 1000
    spare = size // 8  # resamplers swallow a few samples of the last symbol
    sound = np.zeros(len(pcm) // 2 + spare, np.float32)
    sound[: len(pcm) // 2] = np.frombuffer(pcm, "<i2", len(pcm) // 2)
    syncs = _find_syncs(sound, sample_rate_hz)
    if not syncs:
        return Recognition("", ())
    ends = [*syncs[1:], len(sound)]
    counts = [max(0, (end - sync + spare) // size - 1) for sync, end in zip(syncs, ends, strict=True)]
    counts = [min(count, (len(sound) - sync) // size - 1) for sync, count in zip(syncs, counts, strict=True)]
    begins = np.array([sync + size * place for sync, count in zip(syncs, counts, strict=True) for place in range(1, count + 1)], np.intp)
    values, purities = _read_symbols(sound[begins[:, None] + np.arange(size)]) if len(begins) else ([], [])
    words: list[Word] = []
    first = 0
    for sync, count in zip(syncs, counts, strict=True):
        pure = purities[first : first + count]
        length = next((place for place, purity in enumerate(pure) if not purity), count)
        text = codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(values[first : first + length]))
        if text:
            start_ms = round(sync * 1000 / sample_rate_hz)
            confidence = round(min(1.0, sum(pure[:length]) / length), 3)
            words.append(Word(text, start_ms, start_ms + SYMBOL_MS * (1 + length), confidence))
        first += count
    return Recognition(" ".join(word.text for word in words), tuple(words))


class ToneDetector:
    """Hears tones and chirps, and neither noise nor silence: speech is where a frame's energy sits in few frequencies."""

    _FRAME_MS = 20
    _LEAST_RMS = 300.0
    _QUIET_LEAST_MS = 100  # a chirp in the middle of an utterance can look like noise for two frames

    def __init__(self, sample_rate_hz: int, quiet_ms: int) -> None:
        self._frame = sample_rate_hz * self._FRAME_MS // 1000
        self._window = np.hanning(self._frame).astype(np.float32)
        self._quiet_ms = max(quiet_ms, self._QUIET_LEAST_MS)
        self._rest = b""
        self._at_ms = 0
        self._run = 0
        self._last_voiced_ms = 0
        self._speaking = False

    def feed(self, pcm: bytes) -> list[SpeechOnset | SpeechOffset]:
        pcm = self._rest + pcm
        frames = len(pcm) // (2 * self._frame)
        used = frames * 2 * self._frame
        self._rest = pcm[used:]
        if not frames:
            return []
        found: list[SpeechOnset | SpeechOffset] = []
        if pcm.count(0, 0, used) == used:  # a quiet line, the most of every call
            for _ in range(frames):
                self._at_ms += self._FRAME_MS
                found.extend(self._decide(False))
            return found
        sound = np.frombuffer(pcm, "<i2", frames * self._frame).reshape(frames, self._frame).astype(np.float32)
        for voiced in self._voiced(sound):
            self._at_ms += self._FRAME_MS
            found.extend(self._decide(bool(voiced)))
        return found

    def _voiced(self, frames: Floats) -> NDArray[np.bool_]:
        loud: NDArray[np.bool_] = np.sqrt(np.mean(frames * frames, axis=1)) > self._LEAST_RMS
        if not loud.any():
            return loud
        power = np.abs(np.fft.rfft(frames * self._window, axis=1)) ** 2
        power.sort(axis=1)
        # Two tones under this window fill six bins; a chirp crosses 1.3 kHz in a frame, about 26 bins, never the whole band.
        tonal: NDArray[np.bool_] = power[:, -8:].sum(axis=1) > 0.5 * power.sum(axis=1)
        return loud & tonal

    def _decide(self, voiced: bool) -> list[SpeechOnset | SpeechOffset]:
        if voiced:
            self._run += 1
            self._last_voiced_ms = self._at_ms
            if not self._speaking and self._run >= 2:
                self._speaking = True
                # the chirp before the first tones is speech too
                return [SpeechOnset(max(0, self._at_ms - 2 * self._FRAME_MS - SYMBOL_MS))]
            return []
        self._run = 0
        if self._speaking and self._at_ms - self._last_voiced_ms >= self._quiet_ms:
            self._speaking = False
            return [SpeechOffset(self._last_voiced_ms)]
        return []


@lru_cache(maxsize=16)
def _alphabet(sample_rate_hz: int) -> NDArray[np.int16]:
    """All 256 symbols and the chirp (row 256), with soft edges."""
    size = sample_rate_hz * SYMBOL_MS // 1000
    t = np.arange(size) / sample_rate_hz
    edge = sample_rate_hz * _EDGE_MS // 1000
    shape = np.ones(size)
    shape[:edge] = 0.5 - 0.5 * np.cos(np.pi * np.arange(edge) / edge)
    shape[-edge:] = shape[:edge][::-1]
    low = np.sin(2 * np.pi * _LOW_HZ[:, None] * t)
    high = np.sin(2 * np.pi * _HIGH_HZ[:, None] * t)
    data = (low[:, None, :] + high[None, :, :]).reshape(256, size)
    start, stop = _CHIRP_HZ
    chirp = 1.4 * np.sin(2 * np.pi * (start * t + (stop - start) * t * t / (2 * SYMBOL_MS / 1000)))
    table: NDArray[np.int16] = (_AMPLITUDE * np.vstack([data, chirp]) * shape).astype("<i2")
    table.flags.writeable = False
    return table


def _find_syncs(sound: Floats, sample_rate_hz: int) -> list[int]:
    """Where the chirps begin: local maxima of the normalised correlation with the chirp."""
    template = _alphabet(sample_rate_hz)[256].astype(np.float32)
    size = len(template)
    if len(sound) < size:
        return []
    step = _BLOCK - size + 1
    padded = np.zeros(-(-len(sound) // step) * step + size - 1, np.float32)
    padded[: len(sound)] = sound
    blocks = np.lib.stride_tricks.sliding_window_view(padded, _BLOCK)[::step]
    matched = np.fft.irfft(np.fft.rfft(blocks) * _template_spectrum(sample_rate_hz), _BLOCK)[:, :step].ravel()[: len(sound) - size + 1]
    power = np.concatenate([[0.0], np.cumsum(sound * sound, dtype=np.float64)])
    energy = power[size:] - power[:-size]
    scale = np.sqrt(np.maximum(energy, size * 100.0 * 100.0) * float(np.dot(template, template)))
    likeness = matched / scale
    candidates = np.flatnonzero(likeness > _SYNC_LEAST)
    syncs: list[int] = []
    for candidate in candidates:
        if syncs and candidate - syncs[-1] < size // 2:
            if likeness[candidate] > likeness[syncs[-1]]:
                syncs[-1] = int(candidate)
        else:
            syncs.append(int(candidate))
    return syncs


@lru_cache(maxsize=16)
def _template_spectrum(sample_rate_hz: int) -> NDArray[np.complex64]:
    spectrum: NDArray[np.complex64] = np.conj(np.fft.rfft(_alphabet(sample_rate_hz)[256].astype(np.float32), _BLOCK))
    return spectrum


def _read_symbols(frames: Floats) -> tuple[list[int], list[float]]:
    """The byte of each frame, and how pure it is (0 to 1); 0 for what is no symbol."""
    spectrum = np.abs(np.fft.rfft(frames)) ** 2 / (frames.shape[1] / 2)
    energy = spectrum[:, np.concatenate([_LOW_HZ, _HIGH_HZ]) // _BIN_HZ]
    total = np.maximum(np.einsum("ij,ij->i", frames, frames), frames.shape[1] * 100.0 * 100.0)
    low, high = energy[:, :16], energy[:, 16:]
    share_low, share_high = low.max(axis=1) / total, high.max(axis=1) / total
    good = (share_low + share_high > _PURITY_LEAST) & (share_low > 0.08) & (share_high > 0.08)
    values = low.argmax(axis=1) * 16 + high.argmax(axis=1)
    purities = np.where(good, share_low + share_high, 0.0)
    return [int(value) for value in values], [float(purity) for purity in purities]
