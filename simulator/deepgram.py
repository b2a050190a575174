"""Deepgram's doors: `/deepgram/v1/listen`, as a WebSocket (live) and as a POST (recordings), `/deepgram/v2/listen` (Flux, live) and
`/deepgram/v1/speak`.
"""

import asyncio
import json
import secrets
import uuid
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from simulator import deepgram_speech
from simulator.answers import BodyTooLarge, StreamedAnswer, bearer, endured, read_body
from simulator.deepgram_flux import FluxOptions, listen_for_turns
from simulator.deepgram_live import listen
from simulator.deepgram_messages import ListenOptions, Refused, batch_answer
from simulator.faults import Fault
from simulator.sound import NotSound, Sound, mixed, raw_sound, read_sound
from simulator.state import SimulatorState

_MOST_BODY_BYTES = 256 * 1024 * 1024
_STATUS_ERRORS = {
    400: ("Bad Request", "Bad Request: failed to process audio: corrupt or unsupported data"),
    401: ("INVALID_AUTH", "Invalid credentials."),
    402: ("ASR_PAYMENT_REQUIRED", "Project does not have enough credits for an ASR request."),
    404: ("NOT_FOUND", "The requested resource was not found."),
    403: ("INSUFFICIENT_PERMISSIONS", "User does not have sufficient permissions."),
    429: ("TOO_MANY_REQUESTS", "Too many requests. Please try again later."),
    500: ("INTERNAL_SERVER_ERROR", "An internal server error occurred."),
    503: ("SERVICE_UNAVAILABLE", "The service is temporarily unavailable."),
    504: ("GATEWAY_TIMEOUT", "The request took too long to process."),
}


def routes(state: SimulatorState) -> list[BaseRoute]:
    async def live(websocket: WebSocket) -> None:
        await _live(state, websocket, turns=False)

    async def flux(websocket: WebSocket) -> None:
        await _live(state, websocket, turns=True)

    async def batch(request: Request) -> Response:
        return await _batch(state, request)

    async def speak(request: Request) -> Response:
        return await _speak(state, request)

    async def projects(request: Request) -> Response:
        try:
            _authenticate(state, request)
        except Refused as refusal:
            return _refusal(refusal, str(uuid.uuid4()))
        return JSONResponse({"projects": [{"project_id": "simulated", "name": "Simulated"}]})

    return [
        WebSocketRoute("/deepgram/v1/listen", live),
        WebSocketRoute("/deepgram/v2/listen", flux),
        Route("/deepgram/v1/listen", batch, methods=["POST"]),
        Route("/deepgram/v1/speak", speak, methods=["POST"]),
        Route("/deepgram/v1/projects", projects, methods=["GET"]),
    ]


async def _live(state: SimulatorState, websocket: WebSocket, *, turns: bool) -> None:
    request_id = str(uuid.uuid4())
    fault = state.faults.take("deepgram.live")
    try:
        _authenticate(state, websocket)
        _ordered(fault)
        options = _options(state, websocket, turns=turns)
    except Refused as refusal:
        await websocket.send_denial_response(_refusal(refusal, request_id))
        return
    if fault is not None and fault.fault == "delay":
        await asyncio.sleep(fault.ms / 1000)
    state.note("deepgram.live", query=websocket.query_params.multi_items(), headers=dict(websocket.headers), request_id=request_id)
    offered = websocket.headers.get("sec-websocket-protocol", "").split(",")[0].strip()
    with state.opened("deepgram.live"):
        await websocket.accept(subprotocol=offered or None, headers=[(b"dg-request-id", request_id.encode())])
        if isinstance(options, FluxOptions):
            await listen_for_turns(state, websocket, options, request_id, fault)
        else:
            await listen(state, websocket, options, request_id, fault)


def _options(state: SimulatorState, websocket: WebSocket, *, turns: bool) -> ListenOptions | FluxOptions:
    if turns:
        return FluxOptions.parsed(websocket.query_params, state.settings.flux_models)
    return ListenOptions.parsed(websocket.query_params, state.settings.deepgram_models, live=True)


async def _batch(state: SimulatorState, request: Request) -> Response:
    request_id = str(uuid.uuid4())
    fault = state.faults.take("deepgram.batch")
    try:
        _authenticate(state, request)
        body = await read_body(request, _MOST_BODY_BYTES)
        with state.opened("deepgram.batch"):
            if not await endured(fault, request.receive):
                return Response(status_code=499)
            _ordered(fault)
            options = ListenOptions.parsed(request.query_params, state.settings.deepgram_models, live=False)
            state.note("deepgram.batch", query=request.query_params.multi_items(), headers=dict(request.headers), size_bytes=len(body))
            sound = await asyncio.to_thread(_sound, body, request.headers.get("content-type", ""), options)
            heard = sound.channels if options.multichannel else (mixed(sound.channels),)
            recognised = [await state.speech.recognise(channel, sound.sample_rate_hz) for channel in heard]
    except Refused as refusal:
        return _refusal(refusal, request_id)
    except BodyTooLarge as refusal:
        return _refusal(Refused(413, "PAYLOAD_TOO_LARGE", str(refusal)), request_id)
    answer = batch_answer(recognised, options, request_id, body, sound.duration_ms)
    return _answer(answer, {"dg-request-id": request_id, "dg-project-id": "simulated"}, fault)


async def _speak(state: SimulatorState, request: Request) -> Response:
    request_id = str(uuid.uuid4())
    target = "deepgram.speech"
    fault = state.faults.take(target)
    try:
        _authenticate(state, request)
        await request.body()
        with state.opened(target):
            if not await endured(fault, request.receive):
                return Response(status_code=499)
        _ordered(fault)
        return await deepgram_speech.answer(state, request, request_id, fault, target)
    except Refused as refusal:
        return _refusal(refusal, request_id)
    except BodyTooLarge as refusal:
        return _refusal(Refused(413, "PAYLOAD_TOO_LARGE", str(refusal)), request_id)


def _sound(body: bytes, content_type: str, options: ListenOptions) -> Sound:
    if content_type.startswith("application/json"):
        raise Refused(400, "Bad Request", "This simulator does not fetch URLs: send the audio itself.")
    if not body:
        raise Refused(400, "Bad Request", "Bad Request: failed to process audio: no audio data received")
    try:
        if options.encoding:
            return raw_sound(body, options.encoding, options.sample_rate_hz, options.channels)
        return read_sound(body)
    except NotSound as error:
        raise Refused(400, "Bad Request", f"Bad Request: failed to process audio: corrupt or unsupported data ({error})") from error


def _authenticate(state: SimulatorState, connection: HTTPConnection) -> None:
    key = bearer(connection, "token", "bearer")
    protocols = [name.strip() for name in connection.headers.get("sec-websocket-protocol", "").split(",")]
    if not key and len(protocols) == 2 and protocols[0].lower() in ("token", "bearer"):
        key = protocols[1]
    expected = state.settings.deepgram_key
    if not key or (expected and not secrets.compare_digest(key.encode(), expected.encode())):
        raise Refused(401, "INVALID_AUTH", "Invalid credentials.")


def _ordered(fault: Fault | None) -> None:
    """Raises the error that an ordered fault asks for."""
    if fault is None or fault.fault != "status":
        return
    code, message = _STATUS_ERRORS.get(fault.status, _STATUS_ERRORS[500])
    headers = {} if fault.retry_after_s is None else {"retry-after": str(fault.retry_after_s)}
    raise Refused(fault.status, fault.code or code, message, headers)


def _refusal(refusal: Refused, request_id: str) -> Response:
    headers = {"dg-request-id": request_id, "dg-error": str(refusal).encode("ascii", "replace").decode(), **refusal.headers}
    return JSONResponse(refusal.body(request_id), refusal.status, headers)


def _answer(body: dict[str, Any], headers: dict[str, str], fault: Fault | None) -> Response:
    """The answer in one piece, unless it is to be cut or dripped."""
    if fault is None or fault.fault not in ("drop", "drip"):
        return JSONResponse(body, headers=headers)

    async def pieces() -> Any:
        yield json.dumps(body).encode()

    return StreamedAnswer(pieces(), media_type="application/json", headers=headers, fault=fault)
