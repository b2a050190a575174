"""The one way to ElevenLabs over HTTP: a shared client for each event loop, and its errors in our words."""

import httpx
import msgspec

from providers import speech_stream
from providers.config import ElevenLabsConfig
from providers.connection import Deadlines, LoopClients, Patience

PROVIDER = "elevenlabs"

_clients: LoopClients[httpx.AsyncClient] = LoopClients(httpx.AsyncClient.aclose)


def shared_client(config: ElevenLabsConfig, deadlines: Deadlines) -> httpx.AsyncClient:
    """The client of the running loop."""
    headers = {"xi-api-key": config.api_key}
    return _clients.get((config, deadlines), lambda: speech_stream.make_client(config.base_url, headers, deadlines))


async def warm(config: ElevenLabsConfig, deadlines: Deadlines) -> None:
    """Opens a connection before it is needed. Raises `ProviderError` if the key or the address is wrong."""
    client = shared_client(config, deadlines)
    await speech_stream.warm(client, "/v1/models", Patience(PROVIDER, deadlines), code_of=error_code)


def error_code(body: bytes) -> str:
    """The code in `{"detail": {"status": code, …}}`; empty for any other shape (a 422 has a list there)."""
    try:
        detail = msgspec.json.decode(body).get("detail")
        code = detail.get("status") or detail.get("code") or ""
    except (msgspec.DecodeError, AttributeError):
        return ""
    return code if isinstance(code, str) else ""
