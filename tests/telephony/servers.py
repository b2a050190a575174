"""The media process, the web process and the simulator, each on a free port in a thread of this process, for tests over real sockets."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import uvicorn

from telephony.fast_socket import FastWebSocketProtocol
from tests.servers import in_a_thread


@contextmanager
def serving(app, *, lifespan: Literal["on", "off"] = "off", host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Runs an ASGI application as `voiceagents.serve` does; yields its port, a free one unless it is given."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        ws=FastWebSocketProtocol,
        ws_per_message_deflate=False,
        ws_max_size=65_536,
        log_config=None,
        access_log=False,
        lifespan=lifespan,
        timeout_graceful_shutdown=5,
    )
    with in_a_thread(config) as served_at:
        yield served_at


def eventually(condition, within_s: float = 60.0):
    """The first truthy value of `condition`, polled; the last one if it never comes."""
    deadline = time.monotonic() + within_s
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return value
