"""The media process, the web process and the simulator, each on a free port in a thread of this process, for tests over real sockets."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import uvicorn

from telephony.fast_socket import FastWebSocketProtocol


@contextmanager
def serving(app, *, lifespan: Literal["on", "off"] = "off", host: str = "127.0.0.1") -> Iterator[int]:
    """Runs an ASGI application as `voiceagents.serve` does; yields its port."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=0,
            ws=FastWebSocketProtocol,
            ws_per_message_deflate=False,
            ws_max_size=65_536,
            log_config=None,
            access_log=False,
            lifespan=lifespan,
            timeout_graceful_shutdown=5,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the server did not start")
        time.sleep(0.005)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(15)


def eventually(condition, within_s: float = 10.0):
    """The first truthy value of `condition`, polled; the last one if it never comes."""
    deadline = time.monotonic() + within_s
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return value
