"""Beat that keeps beating when the clock is put back.

Celery's own compares the wall clock with when each task ran last: put back by an hour, it sweeps nothing for an hour. What is to be done
stands in rows; beat only wakes those who look, so it must never wait for a time that was wrong.
"""

from datetime import timedelta
from typing import Any

import structlog
from celery.beat import PersistentScheduler

logger = structlog.get_logger()

AHEAD = timedelta(seconds=1)
"""NTP's own small corrections are no reason to do anything."""


class SteadyScheduler(PersistentScheduler):
    """Celery's, but nothing has run in the future. A clock that is put forth makes everything due at once, which harms nobody."""

    def tick(self, *args: Any, **named: Any) -> float:
        ahead = [entry for entry in self.schedule.values() if entry.last_run_at and entry.last_run_at > entry.default_now() + AHEAD]
        if ahead:
            logger.warning("clock_put_back", tasks=len(ahead))
            for entry in ahead:
                entry.last_run_at = entry.default_now()
            self._heap = None  # it is ordered by the old time
        return float(super().tick(*args, **named))
