"""Server-sent events as they come, without an object of the SDK for each token.

The SDK still makes the request and knows its key and its errors. But its way of reading (an event, a dictionary and a tree of models for
each token) costs twice as much as everything else in a reply. Waits for one read at a time: deadlines are the reader's.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx2
from openai import AsyncStream

from providers.connection import nonsense
from providers.openai.client import PROVIDER

_DONE: Final = b"[DONE]"
_MOST_BYTES: Final = 1 << 20  # of one event: whoever sends more is not a language model
_DRAIN_S: Final = 0.1


class EventReader:
    """Cuts bytes into the payloads of events. No I/O."""

    def __init__(self) -> None:
        self._rest = b""
        self._payload: list[bytes] = []

    def feed(self, received: bytes) -> list[bytes]:
        """The payloads that are whole now, in order. Raises `ProviderError` if one never ends."""
        lines = (self._rest + received).splitlines(keepends=True)
        self._rest = lines.pop() if lines and not lines[-1].endswith((b"\n", b"\r")) else b""
        whole: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._payload.append(line[5:].strip())
            elif self._payload and not line.strip():
                whole.append(b"\n".join(self._payload))
                self._payload.clear()
        if len(self._rest) + sum(map(len, self._payload)) > _MOST_BYTES:
            raise nonsense(PROVIDER)
        return whole


class EventStream(AsyncStream[list[bytes]]):
    """The SDK's stream of one answer, as lists of payloads: all that came at once. Raises the HTTP client's own errors."""

    def __init__(self, *, response: httpx2.Response, **_: Any) -> None:
        self.response = response
        # Where nothing is to be unpacked, the layers that would do it are passed by: they cost a sixth of each read.
        self._received = response.aiter_bytes() if "content-encoding" in response.headers else response.aiter_raw()
        self._reader = EventReader()
        self._is_done = False

    async def __anext__(self) -> list[bytes]:
        while not self._is_done:
            received = await anext(self._received, None)
            if received is None:
                raise StopAsyncIteration
            payloads = self._reader.feed(received)
            if _DONE in payloads:
                self._is_done = True
                payloads = payloads[: payloads.index(_DONE)]
            if payloads:
                return payloads
        await self._drain()
        raise StopAsyncIteration

    def __aiter__(self) -> AsyncIterator[list[bytes]]:  # the SDK's wraps itself in a generator that nobody closes
        return self

    async def _drain(self) -> None:
        """Reads the end of an answer that is complete, so that its connection can be used again."""
        try:
            async with asyncio.timeout(_DRAIN_S):
                while await anext(self._received, None) is not None:
                    pass
        except (TimeoutError, httpx2.HTTPError, httpx2.StreamError):
            return  # what follows a whole answer is nobody's loss: its connection is closed instead

    async def close(self) -> None:
        await self._received.aclose()
        await self.response.aclose()
