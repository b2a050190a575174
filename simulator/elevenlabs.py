"""ElevenLabs' doors: `/elevenlabs/v1/text-to-speech/{voice}` with and without `/stream`, the socket `…/stream-input`,
`/elevenlabs/v1/voices`, `/elevenlabs/v1/models`.

Raw PCM, µ-law and A-law are spoken; the compressed formats are refused in the vendor's shape, since nothing here can make them.
"""

import re
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from simulator import elevenlabs_socket
from simulator.answers import BodyTooLarge, StreamedAnswer, endured, paced_speech, read_body
from simulator.elevenlabs_requests import Refused, SpokenText, check_format
from simulator.faults import Fault
from simulator.sound import alaw_encoded, ulaw_encoded
from simulator.state import SimulatorState

_MOST_BODY_BYTES = 1024 * 1024
_TARGET = "elevenlabs.speech"
_STATUS_ERRORS = {
    401: ("invalid_api_key", "Invalid API key"),
    404: ("voice_not_found", "A voice with that id was not found."),
    429: ("too_many_concurrent_requests", "Too many concurrent requests. Your current subscription is at its limit."),
    500: ("internal_server_error", "An unexpected error occurred."),
}
_CODED_MESSAGES = {
    "system_busy": "The system is experiencing heavy traffic, please try again.",
    "quota_exceeded": "This request exceeds your quota.",
}
_LISTED_VOICES = {"simulatedVoiceAgent1": "Asha", "simulatedVoiceAgent2": "Ravi"}


def routes(state: SimulatorState) -> list[BaseRoute]:
    async def speak(request: Request) -> Response:
        return await _speak(state, request)

    async def voices(request: Request) -> Response:
        try:
            _authenticate(state, request)
        except Refused as refusal:
            return _refusal(refusal)
        named = {voice: voice for voice in state.settings.elevenlabs_voices} or _LISTED_VOICES
        listed = [{"voice_id": voice, "name": name, "category": "premade", "labels": {}} for voice, name in named.items()]
        return JSONResponse({"voices": listed}, headers=_headers(state))

    async def models(request: Request) -> Response:
        try:
            _authenticate(state, request)
        except Refused as refusal:
            return _refusal(refusal)
        listed = [{"model_id": name, "name": name, "can_do_text_to_speech": True} for name in state.settings.elevenlabs_models]
        return JSONResponse(listed, headers=_headers(state))

    async def socket(websocket: WebSocket) -> None:
        await _socket(state, websocket)

    return [
        WebSocketRoute("/elevenlabs/v1/text-to-speech/{voice}/stream-input", socket),
        Route("/elevenlabs/v1/text-to-speech/{voice}/stream", speak, methods=["POST"]),
        Route("/elevenlabs/v1/text-to-speech/{voice}", speak, methods=["POST"]),
        Route("/elevenlabs/v1/voices", voices, methods=["GET"]),
        Route("/elevenlabs/v1/models", models, methods=["GET"]),
    ]


async def _speak(state: SimulatorState, request: Request) -> Response:
    fault = state.faults.take(_TARGET)
    voice = request.path_params["voice"]
    try:
        body = await read_body(request, _MOST_BODY_BYTES)
        with state.opened(_TARGET):
            if not await endured(fault, request.receive):
                return Response(status_code=499)
        _authenticate(state, request)
        _ordered(fault)
        family, rate_hz = check_format(request.query_params.get("output_format", "mp3_44100_128"))
        spoken = SpokenText.parsed(body, state.settings.elevenlabs_models)
        _available(state, voice)
    except Refused as refusal:
        return _refusal(refusal)
    except BodyTooLarge as refusal:
        return _refusal(Refused(413, "payload_too_large", str(refusal)))
    state.note(_TARGET, voice=voice, query=dict(request.query_params), request=spoken.raw, headers=dict(request.headers))
    codes: dict[str, Callable[[bytes], bytes]] = {"pcm": bytes, "ulaw": ulaw_encoded, "alaw": alaw_encoded}
    pcm = paced_speech(state, spoken.text, rate_hz, voice=voice, speed=spoken.speed)
    headers = {**_headers(state), "character-cost": str(spoken.cost), "history-item-id": secrets.token_urlsafe(15), "tts-latency-ms": "75"}
    media_type = "audio/pcm" if family == "pcm" else "audio/basic"
    answer = StreamedAnswer(
        _coded(pcm, codes[family]), media_type=media_type, headers=headers, fault=fault, open_while=state.opened(_TARGET)
    )
    return answer


async def _socket(state: SimulatorState, websocket: WebSocket) -> None:
    """A key may come with the handshake or with the first message; a fault hits the text, but a status refuses the handshake."""
    voice = websocket.path_params["voice"]
    waiting = state.faults.next(_TARGET)
    try:
        if waiting is not None and waiting.fault == "status":
            _ordered(state.faults.take(_TARGET))
        known_key = bool(websocket.headers.get("xi-api-key"))
        if known_key:
            _authenticate(state, websocket)
        options = elevenlabs_socket.SocketOptions.parsed(websocket.query_params, state.settings.elevenlabs_models)
        _available(state, voice)
    except Refused as refusal:
        await websocket.send_denial_response(_refusal(refusal))
        return
    await websocket.accept(headers=[(b"request-id", secrets.token_urlsafe(15).encode())])
    await elevenlabs_socket.serve(state, websocket, voice, options, _TARGET, known_key)


async def _coded(pcm: AsyncIterator[bytes], code: Callable[[bytes], bytes]) -> AsyncIterator[bytes]:
    async for piece in pcm:
        yield code(piece)


def _authenticate(state: SimulatorState, request: HTTPConnection) -> None:
    key = request.headers.get("xi-api-key", "")
    if not key:
        message = "Neither authorization header nor xi-api-key received, please provide one."
        raise Refused(401, "needs_authorization", message)
    if state.settings.elevenlabs_key and not secrets.compare_digest(key.encode(), state.settings.elevenlabs_key.encode()):
        raise Refused(401, "invalid_api_key", "Invalid API key")


def _available(state: SimulatorState, voice: str) -> None:
    known = state.settings.elevenlabs_voices
    if (known and voice not in known) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", voice):
        raise Refused(404, "voice_not_found", f"A voice with the voice_id {voice} was not found.")
    most = state.settings.elevenlabs_concurrency
    if most and state.open_now[_TARGET] >= most:
        message = f"Too many concurrent requests. Your current subscription is associated with a maximum of {most} concurrent requests."
        raise Refused(429, "too_many_concurrent_requests", message)


def _ordered(fault: Fault | None) -> None:
    """Raises the error that an ordered fault asks for."""
    if fault is None or fault.fault != "status":
        return
    word, message = _STATUS_ERRORS.get(fault.status, _STATUS_ERRORS[500])
    if fault.code:
        word, message = fault.code, _CODED_MESSAGES.get(fault.code, message)
    headers = {} if fault.retry_after_s is None else {"retry-after": str(fault.retry_after_s)}
    raise Refused(fault.status, word, message, headers)


def _refusal(refusal: Refused) -> Response:
    return JSONResponse({"detail": refusal.detail}, refusal.status, {"request-id": secrets.token_hex(12), **refusal.headers})


def _headers(state: SimulatorState) -> dict[str, str]:
    most: Any = state.settings.elevenlabs_concurrency or 100
    return {
        "request-id": secrets.token_urlsafe(15),
        "current-concurrent-requests": str(state.open_now[_TARGET] + 1),
        "maximum-concurrent-requests": str(most),
    }
