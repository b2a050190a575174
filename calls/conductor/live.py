"""Shows words while they are being spoken. Only the newest matter, so a slow broker thins them out and nothing waits."""

import asyncio
from typing import Any

from calls import broadcast
from calls.models import Session

# Often enough to look alive, seldom enough to cost nothing.
GAP_S = 0.3
# Most calls are watched by nobody; a page that is opened sees the words after this long at the latest.
LOOK_EVERY_S = 2.0


class LiveFeed:
    """The interim words of one session: at most one update waits for each speaker."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._newest: dict[str, dict[str, Any]] = {}
        self._changed = asyncio.Event()
        self._is_watched = False
        self._look_at = 0.0

    def show(self, speaker: str, text: str, number: int | None = None) -> None:
        self._newest[speaker] = {"speaker": speaker, "text": text, "interim": True, "number": number}
        self._changed.set()

    def forget(self, speaker: str) -> None:
        """The turn has ended: its interim words must not come after it."""
        self._newest.pop(speaker, None)

    def start(self) -> "asyncio.Task[None]":
        return asyncio.create_task(self._run(), name="live")

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            for speaker in list(self._newest):
                payload = self._newest.pop(speaker, None)
                if payload is not None and await self._has_watchers():
                    await broadcast.live_update_async(self._session, "turn.updated", payload)
            await asyncio.sleep(GAP_S)

    async def _has_watchers(self) -> bool:
        """As it was at the last look."""
        now = asyncio.get_running_loop().time()
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self._is_watched = await broadcast.is_watched(self._session)
        return self._is_watched
