"""One call's audio as the engine sees it: Exotel's media stream behind the `AudioLink` port.

The receive loop only feeds; the engine only iterates and sends. Nothing here waits for the other side without a deadline, every queue is
bounded and counts what it drops, and neither database nor Redis is ever touched.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any, Final, Self
from urllib.parse import parse_qs

from engine.audio import AudioChunk
from engine.errors import LinkClosed
from engine.ports import CallerAudio, DtmfPressed, LinkEnded, LinkEvent, MarkReached
from providers.exotel.media import (
    DEFAULT_SAMPLE_RATE_HZ,
    Audio,
    BadMessage,
    Dtmf,
    FrameWriter,
    MarkEchoed,
    Started,
    Stopped,
    parse,
    sample_rate,
)
from telephony.tap import Tap

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SEND_DEADLINE_S: Final = 2.0
CLOSE_DEADLINE_S: Final = 1.0
MAX_WAITING_AUDIO: Final = 250  # 5 s of 20 ms frames: more than that and the engine is not listening any more
MAX_WAITING_EVENTS: Final = 1_000
MAX_BAD_MESSAGES: Final = 20
# Exotel sends audio all the time, silence included: a stream that brings none from one look to the next is half dead.
LOOK_EVERY_S: Final = 6.0
READERS_WORD_S: Final = 0.3
UNSUPPORTED: Final = 1003
_HANG_UP_CODES: Final = frozenset({1000, 1001, 1005})
_END_REASONS: Final = {"callended": "caller-hangup", "stopped": "stopped"}


def rate_hz(query_string: bytes, started: Started) -> int:
    """A stream's sample rate: what its `start` says, else what its address asked for."""
    query = parse_qs(query_string.decode("latin-1"))
    asked = (query.get("sample-rate") or query.get("sample_rate") or [""])[-1]
    return started.sample_rate_hz or sample_rate(asked) or DEFAULT_SAMPLE_RATE_HZ


class ExotelLink:
    """An `AudioLink`. `feed` and `lost` are the receive loop's; everything else is the engine's."""

    def __init__(self, send: Send, *, stream_sid: str, sample_rate_hz: int, chunk_bytes: int, connected_at: datetime | None = None) -> None:
        self.connected_at = connected_at
        self.sample_rate_hz = sample_rate_hz
        self.chunk_bytes = chunk_bytes
        self._send = send
        self._writer = FrameWriter(stream_sid, sample_rate_hz)
        self._events: deque[LinkEvent] = deque()
        self._waiting_audio = 0
        self._arrived = asyncio.Event()
        self._ended = False  # LinkEnded is queued: whatever comes later is nobody's
        self._finished = False  # LinkEnded was handed out: iteration is over
        self._closed = False
        self._looking: asyncio.TimerHandle | None = None
        self._take: Callable[[AudioChunk], None] | None = None
        self._bug: Exception | None = None  # what `_take` raised: the engine's to hear, never the socket's
        self.tap: Tap | None = None  # somebody listens in
        self.ending = ""  # how it ended, in words for operators
        self.received_frames = 0
        self.dropped_frames = 0
        self.bad_messages = 0
        self.marks_sent = 0
        self.marks_back = 0
        self.clears = 0

    @property
    def is_closed(self) -> bool:
        """Our side closed the socket, or found that it cannot be written to any more."""
        return self._closed

    @property
    def is_over(self) -> bool:
        """Nothing more is heard on this line, and nothing said."""
        return self._ended or self._closed

    # --- from the socket -------------------------------------------------------------------------------------------------

    def feed(self, text: str | bytes) -> bool:
        """Takes one message. False: there were so many bad ones that the socket should be closed."""
        try:
            message = parse(text)
        except BadMessage:
            self.bad_messages += 1
            return self.bad_messages < MAX_BAD_MESSAGES
        if type(message) is Audio:
            if message.pcm and not self._ended:
                self._push_audio(message.pcm)
            return True
        match message:
            case Dtmf(digit) if digit:
                self._push(DtmfPressed(digit))
            case MarkEchoed(name):
                self.marks_back += 1
                self._push(MarkReached(name))
            case Stopped(reason):
                self._end(_END_REASONS.get(reason, "caller-hangup"), f"the carrier said stop ({reason})")
            case _:
                pass
        return True

    def lost(self, code: int) -> None:
        """The socket is gone. A closing handshake without a word is how Exotel often says that the caller hung up."""
        self._closed = True
        self._end("caller-hangup" if code in _HANG_UP_CODES else "lost", f"closed by the carrier ({code})")

    def _push_audio(self, pcm: bytes) -> None:
        self.received_frames += 1
        if self.tap is not None:
            self.tap.caller(pcm)
        if self._take is not None and not self._waiting_audio:
            try:
                self._take(AudioChunk(pcm, self.sample_rate_hz))
            except Exception as error:  # noqa: BLE001 - raised again where the engine iterates
                self._take, self._bug = None, error
                self._arrived.set()
            return
        if self._waiting_audio >= MAX_WAITING_AUDIO:
            self._drop_oldest_audio()
        self._waiting_audio += 1
        self._events.append(CallerAudio(AudioChunk(pcm, self.sample_rate_hz)))
        self._arrived.set()

    def _drop_oldest_audio(self) -> None:
        for index, event in enumerate(self._events):
            if type(event) is CallerAudio:
                del self._events[index]
                self._waiting_audio -= 1
                self.dropped_frames += 1
                return

    def _push(self, event: LinkEvent) -> None:
        if not self._ended and len(self._events) < MAX_WAITING_EVENTS:
            self._events.append(event)
            self._arrived.set()

    def _end(self, reason: str, ending: str) -> None:
        if not self._ended:
            self._ended, self.ending = True, ending
            if self._looking is not None:
                self._looking.cancel()
            if self.tap is not None:
                self.tap.end()
            self._events.append(LinkEnded(reason))
            self._arrived.set()

    # --- AudioLink ----------------------------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        if self._looking is None:
            self._look(-1)
        return self

    def _look(self, frames_before: int) -> None:
        if self.received_frames and self.received_frames == frames_before:
            self._end("lost", f"no audio for {LOOK_EVERY_S:.0f} s")
        if not self._ended:
            self._looking = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look, self.received_frames)

    def give_audio_to(self, take: Callable[[AudioChunk], None]) -> None:
        """The caller's audio goes straight to `take`, once that which waits has been iterated."""
        self._take = take

    async def __anext__(self) -> LinkEvent:
        while not self._events:
            if self._bug is not None:
                raise self._bug
            if self._finished:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        event = self._events.popleft()
        if type(event) is CallerAudio:
            self._waiting_audio -= 1
        elif type(event) is LinkEnded:
            self._finished = True
        return event

    async def send_audio(self, pcm: bytes) -> None:
        """Sends one chunk of exactly `chunk_bytes`. Raises `LinkClosed`; a chunk of another size is a bug of ours."""
        if len(pcm) != self.chunk_bytes:
            raise ValueError(f"audio must be sent in chunks of {self.chunk_bytes} bytes, not {len(pcm)}")
        self._may_send()
        if self.tap is not None:
            self.tap.agent(pcm)
        await self._send_text(self._writer.media(pcm))

    async def send_mark(self, name: str) -> None:
        self._may_send()
        await self._send_text(self._writer.mark(name))
        self.marks_sent += 1

    async def clear(self) -> None:
        """Drops what Exotel has queued; the message being played still plays to its end."""
        self._may_send()
        if self.tap is not None:
            self.tap.cleared()
        await self._send_text(self._writer.clear())
        self.clears += 1

    async def close(self, code: int = 1000) -> None:
        """Closes the socket, which ends the call or hands it to the flow's next applet. Idempotent, within 1 s, never raises."""
        if self._closed:
            return
        self._closed = True
        self._end("stopped", "closed by us")
        try:
            async with asyncio.timeout(CLOSE_DEADLINE_S):
                await self._send({"type": "websocket.close", "code": code})
        except (TimeoutError, OSError, RuntimeError):
            # The peer is gone or does not read: the server drops the connection once the application returns.
            return

    def _may_send(self) -> None:
        if self._closed or self._ended:
            raise LinkClosed("the caller's audio link is closed")

    async def _send_text(self, text: str) -> None:
        try:
            async with asyncio.timeout(SEND_DEADLINE_S):
                await self._send({"type": "websocket.send", "text": text})
        except TimeoutError as error:
            self._closed = True
            self._end("lost", "the carrier did not read")
            raise LinkClosed(f"the carrier did not read for {SEND_DEADLINE_S:.0f} s") from error
        except (OSError, RuntimeError) as error:
            # uvicorn's ways of saying that the peer has left or that the close was sent already. How it left, the reader is about to say.
            self._closed = True
            asyncio.get_running_loop().call_later(READERS_WORD_S, self._end, "lost", "closed while we spoke")
            raise LinkClosed("the carrier closed the audio link") from error
