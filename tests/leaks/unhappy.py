"""Calls that go wrong, played against a media process from outside: four of five are unhappy, each in one of these ways."""

import asyncio
import base64
import json
import random
from collections.abc import Awaitable, Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

FRAME = json.dumps({"event": "media", "media": {"chunk": "1", "timestamp": "20", "payload": base64.b64encode(bytes(320)).decode()}})


class Stream:
    """One call's socket."""

    def __init__(self, socket: ClientConnection, sid: str, exophone: str) -> None:
        self.socket = socket
        self.sid = sid
        self.exophone = exophone

    async def start(self) -> None:
        start = {"stream_sid": f"st{self.sid}", "call_sid": self.sid, "account_sid": "a", "from": "09811122233", "to": self.exophone}
        await self.socket.send('{"event":"connected"}')
        await self.socket.send(json.dumps({"event": "start", "stream_sid": f"st{self.sid}", "start": start}))

    async def until_audio(self) -> None:
        await self.until("media")

    async def until(self, event: str) -> dict:
        async with asyncio.timeout(60):
            while True:
                message: dict = json.loads(await self.socket.recv())
                if message["event"] == event:
                    return message


async def hears_the_greeting(stream: Stream) -> None:
    """The happy one: hears the agent's sentence to its end and hangs up as one does."""
    await stream.start()
    mark = await stream.until("mark")
    await stream.socket.send(json.dumps({"event": "mark", "mark": mark["mark"]}))
    await stream.socket.send(json.dumps({"event": "stop", "stop": {"reason": "callended"}}))
    async with asyncio.timeout(60):
        await stream.socket.wait_closed()


async def hangs_up_at_once(stream: Stream) -> None:
    await stream.start()
    await stream.socket.close()


async def is_cut_off_in_the_greeting(stream: Stream) -> None:
    await stream.start()
    await stream.until_audio()
    stream.socket.transport.abort()


async def is_cut_off_before_the_start(stream: Stream) -> None:
    await stream.socket.send('{"event":"connected"}')
    stream.socket.transport.abort()


async def sends_garbage(stream: Stream) -> None:
    await stream.start()
    for _ in range(25):
        await stream.socket.send("garbage")
    async with asyncio.timeout(60):
        await stream.socket.wait_closed()


async def talks_over_the_agent_and_goes(stream: Stream) -> None:
    await stream.start()
    await stream.until_audio()
    for _ in range(25):
        await stream.socket.send(FRAME)
    await stream.socket.send(json.dumps({"event": "dtmf", "dtmf": {"digit": "5"}}))
    await stream.socket.close()


async def sends_too_much(stream: Stream) -> None:
    await stream.start()
    await stream.socket.send("x" * 70_000)
    async with asyncio.timeout(60):
        await stream.socket.wait_closed()


UNHAPPY: tuple[Callable[[Stream], Awaitable[None]], ...] = (
    hangs_up_at_once,
    is_cut_off_in_the_greeting,
    is_cut_off_before_the_start,
    sends_garbage,
    talks_over_the_agent_and_goes,
    sends_too_much,
)


async def one(port: int, number: int, exophone: str, secret: str) -> str:
    """Plays call `number`; gives the name of what happened."""
    play = hears_the_greeting if number % 5 == 0 else UNHAPPY[number % len(UNHAPPY)]
    secret = secret if number % 17 else "wrong"
    credentials = base64.b64encode(f"exotel:{secret}".encode()).decode()
    url, headers = f"ws://127.0.0.1:{port}/api/v1/media/exotel", {"Authorization": f"Basic {credentials}"}
    try:
        async with connect(url, additional_headers=headers, compression=None, max_size=None, close_timeout=2, open_timeout=20) as socket:
            await play(Stream(socket, f"leak{number:06}x{random.randrange(10**6):06}", exophone))
    except (ConnectionClosed, InvalidHandshake, OSError, EOFError):
        return f"{play.__name__} (cut)" if secret != "wrong" else "was refused"
    return play.__name__


async def many(port: int, numbers: range, exophone: str, secret: str, *, at_once: int) -> dict[str, int]:
    """Plays the calls, `at_once` at any time; how often each happened."""
    seen: dict[str, int] = {}
    places = asyncio.Semaphore(at_once)

    async def play(number: int) -> None:
        async with places:
            name = await one(port, number, exophone, secret)
            seen[name] = seen.get(name, 0) + 1

    async with asyncio.TaskGroup() as tasks:
        for number in numbers:
            tasks.create_task(play(number))
    return seen
