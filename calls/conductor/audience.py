"""Who of the conversations of a process is being watched: one question every two seconds for all of them. Most calls nobody watches."""

import asyncio

from calls import broadcast
from calls.models import Session

# A page that is opened sees the words after this long at the latest.
LOOK_EVERY_S = 2.0


class Audience:
    """The conversations of one process. One that was not asked about yet counts as watched."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._watched: frozenset[str] = frozenset()
        self._asked: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def join(self, session: Session) -> None:
        """Returns once it is known whether `session` is watched."""
        self._sessions[session.session_id] = session
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._task = loop.create_task(self._look(), name="audience")
        self._take([session], await broadcast.watched([session]))

    def leave(self, session: Session) -> None:
        self._sessions.pop(session.session_id, None)
        self._asked.discard(session.session_id)
        self._watched -= {session.session_id}
        if not self._sessions and self._task is not None:
            self._task.cancel()
            self._task = None

    def watches(self, session: Session) -> bool:
        return session.session_id in self._watched or session.session_id not in self._asked

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            sessions = list(self._sessions.values())
            self._take(sessions, await broadcast.watched(sessions))

    def _take(self, asked: list[Session], watched: frozenset[str]) -> None:
        ids = {session.session_id for session in asked}
        self._asked |= ids & self._sessions.keys()
        self._watched = (self._watched - ids) | (watched & self._sessions.keys())
