"""Stopping without cutting calls: on SIGTERM the process takes no new ones, waits for those that talk, and only then lets the server stop.

uvicorn closes every socket the moment it is told to stop, so it is told late: its own signal handler is called after the drain. A second
SIGTERM, and SIGINT always, stop at once.
"""

import asyncio
import signal
from types import FrameType
from typing import Any

import structlog
from django.conf import settings

from calls import conductor

logger = structlog.get_logger()


class Drain:
    """The process's one way out."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._previous: Any = None

    def install(self) -> None:
        """Puts itself before the server's SIGTERM handler. Outside the main thread (an embedding test) there is nothing to put."""
        loop = asyncio.get_running_loop()
        previous = signal.getsignal(signal.SIGTERM)

        def on_sigterm(number: int, frame: FrameType | None) -> None:
            if self._task is None and callable(previous):
                loop.call_soon_threadsafe(self._begin)
            elif callable(previous):
                previous(number, frame)

        try:
            signal.signal(signal.SIGTERM, on_sigterm)
        except ValueError:
            return
        self._previous = previous

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="drain")

    async def _run(self) -> None:
        try:
            await conductor.drain(settings.MEDIA_DRAIN_S)
        finally:
            self._previous(signal.SIGTERM, None)
