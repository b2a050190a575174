"""ElevenLabs' speech socket: `WS /elevenlabs/v1/text-to-speech/{voice}/stream-input`.

Text comes in pieces; a `flush`, or the empty text that ends it all, makes speech of them. Audio goes out with the place of each character.
"""

import asyncio
import base64
import json
import math
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams
from starlette.websockets import WebSocket, WebSocketDisconnect

from simulator.answers import paced_speech
from simulator.elevenlabs_requests import Refused, SpokenText, check_format
from simulator.faults import Fault
from simulator.state import SimulatorState

_MOST_INACTIVE_S = 180
_TONE_MS = 40  # a character of the tones back end; a fair guess for a voice
_CODES = {"invalid_api_key": 1008, "needs_authorization": 1008, "quota_exceeded": 1008, "too_many_concurrent_requests": 1008}


class _Over(Exception):
    """The connection has to end here without another word."""


@dataclass(frozen=True, slots=True)
class SocketOptions:
    """The query of a socket, checked."""

    model: str
    sample_rate_hz: int
    inactivity_s: float
    aligned: bool

    @classmethod
    def parsed(cls, query: QueryParams, models: tuple[str, ...]) -> "SocketOptions":
        """Raises `Refused`."""
        model = query.get("model_id", "eleven_multilingual_v2")
        family, rate_hz = check_format(query.get("output_format", "mp3_44100_128"))
        if family != "pcm":
            raise Refused(400, "output_format_not_allowed", "This simulator's socket speaks pcm only.")
        body = {"text": "x", "model_id": model, "language_code": query.get("language_code")}
        SpokenText.parsed(json.dumps(body).encode(), models)
        if model.startswith("eleven_v3"):
            raise Refused(400, "unsupported_model", f"Model {model} is not available on this socket.")
        wait = query.get("inactivity_timeout", "20")
        if not wait.isdecimal() or not 1 <= int(wait) <= _MOST_INACTIVE_S:
            raise Refused(400, "invalid_parameter", f"inactivity_timeout must be from 1 to {_MOST_INACTIVE_S}.")
        return cls(model, rate_hz, float(wait), query.get("sync_alignment") == "true")


class _Speaker:
    """Sends one socket's audio, and plays the faults that hit it."""

    def __init__(self, state: SimulatorState, websocket: WebSocket, voice: str, options: SocketOptions) -> None:
        self._state = state
        self._websocket = websocket
        self._voice = voice
        self._options = options
        self.fault: Fault | None = None
        self.speed = 1.0
        self._sent_bytes = 0

    async def say(self, text: str) -> None:
        pieces = paced_speech(self._state, text, self._options.sample_rate_hz, voice=self._voice, speed=self.speed)
        times = _places(text)
        begin_bytes = self._sent_bytes
        async for piece, is_last in _with_end(pieces):
            for unit in self._units(piece):
                begin_ms = self._ms(self._sent_bytes - begin_bytes)
                await self._send(unit)
                end_ms = math.inf if is_last else self._ms(self._sent_bytes - begin_bytes)
                await self._message(unit, list(_due(times, end_ms)), begin_ms)

    async def end(self) -> None:
        await self._websocket.send_json({"audio": None, "isFinal": True, "alignment": None, "normalizedAlignment": None})

    async def _send(self, unit: bytes) -> None:
        """Counts what goes out, as far as the fault lets it."""
        fault, self._sent_bytes = self.fault, self._sent_bytes + len(unit)
        if fault is not None and fault.fault in ("drop", "truncate") and self._sent_bytes > fault.after:
            left = fault.after - (self._sent_bytes - len(unit))
            if left > 0:
                await self._message(unit[:left], [], 0)
            if fault.fault == "truncate":
                await self.end()
                await self._websocket.close(1000)
            raise _Over
        if fault is not None and fault.fault == "drip":
            await asyncio.sleep(fault.every_ms / 1000 if self._sent_bytes > 1 else 0)

    async def _message(self, audio: bytes, places: list[tuple[str, float, float]], begin_ms: float) -> None:
        alignment = {
            "chars": [character for character, _, _ in places],
            "charStartTimesMs": [round(start - begin_ms) for _, start, _ in places],
            "charDurationsMs": [round(length) for _, _, length in places],
        }
        told = alignment if self._options.aligned and places else None
        encoded = base64.b64encode(audio).decode()
        await self._websocket.send_json({"audio": encoded, "isFinal": None, "alignment": told, "normalizedAlignment": told})

    def _units(self, piece: bytes) -> list[bytes]:
        if self.fault is None or self.fault.fault != "drip":
            return [piece]
        return [piece[place : place + 1] for place in range(len(piece))]

    def _ms(self, size_bytes: int) -> float:
        return size_bytes * 500 / self._options.sample_rate_hz


async def serve(state: SimulatorState, websocket: WebSocket, voice: str, options: SocketOptions, target: str, known_key: bool) -> None:
    """Serves an accepted socket until one side ends it. `known_key`: the handshake brought the right one."""
    speaker = _Speaker(state, websocket, voice, options)
    texts: asyncio.Queue[str | None] = asyncio.Queue(64)
    try:
        first = await _first_message(websocket, options)
        fault = speaker.fault = state.faults.take(target)
        if not known_key and not _is_key(state, first.get("xi_api_key")):
            raise Refused(401, "invalid_api_key", "Invalid API key")
        if fault is not None and fault.fault == "status":
            raise Refused(fault.status, fault.code or "internal_server_error", "An unexpected error occurred.")
        speaker.speed = SpokenText.parsed(json.dumps({**first, "text": "x"}).encode(), ()).speed
        state.note(target, voice=voice, query=dict(websocket.query_params), request=first, headers=dict(websocket.headers))
        with state.opened(target):
            await _converse(websocket, options, speaker, texts, fault)
    except Refused as refusal:
        await _complain(websocket, str(refusal.detail["status"]), str(refusal))
    except TimeoutError:
        await _complain(websocket, "input_timeout_exceeded", "No text came for too long.")
    except (WebSocketDisconnect, _Over):
        return


async def _converse(
    websocket: WebSocket, options: SocketOptions, speaker: _Speaker, texts: asyncio.Queue[str | None], fault: Fault | None
) -> None:
    reading = asyncio.create_task(_read(websocket, options, texts))
    speaking = asyncio.create_task(_speak(speaker, texts, fault))
    try:
        await asyncio.wait({reading, speaking}, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            reading.result()  # a client that left, or one that was refused
        await speaking
        await websocket.close(1000)
    finally:
        for task in (reading, speaking):
            task.cancel()
        await asyncio.gather(reading, speaking, return_exceptions=True)


async def _speak(speaker: _Speaker, texts: asyncio.Queue[str | None], fault: Fault | None) -> None:
    if fault is not None and fault.fault in ("hang", "delay"):
        await asyncio.sleep(fault.ms / 1000 if fault.fault == "delay" else 3_600)
    while (text := await texts.get()) is not None:
        await speaker.say(text)
    await speaker.end()


async def _first_message(websocket: WebSocket, options: SocketOptions) -> dict[str, Any]:
    """The one that opens: its text has to be a space."""
    async with asyncio.timeout(options.inactivity_s):
        first = await _json(websocket)
    if first.get("text") != " ":
        raise Refused(400, "invalid_first_message", "The first message must have a text of one space.")
    return first


async def _read(websocket: WebSocket, options: SocketOptions, texts: asyncio.Queue[str | None]) -> None:
    """Takes texts in until the empty one, and then waits for the client to go; raises TimeoutError when none comes."""
    waiting = ""
    while True:
        async with asyncio.timeout(options.inactivity_s):
            message = await _json(websocket)
        text = message.get("text")
        if not isinstance(text, str):
            raise Refused(400, "invalid_message", "A message needs a text.")
        waiting += text
        if (message.get("flush") or not text) and waiting.strip():
            await texts.put(waiting.strip())
            waiting = ""
        if not text:
            await texts.put(None)
            while True:
                await _json(websocket)


async def _json(websocket: WebSocket) -> dict[str, Any]:
    try:
        message = json.loads(await websocket.receive_text())
    except ValueError as error:
        raise Refused(400, "invalid_message", "A message must be JSON.") from error
    if not isinstance(message, dict):
        raise Refused(400, "invalid_message", "A message must be an object.")
    return message


async def _complain(websocket: WebSocket, word: str, message: str) -> None:
    code = _CODES.get(word, 1008)
    await websocket.send_json({"message": message, "error": word, "code": code})
    await websocket.close(code, word)


def _is_key(state: SimulatorState, key: object) -> bool:
    expected = state.settings.elevenlabs_key
    return isinstance(key, str) and bool(key) and (not expected or secrets.compare_digest(key.encode(), expected.encode()))


def _places(text: str) -> list[tuple[str, float, float]]:
    """Each character with where it begins and how long it lasts, in the time of the tones: a word begins with a chirp."""
    places, at_ms = [], float(_TONE_MS)
    for character in f"{text} ":
        length_ms = float(_TONE_MS * (1 if character.isspace() else len(character.encode())))
        places.append((character, at_ms, length_ms))
        at_ms += length_ms
    return places


def _due(places: list[tuple[str, float, float]], until_ms: float) -> Iterator[tuple[str, float, float]]:
    """Takes the characters that begin before `until_ms` off the list."""
    while places and places[0][1] < until_ms:
        yield places.pop(0)


async def _with_end(pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[bytes, bool]]:
    """Each piece, and whether it is the last."""
    held: bytes | None = None
    async for piece in pieces:
        if held is not None:
            yield held, False
        held = piece
    if held is not None:
        yield held, True
