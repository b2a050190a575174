"""A scripted HTTP peer on a real port: it answers what a test queues, or hangs up, and remembers what it was asked."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from providers.exotel.address import ExotelConfig


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


@dataclass
class Peer:
    port: int = 0
    answers: dict[str, list[tuple[int, dict[str, str], bytes] | None]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, status: int = 200, body: bytes | str = b"", **headers: str) -> None:
        """Queues one answer for `path`; the last one queued stays."""
        raw = body.encode() if isinstance(body, str) else body
        self.answers.setdefault(path, []).append((status, {name.replace("_", "-"): value for name, value in headers.items()}, raw))

    def hang_up(self, path: str) -> None:
        self.answers.setdefault(path, []).append(None)

    def config(self, **changes) -> ExotelConfig:
        return ExotelConfig(**{"sid": "exampleco1", "api_key": "the-key", "api_token": "the-token", "root": self.root, **changes})


@pytest.fixture
def peer() -> Iterator[Peer]:
    it = Peer()

    class Door(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            it.asked.append(Asked(self.command, parts.path, dict(parse_qsl(parts.query)), dict(parse_qsl(body)), dict(self.headers)))
            queue = it.answers.get(parts.path, [(404, {}, b"")])
            answer = queue.pop(0) if len(queue) > 1 else queue[0]
            if answer is None:
                self.close_connection = True
                return
            status, headers, raw = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "content-length" not in headers:
                self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)
            if "content-length" in headers:
                self.close_connection = True

        do_GET = do_POST = _serve

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    it.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield it
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
