"""Plays the agent's audio on the link at the pace of real time, and knows how much of it the caller has heard.

The carrier takes whole chunks only, and what lies in its buffer can hardly be taken back: so chunks are never sent more than
`max_lead_ms` ahead, on a schedule that counts audio and not sleeps, so that it cannot drift. What was heard is judged by that schedule,
corrected by the marks that come back; a carrier that never returns a mark is judged by the schedule alone. What was sent but not heard is
kept until it was, so that a pause loses nothing and repeats nothing.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from engine.audio import duration_ms
from engine.errors import LinkClosed
from engine.ports import AudioLink
from engine.transcript import Piece
from engine.tuning import Tuning

_JOIN_LEAD_S = 0.06  # a sentence's last part of a chunk waits this close to silence for the next sentence to fill it
_DUE_S = 1e-6  # timers are no finer: a chunk this close is due
_MOST_LAG_S = 1.0
_GRACE_WITHOUT_MARKS_S = 0.2
_UNSURE_S = 0.005  # how near to a chunk's beginning it is anybody's guess whether the carrier has begun it
_MOST_CERTAINTY_S = 0.06  # how long a pause may wait to be sure of that
_LINK_LAST_WORD_S = 0.5  # a link that refuses audio is about to say why it ended: its own word goes first


@dataclass(slots=True)
class _Mark:
    """Stands behind a piece's audio. Positions count from the turn's first byte; `covers_bytes` is what was sent before it."""

    name: str
    end_bytes: int
    covers_bytes: int = 0


class Playback:
    """One link's audio. `begin` a turn, `open` and `close` its pieces, `write` between them, then `finish`; or `interrupt` it.

    A turn begun `held` is inaudible until `release`; a `pause` ends with `resume` or `interrupt`.
    `on_started(piece)` is called when a piece's first audio has gone out; `on_link_closed()` half a second after the link
    began to refuse audio.
    """

    def __init__(self, link: AudioLink, tuning: Tuning, on_started: Callable[[Piece], None], on_link_closed: Callable[[], None]) -> None:
        self._link = link
        self._tuning = tuning
        self._on_started = on_started
        self._on_link_closed = on_link_closed
        self._chunk_bytes = link.chunk_bytes
        self._chunk_s = duration_ms(link.chunk_bytes, link.sample_rate_hz) / 1000
        self._limit_s = max(tuning.max_lead_ms / 1000, self._chunk_s)
        self._max_queued_bytes = self._bytes(tuning.max_queued_ms)
        self._changed = asyncio.Event()  # there may be something to send
        self._drained = asyncio.Event()  # something was sent
        self._marks_back = asyncio.Event()
        self._sending = asyncio.Lock()
        self._play_end_s = 0.0  # when the link will have played all that was sent
        self._lag_s = 0.0  # how much later than that the marks say
        self._marks_seen = 0
        self._marks_missed = 0
        self._turn = 0
        self._epoch = 0  # counts resets and pauses: tells who waited that things have changed
        self._kept_chunks = 1 + math.ceil((self._limit_s + _MOST_LAG_S) / self._chunk_s)
        self._is_closed = False
        self._reset()

    def _reset(self) -> None:
        self._epoch += 1
        self._buffer = bytearray()
        self._written_bytes = 0  # of this turn, padding included
        self._sent_bytes = 0
        self._reached_bytes = 0
        self._marked_bytes = 0  # where the last mark stands: the turn's audio without padding
        self._is_open = False
        self._is_finished = False
        self._is_held = False
        self._is_paused = False
        self._sent: deque[bytes] = deque(maxlen=self._kept_chunks)  # the last chunks: not all of them were heard yet
        self._unstarted: deque[tuple[int, Piece]] = deque()
        self._unsent_marks: deque[_Mark] = deque()
        self._awaited_marks: deque[_Mark] = deque()

    # --- what a reply does --------------------------------------------------------------------------------------------

    def begin(self, *, held: bool = False) -> None:
        """A new turn starts at position 0. What was left of the last one is forgotten."""
        self._turn += 1
        self._reset()
        self._is_held = held

    def release(self) -> None:
        """What was written so far may be heard from now on."""
        self._is_held = False
        self._changed.set()

    def open(self, piece: Piece) -> None:
        piece.start_ms = self._ms(self._written_bytes)
        self._unstarted.append((self._written_bytes, piece))
        self._is_open = True

    async def write(self, pcm: bytes) -> None:
        """Queues audio of the open piece; waits while a minute of it is queued already. Discards it once the link is closed."""
        while len(self._buffer) >= self._max_queued_bytes and not self._is_closed:
            await self._wait_for_room()
        self.add(pcm)

    def add(self, pcm: bytes) -> None:
        """Queues audio that is in memory anyway: it does not wait, however much is queued."""
        if self._is_closed or not pcm:
            return
        self._buffer += pcm
        self._written_bytes += len(pcm)
        if len(self._buffer) >= self._chunk_bytes:
            self._changed.set()

    def close(self, piece: Piece) -> None:
        """The open piece is complete: a mark goes out behind it."""
        piece.end_ms = self._ms(self._written_bytes)
        self._is_open = False
        self._mark()
        self._changed.set()

    def finish(self) -> None:
        """No further piece follows in this turn. A piece that was left open ends where its audio ends."""
        self._is_open = False
        self._is_finished = True
        self._mark()
        self._changed.set()

    async def room(self) -> None:
        """Waits until so little is queued that the next piece should be fetched."""
        while self._ms(len(self._buffer)) > self._tuning.prefetch_ms and not self._is_closed:
            await self._wait_for_room()

    async def heard_to_end(self, *, patient: bool) -> None:
        """Waits, after `finish`, until the caller has heard the whole turn: its last mark is back, or its time is up.

        `patient` waits the full `mark_grace_ms` for the mark even if this link has never returned one: right for a goodbye.
        """
        while True:
            while (self._buffer or self._unsent_marks) and not self._is_closed:
                await self._wait_for_room()
            if self._is_closed or not self._awaited_marks:
                return
            if await self._marks_are_back(patient) and not self._buffer and not self._unsent_marks:
                self._reached_bytes = self._sent_bytes
                return

    async def _marks_are_back(self, patient: bool) -> bool:
        """Waits for the last mark, or until its time is up. False if a pause took audio back meanwhile."""
        has_marks = self._marks_seen > 0 or self._marks_missed == 0
        grace_s = self._tuning.mark_grace_ms / 1000 if patient or has_marks else _GRACE_WITHOUT_MARKS_S
        loop = asyncio.get_running_loop()
        epoch = self._epoch
        try:
            async with asyncio.timeout_at(max(self._play_end_s, loop.time()) + grace_s):
                while self._awaited_marks and epoch == self._epoch and not self._is_closed:
                    self._marks_back.clear()
                    await self._marks_back.wait()
        except TimeoutError:
            self._marks_missed += 1
        return epoch == self._epoch

    # --- what the session does ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Sends what is queued, when it is due, until cancelled or the link is closed."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                delay_s = self._delay_s(loop.time())
                if delay_s is not None and delay_s <= _DUE_S:
                    await self._send_next(loop)
                    continue
                self._changed.clear()
                due = (
                    None if delay_s is None else loop.call_later(delay_s, self._changed.set)
                )  # an `asyncio.timeout` costs three times that
                try:
                    await self._changed.wait()
                finally:
                    if due is not None:
                        due.cancel()
        except LinkClosed:
            self._is_closed = True
            self._drained.set()
            self._marks_back.set()
            await asyncio.sleep(_LINK_LAST_WORD_S)
            self._on_link_closed()

    def reach_mark(self, name: str) -> None:
        """A mark came back. Marks of an earlier turn, or of audio that was cleared, say nothing any more."""
        if all(mark.name != name for mark in self._awaited_marks):
            return
        self._marks_seen += 1
        while True:
            mark = self._awaited_marks.popleft()
            if mark.name == name:
                break
        self._reached_bytes = max(self._reached_bytes, mark.covers_bytes)
        expected_s = self._play_end_s - self._ms(self._sent_bytes - mark.covers_bytes) / 1000
        self._lag_s = min(_MOST_LAG_S, max(0.0, asyncio.get_running_loop().time() - expected_s))
        self._marks_back.set()

    def heard_ms(self) -> float:
        """How much of this turn's audio the caller has heard by now."""
        ahead_s = max(0.0, self._play_end_s + self._lag_s - asyncio.get_running_loop().time())
        played_bytes = self._sent_bytes - self._bytes(ahead_s * 1000)
        return self._ms(min(self._sent_bytes, max(self._reached_bytes, played_bytes)))

    def quiet_ms(self) -> float:
        """How long nothing has been audible; negative while audio is queued or playing: then for how long still."""
        ends_s = max(self._play_end_s, asyncio.get_running_loop().time()) if self._buffer else self._play_end_s
        return (asyncio.get_running_loop().time() - ends_s) * 1000 - self._ms(len(self._buffer))

    @property
    def is_heard_whole(self) -> bool:
        """Whether the turn is finished and nothing of it is still to be heard."""
        return self._is_finished and self.heard_ms() >= self._ms(self._marked_bytes)

    async def interrupt(self) -> float:
        """Silences the line: drops what is queued here and at the carrier. Gives how much of the turn the caller heard, in ms.

        The chunk that the carrier is playing cannot be stopped; it counts as heard.
        """
        heard_bytes = self._heard_bytes()
        must_clear = not self._is_paused and (self._sent_bytes > 0 or self._sending.locked())
        self._reset()
        if must_clear:
            async with self._sending:  # a chunk on its way out must not follow the clear
                with suppress(LinkClosed):
                    await self._link.clear()
        self._silenced()
        return self._ms(heard_bytes)

    async def pause(self) -> None:
        """Silences the line, but keeps what the caller has not heard, from the chunk after the one in play on."""
        if self._is_paused or self.is_heard_whole:
            return
        self._is_paused = True
        async with self._sending:  # a chunk on its way out is sent, and then taken back
            await asyncio.sleep(self._doubt_s())
            heard_bytes = self._heard_bytes()
            self._epoch += 1
            if self._sent_bytes:
                self._take_back(heard_bytes)
                with suppress(LinkClosed):
                    await self._link.clear()
            self._silenced()

    def resume(self) -> None:
        self._is_paused = False
        self._changed.set()

    def _doubt_s(self) -> float:
        """How long until it is certain which chunk the carrier plays: one that is being played cannot be taken back, any other is.

        A mark that came late may have been late in coming, or what is before it late in being played. Both are the same chunk again once
        that much of it must be over. 0 also where that takes too long: then audio is rather repeated than lost.
        """
        into_s = self._chunk_s - (self._play_end_s - asyncio.get_running_loop().time()) % self._chunk_s
        if self._play_end_s <= asyncio.get_running_loop().time() or self._lag_s + 2 * _UNSURE_S > _MOST_CERTAINTY_S:
            return 0.0
        if into_s > self._chunk_s - _UNSURE_S:
            into_s -= self._chunk_s
        return max(0.0, self._lag_s + _UNSURE_S - into_s)

    def _heard_bytes(self) -> int:
        """What the caller will have heard if the line is silenced now: the chunk in play is heard to its end."""
        heard_bytes = self._bytes(self.heard_ms())
        return min(self._sent_bytes, heard_bytes + (-heard_bytes % self._chunk_bytes))

    def _take_back(self, heard_bytes: int) -> None:
        """Queues again what was sent beyond `heard_bytes`, and the marks behind it under new names: the old ones may yet come back."""
        count = min(len(self._sent), (self._sent_bytes - heard_bytes) // self._chunk_bytes)
        unheard = [self._sent.pop() for _ in range(count)]
        self._buffer[:0] = b"".join(reversed(unheard))
        self._sent_bytes -= count * self._chunk_bytes
        while self._awaited_marks and self._awaited_marks[-1].end_bytes > self._sent_bytes:
            mark = self._awaited_marks.pop()
            self._unsent_marks.appendleft(_Mark(f"{mark.name}-{self._epoch}", mark.end_bytes))

    def _silenced(self) -> None:
        """The link has dropped what it had, but for the rest of the chunk in play."""
        now_s = asyncio.get_running_loop().time()
        ahead_s = self._play_end_s - now_s
        if ahead_s > 0:
            rest_s = ahead_s % self._chunk_s
            self._play_end_s = now_s + (rest_s if rest_s > _DUE_S else min(ahead_s, self._chunk_s))
        self._drained.set()
        self._marks_back.set()

    # --- pacing -------------------------------------------------------------------------------------------------------

    def _delay_s(self, now_s: float) -> float | None:
        """How long until the next chunk is due; None while there is none to send."""
        if self._is_held or self._is_paused:
            return None
        if not self._buffer:
            return 0.0 if self._unsent_marks else None
        lead_s = self._play_end_s - now_s
        due_s = lead_s + self._chunk_s - self._limit_s
        if len(self._buffer) >= self._chunk_bytes or self._is_finished:
            return due_s
        if self._is_open:
            return None
        return max(due_s, lead_s - _JOIN_LEAD_S)

    async def _send_next(self, loop: asyncio.AbstractEventLoop) -> None:
        async with self._sending:
            if self._buffer:
                missing = self._chunk_bytes - len(self._buffer)
                if missing > 0:
                    self._buffer += bytes(missing)
                    self._written_bytes += missing
                chunk = bytes(self._buffer[: self._chunk_bytes])
                del self._buffer[: self._chunk_bytes]
                epoch = self._epoch
                await self._link.send_audio(chunk)
                self._play_end_s = max(self._play_end_s, loop.time()) + self._chunk_s
                if epoch == self._epoch:
                    self._sent_bytes += self._chunk_bytes
                    self._sent.append(chunk)
                    self._report_started()
            while self._unsent_marks and self._unsent_marks[0].end_bytes <= self._sent_bytes:
                mark = self._unsent_marks.popleft()
                mark.covers_bytes = self._sent_bytes
                self._awaited_marks.append(mark)
                await self._link.send_mark(mark.name)
        self._drained.set()

    def _mark(self) -> None:
        if self._written_bytes > self._marked_bytes:
            self._marked_bytes = self._written_bytes
            self._unsent_marks.append(_Mark(f"turn-{self._turn}-{self._written_bytes}", self._written_bytes))

    def _report_started(self) -> None:
        while self._unstarted and self._unstarted[0][0] < self._sent_bytes:
            self._on_started(self._unstarted.popleft()[1])

    async def _wait_for_room(self) -> None:
        self._drained.clear()
        await self._drained.wait()

    def _ms(self, size: int) -> float:
        return duration_ms(size, self._link.sample_rate_hz)

    def _bytes(self, ms: float) -> int:
        return int(ms * self._link.sample_rate_hz / 1000) * 2
