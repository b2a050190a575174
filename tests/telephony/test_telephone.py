"""The caller's side of one media socket where nothing of ours answers: whoever opens it or asks it is told, and never waits for ever."""

import asyncio
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from calls.rehearsing.lines import NoLine
from telephony import telephone
from telephony.telephone import Telephone


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A door that says this to whoever comes, and nothing more."""

    class Door(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@contextmanager
def accepting() -> Iterator[int]:
    """A door that takes whoever comes, and listens."""
    ready, port, loop = threading.Event(), list[int](), asyncio.new_event_loop()

    async def taken(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async def serving() -> None:
        async with serve(taken, "127.0.0.1", 0) as server:
            port.append(server.sockets[0].getsockname()[1])
            ready.set()
            await over.wait()

    over = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serving(),), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield port[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()


def test_who_opens_a_line_that_is_lost_at_once_is_told(monkeypatch):
    async def lost(line: Telephone, socket: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(Telephone, "_begin", lost)
    with accepting() as port, pytest.raises(NoLine, match="closed the call before it began"):
        Telephone(f"ws://127.0.0.1:{port}", "one").open()


def test_what_goes_wrong_on_the_lines_thread_is_told_to_who_asked(monkeypatch):
    with accepting() as port:
        line = Telephone(f"ws://127.0.0.1:{port}", "one")
        line.open()
        monkeypatch.setattr(line._handset, "hush", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            line.hush()
        monkeypatch.setattr(telephone, "LOOKS_WITHIN_S", 0.0)
        monkeypatch.setattr(line._loop, "call_soon_threadsafe", lambda work: None)
        with pytest.raises(NoLine, match="does not answer"):
            line.look()
        line.close()


def test_nobody_is_followed_elsewhere_and_no_secret_is_told():
    moved = b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:9/else\r\nContent-Length: 0\r\n\r\n"
    with answering(moved) as port, pytest.raises(NoLine, match=rf"at ws://127.0.0.1:{port} refused the call \(302\)") as told:
        Telephone(f"ws://name:secret@127.0.0.1:{port}/voicebot/token", "one").open()
    assert "secret" not in told.value.message and "token" not in told.value.message
