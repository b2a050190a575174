"""Deepgram's turn-hearing recognition: `WS /deepgram/v2/listen`.

The line is looked at every quarter of a second, more often in a pause; one recogniser works through the looks, newest only. CloseStream
recognises the rest as an Update and cuts the connection without a word, as the real one does.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams
from starlette.websockets import WebSocket, WebSocketDisconnect

from simulator.deepgram_ear import AudioWindow
from simulator.deepgram_live import SILENT_S, TIMED_OUT, ConnectionCut, Sender, until_client_leaves
from simulator.deepgram_messages import Refused, shifted
from simulator.faults import Fault
from simulator.flux_turns import Look, Thresholds, Turn, confidence
from simulator.overheard import Overheard
from simulator.sound import raw_sound
from simulator.speech import SpeechOnset, Word
from simulator.state import SimulatorState

_LOOK_EVERY_MS = 240
_LOOK_IN_PAUSE_MS = 100
_QUIET_MS = 100
_BEFORE_ONSET_MS = 200
_KEPT_MS = 2_000
_PARAMETERS = frozenset(
    {
        *("model", "encoding", "sample_rate", "eager_eot_threshold", "eot_threshold", "eot_timeout_ms", "keyterm", "language_hint"),
        *("numerals", "profanity_filter", "redact", "mip_opt_out", "tag"),
    }
)


@dataclass(frozen=True, slots=True)
class FluxOptions:
    """The query of a stream, checked."""

    model: str
    encoding: str
    sample_rate_hz: int
    thresholds: Thresholds

    @classmethod
    def parsed(cls, query: QueryParams, models: tuple[str, ...]) -> "FluxOptions":
        """Raises `Refused`."""
        unknown = sorted(set(query) - _PARAMETERS)
        if unknown:
            raise _bad(f"{unknown[0]}: not supported by /v2/listen")
        model = query.get("model", "")
        if not model or (models and model not in models):
            raise Refused(400, "Bad Request", "Bad Request: No such model/language/tier combination found.")
        encoding = query.get("encoding", "")
        if encoding not in ("linear16", "mulaw", "alaw"):
            raise _bad("encoding: this simulator reads linear16, mulaw and alaw")
        if query.getlist("language_hint") and model != "flux-general-multi":
            raise _bad("language_hint: only flux-general-multi takes it")
        end = _number(query, "eot_threshold", 0.7, 0.5, 1.0)
        eager = _number(query, "eager_eot_threshold", 0.0, 0.3, 0.9) if "eager_eot_threshold" in query else None
        if eager is not None and eager > end:
            raise _bad("eager_eot_threshold: must not be above eot_threshold")
        timeout_ms = int(_number(query, "eot_timeout_ms", 5_000, 500, 60_000))
        rate_hz = int(_number(query, "sample_rate", 16_000, 8_000, 48_000))
        return cls(model, encoding, rate_hz, Thresholds(eager, end, timeout_ms))


class _Line:
    """The caller's audio: what was said since the open turn began, and since when it has been quiet."""

    def __init__(self, state: SimulatorState, options: FluxOptions, sender: Sender, request_id: str) -> None:
        self._speech = state.speech
        self._rate_hz = options.sample_rate_hz
        self._delay_s = state.settings.stt_delay_ms / 1000
        self._detector = self._speech.detector(options.sample_rate_hz, quiet_ms=_QUIET_MS)
        self._window = AudioWindow(options.sample_rate_hz)
        self._turn = Turn(options.thresholds)
        self._sender = sender
        self._request_id = request_id
        self._is_multilingual = options.model == "flux-general-multi"
        self._sequence = 0
        self._looks: asyncio.Queue[tuple[int, int] | None] = asyncio.Queue(64)
        self._looked_ms = 0
        self._from_ms: float | None = None
        self._over_ms = 0.0
        self._told_until_ms = 0.0
        self._quiet_since_ms: int | None = 0
        self._known: tuple[int, tuple[Word, ...]] | None = None  # the words of a pause, by when it began

    async def connected(self) -> None:
        await self._send({"type": "Connected"})

    def hear(self, pcm: bytes) -> None:
        self._window.add(pcm)
        now_ms = self._window.end_ms
        for turn in self._detector.feed(pcm):
            if isinstance(turn, SpeechOnset):
                self._quiet_since_ms = None
                if self._from_ms is None:
                    self._from_ms = max(self._over_ms, turn.at_ms - _BEFORE_ONSET_MS)
            else:
                self._quiet_since_ms = turn.at_ms
        pausing = self._from_ms is not None and self._quiet_since_ms is not None
        if now_ms - self._looked_ms >= (_LOOK_IN_PAUSE_MS if pausing else _LOOK_EVERY_MS) and self._looks.empty():
            self._looked_ms = now_ms
            self._looks.put_nowait((now_ms, self._quiet_since_ms if self._quiet_since_ms is not None else now_ms))
        if self._from_ms is None:
            self._window.forget_before(now_ms - _KEPT_MS)

    async def finish(self) -> None:
        await self._looks.put((self._window.end_ms, self._window.end_ms))
        await self._looks.put(None)

    async def work(self) -> None:
        """Takes look after look until `finish`."""
        while (look := await self._looks.get()) is not None:
            until_ms, quiet_since_ms = look
            words = await self._understood(until_ms, quiet_since_ms)
            text = " ".join(word.text for word in words)
            await self._tell(Look(text, until_ms - quiet_since_ms), words, until_ms)

    async def force_end(self) -> None:
        """ForceEndTurn: over is what was understood so far; with no turn open it means nothing."""
        if self._turn.is_open:
            words = self._known[1] if self._known else ()
            self._turn.end("manual")
            await self._say("EndOfTurn", Look(" ".join(word.text for word in words), 0), words, self._window.end_ms)
            self._close_turn(self._window.end_ms)

    async def _understood(self, until_ms: int, quiet_since_ms: int) -> tuple[Word, ...]:
        if self._from_ms is None:
            return ()
        pausing = until_ms > quiet_since_ms
        if self._known is None or not pausing or self._known[0] != quiet_since_ms:
            heard = await self._speech.recognise(self._window.between(self._from_ms, until_ms), self._rate_hz)
            self._known = (quiet_since_ms if pausing else -1, shifted(heard.words, self._from_ms))
        return self._known[1]

    async def _tell(self, look: Look, words: tuple[Word, ...], until_ms: int) -> None:
        event = self._turn.look(look)
        if event == "EndOfTurn" and self._delay_s:
            await asyncio.sleep(self._delay_s)
        await self._say(event, look, words, until_ms)
        if event == "EndOfTurn" or (not look.text and look.quiet_ms > _KEPT_MS):  # a sound without words is no turn
            self._close_turn(until_ms - look.quiet_ms)

    def _close_turn(self, over_ms: float) -> None:
        """What sounds after `over_ms` belongs to the next turn."""
        self._over_ms = over_ms
        self._from_ms = None if self._quiet_since_ms is not None else over_ms
        self._known = None
        self._window.forget_before(over_ms - _KEPT_MS)

    async def _say(self, event: str, look: Look, words: tuple[Word, ...], until_ms: float) -> None:
        message: dict[str, Any] = {
            "type": "TurnInfo",
            "event": event,
            "turn_index": self._turn.index,
            "audio_window_start": _seconds(self._told_until_ms),
            "audio_window_end": _seconds(until_ms),
            "transcript": look.text,
            "words": [
                {"word": word.text, "confidence": word.confidence, "start": _seconds(word.start_ms), "end": _seconds(word.end_ms)}
                for word in words
            ],
            "end_of_turn_confidence": confidence(look),
        }
        if event == "EndOfTurn":
            message["trigger"] = self._turn.trigger
            self._turn.index += 1
            self._told_until_ms = until_ms
        if self._is_multilingual and words:
            message["languages"] = ["en"]
        await self._send(message)

    async def _send(self, message: dict[str, Any]) -> None:
        kind = message.pop("type")
        sequence, self._sequence = self._sequence, self._sequence + 1
        await self._sender.send({"type": kind, "request_id": self._request_id, "sequence_id": sequence, **message})


async def listen_for_turns(state: SimulatorState, websocket: WebSocket, options: FluxOptions, request_id: str, fault: Fault | None) -> None:
    """Serves an accepted stream until one side ends it."""
    sender = Sender(websocket, fault, state.part(Overheard, Overheard).stream())
    line = _Line(state, options, sender, request_id)
    tasks: list[asyncio.Task[None]] = []
    try:
        await line.connected()
        tasks = [asyncio.create_task(_read(websocket, options, line)), asyncio.create_task(line.work())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
        if fault is not None and fault.fault == "hang":
            await until_client_leaves(websocket)
        # leaving ends the connection without a closing handshake
    except TimeoutError:
        await websocket.close(1011, TIMED_OUT)
    except (WebSocketDisconnect, ConnectionCut):
        return
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(websocket: WebSocket, options: FluxOptions, line: _Line) -> None:
    """Takes in the client's messages until CloseStream; raises TimeoutError after 10 s without any."""
    rest = b""
    clock = asyncio.get_running_loop().time
    async with asyncio.timeout(SILENT_S) as deadline:
        while True:
            message = await websocket.receive()
            deadline.reschedule(clock() + SILENT_S)
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code") or 1005)
            audio = message.get("bytes")
            if audio is None:
                if await _obey(websocket, message.get("text") or "", line):
                    return
                continue
            rest += audio
            whole = rest[: len(rest) // 2 * 2] if options.encoding == "linear16" else rest
            rest = rest[len(whole) :]
            line.hear(raw_sound(whole, options.encoding, options.sample_rate_hz, 1).channels[0])


async def _obey(websocket: WebSocket, text: str, line: _Line) -> bool:
    """Does what a text message says; True after CloseStream. What v2 does not know ends the stream, KeepAlive too."""
    try:
        kind = json.loads(text)["type"]
    except (ValueError, TypeError, KeyError):
        kind = ""
    if kind == "CloseStream":
        await line.finish()
        return True
    if kind == "ForceEndTurn":
        await line.force_end()
    elif kind == "Configure":
        await websocket.send_json({"type": "ConfigureSuccess", "request_id": "", "sequence_id": 0})
    else:
        await websocket.send_json(
            {
                "type": "Error",
                "sequence_id": 0,
                "code": "UNPARSABLE_CLIENT_MESSAGE",
                "description": "Could not deserialize the last message.",
            }
        )
        await websocket.close(1008)
        raise WebSocketDisconnect(1008)
    return False


def _seconds(ms: float) -> float:
    return round(ms / 1000, 3)


def _number(query: QueryParams, name: str, default: float, least: float, most: float) -> float:
    try:
        value = float(query.get(name, default))
    except ValueError as error:
        raise _bad(f"{name}: invalid float literal") from error
    if not least <= value <= most:
        raise _bad(f"{name}: a value from {least:g} to {most:g} is expected")
    return value


def _bad(what: str) -> Refused:
    return Refused(400, "INVALID_QUERY_PARAMETER", f"Failed to deserialize query parameters: {what}")
