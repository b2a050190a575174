"""A simulated Exotel on a real port, and the other side of it played by small servers that obey its rules or break them."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from simulator import control
from simulator.exotel import rest
from simulator.exotel.exchange import exchange
from simulator.speech.tones import write
from simulator.state import SimulatorState
from tests.servers import PromptServer

EXOPHONE = "+918047112233"
CALLER = "+919876543210"
AUTH = ("sim-key", "sim-token")
ACCOUNT = "/exotel/v1/Accounts/simulated1"
WHOLE_FRAMES_BYTES = 3_840
FLOW_URL = "http://my.exotel.com/simulated1/exoml/start_voice/1"


@asynccontextmanager
async def running(app) -> AsyncIterator[str]:
    """`app` on a free port of its own; yields its root URL."""
    server = PromptServer(uvicorn.Config(app, port=0, log_level="warning", ws="websockets-sansio", ws_per_message_deflate=False))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.leave()
        await task


@dataclass
class Hook:
    """One request that Exotel made of us."""

    method: str
    path: str
    query: list[tuple[str, str]]
    form: list[tuple[str, str]]
    json: Any
    headers: dict[str, str]

    @property
    def fields(self) -> dict[str, str]:
        return dict(self.query or self.form)


@dataclass
class Webhooks:
    """Everything Exotel asked over HTTP, and what it is answered: status, body and content type by path."""

    answers: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    got: list[Hook] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        body = await request.body()
        kind = request.headers.get("content-type", "")
        form: list[tuple[str, str]] = []
        if "form" in kind:
            async with request.form() as read:
                form = [(name, str(value)) for name, value in read.multi_items()]
        as_json = json.loads(body) if "json" in kind else None
        hook = Hook(request.method, request.url.path, request.query_params.multi_items(), form, as_json, dict(request.headers))
        self.got.append(hook)
        status, text, media_type = self.answers.get(request.url.path, (200, "", "text/plain"))
        return Response(text, status, media_type=media_type)

    def at(self, path: str) -> list[Hook]:
        return [hook for hook in self.got if hook.path == path]


class Bot:
    """The product's side of one stream: what came in, and the means to answer rightly or wrongly."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.messages: list[dict] = []
        self.arrivals: list[float] = []

    async def read(self) -> dict:
        raw = await self.socket.recv()
        assert isinstance(raw, str), "Exotel sends text frames only"
        message: dict = json.loads(raw)
        self.messages.append(message)
        self.arrivals.append(asyncio.get_running_loop().time())
        return message

    async def until(self, event: str) -> dict:
        while True:
            message = await self.read()
            if message["event"] == event:
                return message

    async def drain(self) -> None:
        """Reads to the end of the stream."""
        try:
            while True:
                await self.read()
        except ConnectionClosed:
            pass

    async def listen(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.drain()
        except TimeoutError:
            pass

    async def media(self, pcm: bytes) -> None:
        await self.send({"event": "media", "stream_sid": "any", "media": {"payload": base64.b64encode(pcm).decode()}})

    async def send(self, message: object) -> None:
        await self.socket.send(json.dumps(message))

    async def say(self, pcm: bytes, mark: str = "") -> None:
        """As the rules want it: whole frames at every rate, the last message padded, all of it at once."""
        for start in range(0, len(pcm), WHOLE_FRAMES_BYTES):
            await self.media(pcm[start : start + WHOLE_FRAMES_BYTES].ljust(WHOLE_FRAMES_BYTES, b"\0"))
        if mark:
            await self.send({"event": "mark", "mark": {"name": mark}})

    async def pace(self, pcm: bytes, mark: str = "") -> None:
        """As `say`, a second ahead of the clock at most, so that any length keeps the rules."""
        for start in range(0, len(pcm), 3_200):
            await self.media(pcm[start : start + 3_200].ljust(3_200, b"\0"))
            if start >= 16_000:
                await self.listen(0.2)
        if mark:
            await self.send({"event": "mark", "mark": {"name": mark}})

    def caller_pcm(self) -> bytes:
        return b"".join(base64.b64decode(m["media"]["payload"]) for m in self.messages if m["event"] == "media")


Play = Callable[[Bot], Awaitable[None]]


@dataclass
class Rig:
    url: str
    state: SimulatorState
    http: httpx.AsyncClient
    hooks: Webhooks
    hooks_url: str
    bot_url: str
    bots: list[Bot]
    handshakes: list[dict[str, str]]

    async def settings(self, **exotel) -> None:
        (await self.http.post("/control/settings", json={"exotel": exotel})).raise_for_status()

    async def flow(self, **exophone) -> None:
        """Gives the exophone its flow; the Voicebot is the rig's bot unless said otherwise."""
        await self.settings(exophones=[{"number": EXOPHONE, "voicebot_url": self.bot_url, **exophone}])

    async def call(self, *steps: dict, to: str = EXOPHONE, **scenario) -> tuple[list[dict], dict]:
        """Places a call and stays on it; the events, and the report."""
        order = {"to": to, "from": CALLER, "scenario": {"step": list(steps), **scenario}}
        events = []
        async with self.http.stream("POST", "/control/calls", json=order) as response:
            if response.status_code != 200:
                raise AssertionError((await response.aread()).decode())
            async for line in response.aiter_lines():
                events.append(json.loads(line))
        return events, events[-1]["report"]

    async def connect(self, **form) -> httpx.Response:
        return await self.http.post(f"{ACCOUNT}/Calls/connect.json", data={"From": CALLER, "CallerId": EXOPHONE, **form}, auth=AUTH)

    async def finished(self, sid: str) -> dict:
        """The events of an outgoing call, once it is over and everything was told."""
        while True:
            call = (await self.http.get(f"/control/calls/{sid}")).json()
            if call["report"] is not None:
                await exchange(self.state).deliveries.settle()
                settled: dict = (await self.http.get(f"/control/calls/{sid}")).json()
                return settled
            await asyncio.sleep(0.02)

    async def settle(self) -> None:
        await exchange(self.state).deliveries.settle()


@asynccontextmanager
async def rig(scratch: Path, play: Play, *, refuse_with: int = 0, refusals: int = 1_000_000) -> AsyncIterator[Rig]:
    """`play` is what the bot does with each stream. `refuse_with`: the HTTP status that so many handshakes are answered with."""
    state = SimulatorState(scratch=scratch)
    hooks = Webhooks()
    bots: list[Bot] = []
    handshakes: list[dict[str, str]] = []

    def admit(connection, request):
        handshakes.append({"path": request.path, **dict(request.headers.raw_items())})
        if refuse_with and len(handshakes) <= refusals:
            return connection.respond(refuse_with, "no")
        return None

    async def serve_bot(socket: ServerConnection) -> None:
        bot = Bot(socket)
        bots.append(bot)
        with suppress(ConnectionClosed):
            await play(bot)

    exotel = Starlette(routes=[Mount("/exotel", routes=rest.routes(state)), Mount("/control", routes=control.routes(state))])
    every = ["GET", "POST", "HEAD"]
    webhooks = Starlette(routes=[Route("/{path:path}", hooks.take, methods=every)])
    bot_server = serve(serve_bot, "127.0.0.1", 0, process_request=admit, compression=None, ping_interval=None)
    async with (
        running(exotel) as url,
        running(webhooks) as hooks_url,
        bot_server as bots_here,
        httpx.AsyncClient(base_url=url, timeout=60) as http,
    ):
        bot_url = f"ws://127.0.0.1:{bots_here.sockets[0].getsockname()[1]}/media"
        it = Rig(url, state, http, hooks, hooks_url, bot_url, bots, handshakes)
        await it.flow()
        await it.settings(details_delay_s=0, recording_delay_s=0, public_url=url)
        try:
            yield it
        finally:
            await exchange(state).stop()


def speech(text: str, rate: int = 8_000) -> bytes:
    return write(text, rate)
