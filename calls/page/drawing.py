"""Makes a picture of a recording: the loudest moment of each short stretch, for every channel. Reads the file once, in constant memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import miniaudio
import numpy as np

RATE_HZ = 8_000  # what a telephone carries; anything finer is heard by nobody and seen by nobody
STRETCH_MS = 50
MOST_STRETCHES = 36_000  # half an hour in full detail; what is longer is drawn coarser
LONGEST_MS = 24 * 3600 * 1000
_FRAMES_AT_ONCE = RATE_HZ * STRETCH_MS // 1000 * 200
_FULL_SCALE = 32_768


class Undrawable(Exception):
    """The file cannot be decoded, or there is no sound in it at all."""


@dataclass(frozen=True, slots=True)
class Picture:
    """`peaks`: a byte for each stretch (0 is silence, 255 full scale), channel after channel."""

    channels: int
    duration_ms: int
    peaks: bytes


def draw(path: Path, channels: int) -> Picture:
    """The picture of an MP3 or WAV file. Raises `Undrawable`, and `OSError` if the file is not there."""
    with path.open("rb"):  # the decoder does not tell a missing file from a broken one
        pass
    channels = min(max(channels, 1), 2)
    frames, rows = 0, list[np.ndarray]()
    try:
        for block in _blocks(path, channels):
            frames += len(block)
            if frames > LONGEST_MS * RATE_HZ // 1000:
                raise Undrawable("The recording is longer than a day.")
            rows.append(_loudest(block, RATE_HZ * STRETCH_MS // 1000))
    except miniaudio.MiniaudioError as error:
        raise Undrawable("The recording cannot be decoded.") from error
    if not frames:
        raise Undrawable("The recording holds no sound.")
    peaks = _coarser(np.concatenate(rows), MOST_STRETCHES)
    scaled = np.minimum(peaks.astype(np.int64) * 255 // (_FULL_SCALE - 1), 255).astype(np.uint8)
    return Picture(channels, frames * 1000 // RATE_HZ, scaled.T.tobytes())


def _blocks(path: Path, channels: int) -> Iterator[np.ndarray]:
    """The samples as int16 rows of `channels`, a few seconds at a time. Every block but the last is a whole number of stretches."""
    read = miniaudio.stream_file(
        str(path),
        output_format=miniaudio.SampleFormat.SIGNED16,
        nchannels=channels,
        sample_rate=RATE_HZ,
        frames_to_read=_FRAMES_AT_ONCE,
    )
    kept = np.empty((0, channels), dtype=np.int16)
    for samples in read:
        kept = np.concatenate((kept, np.frombuffer(samples, dtype=np.int16).reshape(-1, channels)))
        while len(kept) >= _FRAMES_AT_ONCE:
            yield kept[:_FRAMES_AT_ONCE]
            kept = kept[_FRAMES_AT_ONCE:]
    if len(kept):
        yield kept


def _loudest(block: np.ndarray, width: int) -> np.ndarray:
    """The greatest distance from silence in each `width` rows; the last stretch may be shorter."""
    loud = np.abs(block.astype(np.int32))
    return np.maximum.reduceat(loud, np.arange(0, len(loud), width), axis=0)


def _coarser(peaks: np.ndarray, most: int) -> np.ndarray:
    return peaks if len(peaks) <= most else _loudest(peaks, -(-len(peaks) // most))
