import numpy as np
import pytest

from engine.resample import Resampler


def tone(hz, rate_hz, ms):
    return (np.sin(np.arange(rate_hz * ms // 1000) * 2 * np.pi * hz / rate_hz) * 12_000).astype("<i2").tobytes()


def convert(pcm, from_hz, to_hz, piece_bytes=960):
    resampler = Resampler(from_hz, to_hz)
    pieces = [resampler.convert(pcm[start : start + piece_bytes]) for start in range(0, len(pcm), piece_bytes)]
    return b"".join(pieces) + resampler.flush()


def strength(pcm, rate_hz, hz):
    samples = np.frombuffer(pcm, dtype="<i2").astype(float)
    turns = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / rate_hz)
    return 2 * abs(np.mean(samples * turns))


@pytest.mark.parametrize(("from_hz", "to_hz"), [(24_000, 8000), (16_000, 8000), (8000, 16_000), (22_050, 8000), (8000, 8000)])
def test_audio_keeps_its_length_and_pitch(from_hz, to_hz):
    result = convert(tone(440, from_hz, 500), from_hz, to_hz)
    assert len(result) == to_hz  # half a second of two bytes
    assert strength(result, to_hz, 440) == pytest.approx(12_000, rel=0.05)


def test_what_the_new_rate_cannot_carry_does_not_come_back_as_noise():
    result = convert(tone(5000, 24_000, 500), 24_000, 8000)
    assert strength(result, 8000, 3000) < 50


def test_it_does_not_matter_how_the_audio_was_cut():
    pcm = tone(700, 24_000, 300)
    assert convert(pcm, 24_000, 8000, 960) == convert(pcm, 24_000, 8000, 10_002)


def test_a_sentence_does_not_leak_into_the_next():
    resampler = Resampler(24_000, 8000)
    resampler.convert(tone(440, 24_000, 200))
    resampler.flush()
    after = resampler.convert(bytes(4800)) + resampler.flush()
    assert after == bytes(1600)


def test_it_lags_only_a_few_milliseconds():
    resampler = Resampler(24_000, 8000)
    assert len(resampler.convert(tone(440, 24_000, 100))) >= (100 - 5) * 16


def test_nothing_in_gives_nothing_out():
    resampler = Resampler(24_000, 8000)
    assert resampler.convert(b"") == b""
    assert resampler.flush() == b""
