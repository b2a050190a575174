"""Real speech: what Piper says at telephone quality is what Whisper hears, and Silero knows speech from noise."""

import re

import numpy as np
import pytest

from simulator import deepgram
from simulator.sound import to_pcm, ulaw_decoded, ulaw_encoded
from simulator.speech import CALLER_VOICE, SpeechOffset, SpeechOnset, load
from simulator.speech.tones import write
from simulator.state import Settings, SimulatorState
from tests.simulator.serving import served
from tests.simulator.test_deepgram_live import everything, listening, results, transcript

pytestmark = [pytest.mark.speech, pytest.mark.timeout(300)]

SENTENCES = (
    "Hello, I would like to book an appointment please.",
    "Friday in the morning.",
    "Sorry, wait, what about Friday?",
    "No thank you, that is all. Goodbye.",
    "How much does the cleaning cost?",
    "I would like to see the doctor on Tuesday afternoon.",
    "Hi, this is Peter calling about my order.",
    "Could you please repeat that?",
    "Yes, that works for me, thank you very much.",
)
SECOND = bytes(16_000)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Where everything that is spoken here is kept."""
    return tmp_path_factory.mktemp("speech")


@pytest.fixture(scope="module")
def speech(kept):
    return load("real", kept)


def words_of(text):
    return re.sub(r"[^a-z ]", "", text.lower()).split()


def word_errors(said, heard):
    """Levenshtein's distance in words."""
    row = list(range(len(heard) + 1))
    for count, word in enumerate(said, 1):
        corner, row[0] = row[0], count
        for place, other in enumerate(heard, 1):
            corner, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, corner + (word != other))
    return row[-1]


@pytest.mark.parametrize("voice", ["", CALLER_VOICE])
async def test_few_words_are_lost_on_a_telephone_line(speech, voice):
    wrong = total = 0
    for sentence in SENTENCES:
        line = ulaw_decoded(ulaw_encoded(await speech.synthesise(sentence, 8_000, voice=voice)))
        heard = await speech.recognise(SECOND + line + SECOND, 8_000)
        wrong += word_errors(words_of(sentence), words_of(heard.text))
        total += len(words_of(sentence))
    assert wrong / total <= 0.08


async def test_words_lie_where_they_are_spoken(speech):
    pcm = await speech.synthesise(SENTENCES[0], 8_000)
    heard = await speech.recognise(SECOND * 2 + pcm + SECOND, 8_000)
    length_ms = len(pcm) / 16
    starts = [word.start_ms for word in heard.words]
    assert starts == sorted(starts) and 1_900 <= starts[0] <= 2_500
    assert 2_000 + length_ms - 500 <= heard.words[-1].end_ms <= 2_000 + length_ms + 200
    assert all(word.start_ms <= word.end_ms and 0 <= word.confidence <= 1 for word in heard.words)


async def test_what_is_not_speech_is_not_words(speech):
    noise = to_pcm(np.random.default_rng(4).normal(size=64_000) * 1_500)
    hold_music = to_pcm(np.sum([4_000 * np.sin(2 * np.pi * hz * np.arange(64_000) / 8_000) for hz in (262, 330, 392)], axis=0))
    for sound in (b"", SECOND * 5, noise, hold_music, write("hello there", 8_000)):
        assert (await speech.recognise(sound, 8_000)).text == ""


async def test_the_caller_sounds_different_from_the_agent(speech):
    def mean_hz(pcm):
        power = np.abs(np.fft.rfft(np.frombuffer(pcm, "<i2").astype(float))) ** 2
        hz = np.fft.rfftfreq(len(pcm) // 2, 1 / 8_000)
        voice = (hz > 70) & (hz < 300)
        return float((hz[voice] * power[voice]).sum() / power[voice].sum())

    agent, caller = [await speech.synthesise(SENTENCES[0], 8_000, voice=voice) for voice in ("anybody", CALLER_VOICE)]
    assert mean_hz(caller) > 1.05 * mean_hz(agent)


async def test_slower_speech_is_longer_and_other_rates_last_as_long(speech):
    plain = len(await speech.synthesise(SENTENCES[5], 8_000)) / 16_000
    slow = len(await speech.synthesise(SENTENCES[5], 8_000, speed=0.7)) / 16_000
    fine = len(await speech.synthesise(SENTENCES[5], 24_000)) / 48_000
    assert slow > 1.2 * plain and fine == pytest.approx(plain, rel=0.25)


async def test_what_was_spoken_once_is_kept_on_disk_and_is_the_same(speech, kept, monkeypatch):
    first = await speech.synthesise("Kept for later.", 8_000)
    later = load("real", kept)
    monkeypatch.setattr(later, "_speak", None)  # a voice would have to be loaded for it
    assert await later.synthesise("Kept for later.", 8_000) == first
    assert {path.suffix for path in kept.iterdir()} == {".pcm"}


async def test_nothing_to_say_is_no_audio(speech):
    assert await speech.synthesise("  ", 8_000) == b""


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000])
async def test_the_detector_finds_speech_and_only_speech(speech, rate_hz):
    pcm = await speech.synthesise("Hello, how are you today?", rate_hz)
    second = bytes(2 * rate_hz)
    noise = to_pcm(np.random.default_rng(4).normal(size=2 * rate_hz) * 800)
    audio = second + noise + second + pcm + second
    detector = speech.detector(rate_hz, quiet_ms=500)
    found = [turn for start in range(0, len(audio), rate_hz // 25) for turn in detector.feed(audio[start : start + rate_hz // 25])]
    assert [type(turn) for turn in found] == [SpeechOnset, SpeechOffset]
    assert 4_000 - 50 <= found[0].at_ms <= 4_250
    assert abs(found[1].at_ms - (4_000 + len(pcm) * 500 / rate_hz)) <= 450


async def test_a_live_stream_understands_real_speech(speech, tmp_path):
    audio = SECOND + await speech.synthesise(SENTENCES[0], 8_000, voice=CALLER_VOICE) + SECOND * 2
    state = SimulatorState(Settings(speech="real"), tmp_path, _speeches={"real": speech})
    with served(state, deepgram.routes(state)) as server:
        async with listening(server) as socket:
            messages = await everything(socket, audio)
    said = " ".join(transcript(final) for final in results(messages, is_final=True))
    assert word_errors(words_of(SENTENCES[0]), words_of(said)) <= 1
    kinds = [message["type"] for message in messages]
    assert kinds[0] == "SpeechStarted" and kinds.count("UtteranceEnd") == 1 and kinds[-1] == "Metadata"
    assert any(message["speech_final"] for message in results(messages))
