"""A loop whose clock jumps to the next timer instead of waiting, so that a long call is played in milliseconds, the same way every time."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Nothing outside the loop exists for it: where another selector would sleep, time moves on."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0

    def select(self, timeout: float | None = None):
        ready = super().select(0)
        if timeout is None and not ready:
            raise RuntimeError("nothing will ever happen again: every task waits and no timer is set")
        if not ready:
            self.now_s += max(0.0, timeout or 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


def play(scene: Coroutine[Any, Any, T], *, limit_s: float = 7200) -> T:
    """Runs `scene` in virtual time. Fails if it takes longer than `limit_s` of that time, leaves a task behind, or loses an exception."""
    loop = VirtualLoop()
    lost: list[str] = []
    loop.set_exception_handler(lambda _, context: lost.append(f"{context.get('message')}: {context.get('exception')!r}"))
    try:
        result = loop.run_until_complete(asyncio.wait_for(scene, limit_s))
        leaked = [task.get_name() for task in asyncio.all_tasks(loop) if not task.done()]
        assert not leaked, f"tasks left behind: {leaked}"
        loop.run_until_complete(loop.shutdown_asyncgens())
        assert not lost, f"exceptions nobody saw: {lost}"
        return result
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
