"""The two ways in which a media process turns a socket away: at its handshake, and after it was accepted. Neither says why."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

POLICY: Final = 1008
_CLOSE_DEADLINE_S: Final = 1.0


async def deny(scope: MutableMapping[str, Any], send: Send, status: int) -> None:
    """Refuses a handshake."""
    if "websocket.http.response" in scope.get("extensions", {}):
        await send({"type": "websocket.http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close", "code": POLICY})


async def close(send: Send, code: int) -> None:
    """Closes an accepted socket; one that is gone already is no failure."""
    with suppress(TimeoutError, OSError, RuntimeError):
        async with asyncio.timeout(_CLOSE_DEADLINE_S):
            await send({"type": "websocket.close", "code": code})
