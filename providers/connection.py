"""Deadlines, shared connections and one vocabulary of failure for every outside party.

Waiting without an end is the worst failure on a phone line, so no await on the outside happens without a deadline from here. An error
made here never holds what the other side wrote: bodies repeat prompts and pieces of keys.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from engine.errors import ErrorCategory, ProviderError

T = TypeVar("T")

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,63}")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long the other side may take, in ms.

    `first_ms`: from the request to the first useful byte, connecting included. `between_ms`: between two useful ones.
    `stall_ms`: how much audio may be sent to a recogniser that says nothing at all.
    """

    connect_ms: int = 2_000
    first_ms: int = 2_000
    between_ms: int = 3_000
    send_ms: int = 2_000
    close_ms: int = 1_000
    stall_ms: int = 5_000


DEFAULT_DEADLINES = Deadlines()


class Patience:
    """The time one exchange has left. Only waiting uses it up: a slow reader of ours never turns into a provider's time-out."""

    def __init__(self, provider: str, deadlines: Deadlines) -> None:
        self.provider = provider
        self._deadlines = deadlines
        self._left_s = deadlines.first_ms / 1000
        self.started = False

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Awaits within the time left; raises `ProviderError(TIMEOUT)`."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        scope = asyncio.timeout(self._left_s)
        try:
            async with scope:
                return await awaitable
        except TimeoutError:
            if not scope.expired():
                raise
            limit_ms = self._deadlines.between_ms if self.started else self._deadlines.first_ms
            what = "stopped sending in the middle" if self.started else "did not begin to answer"
            raise timed_out(self.provider, f"{what} within {limit_ms} ms") from None
        finally:
            self._left_s -= loop.time() - began

    def useful(self) -> None:
        """Something worth waiting for arrived: the next one gets the time between chunks."""
        self.started = True
        self._left_s = self._deadlines.between_ms / 1000

    def each(self, source: AsyncIterator[T], is_useful: Callable[[T], bool] = bool) -> "PatientIterator[T]":
        """Passes on what `source` yields. What is not useful (keep-alives, empty chunks) does not extend the deadline."""
        return PatientIterator(self, source, is_useful)


class PatientIterator(Generic[T]):
    """An iterator without a frame of its own, so that abandoning it leaves nothing to clean up."""

    def __init__(self, patience: Patience, source: AsyncIterator[T], is_useful: Callable[[T], bool]) -> None:
        self._patience = patience
        self._source = source
        self._is_useful = is_useful

    def __aiter__(self) -> "PatientIterator[T]":
        return self

    async def __anext__(self) -> T:
        item = await self._patience.wait(anext(self._source))
        if self._is_useful(item):
            self._patience.useful()
        return item


async def within(limit_ms: int, provider: str, what: str, awaitable: Awaitable[T]) -> T:
    """Awaits for at most `limit_ms`; raises `ProviderError(TIMEOUT)` saying that `what` was not done."""
    scope = asyncio.timeout(limit_ms / 1000)
    try:
        async with scope:
            return await awaitable
    except TimeoutError:
        if not scope.expired():
            raise
        raise timed_out(provider, f"{what} within {limit_ms} ms") from None


# --- failures ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Meaning:
    category: ErrorCategory
    retryable: bool
    advice: str


_MEANINGS = {
    400: _Meaning(ErrorCategory.BAD_REQUEST, False, "refused the request; check the agent's model, voice and options"),
    401: _Meaning(ErrorCategory.AUTHENTICATION, False, "refused the API key; check that the configured key is current"),
    402: _Meaning(ErrorCategory.QUOTA, False, "has no credit left on this account; top it up"),
    403: _Meaning(ErrorCategory.AUTHENTICATION, False, "forbids this to the API key; check its permissions and the account's plan"),
    404: _Meaning(ErrorCategory.NOT_FOUND, False, "does not know the model, voice or bucket asked for, or the base URL is wrong"),
    408: _Meaning(ErrorCategory.TIMEOUT, True, "gave up waiting"),
    409: _Meaning(ErrorCategory.SERVER, True, "was busy with a conflicting request"),
    425: _Meaning(ErrorCategory.SERVER, True, "was not ready for the request"),
    429: _Meaning(ErrorCategory.RATE_LIMITED, True, "limits the rate; too many requests at once for this account's plan"),
    504: _Meaning(ErrorCategory.TIMEOUT, True, "gave up waiting for its own back end"),
}
_QUOTA = _Meaning(ErrorCategory.QUOTA, False, "has no credit left on this account; top it up")
_QUOTA_CODES = frozenset({"insufficient_quota", "quota_exceeded", "billing_hard_limit_reached", "ASR_PAYMENT_REQUIRED"})
_OTHER_REFUSAL = _Meaning(ErrorCategory.BAD_REQUEST, False, "refused the request")
_SERVER = _Meaning(ErrorCategory.SERVER, True, "failed on its side")
_NO_API = _Meaning(ErrorCategory.PROTOCOL, False, "answered as no API does; check the base URL")


def status_error(provider: str, status: int, *, code: str = "", request_id: str = "") -> ProviderError:
    """What an HTTP answer that is not a success means. `code`: the provider's own word for it, dropped unless it is one word."""
    word = code if _CODE.fullmatch(code) else ""
    if word in _QUOTA_CODES:
        meaning = _QUOTA
    elif status in _MEANINGS:
        meaning = _MEANINGS[status]
    elif 400 <= status < 500:
        meaning = _OTHER_REFUSAL
    else:
        meaning = _SERVER if status >= 500 else _NO_API
    facts = f"HTTP {status}, {word}" if word else f"HTTP {status}"
    return ProviderError(provider, meaning.category, f"{meaning.advice} ({facts})", retryable=meaning.retryable, request_id=request_id)


def timed_out(provider: str, message: str) -> ProviderError:
    return ProviderError(provider, ErrorCategory.TIMEOUT, message, retryable=True)


def unreachable(provider: str) -> ProviderError:
    return ProviderError(provider, ErrorCategory.CONNECTION, "could not be reached; check the network and the base URL", retryable=True)


def cut_off(provider: str) -> ProviderError:
    return ProviderError(provider, ErrorCategory.TRUNCATED, "ended its answer before it was complete", retryable=True)


def nonsense(provider: str) -> ProviderError:
    return ProviderError(provider, ErrorCategory.PROTOCOL, "answered something unreadable; check the base URL", retryable=False)


# --- connections ------------------------------------------------------------------------------------------------------


class LoopClients(Generic[T]):
    """One client for each running event loop and key, so that connections are reused and none is used on a foreign loop."""

    _everywhere: "ClassVar[WeakSet[LoopClients[Any]]]" = WeakSet()

    def __init__(self, close: Callable[[T], Awaitable[Any]]) -> None:
        self._close = close
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, T]] = WeakKeyDictionary()
        self._everywhere.add(self)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        mine = self._clients.setdefault(asyncio.get_running_loop(), {})
        if key not in mine:
            mine[key] = make()
        return mine[key]

    async def close(self) -> None:
        """Closes the clients of the running loop; the next `get` makes new ones."""
        for client in self._clients.pop(asyncio.get_running_loop(), {}).values():
            await self._close(client)

    @classmethod
    async def close_everywhere(cls) -> None:
        """Closes every provider's connections of the running loop, for a process that shuts down."""
        for clients in list(cls._everywhere):
            await clients.close()
