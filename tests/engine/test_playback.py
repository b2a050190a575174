"""Pacing by itself, against a carrier's real queue."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.playback import Playback
from engine.transcript import Piece
from engine.tuning import Tuning
from tests.engine.carrier import Line
from tests.engine.virtual_loop import play


class Stage:
    """A playback with its line; `speak` queues a piece of so many ms at once."""

    def __init__(self, line=None, **tuning):
        self.line = line or Line([])
        self.started: list[Piece] = []
        self.closed: list[bool] = []
        self.playback = Playback(self.line, Tuning(**tuning), self.started.append, lambda: self.closed.append(True))

    async def __aenter__(self):
        self.now = asyncio.get_running_loop().time
        self.zero_s = self.now()
        self._tasks = [asyncio.create_task(self.playback.run()), asyncio.create_task(self._bring_marks())]
        self.playback.begin()
        return self

    async def __aexit__(self, *_):
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self.line.close()

    async def _bring_marks(self):
        while (event := await self.line.inbox.get()) is not None:
            self.playback.reach_mark(event.name)

    async def speak(self, ms, text="words"):
        piece = Piece(text)
        self.playback.open(piece)
        await self.playback.write(b"\x01\x10" * (ms * 8))
        self.playback.close(piece)
        return piece

    @property
    def now_ms(self):
        return round((self.now() - self.zero_s) * 1000)


def test_audio_goes_out_in_whole_chunks_never_far_ahead_and_without_drift():
    async def scene():
        async with Stage() as stage:
            await stage.speak(59_990)
            stage.playback.finish()
            await stage.playback.heard_to_end(patient=True)
            return stage.line.sent, stage.now_ms, len(stage.line.played)

    sent, ended_ms, _ = play(scene())
    assert {each.size for each in sent} == {3200}
    assert len(sent) == 300
    assert max(each.lead_ms for each in sent) <= 400.01
    assert min(each.lead_ms for each in sent[2:]) >= 399.9
    assert ended_ms == 60_030


@pytest.mark.parametrize("max_lead_ms", [0, 200, 700])
def test_how_far_ahead_is_a_setting_but_never_less_than_a_chunk(max_lead_ms):
    async def scene():
        async with Stage(max_lead_ms=max_lead_ms) as stage:
            await stage.speak(5000)
            stage.playback.finish()
            await stage.playback.heard_to_end(patient=True)
            return max(each.lead_ms for each in stage.line.sent)

    assert play(scene()) == pytest.approx(max(200, max_lead_ms // 200 * 200 if max_lead_ms % 200 == 0 else 700), abs=0.1)


def test_sentences_that_are_ready_in_time_are_joined_without_silence_between():
    async def scene():
        async with Stage() as stage:
            await stage.speak(330)
            await stage.speak(510)
            stage.playback.finish()
            await stage.playback.heard_to_end(patient=True)
            await asyncio.sleep(1)
            await stage.line.close()
            return bytes(stage.line.played)

    assert play(scene()) == b"\x01\x10" * (840 * 8) + bytes(160 * 16)


def test_the_tail_of_a_sentence_does_not_wait_for_one_that_is_late():
    async def scene():
        async with Stage() as stage:
            await stage.speak(330)
            await asyncio.sleep(2)
            early = len(stage.line.sent)
            await stage.speak(100)
            stage.playback.finish()
            await stage.playback.heard_to_end(patient=True)
            return early, [round((each.at_s - stage.zero_s) * 1000) for each in stage.line.sent]

    early, sent_ms = play(scene())
    assert early == 2
    assert sent_ms == [0, 140, 2000]  # the tail: 60 ms before the line would fall silent


def test_a_mark_stands_behind_every_sentence():
    async def scene():
        async with Stage() as stage:
            for ms in (300, 450, 250):
                await stage.speak(ms)
            stage.playback.finish()
            await stage.playback.heard_to_end(patient=True)
            return stage.line.marks_sent, stage.playback._marks_seen

    marks, seen = play(scene())
    assert len(set(marks)) == 3
    assert seen == 3


def test_each_piece_is_reported_when_its_first_audio_goes_out():
    async def scene():
        async with Stage() as stage:
            pieces = [await stage.speak(1000, text) for text in "ab"]
            await asyncio.sleep(0.5)
            first = list(stage.started)
            await asyncio.sleep(0.5)
            return pieces, first, stage.started

    pieces, first, both = play(scene())
    assert first == [pieces[0]]
    assert both == pieces
    assert [(piece.start_ms, piece.end_ms) for piece in pieces] == [(0, 1000), (1000, 2000)]


@pytest.mark.parametrize("at_ms", [0, 70, 200, 350, 900, 1990])
def test_an_interruption_counts_the_chunk_in_play_as_heard_and_no_more(at_ms):
    async def scene():
        async with Stage() as stage:
            await stage.speak(5000)
            await asyncio.sleep(at_ms / 1000)
            heard_ms = await stage.playback.interrupt()
            await asyncio.sleep(2)
            await stage.line.close()
            return heard_ms, len(stage.line.played) / 16, len(stage.line.sent)

    heard_ms, really_played_ms, _ = play(scene())
    assert heard_ms == pytest.approx(-(-at_ms // 200) * 200, abs=0.2)
    assert heard_ms <= really_played_ms <= heard_ms + 200


def test_after_an_interruption_a_new_turn_starts_at_once_and_from_zero():
    async def scene():
        async with Stage() as stage:
            await stage.speak(5000)
            await asyncio.sleep(1.1)
            await stage.playback.interrupt()
            stage.playback.begin()
            sent_before = len(stage.line.sent)
            piece = await stage.speak(600)
            stage.playback.finish()
            await stage.playback.heard_to_end(patient=True)
            return piece.start_ms, stage.playback.heard_ms(), round((stage.line.sent[sent_before].at_s - stage.zero_s) * 1000)

    assert play(scene()) == (0, 600, 1100)


def test_a_line_without_marks_is_waited_for_once_and_then_known():
    async def scene():
        async with Stage(Line([], returns_marks=False)) as stage:
            waits = []
            for patient in (False, False, True):
                stage.playback.begin()
                start_ms = stage.now_ms
                await stage.speak(1000)
                stage.playback.finish()
                await stage.playback.heard_to_end(patient=patient)
                waits.append(stage.now_ms - start_ms)
            return waits

    assert play(scene()) == [2500, 1200, 2500]


def test_a_closed_line_is_told_once_and_nobody_waits_for_it():
    async def scene():
        async with Stage(Line([], breaks_after_sends=2), max_queued_ms=1000) as stage:
            await stage.speak(5000)
            await stage.speak(5000)
            await stage.playback.room()
            stage.playback.finish()
            await stage.playback.heard_to_end(patient=True)
            told_before = list(stage.closed)
            await asyncio.sleep(1)
            return told_before, stage.closed

    assert play(scene()) == ([], [True])


def test_whoever_writes_faster_than_it_plays_is_made_to_wait():
    async def scene():
        async with Stage(max_queued_ms=1000) as stage:
            piece = Piece("words")
            stage.playback.open(piece)
            for _ in range(50):
                await stage.playback.write(b"\x01\x10" * 800)
            return stage.now_ms, len(stage.playback._buffer)

    took_ms, queued = play(scene())
    assert took_ms >= 3000
    assert queued <= 16_000 + 1600


PATTERN = b"".join((1000 + number).to_bytes(2, "little") for number in range(8 * 3000))  # 3 s, no sample like its neighbours


async def paused(stage, at_ms, for_ms, pcm=PATTERN):
    piece = Piece("words")
    stage.playback.open(piece)
    await stage.playback.write(pcm)
    stage.playback.close(piece)
    stage.playback.finish()
    end = asyncio.create_task(stage.playback.heard_to_end(patient=True))
    await asyncio.sleep(at_ms / 1000)
    await stage.playback.pause()
    paused_at_s = stage.now()
    await asyncio.sleep(for_ms / 1000)
    sent_while_paused = sum(each.at_s > paused_at_s for each in stage.line.sent)
    heard_ms, resumed_ms = stage.playback.heard_ms(), stage.now_ms
    stage.playback.resume()
    await end
    await asyncio.sleep(1)
    return sent_while_paused, heard_ms, resumed_ms


@pytest.mark.parametrize("at_ms", [10, 190, 210, 999, 1400, 2550, 2790, 2990])
@pytest.mark.parametrize("for_ms", [1, 150, 900])
@pytest.mark.parametrize("marks", [{}, {"returns_marks": False}, {"mark_delay_ms": 700}])
def test_a_pause_loses_no_audio_and_repeats_none(at_ms, for_ms, marks):
    async def scene():
        async with Stage(Line([], **marks)) as stage:
            sent_while_paused, heard_ms, resumed_ms = await paused(stage, at_ms, for_ms)
            await stage.line.close()
            return sent_while_paused, heard_ms, resumed_ms, bytes(stage.line.played), stage.playback.heard_ms()

    sent_while_paused, heard_ms, resumed_ms, played, heard_in_the_end_ms = play(scene())
    assert sent_while_paused == 0
    assert played == PATTERN
    assert heard_ms <= -(-resumed_ms // 200) * 200 + 0.2
    assert heard_in_the_end_ms == 3000


def test_a_paused_turn_is_not_over_until_its_last_audio_was_heard():
    """The pause comes when all is sent and only the mark is awaited: far longer than the mark's patience."""

    async def scene():
        async with Stage() as stage:
            await paused(stage, 2700, 10_000)
            return round((stage.line.sent[-1].at_s - stage.zero_s) * 1000), stage.line.marks_sent

    last_sent_ms, marks = play(scene())
    assert last_sent_ms == 12_700
    assert len(marks) == 2
    assert len(set(marks)) == 2  # the mark of before the pause means nothing any more


def test_an_interruption_in_a_pause_counts_what_was_heard_before_it_and_clears_once():
    async def scene():
        async with Stage() as stage:
            await stage.speak(5000)
            await asyncio.sleep(0.95)
            await stage.playback.pause()
            await asyncio.sleep(0.5)
            heard_ms = await stage.playback.interrupt()
            await asyncio.sleep(2)
            await stage.line.close()
            return heard_ms, len(stage.line.played) / 16, len(stage.line.cleared_at_s)

    assert play(scene()) == (1000, 1000, 1)


def test_a_held_turn_is_inaudible_until_it_is_released():
    async def scene():
        async with Stage() as stage:
            stage.playback.begin(held=True)
            await stage.speak(1000)
            await asyncio.sleep(3)
            before = len(stage.line.sent)
            stage.playback.release()
            stage.playback.finish()
            await stage.playback.heard_to_end(patient=True)
            return before, round((stage.line.sent[0].at_s - stage.zero_s) * 1000), stage.playback.heard_ms()

    assert play(scene()) == (0, 3000, 1000)


def test_how_long_the_line_has_been_quiet_is_known():
    async def scene():
        async with Stage() as stage:
            await stage.speak(1000)
            await asyncio.sleep(0.3)
            playing_ms = stage.playback.quiet_ms()
            await asyncio.sleep(2.7)
            return playing_ms, stage.playback.quiet_ms()

    assert play(scene()) == (pytest.approx(-700), pytest.approx(2000))


ONE_TURN = b"".join((1000 + number).to_bytes(2, "little") for number in range(8 * 1500))


@given(
    at_ms=st.lists(st.integers(0, 1_700) | st.sampled_from(range(0, 1_601, 200)), min_size=1, max_size=3),
    for_ms=st.sampled_from([1, 199, 200, 450, 1200]),
    line=st.sampled_from(
        [{}, {"mark_delay_ms": 0}, {"mark_delay_ms": 50}, {"returns_marks": False}, {"plays_late_ms": 19, "mark_delay_ms": 2}]
    ),
    has_spoken=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_whenever_it_is_paused_and_however_often_what_was_heard_is_the_sentence_exactly(at_ms, for_ms, line, has_spoken):
    """On the boundary of two chunks too, on a line that plays a little late, and with the lag that an earlier turn's marks have told."""
    if line.get("plays_late_ms") and not has_spoken:
        line = {**line, "plays_late_ms": 4}  # nobody can know of a lag that no mark has told of

    async def scene():
        async with Stage(Line([], **line)) as stage:
            if has_spoken:
                await stage.speak(600)
                stage.playback.finish()
                await stage.playback.heard_to_end(patient=True)
                await asyncio.sleep(0.5)
                stage.playback.begin()
            before = len(stage.line.settled())
            piece = Piece("words")
            stage.playback.open(piece)
            await stage.playback.write(ONE_TURN)
            stage.playback.close(piece)
            stage.playback.finish()
            for each_ms in at_ms:
                await asyncio.sleep(each_ms / 1000)
                await stage.playback.pause()
                await asyncio.sleep(for_ms / 1000)
                stage.playback.resume()
            await stage.playback.heard_to_end(patient=True)
            await asyncio.sleep(1)
            return stage.line.settled()[before:]

    assert play(scene()).rstrip(b"\0") == ONE_TURN.rstrip(b"\0")


def test_a_pause_is_never_long_in_coming():
    async def scene():
        waits = []
        for at_ms in range(0, 401, 5):
            async with Stage(Line([], mark_delay_ms=45)) as stage:
                await stage.speak(600)
                stage.playback.finish()
                await stage.playback.heard_to_end(patient=True)
                stage.playback.begin()
                await stage.speak(5_000)
                await asyncio.sleep(at_ms / 1000)
                began_ms = stage.now_ms
                await stage.playback.pause()
                waits.append(stage.now_ms - began_ms)
        return waits

    waits = play(scene())
    assert max(waits) <= 55
    assert waits.count(0) > len(waits) / 2
