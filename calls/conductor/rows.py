"""Writes each conversation's rows in order, in threads, a moment after they come. An absent database delays them; it never stops the talk.

What comes within the same moment, from all conversations of the process, is written by the same thread in one go (`rounds`): waking a
thread costs the voice more than most rows do, and a statement for each row more than one for all.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from functools import partial
from typing import TypeVar

import structlog
from channels.db import database_sync_to_async
from django.db import DatabaseError, InterfaceError, OperationalError

from calls import broadcast
from calls.conductor.rounds import Row, Share, Together, write_round
from calls.models import Session

logger = structlog.get_logger()

T = TypeVar("T")

# Threads of our own: a database that hangs must not use up those in which host names are looked up.
_THREADS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="rows")
MOST_WAITING_ROWS = 2000
GATHER_S = 0.25  # a process that is killed takes this much with it, and the words being said (see `drafts`)
MOST_AT_ONCE = 50
ONE_ROW_LIMIT_S = 15.0
_LOOK_S = 1.0
_TRIES_OF_REFUSED = 3
_TRIES_OF_GARBLED = 5  # a connection whose bytes are damaged can look like a bad row for as long as it lives
_BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)


async def in_thread(work: Callable[[], T]) -> T:
    """Runs blocking work on rows in one of our threads, with a healthy connection. Raises TimeoutError when it takes too long."""
    async with asyncio.timeout(ONE_ROW_LIMIT_S):
        with broadcast.delivered_here():
            return await database_sync_to_async(work, thread_sensitive=False, executor=_THREADS)()  # type: ignore[no-any-return]


class _Round:
    """What all conversations of one loop have to write within the same moment. Each joins with a way to take what it has by then."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.has_begun = False
        self._joined: list[tuple[Share, Callable[[], list[Row]]]] = []
        self._done = asyncio.Event()
        # Its log lines are nobody's in particular: the context of the conversation that came first is not theirs.
        self._nobody = Context()
        self._timer = loop.call_later(GATHER_S, self.begin)

    async def write(self, take: Callable[[], list[Row]]) -> Share:
        """Returns once the round is over; what is not written then failed, or stood behind or beside what did."""
        share = Share()
        self._joined.append((share, take))
        await self._done.wait()
        return share

    def begin(self) -> None:
        if not self.has_begun:
            self.has_begun = True
            self._timer.cancel()
            task = self.loop.create_task(self._run(), name="rows of all", context=self._nobody)
            _running.add(task)
            task.add_done_callback(_running.discard)

    async def _run(self) -> None:
        shares = []
        for share, take in self._joined:
            share.rows = take()
            shares.append(share)
        self._joined.clear()  # the round that is over is kept until the next one forms; it must not hold the conversations
        try:
            await in_thread(partial(write_round, shares))
        except Exception as error:  # noqa: BLE001 - each row is tried again by itself, and judged there
            logger.warning("rows_delayed", calls=len(shares), error=type(error).__name__)
        finally:
            for share in shares:
                share.is_over = True  # a thread that nobody waits for any more goes no further
            self._done.set()


_forming: _Round | None = None
_running: set[asyncio.Task[None]] = set()


def _next_round() -> _Round:
    """The round that has not begun yet."""
    global _forming
    loop = asyncio.get_running_loop()
    if _forming is None or _forming.has_begun or _forming.loop is not loop:
        _forming = _Round(loop)
    return _forming


class Writer:
    """One session's queue of rows."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows: asyncio.Queue[Row | None] = asyncio.Queue(MOST_WAITING_ROWS)
        self._deadline: float | None = None
        self._joined: _Round | None = None
        self._is_over = False
        self.dropped = 0

    def add(self, what: str, write: Callable[[], object]) -> None:
        """Queues one repeatable write. A queue that is full (a long outage) drops the newest and counts it."""
        self._add(Row(what, alone=write))

    def add_to(self, what: str, together: Together, part: object) -> None:
        """As `add`; `together` writes this part and those of other conversations with one statement."""
        self._add(Row(what, together, part))

    def _add(self, row: Row) -> None:
        try:
            self._rows.put_nowait(row)
        except asyncio.QueueFull:
            self.dropped += 1
            if self.dropped == 1:
                logger.error("rows_dropped", what=row.what, waiting=self._rows.qsize())

    def start(self) -> "asyncio.Task[None]":
        return asyncio.create_task(self._run(), name="rows")

    def finish(self, limit_s: float) -> None:
        """No more rows come; those that wait may take `limit_s` together."""
        self.hurry(limit_s)
        if self._rows.full():
            self._rows.get_nowait()
            self.dropped += 1
        self._rows.put_nowait(None)
        if self._joined is not None:
            self._joined.begin()

    def hurry(self, limit_s: float) -> None:
        """What waits may take `limit_s` from now, or what was left of its time if that is less."""
        deadline = asyncio.get_running_loop().time() + limit_s
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)

    async def finished(self, writing: "asyncio.Task[None]", grace_s: float) -> None:
        """Once every row is written or given up; what is left `grace_s` behind the deadline (which may still come nearer) is dropped."""
        loop = asyncio.get_running_loop()
        while not writing.done() and (self._deadline is None or loop.time() < self._deadline + grace_s):
            await asyncio.wait({writing}, timeout=_LOOK_S)
        writing.cancel()

    async def _run(self) -> None:
        while not self._is_over and (first := await self._rows.get()) is not None:
            round_ = self._joined = _next_round()
            if self._deadline is not None:
                round_.begin()
            share = await round_.write(partial(self._take, first))
            self._joined = None
            await self._write_rest(share.rows[share.written :])
        if self.dropped:
            logger.error("rows_lost", dropped=self.dropped)

    def _take(self, first: Row) -> list[Row]:
        """`first` and what waits behind it."""
        waiting: list[Row | None] = [first]
        while not self._rows.empty() and len(waiting) < MOST_AT_ONCE:
            waiting.append(self._rows.get_nowait())
        self._is_over = None in waiting  # and nothing comes behind it
        return [row for row in waiting if row is not None]

    async def _write_rest(self, rows: list[Row]) -> None:
        """What its round left: the first by itself, as long as that takes, and those behind it together."""
        while rows:
            await self.write(rows[0].write, rows[0].what)
            share = Share(rows[1:])
            if share.rows:
                try:
                    await in_thread(partial(write_round, [share]))
                except Exception:  # noqa: BLE001 - it fails again above, where somebody judges it
                    share.is_over = True
            rows = share.rows[share.written :]

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
