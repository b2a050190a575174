"""OpenAI's doors: `/openai/v1/chat/completions`, `/openai/v1/responses`, `/openai/v1/audio/speech`, `/openai/v1/models`.

Both language doors share the faults and the count of `openai.chat`: they are one model to whoever orders them.

What is refused, and in which words and shape, follows the real API (read through its SDK's types and error tables, November 2026).
"""

import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulator.answers import BodyTooLarge, StreamedAnswer, bearer, endured, read_body
from simulator.faults import Fault
from simulator.openai_chat import PromptCache, chat_events, complete, plan
from simulator.openai_requests import ChatRequest, Refused, SpeechRequest, parsed_json
from simulator.openai_responses import ResponseWriter, as_chat
from simulator.openai_speech import speech_pieces
from simulator.state import SimulatorState

_MOST_BODY_BYTES = 4 * 1024 * 1024
_SHUTDOWN = {
    **dict.fromkeys(("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini"), "2027-01-14"),
    **dict.fromkeys(("gpt-5", "gpt-5-mini", "gpt-5-nano"), "2026-12-11"),
    **dict.fromkeys(("tts-1", "tts-1-hd", "gpt-4o-mini-tts"), "2027-01-06"),
}
_STATUS_ERRORS: dict[int, tuple[str, str, str | None]] = {
    400: ("The request could not be understood.", "invalid_request_error", None),
    401: ("Incorrect API key provided. You can find your API key in your account settings.", "invalid_request_error", "invalid_api_key"),
    403: ("You are not allowed to use this model.", "invalid_request_error", "unsupported_country_region_territory"),
    404: ("The model does not exist or you do not have access to it.", "invalid_request_error", "model_not_found"),
    429: ("Rate limit reached for requests. Please try again later.", "requests", "rate_limit_exceeded"),
    500: ("The server had an error while processing your request.", "server_error", None),
    503: ("The engine is currently overloaded, please try again later.", "server_error", None),
}


def routes(state: SimulatorState) -> list[BaseRoute]:
    async def chat(request: Request) -> Response:
        return await _chat(state, request)

    async def responses(request: Request) -> Response:
        return await _chat(state, request, as_response=True)

    async def speech(request: Request) -> Response:
        return await _speech(state, request)

    async def models(request: Request) -> Response:
        try:
            _authenticate(state, request)
        except Refused as refusal:
            return _refusal(refusal)
        return JSONResponse({"object": "list", "data": [_model(name) for name in state.settings.openai_models]}, headers=_headers())

    async def model(request: Request) -> Response:
        try:
            _authenticate(state, request)
            _known_model(state, request.path_params["model"])
        except Refused as refusal:
            return _refusal(refusal)
        return JSONResponse(_model(request.path_params["model"]), headers=_headers())

    return [
        Route("/openai/v1/chat/completions", chat, methods=["POST"]),
        Route("/openai/v1/responses", responses, methods=["POST"]),
        Route("/openai/v1/audio/speech", speech, methods=["POST"]),
        Route("/openai/v1/models", models, methods=["GET"]),
        Route("/openai/v1/models/{model}", model, methods=["GET"]),
    ]


async def _chat(state: SimulatorState, request: Request, *, as_response: bool = False) -> Response:
    fault = state.faults.take("openai.chat")
    try:
        body = await read_body(request, _MOST_BODY_BYTES)
        with state.opened("openai.chat"):
            if not await endured(fault, request.receive):
                return Response(status_code=499)
        _authenticate(state, request)
        _ordered(fault)
        raw = parsed_json(body)
        chat = as_chat(raw) if as_response else ChatRequest.parsed(raw)
        _known_model(state, chat.model)
    except (Refused, BodyTooLarge) as refusal:
        return _refusal(refusal)
    state.note("openai.chat", request=raw, headers=dict(request.headers))
    reply = plan(chat, state.replies, state.part(PromptCache, PromptCache))
    writer = ResponseWriter(reply, chat)
    if chat.stream:
        return StreamedAnswer(
            writer.events(state.settings, fault) if as_response else chat_events(reply, chat, state.settings, fault),
            media_type="text/event-stream; charset=utf-8",
            headers=_headers(),
            fault=fault,
            by_piece=True,
            open_while=state.opened("openai.chat"),
        )
    with state.opened("openai.chat"):
        answer = await complete(reply, chat, state.settings)
    return _whole(writer.whole() if as_response else answer, fault)


def _whole(body: dict[str, Any], fault: Fault | None) -> Response:
    """The answer in one piece, unless it is to be cut or dripped."""
    if fault is None or fault.fault not in ("drop", "truncate", "drip"):
        return JSONResponse(body, headers=_headers())

    async def pieces() -> AsyncIterator[bytes]:
        yield json.dumps(body).encode()

    return StreamedAnswer(pieces(), media_type="application/json", headers=_headers(), fault=fault)


async def _speech(state: SimulatorState, request: Request) -> Response:
    fault = state.faults.take("openai.speech")
    try:
        body = await read_body(request, _MOST_BODY_BYTES)
        with state.opened("openai.speech"):
            if not await endured(fault, request.receive):
                return Response(status_code=499)
        _authenticate(state, request)
        _ordered(fault)
        speech = SpeechRequest.parsed(parsed_json(body))
        _known_model(state, speech.model)
    except (Refused, BodyTooLarge) as refusal:
        return _refusal(refusal)
    state.note("openai.speech", request=speech.raw, headers=dict(request.headers))
    return StreamedAnswer(
        speech_pieces(state, speech),
        media_type=speech.media_type,
        headers=_headers(),
        fault=fault,
        open_while=state.opened("openai.speech"),
    )


def _authenticate(state: SimulatorState, request: Request) -> None:
    key = bearer(request, "bearer")
    if not key:
        raise Refused("You didn't provide an API key. You need to provide it in an Authorization header using Bearer auth.", status=401)
    if state.settings.openai_key and not secrets.compare_digest(key.encode(), state.settings.openai_key.encode()):
        masked = f"{key[:3]}{'*' * 8}{key[-4:]}" if len(key) > 8 else "*" * 8
        raise Refused(f"Incorrect API key provided: {masked}.", status=401, code="invalid_api_key")


def _known_model(state: SimulatorState, model: str) -> None:
    if state.settings.openai_models and model not in state.settings.openai_models:
        message = f"The model `{model}` does not exist or you do not have access to it."
        raise Refused(message, status=404, code="model_not_found")


def _ordered(fault: Fault | None) -> None:
    """Raises the error that an ordered fault asks for."""
    if fault is None or fault.fault != "status":
        return
    message, kind, code = _STATUS_ERRORS.get(fault.status, _STATUS_ERRORS[500 if fault.status >= 500 else 400])
    if fault.code == "insufficient_quota":
        message, kind = "You exceeded your current quota, please check your plan and billing details.", "insufficient_quota"
    wait = fault.retry_after_s
    headers = {} if wait is None else {"retry-after": str(wait), "retry-after-ms": str(wait * 1000)}
    raise Refused(message, status=fault.status, kind=kind, code=fault.code or code, headers=headers)


def _refusal(refusal: Refused | BodyTooLarge) -> Response:
    if isinstance(refusal, BodyTooLarge):
        refusal = Refused(str(refusal), status=413)
    error = {"message": str(refusal), "type": refusal.kind, "param": refusal.param, "code": refusal.code}
    return JSONResponse({"error": error}, refusal.status, {**_headers(), **refusal.headers})


def _headers() -> dict[str, str]:
    return {
        "x-request-id": f"req_{secrets.token_hex(16)}",
        "openai-version": "2020-10-01",
        "openai-organization": "simulated",
        "openai-processing-ms": "1",
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-remaining-requests": "9999",
    }


def _model(name: str) -> dict[str, Any]:
    created = int(time.mktime((2026, 1, 1, 0, 0, 0, 0, 0, 0)))
    return {"id": name, "object": "model", "created": created, "owned_by": "system", "shutdown_date": _SHUTDOWN.get(name)}
