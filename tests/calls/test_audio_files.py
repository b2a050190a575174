"""How many channels a recording has, from files as carriers and tools write them."""

import struct
import wave

import pytest

from calls.audio_files import channel_count, extension


@pytest.mark.parametrize("channels", [1, 2])
def test_a_wave_file_says_how_many_channels_it_has(tmp_path, channels):
    path = tmp_path / "recording.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(1600 * channels))
    assert channel_count(path) == channels


def test_a_telephone_wave_file_with_other_chunks_first(tmp_path):
    fmt = struct.pack("<HHIIHH", 7, 2, 8000, 16000, 2, 8)  # 7: mu-law, which Python's wave module refuses
    body = b"WAVE" + b"LIST" + struct.pack("<I", 5) + b"hello\0" + b"fmt " + struct.pack("<I", len(fmt)) + fmt
    path = tmp_path / "ulaw.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert channel_count(path) == 2


MODES = [(0b00, 2), (0b01, 2), (0b10, 2), (0b11, 1)]  # stereo, joint stereo, dual channel, single channel
FRAME = b"\xff\xfb\x90"  # MPEG 1, layer III, 128 kbit/s, 44.1 kHz


@pytest.mark.parametrize(("mode", "channels"), MODES)
@pytest.mark.parametrize("tag", [b"", b"ID3\x04\x00\x00\x00\x00\x02\x01" + b"\xff\xff" + bytes(255), b"\xff\x00\xff\xff junk"])
def test_an_mpeg_file_says_it_in_its_first_good_frame(tmp_path, mode, channels, tag):
    path = tmp_path / "recording.mp3"
    path.write_bytes(tag + FRAME + bytes([mode << 6]) + bytes(400))
    assert channel_count(path) == channels


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"RIFF", b"RIFF\0\0\0\0WAVEfmt ", b"ID3\x04\0\0\x7f\x7f\x7f\x7f", b"not audio at all" * 99]
)
def test_what_cannot_be_read_counts_as_one_channel(tmp_path, content):
    path = tmp_path / "odd"
    path.write_bytes(content)
    assert channel_count(path) == 1


@pytest.mark.parametrize(
    ("content_type", "ending"),
    [("audio/mpeg", "mp3"), ("audio/x-wav", "wav"), ("Audio/WAV; codecs=1", "wav"), ("application/octet-stream", "bin"), ("", "bin")],
)
def test_a_name_ends_as_its_content_says(content_type, ending):
    assert extension(content_type) == ending
