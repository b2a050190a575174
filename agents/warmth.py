"""Connections opened before they are needed: for a process at its start, and for a call while its greeting plays.

Never holds anything up and never fails a call: a provider that is down is a warning here, and fails on its own when it is asked.
"""

import asyncio
from collections.abc import Hashable, Mapping
from typing import Final
from weakref import WeakKeyDictionary

import structlog

from engine.errors import ProviderError
from providers.fallback import Warmable

logger = structlog.get_logger()

WARM_UP_LIMIT_S: Final = 5
# Idle connections are closed after a minute, by us or by the vendors.
WARM_FOR_S: Final = 45.0

# Connections belong to their loop. By name, when each was warmed last.
_warmed_s: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, float]] = WeakKeyDictionary()
_warming: set[asyncio.Task[None]] = set()


async def warm_one(name: str, port: object) -> None:
    if not isinstance(port, Warmable):
        return
    try:
        await port.warm()
    except ProviderError as error:
        logger.warning("provider_not_warm", provider=name, category=error.category.value, reason=error.message)


def warm_beside(ports: Mapping[tuple[str, ...], object]) -> None:
    """Warms `ports`, by kind, provider and voice, in the background: each at most once in WARM_FOR_S, however many calls begin."""
    loop = asyncio.get_running_loop()
    warmed_s = _warmed_s.setdefault(loop, {})
    for name in [name for name, at_s in warmed_s.items() if loop.time() - at_s >= WARM_FOR_S]:
        del warmed_s[name]
    for name, port in ports.items():
        if name not in warmed_s and isinstance(port, Warmable):
            warmed_s[name] = loop.time()
            task = loop.create_task(_warm_in_time(".".join(name[:2]), port), name="warm")
            _warming.add(task)
            task.add_done_callback(_warming.discard)


async def _warm_in_time(name: str, port: object) -> None:
    try:
        async with asyncio.timeout(WARM_UP_LIMIT_S):
            await warm_one(name, port)
    except TimeoutError:
        logger.warning("provider_not_warm", provider=name, category="timeout", reason=f"It did not answer within {WARM_UP_LIMIT_S} s.")
