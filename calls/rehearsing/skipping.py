"""An event loop that skips the waiting: time passes only while somebody outside is asked, or jumps to the next thing that is due.

So a conversation in writing takes as long as its language model and its tools, while every deadline, pause and silence of the engine
counts as on the telephone. Nothing else may run on such a loop.
"""

import asyncio
import secrets
import selectors
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LONGEST_LOOK_S = 1.0


class _Skipping(selectors.DefaultSelector):
    """Where another selector would sleep, time moves on; unless something is asked outside (`asking`) or it is told to stand."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1_000 + secrets.randbelow(10**9) / 10_000  # what is named after a moment is named once
        self.asking = 0
        self.stands = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.asking:
            began = time.monotonic()
            ready = super().select(timeout)
            self.now_s += time.monotonic() - began
            return ready
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.stands or timeout is None:
            return super().select(_LONGEST_LOOK_S)
        self.now_s += timeout
        return ready


class SkippingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now_s

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While somebody outside is waited for, time passes as it does for everybody."""
        self._skipping.asking += 1
        try:
            yield
        finally:
            self._skipping.asking -= 1

    def stand(self) -> None:
        """Time stands until `go_on`: nobody's deadline comes nearer while a person, or whoever plays one, thinks."""
        self._skipping.stands = True

    def go_on(self) -> None:
        self._skipping.stands = False

    async def shutdown_default_executor(self, *timeout: Any) -> None:
        """Its threads look up names in real time."""
        parent: Any = super()  # newer Pythons give it a limit
        with self.asking():
            await parent.shutdown_default_executor(*timeout)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]  # typed loosely
        future = super().run_in_executor(executor, func, *args)
        self._skipping.asking += 1
        future.add_done_callback(self._answered)
        return future

    def _answered(self, _future: "asyncio.Future[Any]") -> None:
        self._skipping.asking -= 1
