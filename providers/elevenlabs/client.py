"""The one way to ElevenLabs: a shared HTTP client for each event loop, and its errors in our words."""

import httpx
import msgspec

from engine.errors import ProviderError
from providers.config import ElevenLabsConfig
from providers.connection import Deadlines, LoopClients, Patience, status_error, timed_out, unreachable

PROVIDER = "elevenlabs"

_LIMITS = httpx.Limits(max_connections=500, max_keepalive_connections=100, keepalive_expiry=60)
_ERROR_BODY_BYTES = 8_192
_clients: LoopClients[httpx.AsyncClient] = LoopClients(httpx.AsyncClient.aclose)


def shared_client(config: ElevenLabsConfig, deadlines: Deadlines) -> httpx.AsyncClient:
    """The client of the running loop. Reading has no time-out of its own: `Patience` knows what is worth waiting for."""

    def make() -> httpx.AsyncClient:
        connect_s, send_s = deadlines.connect_ms / 1000, deadlines.send_ms / 1000
        return httpx.AsyncClient(
            base_url=config.base_url,
            headers={"xi-api-key": config.api_key},
            timeout=httpx.Timeout(None, connect=connect_s, pool=connect_s, write=send_s),
            limits=_LIMITS,
            trust_env=False,
        )

    return _clients.get((config, deadlines), make)


async def warm(config: ElevenLabsConfig, deadlines: Deadlines) -> None:
    """Opens a connection before it is needed. Raises `ProviderError` if the key or the address is wrong."""
    patience = Patience(PROVIDER, deadlines)
    try:
        response = await patience.wait(shared_client(config, deadlines).get("/v1/models"))
    except httpx.HTTPError as error:
        raise as_provider_error(error) from error
    if not response.is_success:
        raise status_error(PROVIDER, response.status_code, code=error_code(response.content))


def as_provider_error(error: httpx.HTTPError) -> ProviderError:
    """Why no answer came at all."""
    if isinstance(error, httpx.TimeoutException):
        return timed_out(PROVIDER, "did not accept a connection or the request in time")
    return unreachable(PROVIDER)


async def refusal(response: httpx.Response, patience: Patience) -> ProviderError:
    """What an answer other than success means; reads at most a few kilobytes of it."""
    body = b""
    try:
        async for piece in patience.each(response.aiter_bytes()):
            body += piece
            if len(body) > _ERROR_BODY_BYTES:
                break
    except (httpx.HTTPError, ProviderError):
        pass  # the status alone says enough
    return status_error(PROVIDER, response.status_code, code=error_code(body), request_id=response.headers.get("request-id", ""))


def error_code(body: bytes) -> str:
    """The code in `{"detail": {"status": code, …}}`; empty for any other shape (a 422 has a list there)."""
    try:
        detail = msgspec.json.decode(body).get("detail")
        code = detail.get("status") or detail.get("code") or ""
    except (msgspec.DecodeError, AttributeError):
        return ""
    return code if isinstance(code, str) else ""
