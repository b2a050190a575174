"""What a recording on disk says of itself: how many channels it has, and whether it is whole. Read from headers, in constant memory.

Two channels are transcribed apart: one is the caller. The bytes come from outside and may say anything.
"""

import struct
from pathlib import Path

_LOOK_BYTES = 256 * 1024
_LAYER_III = 1
_MOST_CHANNELS = 8
_UNKNOWN_SIZES = frozenset({0, 0x7FFFFFFF, 0xFFFFFFFF})  # what writes a WAV into a pipe cannot know how long it gets
CUT_SHORT = "cut-short"
UNPLAYABLE = "unplayable"
EXTENSIONS = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/vnd.wave": "wav",
}


def extension(content_type: str) -> str:
    """The file name's ending for a content type; `bin` for one nobody told us of."""
    return EXTENSIONS.get(content_type.split(";")[0].strip().lower(), "bin")


def flaw(path: Path) -> str:
    """Empty for a recording that can be played; `CUT_SHORT` if its end is missing; `UNPLAYABLE` if nothing could ever play it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3" and len(head) == 10:
            file.seek(_behind_tag(head))
            return _mpeg_flaw(file.read(_LOOK_BYTES), size - _behind_tag(head))
        start = head + file.read(_LOOK_BYTES)
    return _wav_flaw(start, size) if start[:4] == b"RIFF" else _mpeg_flaw(start, size)


def _wav_flaw(start: bytes, size: int) -> str:
    has_format, at = False, 12
    while at + 8 <= len(start):
        name, length = start[at : at + 4], int(struct.unpack_from("<I", start, at + 4)[0])
        if name == b"fmt " and length >= 16 and at + 16 <= len(start):
            channels, rate_hz = struct.unpack_from("<HI", start, at + 10)
            has_format = 1 <= channels <= _MOST_CHANNELS and rate_hz > 0
        elif name == b"data":
            if not has_format or (length == 0 and at + 8 >= size):
                return UNPLAYABLE
            return CUT_SHORT if length not in _UNKNOWN_SIZES and at + 8 + length > size else ""
        at += 8 + length + (length & 1)
    return CUT_SHORT if has_format and at > size else UNPLAYABLE


def _mpeg_flaw(start: bytes, size: int) -> str:
    """A frame must be there; if its encoder wrote down how many bytes follow (the Xing or Info header), so must they."""
    at = _first_frame(start)
    if at < 0:
        return UNPLAYABLE
    for name in (b"Xing", b"Info"):
        tag = start.find(name, at, at + 64)
        if tag >= 0 and tag + 16 <= len(start):
            flags = int(struct.unpack_from(">I", start, tag + 4)[0])
            where = tag + 8 + (4 if flags & 1 else 0)
            told = int(struct.unpack_from(">I", start, where)[0]) if flags & 2 and where + 4 <= len(start) else 0
            return CUT_SHORT if at + told > size else ""
    return ""


def channel_count(path: Path) -> int:
    """1 or more. 1 as well if the header cannot be read: then the transcriber takes the file as it comes."""
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3" and len(head) == 10:
            file.seek(_behind_tag(head))
            return _mpeg_channels(file.read(_LOOK_BYTES))
        start = head + file.read(_LOOK_BYTES)
    return _wav_channels(start) if start[:4] == b"RIFF" and start[8:12] == b"WAVE" else _mpeg_channels(start)


def _wav_channels(start: bytes) -> int:
    at = 12
    while at + 8 <= len(start):
        name, size = start[at : at + 4], int(struct.unpack_from("<I", start, at + 4)[0])
        if name == b"fmt " and at + 12 <= len(start):
            return max(int(struct.unpack_from("<H", start, at + 10)[0]), 1)
        at += 8 + size + (size & 1)
    return 1


def _behind_tag(head: bytes) -> int:
    """Where the audio begins: four bytes of seven bits each tell the size of the tag (it may hold a picture) without its own ten bytes."""
    return 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])


def _mpeg_channels(start: bytes) -> int:
    """The channel mode of the first frame whose header makes sense."""
    at = _first_frame(start)
    return 2 if at >= 0 and start[at + 3] >> 6 != 3 else 1


def _first_frame(start: bytes) -> int:
    """Where the first frame begins whose header makes sense; -1 if none does."""
    at = start.find(b"\xff")
    while 0 <= at <= len(start) - 4:
        second, third = start[at + 1 : at + 3]
        synced, layer, bit_rate, rate = second & 0xE0 == 0xE0, second >> 1 & 3, third >> 4, third >> 2 & 3
        if synced and layer == _LAYER_III and bit_rate not in (0, 15) and rate != 3 and second >> 3 & 3 != 1:
            return at
        at = start.find(b"\xff", at + 1)
    return -1
