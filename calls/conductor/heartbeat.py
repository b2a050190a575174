"""One beat a second for all conversations of the process: a sign of life, the words being said, and ears for what operators want.

Whoever finds no sign of life for a few seconds may take the call over, so a beat is small and late beats are told.
"""

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from calls import commands
from calls.commands import Order
from calls.conductor.drafts import Drafts
from calls.conductor.rows import in_thread
from engine.events import EndReason

logger = structlog.get_logger()

BEAT_S = 1.0

RequestEnd = Callable[[EndReason], None]
Obey = Callable[[Order], None]


def _nobody_listens(_reason: EndReason) -> None:
    pass


class Heartbeat:
    """The running conversations of this process, and the task that beats while there are any."""

    def __init__(self) -> None:
        self._running: dict[str, RequestEnd] = {}
        self._obeying: dict[str, Obey] = {}
        self._asked: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._ends: EndReason | None = None
        self.draining = False
        self.drafts = Drafts()

    def __len__(self) -> int:
        return len(self._running)

    def join(self, session_id: str, request_end: RequestEnd, obey: Obey | None = None) -> None:
        self._running[session_id] = request_end
        if obey is not None:
            self._obeying[session_id] = obey
        if self._ends is not None:
            request_end(self._ends)
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._task = loop.create_task(self._beat(), name="heartbeat")

    def talk_is_over(self, session_id: str, request_end: RequestEnd | None) -> None:
        """Signs of life go on until its rows are written: a call whose end cannot be told yet has not died. But what operators want is
        left to whoever resumes the talk.
        """
        if self._running.get(session_id) == request_end is not None:
            self._running[session_id] = _nobody_listens
            self._obeying.pop(session_id, None)

    def leave(self, session_id: str, request_end: RequestEnd | None) -> None:
        """The conversation that joined with `request_end` is over; one that has taken the session up in the meantime stays."""
        if self._running.get(session_id) in (request_end, _nobody_listens):
            self._running.pop(session_id, None)
            self._obeying.pop(session_id, None)
            self._asked.discard(session_id)
        if not self._running and self._task is not None:
            self._task.cancel()
            self._task = None

    def end_all(self, reason: EndReason) -> None:
        """Ends every conversation, and whichever still joins."""
        self._ends = reason
        for request_end in list(self._running.values()):
            request_end(reason)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            await self.drafts.write()
            try:
                wanted, orders = await in_thread(partial(_beat, list(self._running), list(self._obeying)))
            except Exception as error:  # noqa: BLE001 - the database is away: the talk goes on, the next beat tries again
                logger.warning("heartbeat_missed", error=type(error).__name__)
                continue
            for session_id in wanted - self._asked:
                if request_end := self._running.get(session_id):
                    self._asked.add(session_id)
                    request_end(EndReason.OPERATOR_HANGUP)
            for order in orders:
                if obey := self._obeying.get(order.session_id):
                    obey(order)


def _beat(alive: list[str], obeying: list[str]) -> tuple[frozenset[str], list[Order]]:
    return commands.sessions_alive(alive), commands.take_orders(obeying)
