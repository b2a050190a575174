"""Deepgram's live recognition: `WS /deepgram/v1/listen`.

Speech is announced at once; one recogniser at a time per channel works through what the ear asks for, newest guess only. The stream
is closed after 10 s in which neither audio nor a text message came.
"""

import asyncio
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from simulator.deepgram_ear import AudioWindow, Began, Cut, Ear, Ended, Guess, Quiet, Step
from simulator.deepgram_messages import ListenOptions, live_results, metadata, shifted, speech_started, utterance_end
from simulator.fast_frames import DIRECT
from simulator.faults import Fault
from simulator.overheard import Overheard, Told
from simulator.sound import mixed, raw_sound
from simulator.speech import Recognition, Word
from simulator.state import SimulatorState

SILENT_S = 10
_BEFORE_ONSET_MS = 200
_UNSETTLED_MS = 700  # words this near to a cut may still change
_TAIL_MS = 150  # a guess that heard so much after the last sound is as good as the final
_KEPT_MS = 2_000
_MOST_STEPS = 64
_MOST_DUE = 1_024
TIMED_OUT = "Deepgram did not receive audio data or a text message within the timeout window. (NET-0001)"
_BROKEN = "Deepgram could not go on with this stream. (NET-0000)"


@dataclass(frozen=True, slots=True)
class Flush:
    """Everything heard becomes final now: the client said Finalize (`asked`) or CloseStream."""

    until_ms: int
    asked: bool


@dataclass(frozen=True, slots=True)
class Over:
    """It has been quiet for as long as the end of an utterance takes."""

    until_ms: int


class ConnectionCut(Exception):
    """The `drop` fault: the connection ends here, without a closing handshake."""


class Sender:
    """Sends messages, and plays the faults that hit single messages. `told` keeps what was said when."""

    def __init__(self, websocket: WebSocket, fault: Fault | None, told: Told) -> None:
        self._websocket = websocket
        self._fault = fault
        self._told = told
        self._sent = 0

    async def send(self, message: dict[str, Any]) -> None:
        fault = self._fault
        if fault is not None and fault.fault == "hang":
            return
        if fault is not None and fault.fault in ("drop", "error") and self._sent >= fault.after:
            if fault.fault == "error":
                await self._websocket.close(1011, fault.code or _BROKEN)
            raise ConnectionCut
        if fault is not None and fault.fault == "drip":
            await asyncio.sleep(fault.every_ms / 1000)
        self._sent += 1
        self._told.note(message, asyncio.get_running_loop().time())
        await self._websocket.send_text(json.dumps(message, ensure_ascii=False, separators=(",", ":")))


class _Channel:
    """One channel of one stream: hears, queues what is to be recognised, and says what was understood."""

    def __init__(self, state: SimulatorState, options: ListenOptions, sender: Sender, request_id: str, index: int) -> None:
        self._speech = state.speech
        self._delay_s = state.settings.stt_delay_ms / 1000
        self._options = options
        self._sender = sender
        self._request_id = request_id
        self._index = index
        self._count = options.channels if options.multichannel else 1
        quiet_ms = 300 if options.endpointing_ms is None else options.endpointing_ms
        detector = self._speech.detector(options.sample_rate_hz, quiet_ms=quiet_ms)
        interim_ms, segment_ms = state.settings.stt_interim_ms, state.settings.stt_segment_ms
        self._ear = Ear(detector, interim_ms=interim_ms, segment_ms=segment_ms)
        self._window = AudioWindow(options.sample_rate_hz)
        self._steps: asyncio.Queue[Step | Flush | None] = asyncio.Queue(_MOST_STEPS)
        self._due: asyncio.Queue[Step | Flush | Over | None] = asyncio.Queue(_MOST_DUE)
        self._busy = False
        self._final_until_ms = 0.0  # the finals tile the audio up to here
        self._over_ms = 0.0  # the words up to here have been said; an onset is found late, so this may lie before the final's end
        self._listen_from_ms: float | None = None
        self._latest: tuple[int, Recognition] | None = None
        self._last_word_end_ms: float | None = None

    @property
    def heard_ms(self) -> int:
        return self._window.end_ms

    def hear(self, pcm: bytes) -> None:
        """Takes audio in without waiting; what it calls for is left to `announce`. Raises `QueueFull` if that is far behind."""
        self._window.add(pcm)
        for step in self._ear.feed(pcm, self.heard_ms):
            self._due.put_nowait(step)
        if self._idle and not self._ear.speaking:
            if self._is_utterance_over(self.heard_ms):
                self._due.put_nowait(Over(self.heard_ms))
            self._window.forget_before(self.heard_ms - _KEPT_MS)

    def flush(self, *, asked: bool) -> None:
        self._due.put_nowait(Flush(self.heard_ms, asked))

    def finish(self) -> None:
        self._due.put_nowait(None)

    async def announce(self) -> None:
        """Says at once what needs no recognising, and hands the rest to `work`, until `finish`."""
        while (step := await self._due.get()) is not None:
            if isinstance(step, Over):
                await self._tell_utterance_end(step.until_ms)
            elif isinstance(step, Guess):
                if self._options.interim_results and not self._busy and self._steps.empty():
                    self._steps.put_nowait(step)
            else:
                if isinstance(step, Began) and self._options.vad_events:
                    await self._sender.send(speech_started(self._index, self._count, step.at_ms))
                await self._steps.put(step)
        await self._steps.put(None)

    async def work(self) -> None:
        """Recognises step after step until `finish`."""
        while (step := await self._steps.get()) is not None:
            self._busy = True
            await self._take(step)
            self._busy = False

    @property
    def _idle(self) -> bool:
        return not self._busy and self._steps.empty() and self._due.empty()

    async def _take(self, step: Step | Flush) -> None:
        match step:
            case Began(at_ms):
                await self._tell_utterance_end(at_ms)
                self._listen_from_ms = max(self._over_ms, at_ms - _BEFORE_ONSET_MS)
                self._latest = None
            case Guess(until_ms):
                words = await self._understood(until_ms)
                if words and self._steps.empty():
                    await self._say(words, until_ms, is_final=False)
            case Cut(until_ms):
                words = await self._understood(until_ms)
                settled = tuple(word for word in words if word.end_ms <= until_ms - _UNSETTLED_MS)
                if settled:
                    await self._say_final(settled, settled[-1].end_ms)
                    self._listen_from_ms = self._over_ms = settled[-1].end_ms
            case Ended(until_ms, spoken_until_ms):
                words = await self._understood(until_ms, spoken_until_ms)
                await self._say_final(words, until_ms, speech_final=self._options.endpointing_ms is not None)
                self._listen_from_ms, self._over_ms = None, min(until_ms, spoken_until_ms + _TAIL_MS)
                await self._tell_utterance_end(until_ms)
            case Quiet(until_ms):
                await self._tell_utterance_end(until_ms)
                await self._say_final((), until_ms)
            case Flush(until_ms, asked):
                words = await self._understood(until_ms)
                if asked or words or until_ms > self._final_until_ms:
                    await self._say_final(words, until_ms, from_finalize=asked)
                await self._tell_utterance_end(until_ms)
                if self._listen_from_ms is not None:
                    self._listen_from_ms = self._over_ms = until_ms

    async def _understood(self, until_ms: int, spoken_until_ms: int | None = None) -> tuple[Word, ...]:
        """The words since the last final, in stream time. A guess that already heard past the end of the speech is taken as it is."""
        if self._listen_from_ms is None:
            return ()
        if self._latest is None or spoken_until_ms is None or self._latest[0] < spoken_until_ms + _TAIL_MS:
            pcm = self._window.between(self._listen_from_ms, until_ms)
            self._latest = until_ms, await self._speech.recognise(pcm, self._options.sample_rate_hz)
        return shifted(self._latest[1].words, self._listen_from_ms)

    async def _say(self, words: tuple[Word, ...], until_ms: float, **marks: bool) -> None:
        if words:
            self._last_word_end_ms = words[-1].end_ms
        start_ms, channel = self._final_until_ms, self._index
        await self._sender.send(
            live_results(words, self._options, self._request_id, channel=channel, start_ms=start_ms, end_ms=until_ms, **marks)
        )

    async def _say_final(self, words: tuple[Word, ...], until_ms: float, **marks: bool) -> None:
        if self._delay_s and words:
            await asyncio.sleep(self._delay_s)
        await self._say(words, until_ms, is_final=True, **marks)
        self._final_until_ms, self._latest = until_ms, None
        self._window.forget_before(until_ms - 2 * _BEFORE_ONSET_MS)

    async def _tell_utterance_end(self, quiet_until_ms: float) -> None:
        """Says that the words are over, once the gap behind the last of them is long enough."""
        last_ms = self._last_word_end_ms
        if last_ms is None or not self._is_utterance_over(quiet_until_ms):
            return
        self._last_word_end_ms = None
        await self._sender.send(utterance_end(self._index, self._count, last_ms))

    def _is_utterance_over(self, quiet_until_ms: float) -> bool:
        gap_ms, last_ms = self._options.utterance_end_ms, self._last_word_end_ms
        return gap_ms is not None and last_ms is not None and quiet_until_ms - last_ms >= gap_ms


async def listen(state: SimulatorState, websocket: WebSocket, options: ListenOptions, request_id: str, fault: Fault | None) -> None:
    """Serves an accepted stream until one side ends it."""
    sender = Sender(websocket, fault, state.part(Overheard, Overheard).stream())
    count = options.channels if options.multichannel else 1
    channels = [_Channel(state, options, sender, request_id, index) for index in range(count)]
    audio = _Audio(options, channels)
    if (take_direct := websocket.scope["extensions"].get(DIRECT)) is not None:
        take_direct(audio.take)
    workers = [asyncio.create_task(work) for channel in channels for work in (channel.announce(), channel.work())]
    reader = asyncio.create_task(_read(websocket, audio, channels))
    try:
        await asyncio.wait({reader, *workers}, return_when=asyncio.FIRST_EXCEPTION)
        for task in (reader, *workers):
            if task.done():
                task.result()
        if fault is not None and fault.fault == "hang":
            await until_client_leaves(websocket)
        closing = metadata(options, request_id, audio.sha256, channels[0].heard_ms, count)
        await sender.send({"type": "Metadata", **closing})
        await websocket.close(1000)
    except TimeoutError:
        await websocket.close(1011, TIMED_OUT)
    except (WebSocketDisconnect, ConnectionCut):
        return
    finally:
        for task in (reader, *workers):
            task.cancel()
        await asyncio.gather(reader, *workers, return_exceptions=True)


async def until_client_leaves(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
    raise WebSocketDisconnect(1006)


class _Audio:
    """The bytes of a stream on their way to its channels."""

    def __init__(self, options: ListenOptions, channels: list[_Channel]) -> None:
        self._options = options
        self._channels = channels
        self._frame_bytes = (2 if options.encoding == "linear16" else 1) * options.channels
        self._is_plain = options.encoding == "linear16" and options.channels == 1
        self._rest = b""
        self._hash = hashlib.sha256(usedforsecurity=False)
        self._clock = asyncio.get_running_loop().time
        self.heard_s = self._clock()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def take(self, audio: bytes) -> None:
        self.heard_s = self._clock()
        if not audio:
            _end(self._channels)
            return
        self._hash.update(audio)
        if self._rest:
            audio = self._rest + audio
        spare = len(audio) % self._frame_bytes
        whole, self._rest = (audio[:-spare], audio[-spare:]) if spare else (audio, b"")
        if self._is_plain:
            self._channels[0].hear(whole)
            return
        sound = raw_sound(whole, self._options.encoding, self._options.sample_rate_hz, self._options.channels).channels
        for channel, pcm in zip(self._channels, sound if len(self._channels) > 1 else (mixed(sound),), strict=True):
            channel.hear(pcm)


async def _read(websocket: WebSocket, audio: _Audio, channels: list[_Channel]) -> None:
    """Takes in the client's messages until CloseStream; raises TimeoutError after 10 s without any."""
    clock = asyncio.get_running_loop().time
    while True:
        try:
            async with asyncio.timeout_at(audio.heard_s + SILENT_S):
                message = await websocket.receive()
        except TimeoutError:
            if clock() - audio.heard_s >= SILENT_S:
                raise
            continue
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or 1005)
        sound = message.get("bytes")
        if sound is not None:
            audio.take(sound)
            if not sound:
                return
        else:
            audio.heard_s = clock()
            if await _obey(websocket, message.get("text") or "", channels):
                return


async def _obey(websocket: WebSocket, text: str, channels: list[_Channel]) -> bool:
    """Does what a text message says; True after CloseStream."""
    try:
        message = json.loads(text)
        kind = message["type"]
    except (ValueError, TypeError, KeyError):
        kind, message = "", {}
    if kind == "CloseStream":
        _end(channels)
        return True
    if kind == "Finalize":
        wanted = message.get("channel")
        for index, channel in enumerate(channels):
            if wanted in (None, index):
                channel.flush(asked=True)
    elif kind == "Configure":
        await websocket.send_json({"type": "ConfigureSuccess", "request_id": "", "keyterms": message.get("keyterms")})
    elif kind != "KeepAlive":
        complaint = {"type": "Error", "variant": "SchemaError", "description": "Could not deserialize last text message", "message": text}
        await websocket.send_json(complaint)
    return False


def _end(channels: list[_Channel]) -> None:
    for channel in channels:
        channel.flush(asked=False)
        channel.finish()
