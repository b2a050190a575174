"""A recogniser that is lost and asked again about audio that it has heard: every word once, wherever the cut falls."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio import AudioChunk
from engine.errors import ErrorCategory, ProviderError
from engine.hearing import Hearing
from engine.moves import HearingStumbled
from engine.ports import EagerEndOfTurn, FinalTranscript, InterimTranscript, SpeechStarted, Word
from engine.replay import HeardWords
from engine.tuning import Tuning
from tests.engine.virtual_loop import play

RATE_HZ = 8_000
FRAME_MS = 20
SPOKEN = [Word(f"w{number}", 400 + 450 * number, 400 + 450 * number + 350) for number in range(14)]
ENDS_MS = SPOKEN[-1].end_ms + 1_000


class _Ear:
    """Knows which of the caller's words lie in the audio that it is sent, and places them a little differently in every stream.

    `groups`: after how many words a final is said. Each stream in `breaks_ms` ends at that time of the call.
    """

    provider, model = "ear", "ear-1"

    def __init__(self, groups, breaks_ms, shifts_ms, now_ms):
        self.groups, self.breaks_ms, self.shifts_ms, self.now_ms = groups, list(breaks_ms), list(shifts_ms), now_ms
        self.opened = 0

    @asynccontextmanager
    async def stream(self, sample_rate_hz):
        self.opened += 1
        break_ms = self.breaks_ms.pop(0) if self.breaks_ms else None
        yield _Stream(self, break_ms, self.shifts_ms[self.opened % len(self.shifts_ms)])


class _Stream:
    usage = ()

    def __init__(self, ear, break_ms, shift_ms):
        self._ear, self._break_ms, self._shift_ms = ear, break_ms, shift_ms
        self._base_ms = None
        self._heard_ms = 0
        self._open: list[Word] = []
        self._told = 0
        self._events: asyncio.Queue = asyncio.Queue()

    async def send(self, chunk):
        at_ms = int.from_bytes(chunk.pcm[:2], "little") * FRAME_MS
        if self._base_ms is None:
            self._base_ms = at_ms
            self._left = [word for word in SPOKEN if word.end_ms - at_ms > 100]  # a tail of 100 ms still sounds like the word
        self._heard_ms = at_ms + FRAME_MS - self._base_ms
        while self._left and self._left[0].end_ms + 200 <= at_ms:
            word = self._left.pop(0)
            start_ms = max(0, word.start_ms - self._base_ms + self._shift_ms)
            self._open.append(Word(word.text, start_ms, max(start_ms + 40, word.end_ms - self._base_ms + self._shift_ms)))
            is_final = len(self._open) == self._ear.groups or not self._left
            self._tell(is_final)
        if self._break_ms is not None and self._ear.now_ms() >= self._break_ms:
            raise ProviderError("ear", ErrorCategory.CONNECTION, "lost", retryable=True)

    def _tell(self, is_final):
        words, text = tuple(self._open), " ".join(word.text for word in self._open)
        if is_final:
            self._events.put_nowait(FinalTranscript(text, end_of_turn=True, end_ms=words[-1].end_ms, words=words))
            self._open = []
        else:
            self._events.put_nowait(InterimTranscript(text, words))

    async def finish(self):
        self._events.put_nowait(None)

    async def __aiter__(self):
        while (event := await self._events.get()) is not None:
            yield event


def heard(groups, breaks_ms, shifts_ms=(0,), **tuning):
    """The finals' words, and all events, of one call."""

    async def scene():
        loop = asyncio.get_running_loop()
        zero_s = loop.time()
        told = []

        def now_ms():
            return round((loop.time() - zero_s) * 1000)

        async def deliver(event):
            if not isinstance(event, HearingStumbled):
                told.append(event)

        hearing = Hearing(
            _Ear(groups, breaks_ms, shifts_ms, now_ms),
            RATE_HZ,
            Tuning(stt_reopen_attempts=99, **tuning),
            now_ms=now_ms,
            deliver=deliver,
            on_failure=lambda error: None,
            on_usage=lambda records: None,
        )
        running = asyncio.create_task(hearing.run())
        for number in range(ENDS_MS // FRAME_MS):
            hearing.take(AudioChunk(number.to_bytes(2, "little") * (RATE_HZ * FRAME_MS // 1000), RATE_HZ))
            await asyncio.sleep(FRAME_MS / 1000)
        await asyncio.sleep(3)
        hearing.finish()
        assert await running
        return told

    events = play(scene())
    return " ".join(event.text for event in events if isinstance(event, FinalTranscript) and event.text).split(), events


ALL = [word.text for word in SPOKEN]


@given(
    groups=st.sampled_from([1, 2, 5, 14]),
    breaks_ms=st.lists(st.integers(300, ENDS_MS), max_size=3).map(sorted),
    shifts_ms=st.lists(st.integers(-60, 60), min_size=1, max_size=4),
)
@settings(max_examples=40, deadline=None)
def test_every_word_is_heard_once_wherever_the_streams_are_cut(groups, breaks_ms, shifts_ms):
    words, _ = heard(groups, breaks_ms, shifts_ms, stt_keep_ms=10_000)
    assert words == ALL


@pytest.mark.parametrize("break_ms", range(2_000, 6_500, 370))
def test_words_of_a_long_turn_whose_audio_is_not_kept_are_taken_as_they_were_guessed(break_ms):
    """A recogniser that settles whole turns only is lost in a turn that is longer than the audio that is kept."""
    words, _ = heard(14, [break_ms], stt_keep_ms=1_500)
    assert words == ALL


def test_a_guess_never_shows_words_that_a_final_has_told():
    _, events = heard(3, [3_000, 4_100])
    told: set[str] = set()
    for event in events:
        assert not told.intersection(event.text.split())
        if isinstance(event, FinalTranscript):
            told.update(event.text.split())


def known_until(ms):
    words = HeardWords()
    words.new_in(FinalTranscript("one", False, 2_000, (Word("one", 1_700, 2_000),)), 2_100)
    words.reopened(2_000 - ms, 2_500, 2_500)
    return words


TAIL, NEXT = Word("one", 200, 480), Word("two", 560, 800)


@pytest.mark.parametrize(
    ("event", "new"),
    [
        (SpeechStarted(100), None),
        (SpeechStarted(560), SpeechStarted(560)),
        (InterimTranscript("one", (TAIL,)), None),
        (InterimTranscript("one two", (TAIL, NEXT)), InterimTranscript("two")),
        (InterimTranscript("one two"), InterimTranscript("one two")),  # nothing is known of the places
        (EagerEndOfTurn("one two", (TAIL, NEXT)), EagerEndOfTurn("two")),
        (FinalTranscript("one", False, 480, (TAIL,)), None),
        (FinalTranscript("one", True, 480, (TAIL,)), FinalTranscript("", True, 480)),  # that the turn is over is news
        (FinalTranscript("one two", True, 800, (TAIL, NEXT)), FinalTranscript("two", True, 800)),
    ],
)
def test_what_is_new_in_a_stream_that_hears_half_a_second_again(event, new):
    assert known_until(500).new_in(event, 3_000) == new


def test_a_guess_that_was_taken_for_words_is_not_told_again():
    words = HeardWords()
    words.new_in(InterimTranscript("what is", (Word("what", 100, 300), Word("is", 350, 500))), 600)
    assert words.reopened(0, 600 + 2_500, 2_500) is None
    again = FinalTranscript("what is the", True, 900, (Word("what", 100, 300), Word("is", 350, 500), Word("the", 560, 900)))
    assert words.new_in(again, 4_000) == FinalTranscript("the", True, 900)
