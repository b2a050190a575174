"""One budget of requests for the whole account, whoever makes them: Exotel takes 200 in a minute and refuses the rest.

The last minute's requests are counted in Valkey by one script, so that two processes never take the same place. Dials come first: reading
and fetching may use only their shares. While Valkey is away each process keeps to a small part of the budget by its own count.
"""

import random
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import redis
import structlog
from django.conf import settings

from providers.exotel.client import HOLD_S, ExotelClient
from providers.exotel.pace import Pace, Purpose
from telephony import addresses

logger = structlog.get_logger()

__all__ = ["HOLD_S", "SHARED", "Prepaid", "SharedPace", "client", "spread"]

WINDOW_MS: Final = 60_000
# Of the whole. Together more than all of it: what one does not use the others may, but dials always find 60 %.
SHARES: Final[Mapping[Purpose, float]] = {Purpose.DIAL: 0.9, Purpose.RECORDING: 0.2, Purpose.DETAILS: 0.2}
ALONE: Final = 1 / 8  # of the budget, for a process that cannot ask what the others use
LONGEST_HOLD_S: Final = 120.0
_VALKEY_LIMIT_S: Final = 0.5
_VALKEY_REST_S: Final = 5.0
_KEYS: Final = "va:exotel-pace:"

# One place in the account's window and one in the purpose's own, or how many milliseconds until there may be one.
_TAKE: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local held = redis.call('PTTL', KEYS[3])
if held > 0 then return held end
local wait = 0
for i = 1, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - ARGV[1])
  local most = tonumber(ARGV[1 + i])
  local used = redis.call('ZCARD', KEYS[i])
  if used >= most then
    local first = redis.call('ZRANGE', KEYS[i], used - most, used - most, 'WITHSCORES')
    wait = math.max(wait, first[2] + ARGV[1] - now + 1)
  end
end
if wait > 0 then return wait end
for i = 1, 2 do
  redis.call('ZADD', KEYS[i], now, ARGV[4])
  redis.call('PEXPIRE', KEYS[i], ARGV[1])
end
return 0
"""


# A shorter wait that is told later does not shorten a longer one.
_HOLD: Final = "if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], 1, 'PX', ARGV[1]) end"


def most(purpose: Purpose, whole: int) -> int:
    """How many of `whole` requests a minute may be for this purpose; at least one."""
    return max(1, int(whole * SHARES[purpose]))


class OwnCount:
    """The same rule within one process, for a part of the budget."""

    def __init__(self, now_ms: Callable[[], float] = lambda: time.monotonic() * 1000) -> None:
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._taken: deque[tuple[float, Purpose]] = deque()
        self._held_until_ms = 0.0

    def take(self, purpose: Purpose, whole: int) -> float:
        with self._lock:
            now = self._now_ms()
            if self._held_until_ms > now:
                return self._held_until_ms - now
            while self._taken and self._taken[0][0] <= now - WINDOW_MS:
                self._taken.popleft()
            own = [at for at, what in self._taken if what == purpose]
            waits = [0.0]
            for taken, limit in (([at for at, _ in self._taken], whole), (own, most(purpose, whole))):
                if len(taken) >= limit:
                    waits.append(taken[len(taken) - limit] + WINDOW_MS - now)
            if max(waits) <= 0:
                self._taken.append((now, purpose))
            return max(waits)

    def hold(self, wait_ms: float) -> None:
        with self._lock:
            self._held_until_ms = max(self._held_until_ms, self._now_ms() + wait_ms)


class SharedPace:
    """The account's budget. Safe in threads and after a fork."""

    def __init__(self) -> None:
        self._alone = OwnCount()
        self._client: redis.Redis | None = None
        self._rests_until = 0.0

    def take(self, purpose: Purpose) -> float:
        whole: int = settings.EXOTEL_REQUESTS_PER_MINUTE
        limits = (WINDOW_MS, whole, most(purpose, whole), secrets.token_hex(8))
        keys = (f"{_KEYS}all", f"{_KEYS}{purpose}", f"{_KEYS}held")
        wait_ms = self._ask(lambda valkey: valkey.eval(_TAKE, len(keys), *keys, *limits))
        if wait_ms is None:
            wait_ms = self._alone.take(purpose, max(2, int(whole * ALONE)))
        return float(wait_ms) / 1000

    def hold(self, wait_s: float) -> None:
        wait_ms = max(1, int(min(wait_s, LONGEST_HOLD_S) * 1000))
        logger.warning("exotel_held", wait_s=wait_ms / 1000)
        self._alone.hold(wait_ms)
        self._ask(lambda valkey: valkey.eval(_HOLD, 1, f"{_KEYS}held", wait_ms))

    def _ask(self, question: Callable[[redis.Redis], object]) -> float | None:
        """Valkey's answer as a number; None while it is away."""
        if time.monotonic() < self._rests_until:
            return None
        try:
            answer = question(self._valkey())
        except (redis.RedisError, OSError) as error:
            self._rests_until = time.monotonic() + _VALKEY_REST_S
            logger.warning("exotel_pace_alone", error=type(error).__name__)
            return None
        return float(answer) if isinstance(answer, int | float) else 0.0

    def _valkey(self) -> redis.Redis:
        if self._client is None:
            self._client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=_VALKEY_LIMIT_S, socket_connect_timeout=_VALKEY_LIMIT_S)
        return self._client


class Prepaid:
    """A budget from which one dial has been taken already."""

    def __init__(self, pace: Pace) -> None:
        self._pace, self._is_used = pace, False

    def take(self, purpose: Purpose) -> float:
        if purpose == Purpose.DIAL and not self._is_used:
            self._is_used = True
            return 0.0
        return self._pace.take(purpose)

    def hold(self, wait_s: float) -> None:
        self._pace.hold(wait_s)


SHARED: Final = SharedPace()


def client(pace: Pace = SHARED) -> ExotelClient:
    """Exotel's API, at the account's pace."""
    return ExotelClient(addresses.exotel(), pace)


def spread(wait_s: float) -> float:
    """`wait_s` and a little more, so that those who were told to wait do not come back all at once."""
    return wait_s + random.uniform(0.2, 5.0)  # noqa: S311 - nothing is guarded by it
