"""The unfinished turns of every conversation of this process, written together once a second. Only the newest words of each matter."""

from functools import partial

import structlog

from calls import commands
from calls.commands import Draft
from calls.conductor.rows import in_thread

logger = structlog.get_logger()


class Drafts:
    """At most one unfinished turn for each speaker of each session."""

    def __init__(self) -> None:
        self._newest: dict[tuple[int, str], Draft] = {}

    def note(self, draft: Draft) -> None:
        self._newest[draft.session_pk, draft.speaker] = draft

    def forget(self, session_pk: int, speaker: str) -> None:
        """The turn has ended: its own row takes the draft's place."""
        self._newest.pop((session_pk, speaker), None)

    async def write(self) -> None:
        """Writes what is new since the last time. A database that is away costs these words, unless they are still being said."""
        if not self._newest:
            return
        drafts, self._newest = list(self._newest.values()), {}
        try:
            await in_thread(partial(commands.keep_drafts, drafts))
        except Exception as error:  # noqa: BLE001 - the finished turns have a queue of their own that loses nothing
            logger.warning("drafts_not_kept", drafts=len(drafts), error=type(error).__name__)
