"""Writes one conversation's rows in order, in threads, a moment after they come. An absent database delays them; it never stops the talk.

What comes within the same moment is written by the same thread in one go: waking a thread costs the voice more than most rows do.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import structlog
from channels.db import database_sync_to_async
from django.db import DatabaseError, InterfaceError, OperationalError

from calls import broadcast
from calls.models import Session

logger = structlog.get_logger()

T = TypeVar("T")

# Threads of our own: a database that hangs must not use up those in which host names are looked up.
_THREADS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="rows")
MOST_WAITING_ROWS = 2000
GATHER_S = 0.25  # a process that is killed takes this much with it, and the words being said (see `drafts`)
MOST_AT_ONCE = 50
ONE_ROW_LIMIT_S = 15.0
_TRIES_OF_REFUSED = 3
_TRIES_OF_GARBLED = 5  # a connection whose bytes are damaged can look like a bad row for as long as it lives
_BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)

Row = tuple[str, Callable[[], object]]


async def in_thread(work: Callable[[], T]) -> T:
    """Runs blocking work on rows in one of our threads, with a healthy connection. Raises TimeoutError when it takes too long."""
    async with asyncio.timeout(ONE_ROW_LIMIT_S):
        with broadcast.delivered_here():
            return await database_sync_to_async(work, thread_sensitive=False, executor=_THREADS)()  # type: ignore[no-any-return]


class _Going:
    """Rows being written in a thread. One that nobody waits for any more goes no further: its rows are tried again elsewhere."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows
        self.written = 0
        self.is_wanted = True

    def write(self) -> None:
        for _, write in self._rows:
            if not self.is_wanted:
                return
            write()
            self.written += 1


class Writer:
    """One session's queue of rows."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows: asyncio.Queue[Row | None] = asyncio.Queue(MOST_WAITING_ROWS)
        self._deadline: float | None = None
        self._is_hurried = asyncio.Event()
        self.dropped = 0

    def add(self, what: str, write: Callable[[], object]) -> None:
        """Queues one repeatable write. A queue that is full (a long outage) drops the newest and counts it."""
        try:
            self._rows.put_nowait((what, write))
        except asyncio.QueueFull:
            self.dropped += 1
            if self.dropped == 1:
                logger.error("rows_dropped", what=what, waiting=self._rows.qsize())

    def start(self) -> "asyncio.Task[None]":
        return asyncio.create_task(self._run(), name="rows")

    def finish(self, limit_s: float) -> None:
        """No more rows come; those that wait may take `limit_s` together."""
        self._deadline = asyncio.get_running_loop().time() + limit_s
        if self._rows.full():
            self._rows.get_nowait()
            self.dropped += 1
        self._rows.put_nowait(None)
        self._is_hurried.set()

    async def _run(self) -> None:
        is_over = False
        while not is_over:
            waiting = [await self._rows.get()]
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER_S):
                    await self._is_hurried.wait()
            while not self._rows.empty() and len(waiting) < MOST_AT_ONCE:
                waiting.append(self._rows.get_nowait())
            is_over = None in waiting  # and nothing comes behind it
            await self._write_all([row for row in waiting if row is not None])
        if self.dropped:
            logger.error("rows_lost", dropped=self.dropped)

    async def _write_all(self, rows: list[Row]) -> None:
        """All in one thread, in order. One that fails is tried again by itself, and those behind it follow together."""
        while rows:
            going = _Going(rows)
            try:
                await in_thread(going.write)
            except Exception:  # noqa: BLE001 - it fails again below, where somebody judges it
                going.is_wanted = False
            rows = rows[going.written :]
            if rows:
                what, write = rows[0]
                await self.write(write, what)
                rows = rows[1:]

    async def write(self, write: Callable[[], object], what: str) -> bool:
        """Writes one row, again and again while the database is away, until the deadline. False if it was given up."""
        attempt = 0
        while True:
            try:
                await in_thread(write)
                return True
            except (OperationalError, InterfaceError, TimeoutError) as error:
                wait_s = _BACK_OFF_S[min(attempt, len(_BACK_OFF_S) - 1)]
                if attempt == 0:
                    logger.warning("row_delayed", what=what, error=type(error).__name__)
                if self._deadline is not None and asyncio.get_running_loop().time() + wait_s > self._deadline:
                    logger.error("row_lost", what=what, error=type(error).__name__)
                    return False
                attempt += 1
                await asyncio.sleep(wait_s)
            except Exception as error:  # noqa: BLE001 - a row that can never be written must not hold up those behind it for long
                if attempt >= (_TRIES_OF_GARBLED if type(error) is DatabaseError else _TRIES_OF_REFUSED):
                    logger.error("row_refused", what=what, error=type(error).__name__)
                    return False
                await asyncio.sleep(_BACK_OFF_S[attempt])
                attempt += 1
