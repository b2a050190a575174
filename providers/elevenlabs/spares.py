"""Sockets to ElevenLabs that are open before they are needed, so that a sentence never waits for a handshake.

A socket speaks one text and is gone, which also makes an interruption one abort. A few spares for each voice are kept for every call of
the process; a spare costs ElevenLabs nothing until it is given a text. One that grows too old is replaced for as long as the voice is
in use, so that a call after a quiet hour finds one too.
"""

import asyncio
from collections import deque
from collections.abc import Hashable

from websockets.asyncio.client import ClientConnection
from websockets.http11 import Response
from websockets.protocol import State

from engine.errors import ProviderError
from providers.connection import Deadlines, LoopClients, status_error
from providers.elevenlabs.client import PROVIDER, error_code
from providers.sockets import open_socket

INACTIVITY_S = 180  # the most that ElevenLabs allows
_FRESH_S = 150.0
_IN_USE_S = 4 * 3_600.0
_MOST_SPARES = 4
_MAX_MESSAGE_BYTES = 1 << 22


class Spares:
    """The spare sockets of one address on one event loop."""

    def __init__(self, url: str, api_key: str, deadlines: Deadlines) -> None:
        self._url = url
        self._api_key = api_key
        self._deadlines = deadlines
        self._waiting: deque[tuple[ClientConnection, float]] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._wanted_until = 0.0
        self._renewal: asyncio.TimerHandle | None = None

    async def take(self) -> ClientConnection:
        """An open socket, and another is opened in the background. Raises `ProviderError`."""
        self._wanted_until = asyncio.get_running_loop().time() + _IN_USE_S
        socket = self._freshest()
        self.refill()
        return socket or await self.open()

    def refill(self) -> None:
        """Opens one more spare in the background, if there are few."""
        if len(self._waiting) + len(self._opening) < _MOST_SPARES:
            task = asyncio.create_task(self.add(), name="elevenlabs-spare")
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def add(self, *, quietly: bool = True) -> None:
        """Opens one more spare. A failure is for whoever needs a socket next, unless not `quietly`."""
        try:
            socket = await self.open()
        except ProviderError:
            if not quietly:
                raise
            return
        loop = asyncio.get_running_loop()
        self._waiting.append((socket, loop.time()))
        if not quietly:
            self._wanted_until = loop.time() + _IN_USE_S
        if self._renewal is None:
            self._renewal = loop.call_later(_FRESH_S, self._renew)

    async def open(self) -> ClientConnection:
        headers = {"xi-api-key": self._api_key}
        what = "did not open the speech socket"
        return await open_socket(self._url, headers, PROVIDER, self._deadlines, what=what, most_bytes=_MAX_MESSAGE_BYTES, refused=_refused)

    async def close(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
        for task in self._opening:
            task.cancel()
        if self._opening:
            await asyncio.wait(self._opening)
        while self._waiting:
            discard(self._waiting.pop()[0])

    def _renew(self) -> None:
        """Puts a fresh spare in the place of one that grew too old, and looks again when the oldest of the others will be."""
        self._renewal = None
        self._drop_stale()
        loop = asyncio.get_running_loop()
        if self._waiting:
            self._renewal = loop.call_at(self._waiting[0][1] + _FRESH_S, self._renew)
        elif loop.time() < self._wanted_until:
            self.refill()

    def _freshest(self) -> ClientConnection | None:
        """The spare that was opened last, if it is still good; the others wait, and what is too old goes."""
        self._drop_stale()
        while self._waiting:
            socket, _ = self._waiting.pop()
            if socket.state is State.OPEN:
                return socket
            discard(socket)
        return None

    def _drop_stale(self) -> None:
        oldest = asyncio.get_running_loop().time() - _FRESH_S
        while self._waiting and (self._waiting[0][1] <= oldest or self._waiting[0][0].state is not State.OPEN):
            discard(self._waiting.popleft()[0])


def _refused(response: Response) -> ProviderError:
    return status_error(PROVIDER, response.status_code, code=error_code(bytes(response.body or b"")))


def discard(socket: ClientConnection) -> None:
    """Ends a socket without a farewell: nothing that it could still say matters."""
    socket.transport.abort()


async def end(socket: ClientConnection) -> None:
    """As `discard`, and returns once it is gone."""
    discard(socket)
    await socket.wait_closed()


_shelves: LoopClients[Spares] = LoopClients(Spares.close)


def spares_of(url: str, api_key: str, deadlines: Deadlines) -> Spares:
    """The spares of the running loop for one address."""
    key: Hashable = (url, api_key, deadlines)
    return _shelves.get(key, lambda: Spares(url, api_key, deadlines))
