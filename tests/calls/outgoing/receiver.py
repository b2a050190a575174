"""A receiver of webhooks on a real socket, as an operator would write one: it takes what comes, and answers what the test wants."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook

LOOPBACK = ("127.0.0.0/8", "::1/128")
Answer = int | Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Taken:
    headers: dict[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    def verified_with(self, secret: str) -> dict:
        """What the message says, if the library of Standard Webhooks finds it genuine; raises otherwise."""
        said: dict = Webhook(secret).verify(self.body, self.headers)
        return said


@dataclass
class Receiver:
    url: str
    taken: list[Taken] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    always: Answer = 204

    @property
    def ids(self) -> list[str]:
        return [one.message_id for one in self.taken]


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            place.taken.append(Taken({name.lower(): value for name, value in self.headers.items()}, body))
            answer = place.answers.pop(0) if place.answers else place.always
            if callable(answer):
                answer(self)
                return
            self.send_response(answer)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    place = Receiver(f"http://127.0.0.1:{server.server_address[1]}/hooks")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield place
    finally:
        server.shutdown()
        server.server_close()
