"""Exotel's REST API (v1, and the v2_beta list of exophones) and the host of its recordings, as HTTP routes. There is no hang-up."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulator.answers import StreamedAnswer, endured
from simulator.exotel import accounts
from simulator.exotel.answers import answer, refusal
from simulator.exotel.calls import call_object, now_utc
from simulator.exotel.connecting import Refused, parse_connect
from simulator.exotel.exchange import Exchange, exchange
from simulator.exotel.life import life_of
from simulator.exotel.listing import list_calls
from simulator.exotel.numbers import spelt
from simulator.faults import Fault
from simulator.replies import RuleRefused
from simulator.scenario import ScenarioRefused
from simulator.state import SimulatorState

Door = Callable[[Exchange, Request], Awaitable[Response]]
PIECE_BYTES = 64 * 1_024
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
ALL_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


def routes(state: SimulatorState) -> list[BaseRoute]:
    """To be mounted at `/exotel`."""
    account = "/v1/Accounts/{sid}"
    doors: list[tuple[str, list[str], str, Door]] = [
        (account, ["GET"], "", accounts.check),
        (account + "/Calls/connect", ["POST"], "exotel.connect", connect_call),
        (account + "/Calls", ["GET"], "exotel.details", bulk_details),
        (account + "/Calls/{call}", ["GET"], "exotel.details", details),
        (account + "/Calls/{call}", ["POST", "PUT", "DELETE", "PATCH"], "", no_hang_up),
        (account + "/Numbers/{number}", ["GET"], "", accounts.number_metadata),
        (account + "/IncomingPhoneNumbers", ["GET"], "", accounts.exophones_v1),
        (account + "/CustomerWhitelist", ["POST"], "", accounts.whitelist),
        (account + "/ActiveStreams", ["GET"], "", accounts.active_streams),
        ("/v2_beta/Accounts/{sid}/IncomingPhoneNumbers", ["GET"], "", accounts.exophones_v2),
    ]
    made: list[BaseRoute] = []
    for path, methods, target, door in doors:
        made += [Route(path + suffix, _guarded(state, door, target), methods=methods) for suffix in (".json", "")]
    made.append(Route("/exotelrecordings/{account}/{name}", _guarded(state, recording, "exotel.recording"), methods=["GET", "HEAD"]))
    made.append(Route("/{rest:path}", _guarded(state, _nothing_here, ""), methods=ALL_METHODS))
    return made


def _guarded(state: SimulatorState, door: Door, target: str) -> Callable[[Request], Awaitable[Response]]:
    """Checks credentials and account before `door`, plays an ordered fault, and turns `Refused` into Exotel's error body."""

    async def endpoint(request: Request) -> Response:
        line = exchange(state)
        try:
            _authenticate(line, request)
            fault = _fault(state, request, target)
            await request.body()
            if not await endured(fault, request.receive):
                return Response()
            response = await door(line, request)
            if fault is not None and fault.fault in ("drop", "drip"):
                return StreamedAnswer(_pieces(response), media_type=response.media_type or "", headers={}, fault=fault)
            return response
        except Refused as reason:
            return refusal(request, reason)

    return endpoint


def _fault(state: SimulatorState, request: Request, target: str) -> Fault | None:
    """The fault ordered for this request; a `status` is raised as Exotel's own refusal."""
    if not target:
        return None
    state.note(target, method=request.method, path=request.url.path)
    fault = state.faults.take(target)
    if fault is not None and fault.fault == "status":
        raise Refused(fault.status, "Too many requests" if fault.status == 429 else "Service unavailable")
    return fault


async def _pieces(response: Response) -> AsyncIterator[bytes]:
    """An answer's body, to be cut or dripped: what was asked for has been done all the same."""
    if not isinstance(response, FileResponse):
        yield bytes(response.body)
        return
    file = await asyncio.to_thread(Path(response.path).open, "rb")
    with file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece


def _authenticate(line: Exchange, request: Request) -> None:
    settings = line.settings
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True) if scheme.lower() == "basic" else b""
    except ValueError:
        given = b""
    if not hmac.compare_digest(given, f"{settings.api_key}:{settings.api_token}".encode()):
        raise Refused(401, "Authentication failed")
    if request.path_params.get("sid", settings.sid) != settings.sid:
        raise Refused(404, "Account not found")


async def connect_call(line: Exchange, request: Request) -> Response:
    """All three modes; the answer comes at once, whoever may pick up later. A JSON body is not read."""
    if not line.may_connect():
        raise Refused(429, "Too many requests: voice call attempts per minute exceeded")
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    form: list[tuple[str, str]] = []
    if kind in FORMS:
        async with request.form() as read:
            form = [(name, value) for name, value in read.multi_items() if isinstance(value, str)]
    elif kind == "application/json" and line.settings.accept_json_body:
        form = _form_of(await request.body())
    asked = parse_connect(form, line.settings)
    for number in (asked.from_number, asked.to_number if asked.mode == "two-numbers" else asked.from_number):
        if line.settings.person(number).dnd:
            shown = spelt(number, line.settings.numbers_format)
            raise Refused(403, f"Call to [{shown}] can not be made because of TRAI NDNC regulations.")
    await asyncio.sleep(line.settings.connect_delay_s)
    call = line.outgoing(asked)
    try:
        life = life_of(line, call)
    except (ScenarioRefused, RuleRefused) as error:
        raise Refused(500, f"simulator: the person called has no usable scenario: {error}") from error
    line.run(life.outgoing())
    body = {"Call": call_object(call, line.settings, now_utc())}
    return JSONResponse(body) if line.settings.bare_connect_is_json else answer(request, body)


def _form_of(body: bytes) -> list[tuple[str, str]]:
    """A JSON object as the form it stands for; anything else is an empty one."""
    try:
        given = json.loads(body)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        return []
    return [(name, str(one)) for name, value in given.items() for one in (value if isinstance(value, list) else [value])]


async def details(line: Exchange, request: Request) -> Response:
    call = line.calls.get(request.path_params["call"])
    if call is None:
        raise Refused(404, "Call not found")
    wants_details = request.query_params.get("details", "").lower() == "true"
    return answer(request, {"Call": call_object(call, line.settings, now_utc(), details=wants_details)})


async def bulk_details(line: Exchange, request: Request) -> Response:
    return answer(request, list_calls(list(line.calls.values()), dict(request.query_params), line.settings, now_utc()))


async def no_hang_up(_line: Exchange, _request: Request) -> Response:
    """There is no way to end a call by the API, however it is asked."""
    raise Refused(404, "Resource not found")


async def recording(line: Exchange, request: Request) -> Response:
    """404 until it is ready, `recording_delay_s` after the call's end."""
    stem, _, extension = request.path_params["name"].rpartition(".")
    call = line.calls.get(stem)
    settings = line.settings
    is_there = call is not None and call.recording is not None and extension == settings.recording_format
    if call is None or call.ended_at is None or not is_there or request.path_params["account"] != settings.sid:
        raise Refused(404, "Recording not found")
    if (now_utc() - call.ended_at).total_seconds() < settings.recording_delay_s or call.report is None or call.recording is None:
        raise Refused(404, "Recording not found")
    return FileResponse(call.recording, media_type="audio/x-wav" if extension == "wav" else "audio/mpeg")


async def _nothing_here(_line: Exchange, _request: Request) -> Response:
    raise Refused(404, "Resource not found")
