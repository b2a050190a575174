"""Recordings as bytes: whole ones, and every kind of broken one."""

import struct

FRAME = b"\xff\xfb\x90"  # MPEG 1, layer III, 128 kbit/s, 44.1 kHz


def wav(
    channels: int = 2, *, rate_hz: int = 8000, told_channels: int | None = None, told_bytes: int | None = None, lasts_ms: int = 200
) -> bytes:
    """PCM silence. `told_…`: what its header claims instead of the truth."""
    audio = bytes(2 * channels * rate_hz * lasts_ms // 1000)
    told = channels if told_channels is None else told_channels
    fmt = struct.pack("<HHIIHH", 1, told, rate_hz, 2 * told * rate_hz, 2 * told, 16)
    told_length = len(audio) if told_bytes is None else told_bytes
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", told_length) + audio
    return b"RIFF" + struct.pack("<I", len(body)) + body


def mp3(frames: int = 20, *, told_bytes: int | None = None) -> bytes:
    """Frames of nothing; with `told_bytes` the first one is an encoder's note (Info) of how many bytes there are."""
    frame = FRAME + b"\xc0" + bytes(413)
    if told_bytes is None:
        return frame * frames
    note = FRAME + b"\xc0" + bytes(17) + b"Info" + struct.pack(">III", 3, frames, told_bytes)
    return note.ljust(417, b"\0") + frame * (frames - 1)
