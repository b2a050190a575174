"""How many channels a recording on disk has, read from its header. Two channels are transcribed apart: one is the caller."""

import struct
from pathlib import Path

_LOOK_BYTES = 256 * 1024
_LAYER_III = 1
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


def channel_count(path: Path) -> int:
    """1 or more. 1 as well if the header cannot be read: then the transcriber takes the file as it comes."""
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3" and len(head) == 10:
            # Four bytes of seven bits each: the size of the tag, which may hold a picture, without its own ten bytes.
            size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
            file.seek(10 + size)
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


def _mpeg_channels(start: bytes) -> int:
    """The channel mode of the first frame whose header makes sense."""
    at = start.find(b"\xff")
    while 0 <= at <= len(start) - 4:
        second, third, fourth = start[at + 1 : at + 4]
        synced, layer, bit_rate, rate = second & 0xE0 == 0xE0, second >> 1 & 3, third >> 4, third >> 2 & 3
        if synced and layer == _LAYER_III and bit_rate not in (0, 15) and rate != 3 and second >> 3 & 3 != 1:
            return 1 if fourth >> 6 == 3 else 2
        at = start.find(b"\xff", at + 1)
    return 1
