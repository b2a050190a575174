"""A line as a carrier really plays it: whole messages in a queue, marks behind them, `clear` that spares the message in play."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from engine.audio import AudioChunk, duration_ms
from engine.errors import LinkClosed
from engine.ports import CallerAudio, DtmfPressed, LinkEnded, MarkReached

FRAME_MS = 20
MS_PER_WORD = 300
_TONE = (0, 4243, 6000, 4243, 0, -4243, -6000, -4243)  # one period of 1000 Hz at 8 kHz


@dataclass(frozen=True)
class Says:
    """The caller speaks `text` from `at_ms` on, 300 ms a word. `noise` is sound without words."""

    at_ms: int
    text: str
    noise_ms: int = 0

    @property
    def until_ms(self) -> int:
        return self.at_ms + (self.noise_ms or len(self.text.split()) * MS_PER_WORD)


@dataclass(frozen=True)
class Presses:
    at_ms: int
    digit: str


@dataclass(frozen=True)
class Beeps:
    """A machine's tone of 1000 Hz."""

    at_ms: int
    until_ms: int


@dataclass(frozen=True)
class HangsUp:
    at_ms: int
    reason: str = "caller-hangup"


@dataclass
class Sent:
    at_s: float
    lead_ms: float
    size: int


@dataclass
class Line:
    """An `AudioLink`. What the caller says is in the audio itself: a frame's samples carry the number of the sentence spoken."""

    script: list
    sample_rate_hz: int = 8000
    chunk_bytes: int = 3200
    returns_marks: bool = True
    mark_delay_ms: int = 30
    plays_late_ms: int = 0  # audio that meets a silent line waits for the player's next step
    breaks_after_sends: int | None = None
    hears_until_ms: int | None = None
    sent: list[Sent] = field(default_factory=list)
    played: bytearray = field(default_factory=bytearray)
    cleared_at_s: list[float] = field(default_factory=list)
    marks_sent: list[str] = field(default_factory=list)
    is_closed: bool = False
    closed_at_s: float | None = None
    closes: int = 0

    def __post_init__(self):
        self.inbox: asyncio.Queue = asyncio.Queue()
        self._queue: deque = deque()  # (play_from_s, play_until_s, pcm)
        self._marks: list = []
        self._play_end_s = 0.0
        self._lines = [each for each in self.script if isinstance(each, Says)]

    # --- from the caller ----------------------------------------------------------------------------------------------

    async def __aiter__(self):
        loop = asyncio.get_running_loop()
        self.zero_s = loop.time()
        for step in self.script:
            if isinstance(step, Presses):
                loop.call_at(self.zero_s + step.at_ms / 1000, self.inbox.put_nowait, DtmfPressed(step.digit))
            if isinstance(step, HangsUp):
                loop.call_at(self.zero_s + step.at_ms / 1000, self.inbox.put_nowait, LinkEnded(step.reason))
        frame = 0
        while not self.is_closed:
            frame_due_s = self.zero_s + (frame + 1) * FRAME_MS / 1000
            try:
                async with asyncio.timeout_at(frame_due_s):
                    event = await self.inbox.get()
            except TimeoutError:
                yield CallerAudio(AudioChunk(self._frame(frame * FRAME_MS), self.sample_rate_hz))
                frame += 1
                continue
            if event is None:
                break
            yield event
            if isinstance(event, LinkEnded):
                self.is_closed = True

    def _frame(self, at_ms):
        if any(isinstance(each, Beeps) and each.at_ms <= at_ms < each.until_ms for each in self.script):
            return b"".join(level.to_bytes(2, "little", signed=True) for level in _TONE) * (self.sample_rate_hz * FRAME_MS // 8000)
        number = next((index for index, line in enumerate(self._lines, start=1) if line.at_ms <= at_ms < line.until_ms), 0)
        return (number * 1000).to_bytes(2, "little", signed=True) * (self.sample_rate_hz * FRAME_MS // 1000)

    # --- to the caller ------------------------------------------------------------------------------------------------

    async def send_audio(self, pcm):
        now_s = asyncio.get_running_loop().time()
        if self.is_closed or (self.breaks_after_sends is not None and len(self.sent) >= self.breaks_after_sends):
            raise LinkClosed("the line is gone")
        start_s = self._play_end_s if self._play_end_s > now_s else now_s + self.plays_late_ms / 1000
        self._play_end_s = start_s + duration_ms(len(pcm), self.sample_rate_hz) / 1000
        self.sent.append(Sent(now_s, (self._play_end_s - now_s) * 1000, len(pcm)))
        self._settle(now_s)
        self._queue.append((start_s, self._play_end_s, pcm))

    async def send_mark(self, name):
        self.marks_sent.append(name)
        if not self.returns_marks:
            return
        loop = asyncio.get_running_loop()
        due_s = max(loop.time(), self._play_end_s) + self.mark_delay_ms / 1000
        self._marks.append(loop.call_at(due_s, self.inbox.put_nowait, MarkReached(name)))

    async def clear(self):
        if self.is_closed:
            raise LinkClosed("the line is gone")
        now_s = asyncio.get_running_loop().time()
        self.cleared_at_s.append(now_s)
        self._settle(now_s)
        for mark in self._marks:
            mark.cancel()
        while self._queue and self._queue[-1][0] > now_s:
            self._queue.pop()
        self._play_end_s = self._queue[-1][1] if self._queue else now_s

    async def close(self):
        self.closes += 1
        if not self.is_closed or self.closed_at_s is None:
            now_s = asyncio.get_running_loop().time()
            self.is_closed, self.closed_at_s = True, now_s
            self._settle(now_s)
            for mark in self._marks:
                mark.cancel()
            self.inbox.put_nowait(None)

    def settled(self):
        """All that the caller has heard by now."""
        self._settle(asyncio.get_running_loop().time())
        return bytes(self.played)

    def _settle(self, now_s):
        """Moves what has been played by now from the queue to the caller's ear."""
        while self._queue and self._queue[0][1] <= now_s + 1e-9:
            self.played += self._queue.popleft()[2]
