"""When a live stream speaks up: the ear's decisions as tables, without sockets or recognition."""

import pytest

from simulator.deepgram_ear import AudioWindow, Began, Cut, Ear, Ended, Guess, Quiet
from simulator.speech import SpeechOffset, SpeechOnset

STEP_MS = 100
PCM = bytes(1_600)


class ScriptedDetector:
    """Says what the table says at the given times."""

    def __init__(self, turns):
        self._turns = dict(turns)
        self._now_ms = 0

    def feed(self, pcm):
        self._now_ms += STEP_MS
        return [self._turns[self._now_ms]] if self._now_ms in self._turns else []


def steps(turns, length_ms, interim_ms=600, segment_ms=5_000):
    ear = Ear(ScriptedDetector(turns), interim_ms=interim_ms, segment_ms=segment_ms)
    return [step for now in range(STEP_MS, length_ms + 1, STEP_MS) for step in ear.feed(PCM, now)]


@pytest.mark.parametrize(
    ("turns", "length_ms", "expected"),
    [
        ({}, 4_900, []),
        ({}, 5_000, [Quiet(5_000)]),
        ({1_000: SpeechOnset(900)}, 2_300, [Began(900), Guess(1_600), Guess(2_200)]),
        (
            {1_000: SpeechOnset(900), 2_000: SpeechOffset(1_700)},
            3_000,
            [Began(900), Guess(1_600), Ended(2_000, 1_700)],
        ),
        (
            {1_000: SpeechOnset(900), 1_200: SpeechOffset(1_100), 1_300: SpeechOnset(1_250), 1_600: SpeechOffset(1_500)},
            2_000,
            [Began(900), Ended(1_200, 1_100), Began(1_250), Ended(1_600, 1_500)],
        ),
    ],
)
def test_speech_begins_is_guessed_at_and_ends(turns, length_ms, expected):
    assert steps(turns, length_ms) == expected


def test_long_speech_is_cut_every_few_seconds_and_goes_on():
    found = steps({100: SpeechOnset(0)}, 6_200, interim_ms=10_000, segment_ms=3_000)
    assert found == [Began(0), Cut(3_000), Cut(6_000)]


def test_after_an_end_the_quiet_is_counted_anew():
    found = steps({100: SpeechOnset(0), 1_000: SpeechOffset(700)}, 6_000, interim_ms=10_000)
    assert found == [Began(0), Ended(1_000, 700), Quiet(6_000)]


def test_the_window_gives_what_it_still_holds():
    window = AudioWindow(8_000)
    window.add(b"".join(bytes([second]) * 16_000 for second in range(3)))
    assert window.end_ms == 3_000
    assert window.between(900, 1_100) == b"\0" * 1_600 + b"\1" * 1_600
    window.forget_before(1_000)
    assert window.between(0, 1_500) == b"\1" * 8_000
    assert window.between(2_900, 99_000) == b"\2" * 1_600
    window.forget_before(9_000)
    assert (window.end_ms, window.between(0, 9_000)) == (3_000, b"")
