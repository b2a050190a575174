"""The media process: Exotel's audio socket as a raw ASGI callable, because a framework's dispatch costs several times the audio itself.

A socket is accepted only for a good token (or Basic credentials), conversed with only after its `start`, and closed in every case. Between
the two no database, no Redis and no channel layer is touched here.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import structlog
from django.conf import settings

from calls import conductor
from providers.exotel.media import BadMessage, Started, parse
from telephony import admission, listening, process
from telephony.admission import Refused
from telephony.fast_socket import DIRECT
from telephony.link import MAX_BAD_MESSAGES, UNSUPPORTED, ExotelLink, rate_hz
from telephony.refusing import POLICY, close, deny

logger = structlog.get_logger()

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

START_DEADLINE_S: Final = 10.0
_PATH: Final = re.compile(r"/api/v1/media/exotel(?:/(?P<token>[^/]+))?/?")


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    match scope["type"]:
        case "websocket" if listening.is_asked(scope):
            await listening.door(scope, receive, send)
        case "websocket":
            await _socket(scope, receive, send)
        case "http":
            await process.http(scope, send)
        case "lifespan":
            await process.lifespan(receive, send)


# --- one call ---------------------------------------------------------------------------------------------------------


async def _socket(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()  # websocket.connect
    try:
        with conductor.seat():
            await _call(scope, receive, send)
    except conductor.NoRoom as full:
        logger.warning("media_refused", status=503, reason=str(full))
        await deny(scope, send, 503)


async def _call(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        admitted = await _handshake(scope)
    except Refused as refusal:
        logger.warning("media_refused", status=refusal.status, reason=refusal.reason)
        await deny(scope, send, refusal.status)
        return
    await send({"type": "websocket.accept"})
    try:
        started = await _start(receive)
        session = await admission.at_start(admitted, started)
    except Refused as refusal:
        logger.warning("media_refused", status=0, reason=refusal.reason)
        await close(send, POLICY)
        return
    link = ExotelLink(
        send,
        stream_sid=started.stream_sid,
        sample_rate_hz=rate_hz(scope.get("query_string", b""), started),
        chunk_bytes=settings.MEDIA_CHUNK_BYTES,
        connected_at=admitted.at,
    )
    logger.info("stream_opened", session_id=session.session_id, sample_rate_hz=link.sample_rate_hz)
    if direct := scope.get("extensions", {}).get(DIRECT):
        direct(link.feed)  # the reader below then sees the end only
    reading = asyncio.create_task(_read(receive, link), name="media-reader")
    try:
        with listening.offered(session.session_id, link):
            await conductor.conduct(session, link)
    finally:
        await link.close()
        reading.cancel()
        told = {"frames": link.received_frames, "dropped": link.dropped_frames, "bad": link.bad_messages}
        logger.info("stream_closed", session_id=session.session_id, **told)


async def _handshake(scope: Scope) -> admission.Pass:
    match = _PATH.fullmatch(scope["path"])
    if match is None:
        raise Refused("no such path", status=404)
    headers = {name: value for name, value in scope["headers"] if name == b"authorization"}
    return await admission.at_handshake(token=match["token"] or "", authorization=headers.get(b"authorization", b"").decode("latin-1"))


async def _start(receive: Receive) -> Started:
    """Waits for the stream's `start`; whatever else comes before it is passed over. Raises `Refused`."""
    bad = 0
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            while bad < MAX_BAD_MESSAGES:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    raise Refused("closed by the peer before its start")
                try:
                    told = parse(message.get("text") or "")
                except BadMessage:
                    bad += 1
                    continue
                if isinstance(told, Started):
                    return told
    except TimeoutError as error:
        raise Refused(f"no start within {START_DEADLINE_S:.0f} s") from error
    raise Refused("nothing but garbage before a start")


async def _read(receive: Receive, link: ExotelLink) -> None:
    """Feeds the link until the socket is gone. Never waits for the engine, so the carrier is never held up."""
    while True:
        message = await receive()
        if message["type"] != "websocket.receive":
            link.lost(message.get("code") or 1005)
            return
        text = message.get("text")  # binary frames are not part of the protocol
        if text is not None and not link.feed(text):
            logger.warning("media_garbage", bad=link.bad_messages)
            await link.close(UNSUPPORTED)
            return
