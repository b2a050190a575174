"""The Voicebot's WebSocket: dials the bot as Exotel does, carries the caller's audio up and plays what comes down, both by one clock.

The exchange's metronome asks every 20 ms and catches up without drift, one task receives; there is no task and no timer for a single frame.
The clock counts frames, so a late tick delays what is sent and never changes what was said when.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from simulator.caller import TICK_MS, Caller
from simulator.exotel.address import StreamAddress
from simulator.exotel.calls import Call, now_utc
from simulator.exotel.frames import Frames
from simulator.exotel.handshake import CLOSE_TIMEOUT_S
from simulator.exotel.numbers import spelt
from simulator.exotel.playback import Breach, Playback
from simulator.exotel.recording import Recording
from simulator.exotel.settings import ExotelSettings
from simulator.faults import Fault
from simulator.metronome import Metronome

SEND_TIMEOUT_S = 10.0
MOST_UNREAD_BYTES = 65_536
TOLD_BREACHES = 20
PAUSE_MS = 250  # audio that comes later than this after the last begins anew
IGNORED_EVENTS = frozenset({"stop", "connected", "start", "dtmf"})


@dataclass
class Stream:
    """One open stream. After `run`: `closed_by` is bot, user, cap (the longest session) or lost; the other fields tell what was done."""

    call: Call
    settings: ExotelSettings
    sid: str
    address: StreamAddress
    socket: ClientConnection
    caller: Caller
    recording: Recording
    metronome: Metronome
    fault: Fault | None = None
    closed_by: str = ""
    close_code: int | None = None
    stop_reason: str = "callended"
    marks_sent: list[str] = field(default_factory=list)
    marks_echoed: list[str] = field(default_factory=list)
    clears: int = 0
    breaches: list[Breach] = field(default_factory=list)
    breach_counts: Counter[str] = field(default_factory=Counter)
    arrivals_ms: list[float] = field(default_factory=list)
    bursts_ms: list[list[int]] = field(default_factory=list)
    clears_ms: list[int] = field(default_factory=list)
    first_audio_ms: int | None = None
    started_ms: int = 0
    start_sent_ms: int | None = None

    def __post_init__(self) -> None:
        rate = self.address.sample_rate_hz
        self.frames = Frames(self.settings, self.sid, self.call.sid, rate)
        self.playback = Playback(rate, max_ahead_ms=self.settings.max_ahead_ms, echo_marks_on_clear=self.settings.echo_marks_on_clear)
        self._outbox: list[bytes] = []
        self._uplink = bytearray()
        self._hold_until = 0.0
        self._keys_sent = len(self.caller.keys)  # those of a stream before this one
        self._is_over = False
        self._has_ended = asyncio.Event()
        self._ticks = 0
        self._stuck_since: float | None = None
        self._failed: Exception | None = None
        self._awaits_audio = True
        self._last_arrival = float("-inf")
        answered = self.call.answered_at
        self._answered_before_ms = (now_utc() - answered).total_seconds() * 1_000 if answered else 0.0
        self._decode = msgspec.json.Decoder().decode

    async def run(self) -> None:
        """Plays the call until the stream ends, whoever ends it; the socket is closed when this returns. Caller and recording live on."""
        for reason in filter(None, [self.address.rule_broken]):
            self._breach("custom_parameters", reason)
        receiver = asyncio.create_task(self._receive())
        try:
            await self._send(self.frames.connected())
            style = self.settings.numbers_format
            params = dict(self.address.custom_parameters)
            if self.settings.custom_field_in_start and self.call.custom_field:
                params["CustomField"] = self.call.custom_field
            start = self.frames.start(spelt(self.call.human, style), spelt(self.call.exophone, style), params)
            self.start_sent_ms = self.call.elapsed_ms()
            await self._send(start)
            with self.metronome.joined(self._beat):
                await self._has_ended.wait()
            await self._flush_rest()
        finally:
            receiver.cancel()
            await asyncio.gather(receiver, return_exceptions=True)
            await self._close()

    @property
    def broke(self) -> bool:
        """It ended because its socket died, not because anybody said so."""
        return self.closed_by == "lost" or (self.closed_by == "bot" and self.close_code in (None, 1_006))

    def cut(self, reason: str, *, by: str = "user") -> None:
        """Ends the stream from the carrier's side: hang-up, a time limit, the session cap."""
        if not self._is_over:
            self._is_over, self.closed_by, self.stop_reason = True, by, reason

    def _beat(self) -> None:
        if not self._is_over:
            try:
                self._tick(self._ticks * TICK_MS)
                if self._outbox and not self._is_over:
                    self._flush(asyncio.get_running_loop().time())
            except Exception as error:  # noqa: BLE001 - handed to `run`, which has the call
                self._failed = error
                self._is_over = True
            self._ticks += 1
        if self._is_over:
            self._has_ended.set()

    def _tick(self, stream_ms: int) -> None:
        due_marks = self.playback.take_due_marks()
        heard = self.playback.next_frame()
        said = self.caller.tick(heard)
        self.recording.write(said, heard)
        self._check_limits(stream_ms)
        if self.fault is not None and self._is_mute(self.fault, stream_ms):
            return
        self._uplink += said
        if len(self._uplink) >= self.frames.frame_bytes:
            self._outbox.append(self.frames.media(bytes(self._uplink)))
            self._uplink.clear()
        self._answer_marks(due_marks)
        self._press_keys()

    def _check_limits(self, stream_ms: int) -> None:
        """Everything that ends a stream from this side, and the wait for the bot's first audio."""
        if self.caller.has_hung_up:
            self.cut(self.settings.hangup_reason)
        if self._awaits_audio and self.first_audio_ms is None and stream_ms >= self.settings.no_answer_s * 1_000:
            self._awaits_audio = False
            self._breach("no_answer", f"no audio from the bot within {self.settings.no_answer_s:g} s of start")
        if stream_ms >= self.settings.session_cap_s * 1_000:
            self.cut("stopped", by="cap")
        if stream_ms + self._answered_before_ms >= self.call.time_limit_s * 1_000:
            self.cut("callended")

    def _answer_marks(self, names: list[str]) -> None:
        for name in names:
            self.marks_echoed.append(name)
            self._outbox.append(self.frames.mark(name))

    def _press_keys(self) -> None:
        while self._keys_sent < len(self.caller.keys):
            self._outbox.append(self.frames.dtmf(self.caller.keys[self._keys_sent]))
            self._keys_sent += 1

    def _is_mute(self, fault: Fault, stream_ms: int) -> bool:
        """Plays the ordered fault; answers whether this tick sends nothing."""
        match fault.fault:
            case "hang":
                return True
            case "drop" if stream_ms >= fault.after * TICK_MS:
                self.socket.transport.abort()
                self.cut("dropped", by="lost")
                return True
            case "drip":
                return stream_ms % max(TICK_MS, fault.every_ms // TICK_MS * TICK_MS) != 0
        return False

    def _flush(self, now: float) -> None:
        """Sends what is due; with jitter ordered, holds it back and lets it go in bursts. Nothing is sent to a bot that does not read."""
        if now < self._hold_until or len(self._outbox) < self.settings.burst_frames:
            return
        if self.socket.state is not State.OPEN:
            self._bot_closed()
        elif self.socket.transport.get_write_buffer_size() > MOST_UNREAD_BYTES:
            self._wait_for_reader(now)
        else:
            self._stuck_since = None
            outbox, self._outbox = self._outbox, []
            if self.settings.jitter_ms:
                self._hold_until = now + random.random() * self.settings.jitter_ms / 1_000
            # Whole frames, as `socket.send` would write them, without its locks and waits.
            self.socket.transport.write(b"".join(Frame(Opcode.TEXT, message).serialize(mask=True) for message in outbox))

    def _wait_for_reader(self, now: float) -> None:
        self._stuck_since = self._stuck_since or now
        if now - self._stuck_since > SEND_TIMEOUT_S:
            self._breach("not_reading", f"the bot took nothing from its socket for {SEND_TIMEOUT_S:g} s")
            self.cut("stopped", by="lost")

    async def _flush_rest(self) -> None:
        if self._failed is not None:
            raise self._failed
        outbox, self._outbox = self._outbox, []
        for message in outbox:
            await self._send(message)

    async def _send(self, message: bytes) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self.socket.send(message, text=True)
        except ConnectionClosed:
            self._bot_closed()
        except TimeoutError:
            self._breach("not_reading", f"the bot took nothing from its socket for {SEND_TIMEOUT_S:g} s")
            self.cut("stopped", by="lost")

    def _bot_closed(self) -> None:
        if not self._is_over:
            self._is_over, self.closed_by = True, "bot"

    async def _receive(self) -> None:
        try:
            async for message in self.socket:
                self._take(message)
        except ConnectionClosed:
            pass
        self._bot_closed()

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._breach("binary_message", f"{len(message)} bytes in a binary message; only text is understood")
            return
        try:
            body = self._decode(message)
        except (msgspec.DecodeError, UnicodeEncodeError):
            self._breach("bad_json", f"{len(message)} characters that are not JSON")
            return
        if not isinstance(body, dict):
            self._breach("bad_json", "a message that is not a JSON object")
            return
        takers: dict[str, Callable[[dict[str, Any]], None]] = {
            "media": self._take_media,
            "mark": self._take_mark,
            "clear": self._take_clear,
        }
        event = str(body.get("event", ""))
        taker = takers.get(event)
        if taker is not None:
            taker(body)
        elif event not in IGNORED_EVENTS:
            self._breach("unknown_event", f"event {event[:40]!r} is not one of media, mark and clear")

    def _take_media(self, body: dict[str, Any]) -> None:
        at_ms = self.call.elapsed_ms()
        media = body.get("media")
        self.playback.media(media.get("payload") if isinstance(media, dict) else None, at_ms, caller_speaking=self.caller.is_speaking)
        for breach in self.playback.breaches:
            self._breach(breach.rule, breach.detail)
        self.playback.breaches.clear()
        if at_ms - self._last_arrival > PAUSE_MS:
            self.arrivals_ms.append(at_ms)
        if at_ms - self._last_arrival > PAUSE_MS or (self.clears_ms and self.clears_ms[-1] >= self._last_arrival):
            self.bursts_ms.append([at_ms, at_ms])
        self.bursts_ms[-1][1] = at_ms
        self._last_arrival = at_ms
        if self.first_audio_ms is None and self.playback.first_audio_ms is not None:
            self.first_audio_ms = at_ms
            self.call.tell("first_audio", at_ms, since_start_ms=at_ms - self.started_ms)

    def _take_mark(self, body: dict[str, Any]) -> None:
        mark = body.get("mark")
        name = mark.get("name") if isinstance(mark, dict) else None
        if not isinstance(name, str) or not name:
            self._breach("mark_without_name", "a mark needs mark.name as text")
            return
        self.marks_sent.append(name)
        self.playback.mark(name)

    def _take_clear(self, _body: dict[str, Any]) -> None:
        at_ms = self.call.elapsed_ms()
        self.clears += 1
        self.clears_ms.append(at_ms)
        self.call.tell("clear", at_ms, dropped_ms=self.playback.clear(at_ms))

    def _breach(self, rule: str, detail: str) -> None:
        """Each is counted; of one rule only the first `TOLD_BREACHES` are kept and told, so that an endless offender fills no memory."""
        self.breach_counts[rule] += 1
        if self.breach_counts[rule] > TOLD_BREACHES:
            return
        breach = Breach(rule, self.call.elapsed_ms(), detail)
        self.breaches.append(breach)
        self.call.tell("breach", breach.at_ms, rule=rule, detail=detail)

    async def _close(self) -> None:
        if self.closed_by != "bot" and self.settings.stop_event_on_hangup and self.stop_reason != "dropped":
            await self._send(self.frames.stop(self.stop_reason))
        if self.settings.close_code == 1_006:
            self.socket.transport.abort()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S + 1):
                await self.socket.close(1_000 if self.settings.close_code in (1_005, 1_006) else self.settings.close_code)
        except TimeoutError:
            self.socket.transport.abort()
        self.close_code = self.socket.close_code
