"""What the running calls of this process cost: looked at every few seconds, beside the audio, and told to those whose budget is used up.

A conversation only puts its uses on a tab, which is an append. Prices, rows and budgets belong to a thread. A database that is away delays
the looking; the talk goes on, and what was used stays on the tab.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from calls import commands, spend
from calls.commands import Metered
from calls.conductor.live import LiveFeed
from calls.conductor.rows import in_thread
from calls.models import Session
from engine.events import EndReason
from engine.usage import UsageRecord
from pricing.meter import Meter

logger = structlog.get_logger()

LOOK_EVERY_S = 10.0

RequestEnd = Callable[[EndReason], None]


class Tab:
    """One call's uses that were not priced yet, and its meter."""

    def __init__(self, session: Session, live: LiveFeed, *, is_resumed: bool = False) -> None:
        self.session = session
        self.live = live
        self.request_end: RequestEnd | None = None
        self.began_s = 0.0
        self._is_resumed = is_resumed
        self._uses: deque[UsageRecord] = deque()
        self._meter: Meter | None = None

    def put(self, record: UsageRecord) -> None:
        """On the audio's loop: it only keeps it."""
        self._uses.append(record)

    def read(self, now_s: float) -> Metered:
        """In a thread: prices what was put, and what runs with the clock."""
        if self._meter is None:
            meter = spend.meter_for(self.session, is_resumed=self._is_resumed)
            self._meter = self._meter or meter  # a look that hung comes late: the meter that has taken in uses stays
        while self._uses:
            self._meter.use(self._uses.popleft())
        elapsed_ms = max(round((now_s - self.began_s) * 1000), 0)
        reading = self._meter.read(elapsed_ms)
        return Metered(self.session, reading.amounts, max(round(elapsed_ms / 1000), 1), reading.unpriced)


class Till:
    """The open tabs of this process, and the task that looks at them while there are any."""

    def __init__(self) -> None:
        self._open: dict[str, Tab] = {}
        self._told: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    def join(self, tab: Tab, request_end: RequestEnd) -> None:
        loop = asyncio.get_running_loop()
        tab.began_s, tab.request_end = loop.time(), request_end
        self._open[tab.session.session_id] = tab
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._task = loop.create_task(self._watch(), name="till")

    def leave(self, tab: Tab) -> None:
        """This tab is closed; another one of the same session, whose line broke and is up again, stays open."""
        session_id = tab.session.session_id
        if self._open.get(session_id) is tab:
            del self._open[session_id]
            self._told.discard(session_id)
        if not self._open and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._look_at_all()  # on its own: what it looked at is not held while this waits

    async def _look_at_all(self) -> None:
        tabs = list(self._open.values())
        try:
            spent = await in_thread(partial(_look, tabs, asyncio.get_running_loop().time()))
        except Exception as error:  # noqa: BLE001 - the database is away: the talk goes on, the next look tries again
            logger.warning("spend_not_counted", calls=len(tabs), error=type(error).__name__)
            return
        for tab in tabs:
            self._tell(tab, is_spent=tab.session.session_id in spent)

    def _tell(self, tab: Tab, *, is_spent: bool) -> None:
        session_id = tab.session.session_id
        tab.live.show_cost()
        if is_spent and session_id not in self._told and session_id in self._open and tab.request_end is not None:
            self._told.add(session_id)
            logger.warning("budget_ends_call", session_id=session_id)
            tab.request_end(EndReason.BUDGET)


def _look(tabs: Sequence[Tab], now_s: float) -> dict[str, str]:
    return commands.meter_calls([tab.read(now_s) for tab in tabs])
