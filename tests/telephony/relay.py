"""One address in front of several processes, as a load balancer has: where a new connection goes can be changed at any time."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Relay:
    """`target` is the port to which the next connection goes; the open ones stay where they are."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True, name="relay").start()

    def _accept(self) -> None:
        with suppress(OSError):  # the server was closed
            while True:
                here, _ = self._server.accept()
                try:
                    there = socket.create_connection(("127.0.0.1", self.target), 10)
                except OSError:
                    here.close()
                    continue
                for source, sink in ((here, there), (there, here)):
                    threading.Thread(target=_pass_on, args=(source, sink), daemon=True, name="relay").start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._server.close()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextmanager
def relay(target: int) -> Iterator[Relay]:
    it = Relay(target)
    try:
        yield it
    finally:
        it.close()
