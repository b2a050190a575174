"""The media process around its calls: warming up, saying how it is, and stopping. Never on the audio path."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections

from agents import assembly
from calls import conductor
from telephony import admission
from telephony.draining import Drain

Message = MutableMapping[str, Any]


async def lifespan(receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
    """Starts ready to speak: connections to the providers in use are open before the first call."""
    await receive()  # lifespan.startup
    await assembly.warm()
    await sync_to_async(connections.close_all)()  # warming up read rows; no request's end gives that connection back
    drain = Drain()
    drain.install()
    await send({"type": "lifespan.startup.complete"})
    await receive()  # lifespan.shutdown
    await send({"type": "lifespan.shutdown.complete"})


async def http(scope: MutableMapping[str, Any], send: Callable[[Message], Awaitable[None]]) -> None:
    """`/healthz`: this process answers. `/readyz`: it could take a call now; 503 while it drains, is full or has no database."""
    status, body = 404, b'{"error": "not found"}'
    if scope["path"] == "/healthz":
        status, body = 200, b'{"status": "ok"}'
    elif scope["path"] == "/readyz":
        is_ready = conductor.room() > 0 and await admission.database_answers()
        status, body = (200, b'{"status": "ok"}') if is_ready else (503, b'{"status": "unavailable"}')
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
