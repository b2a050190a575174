"""Makes a picture of a recording: the loudest moment of each short stretch, for every channel. Reads the file once, in constant memory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

STRETCH_MS = 50
MOST_STRETCHES = 36_000  # half an hour in full detail; what is longer is drawn coarser
LONGEST_MS = 24 * 3600 * 1000
_STRETCHES_AT_ONCE = 200
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
    channels = min(max(channels, 1), 2)
    frames, rows = 0, list[np.ndarray]()
    with path.open("rb") as file:
        try:
            with soundfile.SoundFile(file) as sound:
                rate_hz = int(sound.samplerate)
                width = max(rate_hz * STRETCH_MS // 1000, 1)
                for block in sound.blocks(width * _STRETCHES_AT_ONCE, dtype="int16", always_2d=True):
                    frames += len(block)
                    if frames > LONGEST_MS * rate_hz // 1000:
                        raise Undrawable("The recording is longer than a day.")
                    rows.append(_loudest(_as_channels(block, channels), width))
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            raise Undrawable("The recording cannot be decoded.") from error
    if not frames:
        raise Undrawable("The recording holds no sound.")
    peaks = _coarser(np.concatenate(rows), MOST_STRETCHES)
    scaled = np.minimum(peaks.astype(np.int64) * 255 // (_FULL_SCALE - 1), 255).astype(np.uint8)
    return Picture(channels, frames * 1000 // rate_hz, scaled.T.tobytes())


def _as_channels(block: np.ndarray, channels: int) -> np.ndarray:
    """As many columns as are wanted: one for all by its mean, several out of one by repeating it."""
    if channels == 1 and block.shape[1] > 1:
        mixed: np.ndarray = np.rint(block.mean(axis=1, keepdims=True)).astype(np.int16)
        return mixed
    wide: np.ndarray = np.repeat(block, channels, axis=1) if block.shape[1] < channels else block[:, :channels]
    return wide


def _loudest(block: np.ndarray, width: int) -> np.ndarray:
    """The greatest distance from silence in each `width` rows; the last stretch may be shorter."""
    loud = np.abs(block.astype(np.int32))
    return np.maximum.reduceat(loud, np.arange(0, len(loud), width), axis=0)


def _coarser(peaks: np.ndarray, most: int) -> np.ndarray:
    return peaks if len(peaks) <= most else _loudest(peaks, -(-len(peaks) // most))
