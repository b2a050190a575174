"""StatusCallbacks of API calls and the asynchronous Passthru: told once, late, twice, out of order or never, as ordered.

Exotel signs nothing and cares little for the answer; so does this. Credentials in a URL become Basic, as in any HTTP client.
"""

import asyncio
from datetime import datetime
from typing import Any

import httpx

from simulator.exotel.calls import Call, recording_url
from simulator.exotel.numbers import spelt, stamp
from simulator.exotel.params import Params, with_query
from simulator.exotel.settings import ExotelSettings
from simulator.faults import Fault, Faults

REORDER_PATIENCE_S = 2.0


def status_fields(call: Call, settings: ExotelSettings, event: str, now: datetime) -> dict[str, Any]:
    """The fields of one StatusCallback; `Legs` as a list. Without subscribed events there are only the four base fields."""
    style = settings.numbers_format
    is_over = event in ("terminal", "")
    fields: dict[str, Any] = {
        "CallSid": call.sid,
        "DateUpdated": stamp(now),
        "Status": call.status if is_over else "in-progress" if event == "answered" else "ringing",
        "RecordingUrl": (recording_url(call, settings) or "") if is_over else "",
    }
    if not event:
        return fields
    fields |= {
        "EventType": event,
        "DateCreated": stamp(call.created_at),
        "To": spelt(call.to_number, style),
        "From": spelt(call.from_number, style),
        "PhoneNumberSid": spelt(call.exophone, style),
        "StartTime": stamp(call.created_at),
        "EndTime": stamp(call.ended_at) if call.ended_at else "",
        "ConversationDuration": call.conversation_s(now),
        "Direction": "outbound-api",
        "Legs": [{"OnCallDuration": leg.on_call_s(now), "Status": leg.status, "AnsweredBy": ""} for leg in call.legs],
    }
    if event == "terminal" and call.custom_field:
        fields["CustomField"] = call.custom_field
    return fields


def as_form(fields: dict[str, Any]) -> list[tuple[str, str]]:
    """`Legs[0][Status]=…` and so on, everything else as text."""
    form = [(name, str(value)) for name, value in fields.items() if name != "Legs"]
    for place, leg in enumerate(fields.get("Legs", ())):
        form += [(f"Legs[{place}][{name}]", str(value)) for name, value in leg.items()]
    return form


class Deliveries:
    """Sends what nobody waits for. `fault` decides for each delivery how it goes wrong."""

    def __init__(self, http: httpx.AsyncClient, faults: Faults) -> None:
        self._http = http
        self._faults = faults
        self._tasks: set[asyncio.Task[None]] = set()
        self._last: dict[str, asyncio.Task[None]] = {}
        self._next_is_out: dict[str, asyncio.Event] = {}

    def status(self, call: Call, settings: ExotelSettings, event: str, now: datetime) -> None:
        """A StatusCallback, if the call asked for this event (the one without events is always sent)."""
        wanted = call.callback
        if wanted is None or (event and event not in wanted.events):
            return
        if event and call.mode == "flow" and not settings.events_in_flow_mode:
            if event != "terminal":
                return
            event = ""
        fields = status_fields(call, settings, event, now)
        request = (
            self._http.build_request("POST", wanted.url, json=fields)
            if wanted.as_json
            else self._http.build_request("POST", wanted.url, files=[(name, (None, value)) for name, value in as_form(fields)])
        )
        self._deliver(call, settings, request, f"status {event or 'final'}")

    def passthru(self, call: Call, settings: ExotelSettings, url: str, params: Params) -> None:
        """A Passthru that is not waited for."""
        request = self._http.build_request("GET", with_query(url, params))
        self._deliver(call, settings, request, "passthru")

    def _deliver(self, call: Call, settings: ExotelSettings, request: httpx.Request, what: str) -> None:
        before = self._next_is_out.pop(call.sid, None)
        if before is not None:
            before.set()
        fault = self._faults.take("exotel.callback")
        gate: asyncio.Event | None = None
        if fault is not None and fault.fault == "reorder":
            gate = self._next_is_out[call.sid] = asyncio.Event()
        earlier = None if gate is not None or before is not None else self._last.get(call.sid)
        task = asyncio.create_task(self._send(call, settings, request, what, fault, gate, earlier))
        self._last[call.sid] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(
        self,
        call: Call,
        settings: ExotelSettings,
        request: httpx.Request,
        what: str,
        fault: Fault | None,
        gate: asyncio.Event | None,
        earlier: asyncio.Task[None] | None,
    ) -> None:
        if earlier is not None:
            await asyncio.wait([earlier], timeout=settings.webhook_timeout_s)
        await asyncio.sleep(settings.callback_delay_s)
        if gate is not None:
            await self._behind_the_next(gate)
        kind = fault.fault if fault else ""
        if kind in ("lose", "drop", "status"):
            call.tell("callback", what=what, result="lost on purpose")
            return
        if fault is not None and kind in ("delay", "hang", "drip"):
            await asyncio.sleep((fault.ms if kind == "delay" else fault.every_ms) / 1_000)
        for _ in range(2 if kind == "duplicate" else 1):
            call.tell("callback", what=what, result=await self._insist(request, settings))

    async def _behind_the_next(self, gate: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(REORDER_PATIENCE_S):
                await gate.wait()
            await asyncio.sleep(0.2)
        except TimeoutError:
            pass

    async def _insist(self, request: httpx.Request, settings: ExotelSettings) -> str:
        result = await self._post(request, settings)
        for _ in range(settings.callback_retries):
            if result == "HTTP 200":
                break
            await asyncio.sleep(settings.callback_retry_s)
            result = await self._post(request, settings)
        return result

    async def _post(self, request: httpx.Request, settings: ExotelSettings) -> str:
        try:
            await request.aread()
            request.extensions["timeout"] = httpx.Timeout(settings.webhook_timeout_s).as_dict()
            answer = await self._http.send(request, auth=httpx.USE_CLIENT_DEFAULT)
        except httpx.HTTPError as error:
            return type(error).__name__
        return f"HTTP {answer.status_code}"

    async def settle(self) -> None:
        """Waits until everything begun was sent."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
