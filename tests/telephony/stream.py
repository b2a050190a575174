"""Exotel's side of one media socket, played by a synchronous WebSocket client."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.providers.exotel import payloads

SILENCE = base64.b64encode(bytes(320)).decode()


class Stream:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def send(self, **message) -> None:
        self.socket.send(json.dumps(message))

    def start(self, call_sid: str = payloads.SID, stream_sid: str = payloads.STREAM_SID, **body) -> None:
        start = {
            "stream_sid": stream_sid,
            "call_sid": call_sid,
            "account_sid": "exampleco1",
            "from": payloads.HUMAN_0,
            "to": payloads.EXOPHONE_0,
        }
        self.send(event="connected")
        self.send(
            event="start",
            stream_sid=stream_sid,
            sequence_number="1",
            start={**start, "media_format": {"encoding": "base64", "sample_rate": "8000", "bit_rate": "128kbps"}, **body},
        )

    def media(self, frames: int = 1) -> None:
        for _ in range(frames):
            self.send(event="media", media={"chunk": "1", "timestamp": "20", "payload": SILENCE})

    def receive(self, timeout_s: float = 45.0):
        raw = self.socket.recv(timeout=timeout_s)
        assert isinstance(raw, str)
        return json.loads(raw)

    def until(self, event: str) -> tuple[list[dict], dict]:
        """Everything up to the first `event`, and that one."""
        before: list[dict] = []
        while True:
            message = self.receive()
            if message["event"] == event:
                return before, message
            before.append(message)

    def closed(self, timeout_s: float = 45.0) -> int:
        """The code with which the other side closes, whatever it still says before."""
        try:
            while True:
                self.receive(timeout_s)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006


@contextmanager
def opened(url: str, **headers: str) -> Iterator[Stream]:
    with connect(
        url, compression=None, additional_headers=headers, user_agent_header="Go-http-client/1.1", close_timeout=3, open_timeout=45
    ) as socket:
        yield Stream(socket)
