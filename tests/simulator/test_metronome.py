"""The one clock of all streams: each is asked in its turn for as long as it takes part, and lateness is kept."""

import asyncio

from simulator.metronome import Metronome


class Stream:
    def __init__(self, beats: int) -> None:
        self.left = beats
        self.done = asyncio.Event()

    def beat(self) -> None:
        self.left -= 1
        if self.left <= 0:
            self.done.set()


async def test_every_stream_is_asked_until_it_leaves_and_the_clock_rests_without_any():
    metronome = Metronome()
    streams = [Stream(beats) for beats in (1, 3, 2)]

    async def live(stream: Stream) -> int:
        with metronome.joined(stream.beat):
            await asyncio.wait_for(stream.done.wait(), 60)
        left = stream.left
        await asyncio.sleep(0)
        return left

    lefts = await asyncio.gather(*(live(stream) for stream in streams))
    assert all(left <= 0 for left in lefts)
    assert [stream.left for stream in streams] == lefts, "who left is asked no more"
    assert len(metronome.late_ms) >= 3
    assert min(metronome.late_ms) >= 0


async def test_it_is_never_faster_than_time():
    metronome, stream = Metronome(), Stream(5)
    loop = asyncio.get_running_loop()
    began = loop.time()
    with metronome.joined(stream.beat):
        await asyncio.wait_for(stream.done.wait(), 60)
    assert 5 - stream.left <= (loop.time() - began) / 0.02 + 1
