"""Runs one of the two servers: `python -m voiceagents.serve web|media`. The flags that matter live here, for every deployment alike."""

import signal
import sys
from typing import Any

import uvicorn

from voiceagents import env as environment


def main(role: str) -> None:
    # uvicorn raises the signal that stopped it once more when it is done: an orderly stop is a success, not a death by signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    env = environment.load()
    host = env.text("BIND_HOST", "127.0.0.1")
    shared: dict[str, Any] = {
        "host": host,
        "loop": "uvloop",
        "http": "httptools",
        "ws": "websockets-sansio",
        "ws_per_message_deflate": False,
        "log_config": None,  # settings.py has configured logging
        "access_log": False,
        "proxy_headers": True,
        "server_header": False,
    }
    if role == "web":
        uvicorn.run(
            "voiceagents.asgi:application", port=env.port("WEB_PORT", 8000), ws_max_size=65_536, timeout_graceful_shutdown=10, **shared
        )
    elif role == "media":
        # Exotel's client answers pings, but some of its edges are slow: a missed one must not end a call.
        uvicorn.run(
            "voiceagents.asgi:media",
            port=env.port("MEDIA_PORT", 8001),
            ws_max_size=65_536,
            ws_ping_interval=30,
            ws_ping_timeout=120,
            timeout_graceful_shutdown=30,
            lifespan="on",
            **{**shared, "ws": "telephony.fast_socket:FastWebSocketProtocol"},
        )
    else:
        raise SystemExit(f"There is no server called {role!r}. Use: python -m voiceagents.serve web|media")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) == 2 else "")
