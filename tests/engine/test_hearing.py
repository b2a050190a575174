"""The caller's audio on its way to recognition: at once where the stream can, in order always."""

import asyncio
from contextlib import asynccontextmanager

from engine.audio import AudioChunk
from engine.hearing import Hearing
from engine.tuning import Tuning

RATE_HZ = 8_000


class _Stream:
    """Takes frames at once while `is_free`; keeps what came, and how."""

    usage = ()

    def __init__(self):
        self.is_free = True
        self.taken = []
        self.finished = asyncio.Event()

    def send_now(self, chunk):
        if self.is_free:
            self.taken.append(("now", chunk.pcm[0]))
        return self.is_free

    async def send(self, chunk):
        self.taken.append(("later", chunk.pcm[0]))

    async def finish(self):
        self.finished.set()

    def __aiter__(self):
        return self

    async def __anext__(self):
        await self.finished.wait()
        raise StopAsyncIteration


class _Ears:
    provider, model = "ears", "one"

    def __init__(self, stream):
        self.kept = stream

    @asynccontextmanager
    async def stream(self, sample_rate_hz):
        yield self.kept


async def _deliver(event):
    raise AssertionError(event)


async def test_frames_go_at_once_after_those_that_waited_and_none_after_the_end():
    stream = _Stream()
    hearing = Hearing(
        _Ears(stream), RATE_HZ, Tuning(), now_ms=lambda: 0, deliver=_deliver, on_failure=lambda error: None, on_usage=lambda records: None
    )

    def hear(number):
        hearing.take(AudioChunk(bytes([number]) * 320, RATE_HZ))

    async def settled():
        for _ in range(10):
            await asyncio.sleep(0)

    hear(1)
    running = asyncio.create_task(hearing.run())
    await settled()
    hear(2)
    stream.is_free = False
    hear(3)
    stream.is_free = True
    hear(4)  # must not overtake the one that waits
    await settled()
    hear(5)
    hearing.finish()
    hear(6)
    assert await running
    assert stream.taken[:5] == [("later", 1), ("now", 2), ("later", 3), ("later", 4), ("now", 5)]
    assert ("now", 6) not in stream.taken
