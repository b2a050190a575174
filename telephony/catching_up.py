"""Brings what was spooled into the inbox, in order. Repeating it is harmless: the inbox knows each delivery by its
fingerprint, so one that comes twice is applied once.
"""

import threading

import structlog
from django.db import close_old_connections

from telephony import applying, inbox, spool
from telephony.away import is_away
from telephony.spool import Spooled

logger = structlog.get_logger()


def catch_up() -> int:
    """Empties the spool, and what is put there meanwhile; returns how many deliveries are in the inbox now. Stops, and loses nothing, where
    the database is away (again).
    """
    with spool.reader() as may_read:
        if not may_read:
            return 0
        kept = 0
        while paths := spool.take():
            for delivery in spool.deliveries(paths):
                try:
                    _keep(delivery)
                except Exception as error:  # noqa: BLE001 - those behind it must not wait for one that nobody can keep
                    if is_away(error):
                        logger.warning("spool_not_emptied", kept=kept, error=type(error).__name__)
                        return kept
                    _put_aside(delivery, error)
                else:
                    kept += 1
            spool.forget(paths)
    logger.warning("spool_emptied", deliveries=kept)
    return kept


def _keep(spooled: Spooled) -> None:
    delivery = inbox.keep(
        door=spooled.door,
        method=spooled.method,
        content_type=spooled.content_type,
        params=spooled.params,
        call_sid=spooled.call_sid,
        session_id=spooled.session_id,
        received_at=spooled.received_at,
    )
    try:
        applying.apply(delivery)
    except Exception as error:
        if is_away(error):
            raise  # kept, but there is no database for the next one
        logger.error("delivery_not_applied", delivery_id=delivery.pk, door=delivery.door, error=type(error).__name__)


def _put_aside(spooled: Spooled, error: Exception) -> None:
    spool.refuse(spooled)
    logger.error("spooled_delivery_refused", door=spooled.door, error=type(error).__name__, file=spool.REFUSED)


def in_background() -> None:
    """Catches up in a thread, beside whatever this process does."""
    threading.Thread(target=_quietly, name="catching-up", daemon=True).start()


def _quietly() -> None:
    try:
        catch_up()
    except Exception as error:  # noqa: BLE001 - the beat tries again
        logger.warning("spool_not_emptied", error=type(error).__name__)
    finally:
        close_old_connections()
