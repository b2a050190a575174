"""How many requests a minute a key, or a person without one, may send. Counted in Valkey; while it is away nobody is held up."""

import math
import time
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from access.models import ApiKey

logger = structlog.get_logger()
WINDOW_S = 60


@dataclass(frozen=True, slots=True)
class Standing:
    """Of the running minute: how many requests it has, how many are left, and in how many seconds the next begins."""

    limit: int
    left: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        return {"RateLimit-Limit": str(self.limit), "RateLimit-Remaining": str(self.left), "RateLimit-Reset": str(self.reset_s)}


class PerKey(BaseThrottle):
    _reset_s = 0

    def allow_request(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            return True  # refused anyway, with 401
        key = request.auth if isinstance(request.auth, ApiKey) else None
        limit = (key and key.requests_per_minute) or settings.API_REQUESTS_PER_MINUTE
        minute, into = divmod(time.time(), WINDOW_S)
        name = f"api-rate:{f'key:{key.pk}' if key else f'user:{request.user.pk}'}:{int(minute)}"
        try:
            cache.add(name, 0, 2 * WINDOW_S)
            used = cache.incr(name)
        except Exception as error:  # noqa: BLE001 - a limit that cannot be counted must not shut the door
            logger.warning("cache_unavailable", error=type(error).__name__)
            return True
        self._reset_s = math.ceil(WINDOW_S - into)
        request.standing = Standing(limit, max(limit - used, 0), self._reset_s)  # type: ignore[attr-defined]  # for the answer's headers
        return used <= limit

    def wait(self) -> float:
        return self._reset_s
