"""Sound as the vendors' wires carry it: WAV, µ-law and A-law to and from PCM16LE, and another sample rate."""

import struct
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import samplerate
from numpy.typing import NDArray

_PCM, _ALAW, _ULAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE
UNKNOWN_LENGTH = 0xFFFFFFFF


class NotSound(ValueError):
    """The bytes are no audio that this simulator can read; the message says what they look like."""


@dataclass(frozen=True, slots=True)
class Sound:
    """PCM16LE, one bytes object for each channel."""

    channels: tuple[bytes, ...]
    sample_rate_hz: int

    @property
    def duration_ms(self) -> float:
        return len(self.channels[0]) * 500 / self.sample_rate_hz if self.channels else 0.0


def resampled(pcm: bytes, from_hz: int, to_hz: int) -> bytes:
    """PCM16LE mono at another rate (whole pieces only: it keeps no state)."""
    if from_hz == to_hz or not pcm:
        return pcm
    sound = np.frombuffer(pcm, "<i2").astype(np.float32)
    return to_pcm(samplerate.resample(sound, to_hz / from_hz, "sinc_medium"))


def to_pcm(samples: NDArray[np.floating]) -> bytes:
    """Samples on the 16-bit scale as PCM16LE, clipped."""
    clipped: NDArray[np.int16] = np.clip(np.rint(samples), -32768, 32767).astype("<i2")
    return clipped.tobytes()


def ulaw_encoded(pcm: bytes) -> bytes:
    return _ulaw_of_pcm()[np.frombuffer(pcm, "<i2").view(np.uint16)].tobytes()


def ulaw_decoded(coded: bytes) -> bytes:
    return _pcm_of_ulaw()[np.frombuffer(coded, np.uint8)].tobytes()


def alaw_encoded(pcm: bytes) -> bytes:
    return _alaw_of_pcm()[np.frombuffer(pcm, "<i2").view(np.uint16)].tobytes()


def alaw_decoded(coded: bytes) -> bytes:
    return _pcm_of_alaw()[np.frombuffer(coded, np.uint8)].tobytes()


def wav_header(sample_rate_hz: int, channels: int = 1, size_bytes: int | None = None) -> bytes:
    """A PCM16 WAV header; without a size the lengths say "unknown", as a server that streams writes them."""
    frame = 2 * channels
    riff, body = (UNKNOWN_LENGTH, UNKNOWN_LENGTH) if size_bytes is None else (size_bytes + 36, size_bytes)
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        riff,
        b"WAVE",
        b"fmt ",
        16,
        _PCM,
        channels,
        sample_rate_hz,
        sample_rate_hz * frame,
        frame,
        16,
        b"data",
        body,
    )


def read_sound(body: bytes) -> Sound:
    """A WAV file (PCM16, µ-law or A-law) by its magic; raises `NotSound`."""
    if body[:4] != b"RIFF" or body[8:12] != b"WAVE":
        if body[:3] == b"ID3" or body[:2] in (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"):
            raise NotSound("MP3 is not read here: send WAV, or raw audio with encoding and sample_rate")
        raise NotSound("neither WAV nor raw audio with encoding and sample_rate")
    place, form = 12, None
    while place + 8 <= len(body):
        name, size = body[place : place + 4], int.from_bytes(body[place + 4 : place + 8], "little")
        if name == b"fmt ":
            form = struct.unpack_from("<HHIIHH", body, place + 8)
        if name == b"data":
            if form is None:
                break
            return _wav_body(body[place + 8 :] if size == UNKNOWN_LENGTH else body[place + 8 : place + 8 + size], form)
        place += 8 + size + size % 2
    raise NotSound("a WAV file without a fmt or data chunk")


def raw_sound(body: bytes, encoding: str, sample_rate_hz: int, channels: int = 1) -> Sound:
    """Headerless audio as Deepgram names it: linear16, mulaw or alaw; raises `NotSound`."""
    if encoding == "linear16":
        pcm = body[: len(body) // 2 * 2]
    elif encoding == "mulaw":
        pcm = ulaw_decoded(body)
    elif encoding == "alaw":
        pcm = alaw_decoded(body)
    else:
        raise NotSound(f"encoding {encoding} is not read here")
    return Sound(split_channels(pcm, channels), sample_rate_hz)


def split_channels(pcm: bytes, channels: int) -> tuple[bytes, ...]:
    if channels == 1:
        return (pcm,)
    frames = np.frombuffer(pcm[: len(pcm) // (2 * channels) * 2 * channels], "<i2").reshape(-1, channels)
    return tuple(np.ascontiguousarray(frames[:, channel]).tobytes() for channel in range(channels))


def mixed(channels: tuple[bytes, ...]) -> bytes:
    """All channels as one."""
    if len(channels) == 1:
        return channels[0]
    return to_pcm(np.mean([np.frombuffer(channel, "<i2").astype(np.float32) for channel in channels], axis=0))


def _wav_body(body: bytes, form: tuple[int, ...]) -> Sound:
    code, channels, sample_rate_hz, _, _, bits = form
    if channels < 1 or not 4_000 <= sample_rate_hz <= 192_000:
        raise NotSound(f"a WAV file with {channels} channels at {sample_rate_hz} Hz")
    if code in (_PCM, _EXTENSIBLE) and bits == 16:
        return raw_sound(body, "linear16", sample_rate_hz, channels)
    if code in (_ULAW, _ALAW) and bits == 8:
        return raw_sound(body, "mulaw" if code == _ULAW else "alaw", sample_rate_hz, channels)
    raise NotSound(f"a WAV file of format {code} with {bits} bits")


@lru_cache(maxsize=1)
def _pcm_of_ulaw() -> NDArray[np.int16]:
    """G.711 µ-law expansion."""
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype("<i2")


@lru_cache(maxsize=1)
def _pcm_of_alaw() -> NDArray[np.int16]:
    """G.711 A-law expansion."""
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (code & 0x70) >> 4
    mantissa = (code & 0x0F) << 4
    magnitude = np.where(segment == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype("<i2")


@lru_cache(maxsize=1)
def _ulaw_of_pcm() -> NDArray[np.uint8]:
    return _nearest(_pcm_of_ulaw())


@lru_cache(maxsize=1)
def _alaw_of_pcm() -> NDArray[np.uint8]:
    return _nearest(_pcm_of_alaw())


def _nearest(expansion: NDArray[np.int16]) -> NDArray[np.uint8]:
    """For every 16-bit pattern the code whose expansion is nearest: compression as the inverse of the table above."""
    order = np.argsort(expansion, kind="stable")
    values = expansion[order].astype(np.int32)
    samples = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)
    right = np.clip(np.searchsorted(values, samples), 1, 255)
    nearer_left = samples - values[right - 1] <= values[right] - samples
    return order[np.where(nearer_left, right - 1, right)].astype(np.uint8)
