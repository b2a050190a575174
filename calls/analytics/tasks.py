"""The door of the worker that keeps the rollups. Nothing imports this room."""

import structlog
from celery import shared_task

from calls.analytics import keeping

logger = structlog.get_logger()


@shared_task(name="calls.keep_rollups", expires=60)
def keep_rollups() -> int:
    """Counts anew whatever hours have changed; returns how many."""
    if hours := keeping.keep():
        logger.info("rollups_kept", hours=hours)
    return hours
