"""Carries the caller's audio to speech recognition for the whole call, and what was recognised back.

Recognition runs while the agent speaks too: that is how the agent is interrupted. A lost stream is opened again, and the audio that had
not become final words is sent again, so that a short outage costs time but no words. Taking a frame never waits.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from engine.audio import AudioChunk
from engine.errors import ErrorCategory, ProviderError
from engine.latency import AudioClock
from engine.moves import HearingStumbled, SoundBegan, SoundEnded
from engine.ports import (
    FinalTranscript,
    QuickTranscriptStream,
    SpeechStarted,
    SpeechToText,
    TranscriptEvent,
    TranscriptStream,
    UtteranceEnded,
    working,
)
from engine.replay import HeardWords
from engine.tuning import Tuning
from engine.usage import UsageRecord
from engine.vad import EnergyDetector, SpeechEdge

_FRAME_MS = 20
_LOOK_MS = 40
_QUIET_MS = 120
_STABLE_MS = 30_000  # a stream that lived this long has earned a full set of new attempts
_BACKOFF_MS = (0, 250, 1000)

Frame = tuple[AudioChunk, int]


class Hearing:
    """One call's recognition. `deliver` gets every event with its times mapped to the session's clock (`now_ms`)."""

    def __init__(
        self,
        stt: SpeechToText,
        sample_rate_hz: int,
        tuning: Tuning,
        *,
        now_ms: Callable[[], int],
        deliver: Callable[[TranscriptEvent | HearingStumbled], Awaitable[None]],
        on_failure: Callable[[ProviderError], None],
        on_usage: Callable[[Iterable[UsageRecord]], None],
    ) -> None:
        self._stt = stt
        self._sample_rate_hz = sample_rate_hz
        self._tuning = tuning
        self._now_ms = now_ms
        self._deliver = deliver
        self._on_failure = on_failure
        self._on_usage = on_usage
        self._ear = EnergyDetector(stop_ms=_QUIET_MS, look_ms=_LOOK_MS)
        self._sound_began_ms = 0
        self._most_frames = most_frames = max(1, tuning.stt_keep_ms // _FRAME_MS)
        self._unsent: deque[Frame] = deque(maxlen=most_frames)
        self._unconfirmed: deque[tuple[float, Frame]] = deque(maxlen=most_frames)  # with the offset at which each ends
        self._quick: QuickTranscriptStream | None = None  # the open stream, where it takes frames at once
        self._arrived = asyncio.Event()
        self._is_finishing = False
        self._audio_clock = AudioClock()
        self._heard = HeardWords()
        self.dropped_frames = 0
        self.last_ms = 0  # when the last frame came

    def take(self, chunk: AudioChunk) -> SoundBegan | SoundEnded | None:
        """Queues a frame of the caller; gives what our own ear makes of it, if that is new."""
        if len(self._unsent) == self._unsent.maxlen:
            self.dropped_frames += 1  # recognition is not open: the oldest frame makes room
        self.last_ms = now_ms = self._now_ms()
        if self._quick is not None and not self._unsent and self._quick.send_now(chunk):
            self._note_sent((chunk, now_ms))
        else:
            self._unsent.append((chunk, now_ms))
            self._arrived.set()
        edge = self._ear.feed(chunk)
        if edge is SpeechEdge.STARTED:
            self._sound_began_ms = now_ms
            return SoundBegan(now_ms)
        return SoundEnded(max(0, now_ms - _QUIET_MS - self._sound_began_ms)) if edge is SpeechEdge.STOPPED else None

    def finish(self) -> None:
        """No more audio comes: `run` returns once the last words were delivered."""
        self._is_finishing = True
        self._quick = None
        self._arrived.set()

    async def run(self) -> bool:
        """Listens until `finish` (True) or until recognition is lost for good (False). Each loss is reported to `on_failure`."""
        attempts = 0
        while True:
            opened_ms = self._now_ms()
            try:
                await self._listen()
                return True
            except ProviderError as error:
                self._on_failure(error)
                if self._is_finishing:
                    return True
                if self._now_ms() - opened_ms >= _STABLE_MS:
                    attempts = 0
                attempts += 1
                if not error.retryable or attempts > self._tuning.stt_reopen_attempts:
                    return False
            await self._deliver(HearingStumbled())
            await asyncio.sleep(_BACKOFF_MS[min(attempts, len(_BACKOFF_MS)) - 1] / 1000)

    async def _listen(self) -> None:
        """One stream, from its opening to its end. Raises `ProviderError` if it ends before `finish`."""
        opened: TranscriptStream | None = None
        try:
            async with asyncio.timeout(self._tuning.stt_open_ms / 1000) as deadline:
                async with self._stt.stream(self._sample_rate_hz) as opened:
                    deadline.reschedule(None)
                    await self._converse(opened)
        except TimeoutError:
            raise ProviderError(
                working(self._stt)[0],
                ErrorCategory.TIMEOUT,
                "recognition did not open in time; check the provider's status",
                retryable=True,
            ) from None
        finally:
            if opened is not None:
                self._on_usage(opened.usage)  # complete now that the context was left

    async def _converse(self, stream: TranscriptStream) -> None:
        await self._send_again()
        failures: list[ProviderError] = []
        self._quick = stream if isinstance(stream, QuickTranscriptStream) else None
        try:
            async with asyncio.TaskGroup() as tasks:
                sender = tasks.create_task(self._send(stream), name="caller audio")
                await self._receive(stream)
                sender.cancel()
        except* ProviderError as group:
            failures = [error for error in _leaves(group) if isinstance(error, ProviderError)]
        finally:
            self._quick = None
        if failures:
            raise failures[0]

    async def _send_again(self) -> None:
        """Audio that had not become words goes to the new stream; words whose audio is not kept are taken as they were guessed."""
        room = self._most_frames - len(self._unsent)
        first_ms = self._audio_clock.sent_ms
        while self._unconfirmed and room > 0:
            ends_ms, frame = self._unconfirmed.pop()
            self._unsent.appendleft(frame)
            first_ms = ends_ms - frame[0].duration_ms
            room -= 1
        self._unconfirmed.clear()
        lost = self._heard.reopened(first_ms, self._now_ms(), self._tuning.stale_interim_ms)
        if lost is not None:
            await self._deliver(replace(lost, end_ms=max(1, self._audio_clock.at(lost.end_ms))))
        self._audio_clock = AudioClock()
        self._arrived.set()

    async def _receive(self, events: TranscriptStream) -> None:
        async for event in events:
            new = self._heard.new_in(event, self._now_ms())
            self._confirm(self._heard.settled_ms)
            if new is not None:
                await self._deliver(self._on_session_time(new))
        if not self._is_finishing:
            raise ProviderError(working(self._stt)[0], ErrorCategory.CONNECTION, "recognition ended by itself in mid-call", retryable=True)

    def _note_sent(self, frame: Frame) -> None:
        chunk, arrived_ms = frame
        self._audio_clock.advance(chunk.duration_ms, arrived_ms)
        self._unconfirmed.append((self._audio_clock.sent_ms, frame))

    async def _send(self, stream: TranscriptStream) -> None:
        while True:
            while self._unsent:
                frame = self._unsent.popleft()
                self._note_sent(frame)
                await stream.send(frame[0])
            if self._is_finishing:
                await stream.finish()
                return
            self._arrived.clear()
            await self._arrived.wait()

    def _on_session_time(self, event: TranscriptEvent) -> TranscriptEvent:
        match event:
            case SpeechStarted(at_ms=at_ms):
                return SpeechStarted(self._audio_clock.at(at_ms))
            case FinalTranscript(end_ms=end_ms) if end_ms > 0:
                return replace(event, end_ms=max(1, self._audio_clock.at(end_ms)))
            case UtteranceEnded(last_word_end_ms=end_ms):
                return UtteranceEnded(self._audio_clock.at(end_ms))
            case _:
                return event

    def _confirm(self, end_ms: float) -> None:
        """Audio up to `end_ms` has become words: it need not be sent again."""
        while self._unconfirmed and self._unconfirmed[0][0] <= end_ms:
            self._unconfirmed.popleft()


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return leaves
