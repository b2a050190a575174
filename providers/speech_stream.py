"""Speech that comes as the body of one HTTP answer, whoever makes it: the request, its refusals and its samples.

Knows no vendor: each room gives its own request and reads its own error bodies.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from typing import cast

import httpx

from engine.audio import AudioChunk
from engine.errors import ProviderError
from providers.connection import Deadlines, Patience, nonsense, status_error, timed_out, unreachable
from providers.pcm import audio_chunks
from providers.proxies import may_use_proxy

_ERROR_BODY_BYTES = 8_192
_LIMITS = httpx.Limits(max_connections=500, max_keepalive_connections=100, keepalive_expiry=60)


def make_client(base_url: str, headers: dict[str, str], deadlines: Deadlines) -> httpx.AsyncClient:
    """A client with many connections. Reading has no time-out of its own: `Patience` knows what is worth waiting for."""
    connect_s, send_s = deadlines.connect_ms / 1000, deadlines.send_ms / 1000
    timeout = httpx.Timeout(None, connect=connect_s, pool=connect_s, write=send_s)
    return httpx.AsyncClient(base_url=base_url, headers=headers, timeout=timeout, limits=_LIMITS, trust_env=may_use_proxy(base_url))


@asynccontextmanager
async def spoken(
    request: AbstractAsyncContextManager[httpx.Response],
    sample_rate_hz: int,
    patience: Patience,
    *,
    code_of: Callable[[bytes], str],
    request_id_of: Callable[[httpx.Response], str],
    on_request_id: Callable[[str], None],
) -> AsyncIterator[AsyncIterator[AudioChunk]]:
    """The audio that `request` streams. `code_of` finds the vendor's own word for an error in the body of its answer."""
    async with AsyncExitStack() as stack:
        try:
            response = await patience.wait(stack.enter_async_context(request))
        except (httpx.HTTPError, AttributeError) as error:  # the latter: how a connection reset at once shows under uvloop
            raise no_answer(patience.provider, error) from error
        if not response.is_success:
            code = code_of(await _beginning(response, patience))
            raise status_error(patience.provider, response.status_code, code=code, request_id=request_id_of(response))
        if not _is_pcm(response.headers.get("content-type", "")):
            raise nonsense(patience.provider)
        on_request_id(request_id_of(response))
        received = response.aiter_bytes() if "content-encoding" in response.headers else response.aiter_raw()
        pieces = cast(AsyncGenerator[bytes], received)  # a generator, whatever its annotation says
        await stack.enter_async_context(aclosing(pieces))
        chunks = audio_chunks(pieces, sample_rate_hz, patience, (httpx.HTTPError,))
        yield await stack.enter_async_context(aclosing(chunks))


async def warm(client: httpx.AsyncClient, path: str, patience: Patience, *, code_of: Callable[[bytes], str]) -> None:
    """Opens a connection before it is needed. Raises `ProviderError` if the key or the address is wrong."""
    try:
        response = await patience.wait(client.get(path))
    except (httpx.HTTPError, AttributeError) as error:
        raise no_answer(patience.provider, error) from error
    if not response.is_success:
        raise status_error(patience.provider, response.status_code, code=code_of(response.content))


def no_answer(provider: str, error: Exception) -> ProviderError:
    """Why no answer came at all."""
    if isinstance(error, httpx.TimeoutException):
        return timed_out(provider, "did not accept a connection or the request in time")
    return unreachable(provider)


async def _beginning(response: httpx.Response, patience: Patience) -> bytes:
    """At most a few kilobytes of an error's body: the status alone says enough if it does not come."""
    body = b""
    try:
        async for piece in patience.each(response.aiter_bytes()):
            body += piece
            if len(body) > _ERROR_BODY_BYTES:
                break
    except (httpx.HTTPError, ProviderError):
        pass
    return body


def _is_pcm(content_type: str) -> bool:
    """Compressed audio or text played as PCM would be a burst of noise in the caller's ear."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("", "application/octet-stream") or (kind.startswith("audio/") and kind not in ("audio/mpeg", "audio/mp3", "audio/ogg"))
