"""Deepgram's voices: `POST /deepgram/v1/speak`, PCM, µ-law or A-law without a container, streamed as it is made."""

import json
import secrets
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from simulator.answers import StreamedAnswer, paced_speech, read_body
from simulator.deepgram_messages import Refused
from simulator.faults import Fault
from simulator.sound import alaw_encoded, ulaw_encoded
from simulator.state import SimulatorState

_MOST_BODY_BYTES = 256 * 1024
_MOST_CHARACTERS = 2_000
_RATES_HZ = {"linear16": (8_000, 16_000, 24_000, 32_000, 48_000), "mulaw": (8_000, 16_000), "alaw": (8_000, 16_000)}
_CODES: dict[str, Callable[[bytes], bytes]] = {"linear16": bytes, "mulaw": ulaw_encoded, "alaw": alaw_encoded}
_PARAMETERS = frozenset(
    {"model", "encoding", "sample_rate", "container", "bit_rate", "speed", "tag", "mip_opt_out", "callback", "callback_method"}
)


@dataclass(frozen=True, slots=True)
class SpeakRequest:
    """A request that the real API would speak."""

    text: str
    model: str
    encoding: str
    sample_rate_hz: int
    speed: float

    @classmethod
    def parsed(cls, query: QueryParams, body: bytes, voices: tuple[str, ...]) -> "SpeakRequest":
        """Raises `Refused`."""
        unknown = sorted(set(query) - _PARAMETERS)
        if unknown:
            raise _bad(f"unknown field `{unknown[0]}`")
        model = query.get("model", "aura-asteria-en")
        if voices and model not in voices:
            raise Refused(400, "Bad Request", "Bad Request: No such model/version combination found.")
        encoding, container = query.get("encoding", "mp3"), query.get("container", "wav")
        if encoding not in _RATES_HZ or container != "none":
            raise _bad("this simulator speaks linear16, mulaw and alaw with container=none only")
        rate = query.get("sample_rate", "24000" if encoding == "linear16" else "8000")
        if not rate.isdecimal() or int(rate) not in _RATES_HZ[encoding]:
            raise Refused(400, "UNSUPPORTED_AUDIO_FORMAT", f"Unsupported audio format: `sample_rate` {rate} is not supported.")
        return cls(_text(body), model, encoding, int(rate), _speed(query.get("speed", "1")))


async def answer(state: SimulatorState, request: Request, request_id: str, fault: Fault | None, target: str) -> Response:
    """Raises `Refused` and `BodyTooLarge`."""
    body = await read_body(request, _MOST_BODY_BYTES)
    speak = SpeakRequest.parsed(request.query_params, body, state.settings.deepgram_voices)
    state.note(target, query=dict(request.query_params), request=json.loads(body), headers=dict(request.headers), request_id=request_id)
    headers = {
        "dg-request-id": request_id,
        "dg-model-name": speak.model,
        "dg-model-uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, speak.model)),
        "dg-char-count": str(len(speak.text)),
        "dg-project-id": secrets.token_hex(8),
    }
    pcm = paced_speech(state, speak.text, speak.sample_rate_hz, voice=speak.model, speed=speak.speed)
    media_type = f"audio/{'l16' if speak.encoding == 'linear16' else 'basic'};rate={speak.sample_rate_hz}"
    pieces = _coded(pcm, _CODES[speak.encoding])
    return StreamedAnswer(pieces, media_type=media_type, headers=headers, fault=fault, open_while=state.opened(target))


async def _coded(pcm: AsyncIterator[bytes], code: Callable[[bytes], bytes]) -> AsyncIterator[bytes]:
    async for piece in pcm:
        yield code(piece)


def _text(body: bytes) -> str:
    try:
        given: Any = json.loads(body)
    except ValueError as error:
        raise Refused(400, "PAYLOAD_ERROR", "Failed to deserialize JSON payload.") from error
    text = given.get("text") if isinstance(given, dict) else None
    if not isinstance(text, str):
        raise Refused(400, "PAYLOAD_ERROR", "Failed to deserialize JSON payload: missing field `text`.")
    if not text.strip():
        raise Refused(400, "EMPTY_TEXT", "Input text contains no characters to speak.")
    if len(text) > _MOST_CHARACTERS:
        raise Refused(413, "INPUT_TEXT_TOO_LONG", f"Input text exceeds maximum character limit of {_MOST_CHARACTERS}.")
    return text


def _speed(value: str) -> float:
    try:
        speed = float(value)
    except ValueError as error:
        raise _bad("speed: invalid float literal") from error
    if not 0.7 <= speed <= 1.5:
        raise _bad("speed: a value from 0.7 to 1.5 is expected")
    return speed


def _bad(what: str) -> Refused:
    return Refused(400, "INVALID_QUERY_PARAMETER", f"Failed to deserialize query parameters: {what}")
