"""Calls an agent of ours as Exotel would: the carrier's side of one media socket, for callers that a language model plays.

Over the same door, with the same single-use token and the same messages as a call or a trial from the browser. The line lives on a thread
and a loop of its own, because audio cannot wait for whoever thinks about it; when its process dies, the socket does, and the call with it.
"""

import asyncio
import json
import threading
import time
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit
from uuid import uuid4

import structlog
from django.conf import settings
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from calls.models import Session
from calls.rehearsing.lines import CLOSED_EARLY, LINE_RATE_HZ, EveryLineIsBusy, Heard, NoLine
from providers.exotel.media import FrameWriter
from telephony import tokens, vacancies
from telephony.addresses import MEDIA_PATH
from telephony.handset import TICK_MS, Handset

logger = structlog.get_logger()
T = TypeVar("T")

OPENS_WITHIN_S: Final = 15.0
SEND_LIMIT_S: Final = 5.0
CLOSE_LIMIT_S: Final = 20.0
LOOKS_WITHIN_S: Final = 5.0
MOST_MESSAGE_BYTES: Final = 1 << 20
_MOST_TICKS_AT_ONCE: Final = 50  # a second: what is older than that is not made up for
_LOOK_S: Final = 0.2
_BUSY: Final = 503


def call_agent(session: Session) -> "Telephone":
    """The open line of a session that waits for its audio. Raises `NoLine` or `EveryLineIsBusy`."""
    if vacancies.told() == 0:
        raise EveryLineIsBusy(EveryLineIsBusy.message)
    token = tokens.issue(session, call_sid=session.session_id)
    line = Telephone(f"{settings.REHEARSE_MEDIA_URL}{MEDIA_PATH}/{quote(token, safe=':')}", session.session_id)
    line.open()
    return line


class Telephone:
    """A `calls.rehearsing.lines.Line`. Everything but the loop's own methods may be called from another thread."""

    def __init__(self, address: str, call_sid: str) -> None:
        self._address = address
        self._call_sid = call_sid
        self._stream_sid = uuid4().hex
        self._writer = FrameWriter(self._stream_sid, LINE_RATE_HZ)
        self._handset = Handset()
        self._loop = asyncio.new_event_loop()
        self._opened: Future[None] = Future()
        self._wants_to_end = False
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="rehearsed call", daemon=True)

    def open(self) -> None:
        self._thread.start()
        try:
            self._opened.result(OPENS_WITHIN_S + CLOSE_LIMIT_S)
        except TimeoutError as error:
            self.close()
            raise _nobody_at(_where(self._address)) from error
        except BaseException:
            self.close()
            raise

    # --- a `Line` ---------------------------------------------------------------------------------------------------------

    def look(self) -> Heard:
        return self._asked(lambda: self._handset.heard(is_over=self._is_over))

    def say(self, pcm: bytes) -> None:
        self._asked(lambda: self._handset.say(pcm))

    def hush(self) -> float:
        return self._asked(self._handset.hush)

    def press(self, keys: str) -> None:
        self._asked(lambda: self._handset.press(keys))

    def close(self) -> None:
        self._wants_to_end = True
        if self._thread.ident is None:
            self._loop.close()
        else:
            self._thread.join(CLOSE_LIMIT_S)

    def _asked(self, work: Callable[[], T]) -> T:
        """What `work` gives on the line's own thread, where nothing else touches the handset meanwhile; on ours once that has ended.

        Raises `NoLine` if the thread does not come to it.
        """
        answer: Future[T] = Future()

        def on_the_thread() -> None:
            try:
                answer.set_result(work())
            except Exception as error:  # noqa: BLE001 - it is the asker's, who would wait for ever
                answer.set_exception(error)

        deadline = time.monotonic() + LOOKS_WITHIN_S
        with suppress(RuntimeError):  # it ended in this moment
            self._loop.call_soon_threadsafe(on_the_thread)
        while not answer.done() and self._thread.is_alive():
            if time.monotonic() > deadline:
                raise NoLine("The thread that has the line does not answer. Is this machine overloaded?")
            wait([answer], _LOOK_S)
        return answer.result() if answer.done() else work()

    # --- on the line's own thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._call())
        except Exception as error:  # noqa: BLE001 - told to whoever opens the line; later the call is over, whatever it was
            if not self._opened.done():
                self._opened.set_exception(error)
            else:
                logger.warning("rehearsed_line_lost", session_id=self._call_sid, error=type(error).__name__)
        finally:
            self._is_over = True
            if not self._opened.done():
                self._opened.set_exception(NoLine(CLOSED_EARLY))

    async def _call(self) -> None:
        socket = await _dialled(self._address)
        hearing = asyncio.create_task(self._hear(socket), name="rehearsed call hears")
        try:
            await self._begin(socket)
            self._opened.set_result(None)
            await self._live(socket, hearing)
        except (ConnectionClosed, TimeoutError):
            pass  # the other side has ended the call, or is gone
        finally:
            hearing.cancel()
            await _hung_up(socket, self._stop_message() if self._wants_to_end else "")

    async def _begin(self, socket: ClientConnection) -> None:
        start = {
            "stream_sid": self._stream_sid,
            "call_sid": self._call_sid,
            "account_sid": "rehearsal",
            "from": "",
            "to": "",
            "media_format": {"encoding": "base64", "sample_rate": str(LINE_RATE_HZ), "bit_rate": "128kbps"},
        }
        await _sent(socket, json.dumps({"event": "connected"}))
        await _sent(socket, json.dumps({"event": "start", "stream_sid": self._stream_sid, "sequence_number": "1", "start": start}))

    async def _live(self, socket: ClientConnection, hearing: "asyncio.Task[None]") -> None:
        """Until either side ends the call. The line's clock follows the loop's."""
        loop = asyncio.get_running_loop()
        began_s, ticks = loop.time(), 0
        while not self._wants_to_end and not hearing.done():
            due = int((loop.time() - began_s) * 1000) // TICK_MS
            ticks = max(ticks, due - _MOST_TICKS_AT_ONCE)
            while ticks < due:
                ticks += 1
                await self._tick(socket)
            await asyncio.sleep(max(0.0, began_s + (ticks + 1) * TICK_MS / 1000 - loop.time()))

    async def _tick(self, socket: ClientConnection) -> None:
        frame, marks, key = self._handset.tick()
        for name in marks:
            await _sent(socket, self._writer.mark(name))
        await _sent(socket, self._writer.media(frame))
        if key:
            pressed = {"event": "dtmf", "stream_sid": self._stream_sid, "dtmf": {"digit": key, "duration": "100"}}
            await _sent(socket, json.dumps(pressed))

    async def _hear(self, socket: ClientConnection) -> None:
        try:
            async for raw in socket:
                with suppress(ValueError):  # nothing of ours sends what cannot be read
                    self._take(json.loads(raw))
        except ConnectionClosed:
            pass

    def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"event": "media", "media": {"payload": str(payload)}}:
                self._handset.hear(b64decode(payload))
            case {"event": "mark", "mark": {"name": str(name)}}:
                self._handset.mark(name)
            case {"event": "clear"}:
                self._handset.clear()

    def _stop_message(self) -> str:
        stop = {"call_sid": self._call_sid, "account_sid": "rehearsal", "reason": "callended"}
        return json.dumps({"event": "stop", "stream_sid": self._stream_sid, "stop": stop})


class _Straight(connect):
    """Follows nobody to another address: the token is for this one."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def _where(address: str) -> str:
    """Without what could open anything."""
    root = urlsplit(address)
    host = root.netloc.rpartition("@")[2]
    return f"{root.scheme}://{host}"


def _nobody_at(where: str) -> NoLine:
    return NoLine(f"No media process answers at {where}. Start one, or set REHEARSE_MEDIA_URL to where workers reach it.")


async def _dialled(address: str) -> ClientConnection:
    """Raises `NoLine` or `EveryLineIsBusy`."""
    where = _where(address)
    try:
        return await _Straight(
            address, compression=None, proxy=None, open_timeout=OPENS_WITHIN_S, close_timeout=2, max_size=MOST_MESSAGE_BYTES
        )
    except InvalidStatus as error:
        if error.response.status_code == _BUSY:
            raise EveryLineIsBusy(f"{where} takes no call now (503): every line is busy, or it lacks its database.") from error
        raise NoLine(
            f"The media process at {where} refused the call ({error.response.status_code}). Its log says why (media_refused)."
        ) from error
    except (OSError, TimeoutError, InvalidHandshake, EOFError) as error:
        raise _nobody_at(where) from error


async def _sent(socket: ClientConnection, text: str) -> None:
    async with asyncio.timeout(SEND_LIMIT_S):
        await socket.send(text)


async def _hung_up(socket: ClientConnection, stop: str) -> None:
    try:
        if stop:
            await _sent(socket, stop)
        await socket.close()
    except (ConnectionClosed, TimeoutError, OSError):
        return
