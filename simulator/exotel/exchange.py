"""The telephone exchange of one simulator: its settings, the calls it has carried, and what every call needs to run."""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from simulator.exotel.callbacks import Deliveries
from simulator.exotel.calls import Call, Leg
from simulator.exotel.connecting import ConnectRequest
from simulator.exotel.numbers import new_sid
from simulator.exotel.settings import ExotelSettings, changed
from simulator.faults import Faults
from simulator.state import SimulatorState

KEPT_CALLS = 5_000


class Exchange:
    """One for each server (`SimulatorState.part`). Calls are kept in the order in which they were placed."""

    def __init__(self, state: SimulatorState) -> None:
        self.state = state
        self.settings = ExotelSettings()
        self.calls: dict[str, Call] = {}
        self.streams_now = 0
        self._connects: deque[float] = deque()
        self._http: httpx.AsyncClient | None = None
        self._deliveries: Deliveries | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def faults(self) -> Faults:
        return self.state.faults

    @property
    def http(self) -> httpx.AsyncClient:
        """Made on first use, inside the loop that the server runs on."""
        if self._http is None:
            limits = httpx.Limits(max_connections=400, max_keepalive_connections=100)
            self._http = httpx.AsyncClient(headers={"User-Agent": "Go-http-client/1.1"}, limits=limits, timeout=15.0, trust_env=False)
        return self._http

    @property
    def deliveries(self) -> Deliveries:
        if self._deliveries is None:
            self._deliveries = Deliveries(self.http, self.faults)
        return self._deliveries

    def change_settings(self, partial: Mapping[str, Any]) -> ExotelSettings:
        """For calls that begin from now on; raises `ExotelSettingRefused`."""
        self.settings = changed(self.settings, partial)
        return self.settings

    def may_connect(self) -> bool:
        """Counts one API call attempt against the account's limit per minute."""
        now = time.monotonic()
        while self._connects and now - self._connects[0] >= 60:
            self._connects.popleft()
        if len(self._connects) >= self.settings.connects_per_minute:
            return False
        self._connects.append(now)
        return True

    def incoming(self, from_number: str, exophone: str) -> Call:
        """A person has dialled one of the exophones."""
        phone = self.settings.exophone(exophone)
        app_id = phone.app_id if phone else "1"
        return self._keep("inbound", "incoming", from_number, exophone, exophone, flow_id=app_id)

    def outgoing(self, request: ConnectRequest) -> Call:
        """The call that an accepted API request asks for; nobody was rung yet."""
        call = self._keep(
            "outbound-api", request.mode, request.from_number, request.to_number, request.caller_id, flow_id=request.app_id or "1"
        )
        call.record, call.dual_channels = request.record and self.settings.keeps_recordings, request.dual_channels
        call.time_limit_s, call.ring_limit_s = request.time_limit_s, request.ring_limit_s
        call.custom_field, call.callback, call.stream_url = request.custom_field, request.callback, request.stream_url
        if request.mode == "two-numbers" and request.stream_url:
            call.tell("not_simulated", what="the one-way stream of a call between two numbers")
        if request.mode == "two-numbers":
            call.legs.append(Leg(request.to_number))
        return call

    def _keep(self, direction: str, mode: str, from_number: str, to_number: str, exophone: str, *, flow_id: str) -> Call:
        now = datetime.now(UTC)
        call = Call(
            sid=new_sid(now),
            direction=direction,
            mode=mode,
            from_number=from_number,
            to_number=to_number,
            exophone=exophone,
            created_at=now,
            flow_id=flow_id,
            record=self.settings.keeps_recordings,
            legs=[Leg(from_number)],
            opened=asyncio.get_running_loop().time(),
        )
        self.calls[call.sid] = call
        while len(self.calls) > KEPT_CALLS:
            self.calls.pop(next(iter(self.calls)))
        return call

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs a call beside the request that began it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        """Ends every running call, lets their sockets close, and closes the HTTP client."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._deliveries is not None:
            self._deliveries.stop()
        if self._http is not None:
            await self._http.aclose()


def exchange(state: SimulatorState) -> Exchange:
    """The one exchange of this server."""
    return state.part(Exchange, lambda: Exchange(state))
