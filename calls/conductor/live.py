"""Shows words while they are being spoken. Only the newest matter, so a slow broker thins them out and nothing waits."""

import asyncio
from typing import Any

from calls import broadcast
from calls.conductor.audience import Audience
from calls.models import Session

# Often enough to look alive, seldom enough to cost nothing.
GAP_S = 0.3

_audience = Audience()


class LiveFeed:
    """The interim words of one session: at most one update waits for each speaker, and none where nobody watches."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._newest: dict[str, dict[str, Any]] = {}
        self._changed = asyncio.Event()
        self._has_new_cost = False

    def show(self, speaker: str, text: str, number: int | None = None) -> None:
        if _audience.watches(self._session):
            self._newest[speaker] = {"speaker": speaker, "text": text, "interim": True, "number": number}
            self._changed.set()

    def show_cost(self) -> None:
        """What the call costs has been written anew."""
        self._has_new_cost = True
        self._changed.set()

    def forget(self, speaker: str) -> None:
        """The turn has ended: its interim words must not come after it."""
        self._newest.pop(speaker, None)

    def start(self) -> "asyncio.Task[None]":
        return asyncio.create_task(self._run(), name="live")

    async def _run(self) -> None:
        try:
            await _audience.join(self._session)
            while True:
                await self._changed.wait()
                self._changed.clear()
                for speaker in list(self._newest):
                    payload = self._newest.pop(speaker, None)
                    if payload is not None and _audience.watches(self._session):
                        await broadcast.live_update_async(self._session, "turn.updated", payload)
                has_new_cost, self._has_new_cost = self._has_new_cost, False
                if has_new_cost and _audience.watches(self._session):
                    await broadcast.live_update_async(self._session, "call.updated", {})
                await asyncio.sleep(GAP_S)
        finally:
            _audience.leave(self._session)
