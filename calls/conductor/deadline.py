"""Waiting that ends, and finishing that is not cut short by a cancellation."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


async def unhurried(work: Coroutine[Any, Any, None], *, hurry: Callable[[], object]) -> None:
    """Carries `work` to its end although the task around it is being cancelled; the cancellation is raised afterwards.

    `work` must have its own deadline, which `hurry` brings nearer once somebody wants to stop.
    """
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
            hurry()
    if cancelled is not None:
        raise cancelled
    task.result()
