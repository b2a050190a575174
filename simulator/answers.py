"""How the fake vendors answer over HTTP: streams that stop when the client leaves, and the faults that any of them may suffer."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, nullcontext

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from simulator.faults import Fault
from simulator.state import SimulatorState

_BODY_PIECE_BYTES = 64 * 1024


class BodyTooLarge(ValueError):
    """The request's body is above the limit of this door."""


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The whole body; raises `BodyTooLarge` before more than `most_bytes` are held."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most_bytes:
            raise BodyTooLarge(f"the body is larger than {most_bytes} bytes")
    return bytes(body)


async def endured(fault: Fault | None, receive: Receive) -> bool:
    """Plays `delay` and `hang`. False: the client gave up meanwhile, so there is nobody left to answer. The body must have been read."""
    if fault is None or fault.fault not in ("delay", "hang"):
        return True
    gone = asyncio.ensure_future(_client_left(receive))
    try:
        await asyncio.wait({gone}, timeout=fault.ms / 1000 if fault.fault == "delay" else None)
        return not gone.done()
    finally:
        gone.cancel()


def bearer(connection: HTTPConnection, *schemes: str) -> str:
    """The credential behind one of `schemes` in the Authorization header, else an empty text."""
    scheme, _, credential = connection.headers.get("authorization", "").partition(" ")
    return credential.strip() if scheme.lower() in schemes else ""


class StreamedAnswer(Response):
    """A body sent piece by piece as it is made.

    The source is closed at once when the client leaves. `drop` cuts the connection, `truncate` ends early, `drip` sends one unit each
    `every_ms`. A unit is a piece if `by_piece` (events), else a byte. `open_while` is held until the answer is over.
    """

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        *,
        media_type: str,
        headers: Mapping[str, str],
        fault: Fault | None = None,
        by_piece: bool = False,
        open_while: AbstractContextManager[None] | None = None,
    ) -> None:
        super().__init__(None, 200, dict(headers), media_type)
        del self.headers["content-length"]
        self._pieces = pieces
        self._fault = fault
        self._by_piece = by_piece
        self._open_while = open_while or nullcontext()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._open_while:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            pump = asyncio.ensure_future(self._pump(send))
            gone = asyncio.ensure_future(_client_left(receive))
            try:
                await asyncio.wait({pump, gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
                if not pump.done():
                    pump.cancel()
                await asyncio.wait({pump})
            if not pump.cancelled():
                pump.result()

    async def _pump(self, send: Send) -> None:
        fault = self._fault
        left = fault.after if fault is not None and fault.fault in ("drop", "truncate") else None
        async for piece in self._pieces:
            for unit in self._units(piece, fault):
                size = 1 if self._by_piece else len(unit)
                if left is not None and size > left:
                    await send({"type": "http.response.body", "body": b"" if self._by_piece else unit[:left], "more_body": True})
                    if fault is not None and fault.fault == "truncate":
                        await send({"type": "http.response.body", "body": b""})
                    return  # for `drop` without a last body: the server cuts the connection
                left = None if left is None else left - size
                await send({"type": "http.response.body", "body": unit, "more_body": True})
                if fault is not None and fault.fault == "drip":
                    await asyncio.sleep(fault.every_ms / 1000)
        await send({"type": "http.response.body", "body": b""})

    def _units(self, piece: bytes, fault: Fault | None) -> list[bytes]:
        if fault is None or fault.fault != "drip" or self._by_piece:
            return [piece]
        return [piece[place : place + 1] for place in range(len(piece))]


async def paced_speech(state: SimulatorState, text: str, sample_rate_hz: int, *, voice: str, speed: float) -> AsyncIterator[bytes]:
    """PCM16LE of `text`, no sooner than the settings allow: first byte, then so many seconds for each second of audio."""
    settings = state.settings
    clock = asyncio.get_running_loop().time
    begin = clock() + settings.tts_first_byte_ms / 1000
    sent = 0
    async for piece in state.speech.synthesise_stream(text, sample_rate_hz, voice=voice, speed=speed):
        due = begin + sent / (2 * sample_rate_hz) * settings.tts_realtime_factor
        if due > clock():
            await asyncio.sleep(due - clock())
        sent += len(piece)
        yield piece


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
