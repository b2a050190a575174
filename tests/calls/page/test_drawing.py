"""Pictures of recordings: what is loud is high, each channel for itself, and no file makes trouble."""

import base64
import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from calls.page import drawing
from tests.calls import made_audio

RATE_HZ = 8000


def write(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def rows(picture: drawing.Picture) -> np.ndarray:
    return np.frombuffer(picture.peaks, dtype=np.uint8).reshape(picture.channels, -1)


def test_each_channel_is_drawn_for_itself(tmp_path):
    samples = np.zeros((RATE_HZ * 2, 2))
    samples[:RATE_HZ, 0] = 32_767
    samples[RATE_HZ:, 1] = -16_384
    picture = drawing.draw(write(tmp_path / "a.wav", samples), 2)
    caller, agent = rows(picture)
    assert (picture.channels, picture.duration_ms, len(caller)) == (2, 2000, 40)
    assert set(caller[:20]) == {255} and set(caller[20:]) == {0}
    assert set(agent[:20]) == {0} and set(agent[20:]) == {127}


def test_one_channel_gives_one_row_and_another_rate_the_same_length(tmp_path):
    picture = drawing.draw(write(tmp_path / "a.wav", np.full((44_100, 1), 8_000), 44_100), 1)
    assert picture.channels == 1
    assert abs(picture.duration_ms - 1000) < 50
    assert int(max(rows(picture)[0])) == pytest.approx(62, abs=8)  # a resampler overshoots at an edge


def test_a_long_recording_is_drawn_coarser_and_loses_no_peak(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "MOST_STRETCHES", 30)
    samples = np.zeros((RATE_HZ * 5, 1))
    samples[RATE_HZ * 3 + 17] = 20_000
    picture = drawing.draw(write(tmp_path / "a.wav", samples), 1)
    assert len(picture.peaks) == 25 and sorted(set(picture.peaks)) == [0, 155]


def test_reading_in_blocks_changes_nothing(tmp_path, monkeypatch):
    noise = np.random.default_rng(3).integers(-30_000, 30_000, (RATE_HZ * 3 + 123, 2))
    path = write(tmp_path / "a.wav", noise)
    whole = drawing.draw(path, 2)
    monkeypatch.setattr(drawing, "_STRETCHES_AT_ONCE", 3)
    assert drawing.draw(path, 2) == whole


def test_an_mp3_is_drawn(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(made_audio.mp3(frames=60))
    picture = drawing.draw(path, 2)
    assert picture.duration_ms == pytest.approx(60 * 1152 / 44.1, abs=60)
    assert set(picture.peaks) == {0}


@pytest.mark.parametrize(
    "content",
    [b"", b"RIFF", b"\xff\xfb\x90" + bytes(3000), b"<html>not ready</html>" * 50, made_audio.wav(lasts_ms=0), struct.pack("<I", 7) * 999],
    ids=["empty", "cut", "silence without frames", "page", "no samples", "numbers"],
)
def test_what_is_no_sound_says_so(tmp_path, content):
    path = tmp_path / "a.audio"
    path.write_bytes(content)
    with pytest.raises(drawing.Undrawable):
        drawing.draw(path, 2)


def test_a_file_that_is_gone_is_told_from_one_that_is_broken(tmp_path):
    with pytest.raises(FileNotFoundError):
        drawing.draw(tmp_path / "gone.wav", 2)


def test_a_header_that_lies_about_channels_makes_no_trouble(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(made_audio.wav(channels=2))
    assert drawing.draw(path, 8).channels == 2
    assert drawing.draw(path, 0).channels == 1
    assert base64.b64encode(drawing.draw(path, 1).peaks)
