"""The one way to OpenAI: a shared client for each event loop, our deadlines instead of the SDK's, and its errors in our words."""

import httpx2
import openai
from openai import AsyncOpenAI, DefaultAsyncHttpx2Client

from engine.errors import ProviderError
from providers.config import OpenAIConfig
from providers.connection import Deadlines, LoopClients, Patience, cut_off, nonsense, status_error, timed_out, unreachable
from providers.proxies import may_use_proxy

PROVIDER = "openai"
LANGUAGE_MODEL_DEADLINES = Deadlines(first_ms=4_000)

_LIMITS = httpx2.Limits(max_connections=500, max_keepalive_connections=100, keepalive_expiry=60)
_clients: LoopClients[AsyncOpenAI] = LoopClients(AsyncOpenAI.close)


def shared_client(config: OpenAIConfig, deadlines: Deadlines) -> AsyncOpenAI:
    """The client of the running loop. It never retries: in a live call the time for that is ours to spend."""

    def make() -> AsyncOpenAI:
        connect_s, send_s = deadlines.connect_ms / 1000, deadlines.send_ms / 1000
        timeout = httpx2.Timeout(None, connect=connect_s, pool=connect_s, write=send_s)
        return AsyncOpenAI(
            api_key=config.api_key,
            base_url=config.base_url,
            max_retries=0,
            timeout=timeout,
            http_client=DefaultAsyncHttpx2Client(limits=_LIMITS, timeout=timeout, trust_env=may_use_proxy(config.base_url)),
        )

    return _clients.get((config, deadlines), make)


async def warm(config: OpenAIConfig, deadlines: Deadlines) -> None:
    """Opens a connection before it is needed. Raises `ProviderError` if the key or the address is wrong."""
    client = shared_client(config, deadlines)
    patience = Patience(PROVIDER, deadlines)
    try:
        await patience.wait(client.models.list())
    except openai.APIError as error:
        raise as_provider_error(error, started=False) from None


def as_provider_error(error: Exception, *, started: bool) -> ProviderError:
    """An SDK error in our words. `started`: part of the answer had already arrived.

    Raise it `from None`: the SDK's own text repeats prompts and pieces of the key, and would stand in every traceback.
    """
    if isinstance(error, openai.APIStatusError):
        return status_error(PROVIDER, error.status_code, code=error.code or "", request_id=error.request_id or "")
    if isinstance(error, openai.APITimeoutError):
        return timed_out(PROVIDER, "did not accept a connection or the request in time")
    # AttributeError is what the SDK makes of a connection that is reset at once.
    if isinstance(error, openai.APIConnectionError | httpx2.HTTPError | httpx2.StreamError | AttributeError):
        return cut_off(PROVIDER) if started else unreachable(PROVIDER)
    if isinstance(error, openai.APIError):
        return told_in_stream(error.code or "")
    return nonsense(PROVIDER)


def told_in_stream(code: str) -> ProviderError:
    """An error that came inside a stream: it has a code but no status. Its text is not repeated."""
    return status_error(PROVIDER, 429 if code in ("rate_limit_exceeded", "insufficient_quota") else 500, code=code)
