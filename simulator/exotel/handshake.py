"""Opens the media WebSocket as Exotel's client does: its name, Basic from the URL, no compression, no subprotocol, one retry."""

import base64

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidURI

from simulator.exotel.address import StreamAddress, Unreachable
from simulator.exotel.settings import ExotelSettings

USER_AGENT = "Go-http-client/1.1"
CLOSE_TIMEOUT_S = 5.0
QUEUED_MESSAGES = 256
MOST_MESSAGE_BYTES = 1 << 20


async def open_socket(address: StreamAddress, settings: ExotelSettings) -> ClientConnection:
    """The handshake: 10 s, and once more. Raises `Unreachable`."""
    headers = {}
    if address.authorization is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(address.authorization).encode()).decode()
    why = "no answer"
    for _ in range(1 + settings.handshake_retries):
        try:
            return await connect(
                address.url,
                additional_headers=headers,
                user_agent_header=USER_AGENT,
                compression=None,
                proxy=None,
                open_timeout=settings.handshake_timeout_s,
                ping_interval=settings.ping_interval_s or None,
                close_timeout=CLOSE_TIMEOUT_S,
                max_size=MOST_MESSAGE_BYTES,
                max_queue=QUEUED_MESSAGES,
            )
        except TimeoutError:
            why = "timed out"
        except InvalidHandshake as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            why = f"HTTP {status}" if status else "no WebSocket handshake"
        except (OSError, InvalidURI) as error:
            why = type(error).__name__
    raise Unreachable(f"3009 failed to establish ws conn: {why}")
