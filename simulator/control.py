"""The simulator's own doors, which no party of the real world has: place a call and watch it, order faults, change settings, look inside.

Watching a call is holding it: when the watcher of `POST /control/calls` goes away, the caller hangs up.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from simulator import scenario as scenarios
from simulator.caller import rehearse
from simulator.exotel.exchange import Exchange, exchange
from simulator.exotel.life import CallLife
from simulator.exotel.numbers import last_ten
from simulator.exotel.settings import ExotelSettingRefused
from simulator.faults import FaultRefused
from simulator.metronome import Metronome
from simulator.overheard import Overheard
from simulator.replies import RuleRefused
from simulator.scenario import ScenarioRefused
from simulator.state import SettingRefused, SimulatorState

DEFAULT_CALLER = "+919812345678"


class OrderRefused(ValueError):
    """A control request that makes no sense; the message says why."""


def routes(state: SimulatorState) -> list[BaseRoute]:
    """To be mounted at `/control`."""

    async def calls(request: Request) -> Response:
        try:
            return await _place(state, await _body(request))
        except (OrderRefused, ScenarioRefused, RuleRefused) as error:
            return _no(str(error))

    async def settings(request: Request) -> Response:
        try:
            change(state, await _body(request))
        except (OrderRefused, SettingRefused, ExotelSettingRefused) as error:
            return _no(str(error))
        return JSONResponse(_settings(state))

    async def order_fault(request: Request) -> Response:
        try:
            fault = state.faults.add(await _body(request))
        except (OrderRefused, FaultRefused) as error:
            return _no(str(error))
        return JSONResponse(asdict(fault), status_code=201)

    async def clear_faults(request: Request) -> Response:
        state.faults.clear(request.query_params.get("target"))
        return Response(status_code=204)

    async def look(_request: Request) -> Response:
        return JSONResponse(_inside(state))

    async def overheard(request: Request) -> Response:
        streams = state.part(Overheard, Overheard).streams
        told = [stream.reports for stream in streams]
        if request.method == "DELETE":
            streams.clear()
        return JSONResponse({"streams": told})

    async def lateness(request: Request) -> Response:
        late_ms = state.part(Metronome, Metronome).late_ms
        kept = sorted(late_ms)
        if request.method == "DELETE":
            late_ms.clear()
        return JSONResponse({f"p{share}_ms": kept[share * (len(kept) - 1) // 100] if kept else None for share in (50, 95, 100)})

    async def one_call(request: Request) -> Response:
        call = exchange(state).calls.get(request.path_params["sid"])
        if call is None:
            return _no("there is no such call", 404)
        report = call.report.as_json() if call.report else None
        return JSONResponse({"call_sid": call.sid, "status": call.status, "events": call.journal, "report": report})

    return [
        Route("/calls", calls, methods=["POST"]),
        Route("/calls/{sid}", one_call, methods=["GET"]),
        Route("/settings", settings, methods=["POST"]),
        Route("/faults", order_fault, methods=["POST"]),
        Route("/faults", clear_faults, methods=["DELETE"]),
        Route("/state", look, methods=["GET"]),
        Route("/lateness", lateness, methods=["GET", "DELETE"]),
        Route("/overheard", overheard, methods=["GET", "DELETE"]),
    ]


def change(state: SimulatorState, partial: Mapping[str, Any]) -> None:
    """Changes settings: those under `exotel` are Exotel's, the others the vendors'. All or none; raises what the two refuse."""
    rest = {name: value for name, value in partial.items() if name != "exotel"}
    exotel = partial.get("exotel", {})
    if not isinstance(exotel, Mapping):
        raise ExotelSettingRefused("exotel must be a table of settings")
    line = exchange(state)
    before = line.settings
    line.change_settings(exotel)
    try:
        state.change_settings(rest)
    except SettingRefused:
        line.settings = before
        raise


async def _place(state: SimulatorState, order: Mapping[str, Any]) -> Response:
    line = exchange(state)
    unknown = set(order) - {"to", "from", "scenario"}
    if unknown:
        raise OrderRefused(f"a call has no {', '.join(sorted(unknown))}; it has to, from and scenario")
    to_number, from_number = str(order.get("to", "")), str(order.get("from") or DEFAULT_CALLER)
    if line.settings.exophone(to_number) is None:
        known = ", ".join(phone.number for phone in line.settings.exophones) or "none"
        raise OrderRefused(f"nobody answers {to_number or 'an empty number'}: it is not among the exophones in the settings ({known})")
    if len(last_ten(from_number)) < 10:
        raise OrderRefused(f"from must be a number of at least ten digits, not {from_number!r}")
    part = scenarios.load(order.get("scenario") or "")
    if state.speech.name == "real":
        await rehearse(part, state.speech, line.settings.sample_rate_hz)
    life = CallLife(line, line.incoming(from_number, to_number), part)
    life.call.tell("call_placed", caller=from_number, called=to_number, scenario=part.name)
    return StreamingResponse(_watch(line, life), media_type="application/x-ndjson")


async def _watch(line: Exchange, life: CallLife) -> AsyncIterator[bytes]:
    task = line.run(life.incoming())
    try:
        async for event in life.call.watch():
            yield json.dumps(event, ensure_ascii=False).encode() + b"\n"
    finally:
        if not task.done():
            life.hang_up()


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise OrderRefused("the body must be JSON") from None
    if not isinstance(body, dict):
        raise OrderRefused("the body must be a JSON object")
    return body


def _settings(state: SimulatorState) -> dict[str, Any]:
    return {**asdict(state.settings), "exotel": asdict(exchange(state).settings)}


def _inside(state: SimulatorState) -> dict[str, Any]:
    line = exchange(state)
    return {
        "settings": _settings(state),
        "faults": [asdict(fault) for fault in state.faults.in_force],
        "faults_taken": dict(state.faults.taken),
        "open_now": {name: count for name, count in state.open_now.items() if count},
        "streams_now": line.streams_now,
        "calls": dict(Counter("over" if call.has_ended else "live" for call in line.calls.values())),
    }


def _no(why: str, status: int = 400) -> Response:
    return JSONResponse({"error": why}, status_code=status)
