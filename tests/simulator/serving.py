"""Runs routes of the simulator on a real port, in a thread with its own event loop, for tests that speak to them over sockets."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from simulator.fast_frames import FastFramesProtocol
from simulator.state import SimulatorState
from tests.servers import in_a_thread


@dataclass(frozen=True)
class Served:
    state: SimulatorState
    port: int

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


@contextmanager
def served(state: SimulatorState, routes: Sequence[BaseRoute]) -> Iterator[Served]:
    config = uvicorn.Config(
        Starlette(routes=list(routes)),
        host="127.0.0.1",
        port=0,
        log_level="critical",
        lifespan="off",
        ws=FastFramesProtocol,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
    )
    with in_a_thread(config) as port:
        yield Served(state, port)


def settled(server: Served, target: str, within_s: float = 60.0) -> bool:
    """Whether nothing of `target` is open any more, waiting up to `within_s` for the server to notice."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not server.state.open_now[target]:
            return True
        time.sleep(0.005)
    return False
