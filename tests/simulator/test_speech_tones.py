"""Text that travels as tones: what is written is what is read, whatever a telephone line does to it on the way."""

import time

import numpy as np
import pytest
import samplerate
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.sound import alaw_decoded, alaw_encoded, resampled, to_pcm, ulaw_decoded, ulaw_encoded
from simulator.speech import SpeechOffset, SpeechOnset, UnknownSpeech, load
from simulator.speech.tones import SYMBOL_MS, read, write

SENTENCE = "Hello, I'd like an appointment for Friday. नमस्ते, ₹500 zzzz!"
ONE_SECOND = bytes(16_000)


def noisy(pcm, snr_db, seed=1):
    sound = np.frombuffer(pcm, "<i2").astype(np.float64)
    power = np.mean(sound[sound != 0] ** 2)
    noise = np.random.default_rng(seed).normal(size=len(sound)) * np.sqrt(power * 10 ** (-snr_db / 10))
    return to_pcm(sound + noise)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_what_is_written_is_read_at_every_rate(rate_hz):
    assert read(write(SENTENCE, rate_hz), rate_hz).text == SENTENCE


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=30))
def test_any_text_survives_with_its_words(text):
    assert read(write(text, 8_000), 8_000).text == " ".join(text.split())


@pytest.mark.parametrize(("from_hz", "to_hz"), [(24_000, 8_000), (16_000, 8_000), (22_050, 8_000), (8_000, 16_000), (8_000, 24_000)])
@pytest.mark.parametrize("quality", ["sinc_fastest", "linear"])
def test_it_survives_resampling(from_hz, to_hz, quality):
    sound = np.frombuffer(write(SENTENCE, from_hz), "<i2").astype(np.float32)
    assert read(to_pcm(samplerate.resample(sound, to_hz / from_hz, quality)), to_hz).text == SENTENCE


def test_it_survives_a_resampler_that_is_fed_in_small_pieces():
    piecewise = samplerate.Resampler("sinc_fastest")
    sound = np.frombuffer(write(SENTENCE, 24_000) + bytes(4_800), "<i2").astype(np.float32)
    pieces = [piecewise.process(sound[start : start + 479], 1 / 3) for start in range(0, len(sound), 479)]
    assert read(to_pcm(np.concatenate(pieces)), 8_000).text == SENTENCE


@pytest.mark.parametrize("offset", [0, 1, 17, 159, 320, 5_001])
def test_it_is_read_from_any_start_through_noise(offset):
    assert read(noisy(bytes(2 * offset) + write(SENTENCE, 8_000) + ONE_SECOND, 6), 8_000).text == SENTENCE


@pytest.mark.parametrize(("encode", "decode"), [(ulaw_encoded, ulaw_decoded), (alaw_encoded, alaw_decoded)])
def test_it_survives_the_telephone_codecs(encode, decode):
    assert read(decode(encode(write(SENTENCE, 8_000))), 8_000).text == SENTENCE


def test_codecs_keep_every_sample_within_their_step():
    every = np.arange(-32_768, 32_768).astype("<i2").tobytes()
    for encode, decode in ((ulaw_encoded, ulaw_decoded), (alaw_encoded, alaw_decoded)):
        before, after = (np.frombuffer(pcm, "<i2").astype(int) for pcm in (every, decode(encode(every))))
        assert np.all(np.abs(before - after) <= np.maximum(16, np.abs(before) // 16))
        assert encode(decode(bytes(range(256)))) is not None
        assert decode(encode(decode(bytes(range(256))))) == decode(bytes(range(256)))


def test_a_cut_utterance_is_read_up_to_the_cut():
    pcm = write("The clinic opens at nine", 8_000)
    heard = read(pcm[: 320 * 2 * 12], 8_000).text  # 12 symbols: three chirps and nine letters
    assert heard == "The clinic"[: len(heard)] and len(heard) >= len("The clini")


def test_a_listener_who_joins_late_hears_from_the_next_word():
    pcm = write("first second third", 8_000)
    assert read(pcm[2 * 320 * 3 + 222 :], 8_000).text == "second third"


def test_a_lost_piece_spoils_only_its_words():
    pcm = write("alpha beta gamma delta", 8_000)
    lost = pcm[: 2 * 320 * 8] + pcm[2 * 320 * 9 + 100 :]
    heard = read(lost, 8_000).text.split()
    assert heard[0] == "alpha" and heard[-2:] == ["gamma", "delta"]


def test_utterances_behind_each_other_are_separate_words():
    pcm = write("one two", 8_000)[:-200] + bytes(74) + write("three", 8_000) + ONE_SECOND + write("four", 8_000)
    assert read(pcm, 8_000).text.split()[-2:] == ["three", "four"]


def test_words_carry_their_place_in_the_audio():
    words = read(ONE_SECOND + write("ab cde", 8_000), 8_000).words
    assert [(word.text, word.start_ms, word.end_ms) for word in words] == [("ab", 1_000, 1_120), ("cde", 1_120, 1_280)]
    assert all(0.9 < word.confidence <= 1 for word in words)


def test_what_is_not_tones_reads_as_nothing():
    rng = np.random.default_rng(5)
    assert read(to_pcm(rng.normal(size=80_000) * 4_000), 8_000).text == ""
    assert read(bytes(32_000), 8_000).text == ""
    assert read(b"", 8_000).text == ""
    hum = 9_000 * np.sin(2 * np.pi * 440 * np.arange(40_000) / 8_000)
    assert read(to_pcm(hum), 8_000).text == ""


def test_about_25_characters_are_spoken_in_a_second():
    assert len(write("a" * 24, 8_000)) == 16_000 == 2 * 8 * SYMBOL_MS * 25


@pytest.mark.parametrize("rate_hz", [8_000, 24_000])
@pytest.mark.parametrize("snr_db", [90, 6])
def test_the_detector_tells_where_speech_begins_and_ends(rate_hz, snr_db):
    pcm = noisy(resampled(ONE_SECOND + write("hello there my friend", 8_000) + ONE_SECOND * 2, 8_000, rate_hz), snr_db)
    detector = load("tones").detector(rate_hz, quiet_ms=300)
    found, told_at_ms = [], []
    step = 2 * rate_hz // 50
    for start in range(0, len(pcm), step):
        for turn in detector.feed(pcm[start : start + step]):
            found.append(turn)
            told_at_ms.append((start + step) * 500 // rate_hz)
    onset, offset = found
    assert isinstance(onset, SpeechOnset) and abs(onset.at_ms - 1_000) <= 60 and told_at_ms[0] - 1_000 <= 140
    assert isinstance(offset, SpeechOffset) and abs(offset.at_ms - 1_880) <= 40 and 300 <= told_at_ms[1] - offset.at_ms <= 340


def test_the_detector_ignores_noise():
    detector = load("tones").detector(8_000)
    assert detector.feed(to_pcm(np.random.default_rng(2).normal(size=160_000) * 3_000)) == []


async def test_a_stream_is_the_same_audio_in_pieces():
    speech = load("tones")
    pieces = [piece async for piece in speech.synthesise_stream(SENTENCE, 16_000)]
    assert len(pieces) > 3
    assert b"".join(pieces) == await speech.synthesise(SENTENCE, 16_000)


async def test_long_recordings_are_read_whole():
    pcm = await load("tones").synthesise("word " * 200, 8_000)
    heard = await load("tones").recognise(pcm, 8_000)
    assert heard.text == " ".join(["word"] * 200)


def test_reading_and_detecting_are_cheap_enough_for_a_hundred_calls():
    """Processor time, not wall time: 100 callers at once leave at most 10 ms of it for a second of each."""
    pcm = write("a word or two " * 9, 8_000)[: 16_000 * 5]
    detector = load("tones").detector(8_000)
    read(pcm, 8_000)
    before = time.thread_time()
    for _ in range(10):
        read(pcm, 8_000)
        for start in range(0, len(pcm), 320):
            detector.feed(pcm[start : start + 320])
    assert (time.thread_time() - before) / 50 < 0.010


def test_only_two_back_ends_exist():
    with pytest.raises(UnknownSpeech, match='"real" or "tones"'):
        load("espeak")
