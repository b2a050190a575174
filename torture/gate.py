"""The wire between the workers and the outside world: a reverse proxy that can hold a request at a given moment.

A request held `before` has not reached the other side; one held `after` has been carried out there and its answer is kept back; one held
`half` has sent the first half of its answer. Whoever is killed meanwhile is in exactly that moment. What is let go afterwards goes nowhere.
The gate also serves the carrier's recordings, because most of the poison is in them.
"""

import asyncio
import contextlib
import re
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

import httpx
import uvicorn

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

DOORS: Final = (
    ("recording", "GET", re.compile(r"/recordings/")),
    ("put", "PUT", re.compile(r"/s3/[^/]+/recordings/")),
    ("transcribe", "POST", re.compile(r"/deepgram/v1/listen")),
    ("analyse", "POST", re.compile(r"/openai/v1/(chat/completions|responses)")),
    ("dial", "POST", re.compile(r"/exotel/.*/Calls/connect")),
)
_HOP: Final = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"date", b"server", b"upgrade"})
HELD_AT_MOST_S: Final = 700.0


@dataclass(frozen=True)
class File:
    """What the carrier gives as a recording. `length`: the Content-Length that it claims. `cut`: the connection breaks after the body.

    `endless`: the body is repeated until the other side has had enough.
    """

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    cut: bool = False
    endless: bool = False


class Gate:
    """Serves on `port` of 127.0.0.1 in a thread of its own; `behind` is where requests go on to."""

    def __init__(self, behind: str) -> None:
        self.behind = behind
        self.files: dict[str, File] = {}
        self.altered: dict[bytes, Callable[[bytes], tuple[int, bytes]]] = {}
        """Requests whose body has these bytes get what the callable makes of the real answer: its status and body."""
        self.arrived: Counter[str] = Counter()
        self.passed: Counter[str] = Counter()
        """Requests that reached the other side: where they cost money, this is what was paid for."""
        self.dialled: Counter[str] = Counter()
        self.held = 0
        self._hold: tuple[str, str] | None = None
        self._released = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def serving(self) -> Iterator["Gate"]:
        config = uvicorn.Config(
            self._app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=2, interface="asgi3"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [self._listener]}, name="gate", daemon=True)
        self._listener.listen(1024)
        thread.start()
        try:
            yield self
        finally:
            self.release()
            server.should_exit = True
            thread.join(10)

    def hold(self, door: str, moment: str) -> None:
        """From now on every request at `door` stops `before`, `half` way or `after`."""
        self.held, self._hold = 0, (door, moment)

    def release(self) -> None:
        """Ends the holding. Requests that were held get no answer any more: whoever asked is dead."""
        self._hold = None
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._let_go)

    def _let_go(self) -> None:
        self._released.set()
        self._released = asyncio.Event()

    async def _app(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self._loop = asyncio.get_running_loop()
        path = scope["path"]
        door = next((name for name, method, pattern in DOORS if method == scope["method"] and pattern.search(path)), "")
        body = await _body(receive)
        self.arrived[door] += 1
        if self._hold == (door, "before"):
            await self._held()
            return
        self.passed[door] += 1
        if door == "dial":
            self.dialled[parse_qs(body.decode()).get("From", [""])[0][-10:]] += 1
        name = path.rsplit("/", 1)[-1]
        if door == "recording" and name in self.files:
            await self._give(self.files[name], door, send)
            return
        status, headers, answer = await self._ask(scope, body)
        for mark, alter in self.altered.items() if door == "transcribe" else ():
            if mark in body:
                status, answer = alter(answer)
        if self._hold == (door, "after"):
            await self._held()
            return
        await _start(send, status, headers, len(answer) if scope["method"] != "HEAD" else None)
        await send({"type": "http.response.body", "body": answer})

    async def _held(self) -> None:
        """Ends with no answer at all: uvicorn closes the connection."""
        self.held += 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HELD_AT_MOST_S):
                await self._released.wait()

    async def _give(self, file: File, door: str, send: Send) -> None:
        headers = [(name.lower().encode(), value.encode()) for name, value in file.headers.items()]
        await _start(send, file.status, headers, None if file.endless else len(file.body) if file.length is None else file.length)
        if self._hold == (door, "half"):
            await send({"type": "http.response.body", "body": file.body[: len(file.body) // 2], "more_body": True})
            await self._held()
            return
        await send({"type": "http.response.body", "body": file.body, "more_body": file.endless or file.cut})
        for _ in range(4096 if file.endless else 0):
            await send({"type": "http.response.body", "body": file.body, "more_body": True})
            await asyncio.sleep(0)

    async def _ask(self, scope: Message, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        url = self.behind + scope["raw_path"].decode() + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
        headers = [(name, value) for name, value in scope["headers"] if name not in _HOP and name != b"expect"]
        async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
            try:
                request = http.build_request(scope["method"], url, headers=headers, content=body)
                answer = await http.send(request)
            except httpx.HTTPError as error:
                return 502, [], type(error).__name__.encode()
        kept = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _HOP]
        if scope["method"] == "HEAD" and "content-length" in answer.headers:
            kept.append((b"content-length", answer.headers["content-length"].encode()))
        return answer.status_code, kept, answer.content


async def _body(receive: Receive) -> bytes:
    pieces = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


async def _start(send: Send, status: int, headers: list[tuple[bytes, bytes]], length: int | None) -> None:
    lengths = [(b"content-length", str(length).encode())] if length is not None else []
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *lengths]})
