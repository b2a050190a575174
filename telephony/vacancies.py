"""How much room the media processes have, told by each to the others once a second through the cache. A hint, never the truth.

The voicebot door reads it, so that a call that nobody can take is refused while it can still go elsewhere. Without any hint (the cache is
away, or no process has reported) nobody is refused here: the media process itself decides at its handshake.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, Final

import structlog
from django.core.cache import cache, caches

logger = structlog.get_logger()

REPORT_EVERY_S: Final = 1.0
BELIEVED_S: Final = 5
_INDEX: Final = "media-processes"
_INDEX_KEPT_S: Final = 3600


def _key(name: str) -> str:
    return f"media-room:{name}"


def told() -> int | None:
    """How many more calls all media processes together take; None: nobody knows."""
    try:
        names = cache.get(_INDEX) or []
        rooms = cache.get_many([_key(name) for name in names])
    except Exception as error:  # noqa: BLE001 - a cache that is away refuses nobody
        logger.warning("vacancies_unknown", error=type(error).__name__)
        return None
    return sum(rooms.values()) if rooms else None


async def report(room: Callable[[], int]) -> None:
    """Tells this process's room once a second until cancelled; then takes it back."""
    name, hints = secrets.token_hex(6), caches["default"]
    try:
        while True:
            await _try(_tell, hints, name, room())
            await asyncio.sleep(REPORT_EVERY_S)
    finally:
        await _try(hints.delete, _key(name))


def _tell(hints: Any, name: str, room: int) -> None:
    hints.set(_key(name), room, BELIEVED_S)
    names = set(hints.get(_INDEX) or [])
    if name not in names:
        # Two processes may write this at once; whoever was lost is back with its next report.
        alive = hints.get_many([_key(other) for other in names])
        hints.set(_INDEX, sorted({other for other in names if _key(other) in alive} | {name}), _INDEX_KEPT_S)


async def _try(work: Callable[..., Any], *arguments: Any) -> None:
    try:
        await asyncio.to_thread(work, *arguments)
    except Exception as error:  # noqa: BLE001 - see above: it is a hint
        logger.debug("vacancy_not_told", error=type(error).__name__)
