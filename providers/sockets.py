"""A WebSocket to a vendor, opened within its deadline, and why it could not be. Knows no vendor: each room reads its own refusals."""

import os
from collections.abc import Callable, Mapping
from struct import Struct
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI, ProxyError
from websockets.http11 import Response
from websockets.protocol import Protocol
from websockets.speedups import apply_mask

from engine.errors import ErrorCategory, ProviderError
from providers.connection import Deadlines, nonsense, unreachable, within
from providers.proxies import may_use_proxy

_HEADER: Final = Struct("!BBH").pack
_WHOLE_BINARY: Final = 0x82
_MASKED_TWO_BYTES: Final = 0x80 | 126
_SHORT, _LONG = 126, 1 << 16


def binary_frame(protocol: Protocol, payload: bytes) -> bytes | None:
    """`payload` as a client's whole binary frame, written in a third of the library's time: 50 times a second for each call. None where
    the library has to do it: an extension would change the payload, something else is to be sent before, or its size is unusual.
    """
    if protocol.extensions or protocol.writes or protocol.expect_continuation_frame or not _SHORT <= len(payload) < _LONG:
        return None
    mask = os.urandom(4)
    return b"".join((_HEADER(_WHOLE_BINARY, _MASKED_TWO_BYTES, len(payload)), mask, apply_mask(payload, mask)))


async def open_socket(
    url: str,
    headers: Mapping[str, str],
    provider: str,
    deadlines: Deadlines,
    *,
    what: str,
    most_bytes: int,
    refused: Callable[[Response], ProviderError],
    ping_s: float | None = None,
) -> ClientConnection:
    """Raises `ProviderError`. `what` was not done if it takes too long; `refused` reads an answer that is no open socket.

    `ping_s`: how often the far side is asked whether it lives, and how long its answer may take.
    """
    opening = connect(
        url,
        additional_headers=headers,
        compression=None,
        proxy=True if may_use_proxy(url) else None,
        open_timeout=None,
        ping_interval=ping_s,
        ping_timeout=ping_s,
        close_timeout=deadlines.close_ms / 1000,
        max_size=most_bytes,
    )
    try:
        return await within(deadlines.connect_ms, provider, what, opening)
    except InvalidStatus as error:
        raise refused(error.response) from error
    except ProxyError as error:
        message = "could not be reached through the proxy; check HTTPS_PROXY and NO_PROXY"
        raise ProviderError(provider, ErrorCategory.CONNECTION, message, retryable=True) from error
    except (InvalidHandshake, InvalidURI) as error:
        # A connection that is cut before any answer is no answer, and worth another try.
        raise (unreachable if isinstance(error.__cause__, OSError | EOFError) else nonsense)(provider) from error
    except (OSError, EOFError, ConnectionClosed) as error:
        raise unreachable(provider) from error
    except ProviderError:
        raise
    except Exception as error:  # bytes that are no HTTP can surface as any error of the client's own
        raise unreachable(provider) from error
