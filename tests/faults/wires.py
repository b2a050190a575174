"""A TCP wire between us and one outside party, with one fault in it. It knows no protocol: things happen to bytes and connections."""

import asyncio
import socket
import struct
from dataclasses import dataclass

_PIECE = 16_384


@dataclass(frozen=True)
class Fault:
    """`at_connect`: what becomes of a connection; `midway`: what becomes of the answers after `after_bytes` of them.

    `times`: how many connections are hit (None: each). `lasts_s`: how long the party is away altogether; then all is well.
    """

    at_connect: str = ""
    midway: str = ""
    after_bytes: int = 700
    times: int | None = None
    lasts_s: float | None = None


FAULTS = {
    "refused": Fault("refuse"),
    "reset at connect": Fault("reset"),
    "closed at connect": Fault("close"),
    "accepts and says nothing": Fault("hang"),
    "answers garbage": Fault("garbage"),
    "answers late": Fault("late"),
    "first connection dies": Fault("reset", times=1),
    "away for a moment": Fault("refuse", lasts_s=0.6),
    "every answer slow": Fault(midway="slow", after_bytes=0),
    "drips": Fault(midway="drip", after_bytes=0),
    "stalls midway": Fault(midway="stall"),
    "closes midway": Fault(midway="close"),
    "resets midway": Fault(midway="reset"),
    "corrupts midway": Fault(midway="corrupt"),
    "stops reading midway": Fault(midway="deaf"),
}


class Wire:
    """One wire. `port` is where we connect to; `heal` takes the fault out and cuts what hangs on it."""

    def __init__(self, target: tuple[str, int], fault: Fault) -> None:
        self._target = target
        self._fault: Fault | None = fault
        self._left = fault.times
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.connections = 0

    @property
    def is_faulty(self) -> bool:
        return self._fault is not None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        if self._fault is not None and self._fault.at_connect == "refuse":
            # Nobody listens: the port is kept, so that nobody else gets it either.
            self._server.close()
            await self._server.wait_closed()
            if self._fault.lasts_s is not None:
                asyncio.get_running_loop().call_later(self._fault.lasts_s, self.heal)

    def heal(self) -> None:
        was, self._fault = self._fault, None
        for writer in list(self._writers):
            writer.transport.abort()
        if was is not None and was.at_connect == "refuse":
            self._tasks.add(asyncio.ensure_future(self._listen_again()))

    async def _listen_again(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the wire is being taken down, or one of its ends is
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        fault = self._fault
        if fault is not None and self._left is not None:
            self._left -= 1
            if self._left < 0:
                fault = None
        match fault.at_connect if fault else "":
            case "reset":
                _reset(writer)
                return
            case "close":
                return
            case "hang":
                await asyncio.sleep(3600)
            case "garbage":
                writer.write(bytes(range(255, 0, -1)) * 4)
                await writer.drain()
                await reader.read()
                return
            case "late":
                await asyncio.sleep(0.4)
        there, back = await asyncio.open_connection(*self._target)
        self._writers.add(back)
        ways = [asyncio.ensure_future(self._up(reader, back, fault)), asyncio.ensure_future(self._down(there, writer, fault))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._writers.discard(back)
            back.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None) -> None:
        passed = 0
        while data := await reader.read(_PIECE):
            passed += len(data)
            if fault is not None and fault.midway == "deaf" and passed > 20 * fault.after_bytes:
                await asyncio.sleep(3600)
            writer.write(data)
            await writer.drain()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None) -> None:
        passed = 0
        while data := await reader.read(_PIECE):
            if fault is not None and fault.midway and passed + len(data) > fault.after_bytes:
                match fault.midway:
                    case "stall":
                        await asyncio.sleep(3600)
                    case "close":
                        return
                    case "reset":
                        _reset(writer)
                        return
                    case "corrupt":
                        data = bytes(byte ^ 0x55 for byte in data)
                    case "slow":
                        await asyncio.sleep(0.03)
                    case "drip":
                        for start in range(0, len(data), 512):
                            writer.write(data[start : start + 512])
                            await writer.drain()
                            await asyncio.sleep(0.005)
                        passed += len(data)
                        continue
            passed += len(data)
            writer.write(data)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """An RST instead of an orderly end."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
