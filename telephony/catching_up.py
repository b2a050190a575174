"""Brings what was spooled into the inbox, in order. Repeating it is harmless: the inbox knows each delivery by its
fingerprint, so one that comes twice is applied once.
"""

import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections

from telephony import applying, inbox, spool
from telephony.away import is_away
from telephony.crowd import Crowd
from telephony.spool import Spooled

logger = structlog.get_logger()


MOST_TOGETHER: Final = 4_000  # in memory, and in one statement
_LONGEST_REST_S: Final = 0.25
_FOR_THE_LAST_S: Final = 0.1


def catch_up(give_way: Callable[[], object] = lambda: None) -> int:
    """Empties the spool, and what is put there meanwhile; returns how many deliveries are in the inbox now. Stops, and loses nothing, where
    the database is away (again). `give_way` is called between one call's deliveries and the next one's.
    """
    with spool.reader() as may_read:
        if not may_read:
            return 0
        kept = 0
        try:
            while paths := spool.take():
                waiting = spool.deliveries(paths)
                while some := list(islice(waiting, MOST_TOGETHER)):
                    kept += _keep(some, give_way)
                spool.forget(paths)
        except (DatabaseError, InterfaceError) as error:
            if not is_away(error):
                raise
            logger.warning("spool_not_emptied", kept=kept, error=type(error).__name__)
            return kept
    logger.warning("spool_emptied", deliveries=kept)
    return kept


def _keep(some: Sequence[Spooled], give_way: Callable[[], object]) -> int:
    """How many of them are in the inbox now, applied or with the reason why not. Raises when the database is away."""
    try:
        pks = inbox.keep_all(some)
    except Exception as error:
        if is_away(error):
            raise
        if len(some) == 1:
            _put_aside(some[0], error)
            return 0
        # Those behind it must not wait for one that nobody can keep: it is looked for by halves.
        half = len(some) // 2
        return _keep(some[:half], give_way) + _keep(some[half:], give_way)
    applying.apply_all(pks, give_way)
    return len(some)


def _put_aside(spooled: Spooled, error: Exception) -> None:
    spool.refuse(spooled)
    logger.error("spooled_delivery_refused", door=spooled.door, error=type(error).__name__, file=spool.REFUSED)


def in_background(crowd: Crowd | None = None) -> None:
    """Catches up in a thread, beside whatever this process does, and again for as long as the crowd sends deliveries to the disk."""
    threading.Thread(target=_quietly, args=(crowd or Crowd(),), name="catching-up", daemon=True).start()


class _Half:
    """Rests for as long as it has worked: this process has doors at which callers wait."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def __call__(self) -> None:
        time.sleep(min(time.monotonic() - self._since, _LONGEST_REST_S))
        self._since = time.monotonic()


def _quietly(crowd: Crowd) -> None:
    try:
        is_over = False
        while not is_over:
            catch_up(_Half())
            crowd.open()
            time.sleep(_FOR_THE_LAST_S)  # whoever was sent to the disk before it was opened may still be writing
            catch_up(_Half())
            is_over = crowd.is_over()
    except Exception as error:  # noqa: BLE001 - the beat tries again
        crowd.give_up()
        logger.warning("spool_not_emptied", error=type(error).__name__)
    finally:
        close_old_connections()
