"""An event loop over real sockets and threads whose clock moves only while nobody has anything to do.

A whole call (carrier, conversation, vendors, faulty wires) runs on one such loop, so what is measured is the waiting that our deadlines
allow and never how busy or slow the machine is: while anything computes, while bytes are on their way, while a thread works, time stands.
"""

import asyncio
import math
import selectors
import socket
from collections.abc import Callable
from typing import Any

STEP_S = 0.001
TURN_S = 1e-6  # what one turn of the loop costs: whoever sleeps until a time that is a rounding error away gets there
# While threads may be waiting for what this loop does in its own time, that time passes in small pieces of real time.
LOOK_S = 0.002
PASSES_S = 0.008
LAST_HOPE_S = 10.0


class _Warp(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0
        self.jobs = 0
        self.may_wait_for_us: Callable[[], bool] = lambda: False
        self._here, self._there = _loopback()

    def select(self, timeout: float | None = None):
        self.now_s += TURN_S
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.jobs:
            if not self.may_wait_for_us():
                return super().select(0.02)
            ready = super().select(LOOK_S)
            if not ready:
                self._pass(PASSES_S if timeout is None else min(timeout, PASSES_S))
            return ready
        self._let_bytes_arrive()
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            if ready := super().select(LAST_HOPE_S):
                return ready
            raise RuntimeError("nothing will ever happen again: every task waits, no timer is set and no thread works")
        self._pass(timeout)
        return ready

    def _pass(self, time_s: float) -> None:
        """Whole steps: timers that are due at almost the same moment are due together."""
        steps = math.ceil((self.now_s + time_s) / STEP_S - 1e-4)
        self.now_s = max(self.now_s, steps * STEP_S)

    def _let_bytes_arrive(self) -> None:
        """What was sent over loopback before this byte has arrived when it has, however late the kernel delivers."""
        self._here.send(b".")
        self._there.recv(1)

    def close(self) -> None:
        self._here.close()
        self._there.close()
        super().close()


def _loopback() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = socket.create_connection(server.getsockname())
        there, _ = server.accept()
    here.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return here, there


class WarpedLoop(asyncio.SelectorEventLoop):
    """`may_wait_for_us`: whether a working thread may need time to pass here before it can end; else time stands for it."""

    def __init__(self) -> None:
        self._warp = _Warp()
        super().__init__(self._warp)

    def time(self) -> float:
        return self._warp.now_s

    def let_time_pass_while(self, may_wait_for_us: Callable[[], bool]) -> None:
        self._warp.may_wait_for_us = may_wait_for_us

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]  # typed loosely
        future = super().run_in_executor(executor, func, *args)
        self._warp.jobs += 1
        future.add_done_callback(self._done)
        return future

    def _done(self, _future: "asyncio.Future[Any]") -> None:
        self._warp.jobs -= 1
