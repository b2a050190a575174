"""Asks the database within a deadline, and leaves it alone for a moment once it has failed: no door may hang because Postgres does.

The work runs in a thread of its own. One that outlasts its deadline goes on there and may still write; so it must be repeatable, and its
caller must not count on it.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, close_old_connections, connection

logger = structlog.get_logger()

T = TypeVar("T")

LIMIT_S: Final = 2.0
# How long nobody asks after a failure. Then one asks; the others wait for what it finds out.
REST_S: Final = 1.0
_MOST_AT_ONCE: Final = 24
# Connection errors, too many connections, the server stops or starts, a server that has become a read-only copy. A deadlock is none.
_AWAY_CODES: Final = ("08", "53", "57", "25006")


class Away(Exception):
    """The database did not answer in time, or is known not to. Nothing is known about the work."""


def is_away(error: Exception) -> bool:
    """Whether `error` says that there is no database to ask, rather than that it refused what was asked."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError | InternalError):
        return False
    code = getattr(error.__cause__, "sqlstate", None)
    return isinstance(error, OperationalError) if code is None else str(code).startswith(_AWAY_CODES)


class Breaker:
    """Whether the database may be asked now. After a failure it rests; then exactly one may try."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._rests_until: float | None = None

    def may_try(self) -> bool:
        with self._lock:
            if self._rests_until is None:
                return True
            if self._now() < self._rests_until:
                return False
            self._rests_until = self._now() + LIMIT_S + REST_S  # this one is trying; it will say what it found
            return True

    def failed(self) -> None:
        with self._lock:
            if self._rests_until is None:
                logger.error("database_away")
            self._rests_until = self._now() + REST_S

    def answered(self) -> bool:
        """True if the database had been away until now."""
        with self._lock:
            was_away, self._rests_until = self._rests_until is not None, None
        if was_away:
            logger.warning("database_back")
        return was_away


class Watched:
    """The database of this process, asked with a deadline. `on_return` is called when it answers for the first time, and again after
    each time that it was away.
    """

    def __init__(self) -> None:
        self.breaker = Breaker()
        self._threads = ThreadPoolExecutor(max_workers=_MOST_AT_ONCE, thread_name_prefix="database")
        self._has_answered = False
        self.on_return: Callable[[], object] | None = None

    def ask(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. Raises `Away` within LIMIT_S.

        Inside an open transaction the work is part of that: it runs in this thread, on that connection.
        """
        if connection.in_atomic_block:
            return work()
        if not self.breaker.may_try():
            raise Away("the database was away a moment ago")
        asked: Future[T] = self._threads.submit(copy_context().run, _on_own_connection, work)
        try:
            answer = asked.result(timeout=LIMIT_S)
        except TimeoutError as error:
            asked.cancel()
            self.breaker.failed()
            raise Away(f"no answer within {LIMIT_S:g} s") from error
        except (DatabaseError, InterfaceError) as error:
            if is_away(error):
                self.breaker.failed()
                raise Away(type(error).__name__) from error
            self._answered()
            raise
        except Exception:
            self._answered()
            raise
        self._answered()
        return answer

    def _answered(self) -> None:
        is_return = self.breaker.answered() or not self._has_answered
        self._has_answered = True
        if is_return and self.on_return is not None:
            self.on_return()


def _on_own_connection(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        close_old_connections()


DATABASE: Final = Watched()
