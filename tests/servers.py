"""A uvicorn that starts and stops when asked, for tests that speak to an ASGI application over real sockets.

uvicorn looks every 100 ms whether it should stop and every 100 ms whether its connections are closed, which a thousand tests would spend
minutes on. Here the same server is woken up; what it serves, and with which protocols, is uvicorn's own.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator

import uvicorn

LOOK_S = 0.003
START_S = 60.0


class PromptServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leave = asyncio.Event()

    @property
    def port(self) -> int:
        return int(self.servers[0].sockets[0].getsockname()[1])

    def leave(self) -> None:
        """From any thread: stop serving now."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it has left already
                self._loop.call_soon_threadsafe(self._leave.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + 1) % 864_000
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await self._leave.wait()

    async def shutdown(self, sockets=None) -> None:
        for listener in self.servers:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while self.server_state.connections or self.server_state.tasks:
                    await asyncio.sleep(LOOK_S)
                for listener in self.servers:
                    await listener.wait_closed()
        for task in self.server_state.tasks:
            task.cancel(msg="the test is over")
        await self.lifespan.shutdown()


@contextlib.contextmanager
def in_a_thread(config: uvicorn.Config, leave_within_s: float = 15.0) -> Iterator[int]:
    """Serves in a thread with an event loop of its own; yields the port."""
    server = PromptServer(config)
    thread = threading.Thread(target=server.run, name="served", daemon=True)
    thread.start()
    deadline = time.monotonic() + START_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the test's server did not start")
        time.sleep(LOOK_S)
    try:
        yield server.port
    finally:
        server.leave()
        thread.join(leave_within_s)
