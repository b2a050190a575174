"""One call with one fault at one party, in its own time: everything is real but the speech, the model's wit and the clock.

The simulated Exotel and the vendors, the media socket, the conductor, the agent as it is assembled for every call, the providers' clients
and their deadlines, Postgres and Valkey: all as in production, over real sockets, in one process on a `WarpedLoop`. The party that fails
is reached through a wire with the fault in it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import uvicorn
from asgiref.sync import sync_to_async
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.conf import settings
from django.db import connections

from agents import assembly, prepared
from agents.models import Agent
from agents.spec import AgentSpec
from calls import broadcast, conductor
from calls.conductor import rows
from providers.connection import LoopClients
from simulator import control, scenario
from simulator.app import build_app
from simulator.exotel.exchange import exchange
from simulator.exotel.life import CallLife
from simulator.report import Report
from simulator.speech.tones import write
from simulator.state import SimulatorState
from telephony import media
from telephony.fast_socket import FastWebSocketProtocol
from tests.faults.warped_loop import WarpedLoop
from tests.faults.wires import Fault, Wire
from tests.telephony.conftest import FIRST

PARTIES = ("stt", "llm", "tts", "postgres", "valkey", "exotel")
ADDRESS = {
    "stt": ("DEEPGRAM_BASE_URL", "/deepgram"),
    "llm": ("OPENAI_BASE_URL", "/openai/v1"),
    "tts": ("ELEVENLABS_BASE_URL", "/elevenlabs"),
}
# How long our own stores are away. Vendors and the line do not recover.
AWAY_S = 8.0
OVER_WITHIN_S = 120.0
LAST_WORDS_S = 30.0  # dashboards may be told for so long that it is over
SCENARIO = {
    "step": [
        {"wait_for_agent": {"quiet_ms": 500}},
        {"say": "Time?"},
        {"wait_for_agent": {"quiet_ms": 500}},
        {"say": "Bye"},
        # Whoever is asked to say it again does; an agent that has closed by now leaves this unsaid.
        *({"wait_for_agent": {"quiet_ms": 3000}}, {"say": "Bye!"}) * 2,
        {"wait_for_close": {}},
    ],
    "reply": [
        {"heard": "(?i)bye", "say": "Bye.", "tool": {"name": "end_call", "arguments": {}}},
        {"heard": "(?i)time", "say": "It is ten."},
    ],
}


class _Server(uvicorn.Server):
    """One that leaves the process's signals alone."""

    def capture_signals(self) -> Any:
        return nullcontext()


@asynccontextmanager
async def serving(app: Any, **options: Any) -> AsyncIterator[int]:
    """Serves on this loop, as `voiceagents.serve` does; yields the port."""
    shared: dict[str, Any] = {"host": "127.0.0.1", "port": 0, "ws_per_message_deflate": False, "log_config": None, "access_log": False}
    server = _Server(uvicorn.Config(app, **shared, **options))
    running = asyncio.create_task(server.serve(), name="server")
    while not server.started:
        assert not running.done(), "the server did not start"
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running


@dataclass
class Stage:
    """What the case is about, and what to put back after it."""

    party: str
    fault: Fault
    exophone: str
    loop: WarpedLoop
    tmp_path: Any
    monkeypatch: Any
    settings: Any

    async def call(self) -> CallLife:
        """Plays the call to its very end: nobody talks, every row is written, nothing of it runs any more."""
        state = SimulatorState(scratch=self.tmp_path)
        at_first = asyncio.all_tasks()
        async with contextlib.AsyncExitStack() as stack:
            simulator = await stack.enter_async_context(serving(build_app(state), ws="websockets-sansio", lifespan="on"))
            door = {"ws": FastWebSocketProtocol, "ws_max_size": 65_536, "ws_ping_interval": 30, "ws_ping_timeout": 120, "lifespan": "off"}
            media_port = await stack.enter_async_context(serving(media.application, **door))
            wire = Wire(self._target(simulator, media_port), self.fault)
            await wire.open()
            stack.push_async_callback(wire.close)
            stack.enter_context(self._behind(wire, simulator))
            line = wire.port if self.party == "exotel" else media_port
            phone = {"number": self.exophone, "voicebot_url": f"ws://exotel:{FIRST}@127.0.0.1:{line}/api/v1/media/exotel"}
            control.change(state, {"exotel": {"exophones": [phone], "public_url": f"http://127.0.0.1:{simulator}"}})
            await assembly.warm()
            await sync_to_async(connections.close_all)()  # as the process does when it starts
            stack.push_async_callback(LoopClients.close_everywhere)
            lived = CallLife(exchange(state), exchange(state).incoming("+919811122233", self.exophone), scenario.load(SCENARIO))
            async with asyncio.timeout(OVER_WITHIN_S):
                await lived.incoming()
                while conductor.load().calls:
                    await asyncio.sleep(0.1)
            await asyncio.sleep(LAST_WORDS_S)
        left = [task.get_name() for task in asyncio.all_tasks() - at_first]
        assert not left, f"tasks left behind: {left}"
        return lived

    def _target(self, simulator: int, media_port: int) -> tuple[str, int]:
        database = connections["default"].settings_dict
        valkey = int(settings.REDIS_URL.rpartition(":")[2].partition("/")[0])
        ports = {"postgres": int(database["PORT"]), "valkey": valkey, "exotel": media_port}
        return (database["HOST"] if self.party == "postgres" else "127.0.0.1"), ports.get(self.party, simulator)

    @contextmanager
    def _behind(self, wire: Wire, simulator: int) -> Iterator[None]:
        """The party that fails stands behind the wire; to every other one the way is open."""
        for party, (name, path) in ADDRESS.items():
            setattr(self.settings, name, f"http://127.0.0.1:{wire.port if party == self.party else simulator}{path}")
        own = None
        if self.party in ("postgres", "valkey"):
            # A thread that writes a row waits for the wire, which lives in our time: until the party is back it must pass.
            self.loop.let_time_pass_while(lambda: wire.is_faulty)
            self.loop.call_later(AWAY_S, wire.heal)
        if self.party == "postgres":
            own = ThreadPoolExecutor(8, thread_name_prefix="faulty rows", initializer=_through, initargs=(wire.port,))
            self.monkeypatch.setattr(rows, "_THREADS", own)
        if self.party == "valkey":
            layer = RedisPubSubChannelLayer(hosts=[{"address": f"redis://127.0.0.1:{wire.port}/0"}])
            self.monkeypatch.setattr(broadcast, "get_channel_layer", lambda: layer)
            default = settings.CACHES["default"]
            self.settings.CACHES = {**settings.CACHES, "default": {**default, "LOCATION": f"redis://127.0.0.1:{wire.port}/1"}}
        try:
            yield
        finally:
            if own is not None:
                own.shutdown(wait=True)


def _through(port: int) -> None:
    """This thread's database is reached through `port`."""
    mine = connections.create_connection("default")
    options = {name: value for name, value in mine.settings_dict["OPTIONS"].items() if name != "pool"}
    mine.settings_dict = {**mine.settings_dict, "HOST": "127.0.0.1", "PORT": str(port), "OPTIONS": options}
    connections["default"] = mine


def remember(agent: Agent) -> AgentSpec:
    """Puts the agent's prepared sentences into this process's memory, as its publication did."""
    spec = agent.current_version.as_spec()
    prepared.memory.clear()
    for text in prepared.sentences(spec):
        prepared.memory.put(prepared.key_of(spec, text), write(text, prepared.LINE_RATE_HZ))
    return spec


def played(stage: Stage) -> CallLife:
    try:
        return stage.loop.run_until_complete(stage.call())
    finally:
        stage.loop.run_until_complete(stage.loop.shutdown_asyncgens())
        stage.loop.run_until_complete(stage.loop.shutdown_default_executor())
        stage.loop.close()


def longest_silence_ms(report: Report, life: CallLife) -> float:
    """The longest time on the open stream in which neither side made a sound."""
    if life.stream is None or report.stream_started_ms is None:
        return 0.0
    sounds = [(one.start_ms, one.end_ms) for one in report.agent] + [(one.start_ms, one.end_ms) for one in report.turns]
    return longest_gap_ms(sounds, report.stream_started_ms, life.stream.caller.now_ms)


def longest_gap_ms(sounds: Iterable[tuple[float, float]], begins: float, ends: float) -> float:
    """The longest time between `begins` and `ends` in which none of `sounds` is heard. Pure."""
    longest, quiet_since = 0.0, begins
    for first, last in [*sorted(sounds), (ends, ends)]:
        longest = max(longest, first - quiet_since)
        quiet_since = max(quiet_since, last)
    return longest
