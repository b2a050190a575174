"""Operators who hear a call while it goes on: a socket of the very media process that holds the talk, which plays both sides to them.

No frame goes through a database, a broker or a channel layer. A call that nobody listens to pays one comparison for each frame; a listener
who is slow misses packets and holds up nobody. Nothing is heard before it is kept who hears it.
"""

import asyncio
import re
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import msgspec
import structlog

from calls import commands, listening, queries
from calls.conductor.rows import in_thread
from calls.listening import BadTicket, Ticket
from calls.models import Session
from telephony.link import ExotelLink
from telephony.refusing import close, deny
from telephony.tap import PACKET_MS, Ear, Tap

logger = structlog.get_logger()

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MOST_EARS: Final = 5  # for one call
KEEP_LIMIT_S: Final = 2.5
ASK_AGAIN_S: Final = 30.0  # so long may somebody go on who may not listen any more
SEND_LIMIT_S: Final = 5.0
TOO_SLOW: Final = 1013
# The balancer may keep the prefix by which it found this process.
_PATH: Final = re.compile(rf".*{listening.PATH}/(?P<ticket>[^/]+)/?")

_offered: dict[str, ExotelLink] = {}
_ears: Counter[str] = Counter()  # by session, those included who are being let in
_used: deque[tuple[float, str]] = deque()


class _NotNow(Exception):
    """The socket is refused with this HTTP status; the reason is for our log."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@contextmanager
def offered(session_id: str, link: ExotelLink) -> Iterator[None]:
    """Within, the call can be listened to."""
    _offered[session_id] = link
    try:
        yield
    finally:
        if _offered.get(session_id) is link:
            del _offered[session_id]
        if link.tap is not None:
            link.tap.end()


def is_asked(scope: Scope) -> bool:
    """Whether this socket wants to listen."""
    return _PATH.fullmatch(scope["path"]) is not None


async def door(scope: Scope, receive: Receive, send: Send) -> None:
    """One listener, from the handshake to the end of the call or of their patience."""
    await receive()  # websocket.connect
    try:
        ticket, link = _admit(scope["path"])
        with _seat(ticket.session_id):
            await _listen(ticket, link, receive, send)
    except _NotNow as refusal:
        logger.warning("listener_refused", status=refusal.status, reason=str(refusal))
        await deny(scope, send, refusal.status)


async def _listen(ticket: Ticket, link: ExotelLink, receive: Receive, send: Send) -> None:
    session = await _keep_begin(ticket)
    began_s = time.monotonic()
    ear, flag = _ear()
    asking = asyncio.create_task(_ask_again(ticket, ear), name="listener-asked-about")
    try:
        await send({"type": "websocket.accept"})
        told = {"rate_hz": link.sample_rate_hz, "channels": 2, "packet_ms": PACKET_MS}
        await send({"type": "websocket.send", "text": msgspec.json.encode(told).decode()})
        with _hearing(link, ear):
            await _play(ear, flag, receive, send)
    finally:
        asking.cancel()
        logger.info("listener_left", session_id=ticket.session_id, missed_packets=ear.dropped)
        await _keep_end(session, ticket, round(time.monotonic() - began_s))


def _admit(path: str) -> tuple[Ticket, ExotelLink]:
    match = _PATH.fullmatch(path)
    try:
        ticket = listening.check(match["ticket"] if match else "")
    except BadTicket as error:
        raise _NotNow(403, f"ticket: {error}") from error
    link = _offered.get(ticket.session_id)
    if link is None:
        raise _NotNow(404, "the call is over, or held by another process: see MEDIA_LISTEN_URL")
    if _ears[ticket.session_id] >= MOST_EARS:
        raise _NotNow(503, f"{MOST_EARS} people listen to this call already")
    _use_up(ticket)
    return ticket, link


@contextmanager
def _seat(session_id: str) -> Iterator[None]:
    _ears[session_id] += 1
    try:
        yield
    finally:
        _ears[session_id] -= 1
        if not _ears[session_id]:
            del _ears[session_id]


def _use_up(ticket: Ticket) -> None:
    """A ticket is good at this process alone, and not for long: what was used is known here and nowhere else."""
    now = time.monotonic()
    while _used and now - _used[0][0] > 2 * listening.GOOD_FOR_S:
        _used.popleft()
    if any(used == ticket.ticket_id for _, used in _used):
        raise _NotNow(403, "ticket: used already")
    _used.append((now, ticket.ticket_id))


def _ear() -> tuple[Ear, asyncio.Event]:
    flag = asyncio.Event()
    return Ear(flag.set), flag


@contextmanager
def _hearing(link: ExotelLink, ear: Ear) -> Iterator[None]:
    """Within, the call's audio is tapped for `ear`; nobody's any more, and the tap is gone."""
    tap = link.tap = link.tap or Tap(link.sample_rate_hz, link.chunk_bytes)
    tap.ears.append(ear)
    try:
        if link.is_over:
            ear.end()
        yield
    finally:
        tap.ears.remove(ear)
        if not tap.ears and link.tap is tap:
            link.tap = None


async def _play(ear: Ear, flag: asyncio.Event, receive: Receive, send: Send) -> None:
    reading = asyncio.create_task(_read(ear, receive), name="listener-reader")
    try:
        while not reading.done():
            flag.clear()
            while (packet := ear.take()) is not None:
                async with asyncio.timeout(SEND_LIMIT_S):
                    await send({"type": "websocket.send", "bytes": packet})
            if ear.is_over:
                await close(send, 1000)
                return
            await flag.wait()
    except TimeoutError:
        await close(send, TOO_SLOW)
    except (OSError, RuntimeError):  # the server's ways of saying that the peer has left
        return
    finally:
        reading.cancel()


async def _read(ear: Ear, receive: Receive) -> None:
    """Counts what the page says that it has received, until the socket is gone."""
    while (message := await receive())["type"] == "websocket.receive":
        told = message.get("text") or ""
        ear.confirm(int(told) if told.isascii() and told.isdigit() and len(told) < 4 else 0)
    ear.end()


async def _keep_begin(ticket: Ticket) -> Session:
    """Who listens is kept first: without that nobody hears anything. Raises `_NotNow`."""
    try:
        async with asyncio.timeout(KEEP_LIMIT_S):
            return await in_thread(partial(_begin, ticket))
    except _NotNow:
        raise
    except Exception as error:
        raise _NotNow(503, f"it could not be kept who listens ({type(error).__name__})") from error


def _begin(ticket: Ticket) -> Session:
    session = queries.find_session(session_id=ticket.session_id)
    if session is None:
        raise _NotNow(404, "no such call")
    if not queries.hears(ticket.session_id, by=ticket.by):
        raise _NotNow(403, "not permitted any more")
    commands.listening(session, key=ticket.ticket_id, by=ticket.by)
    return session


async def _ask_again(ticket: Ticket, ear: Ear) -> None:
    """Whoever loses the permission or the account hears no more. While the rows cannot be asked, what they said last counts."""
    while not ear.is_over:
        await asyncio.sleep(ASK_AGAIN_S)
        try:
            may_stay = await in_thread(partial(queries.hears, ticket.session_id, by=ticket.by))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is asked again
            logger.warning("listener_not_asked_about", session_id=ticket.session_id, error=type(error).__name__)
            continue
        if not may_stay:
            ear.end()


async def _keep_end(session: Session, ticket: Ticket, seconds: int) -> None:
    try:
        async with asyncio.timeout(KEEP_LIMIT_S):
            await in_thread(partial(commands.listening, session, key=ticket.ticket_id, by=ticket.by, seconds=seconds))
    except Exception as error:  # noqa: BLE001 - the log line above has the rest
        logger.warning("listening_end_not_kept", session_id=ticket.session_id, seconds=seconds, error=type(error).__name__)
