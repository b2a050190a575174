"""What is being said right now, kept so that a process that dies takes at most the last two seconds with it.

A draft is a turn whose end is not known: `ended_ms` equals `started_ms`. The finished turn takes its place; a draft never takes that of a
finished turn, however late it is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone

from calls.models import Session, Turn

_UPSERT = """
INSERT INTO calls_turn (session_id, number, speaker, text, generated_text, interrupted, started_ms, ended_ms, created_at)
VALUES {rows}
ON CONFLICT (session_id, number, speaker) DO UPDATE SET text = EXCLUDED.text WHERE calls_turn.ended_ms <= calls_turn.started_ms
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """An unfinished turn as it reads now. `session_pk` is the session's key in the database."""

    session_pk: int
    number: int
    speaker: str
    text: str
    started_ms: int


def keep_drafts(drafts: Sequence[Draft]) -> None:
    """Writes the unfinished turns of any number of sessions with one statement. Tells nobody: pages have the live words."""
    if not drafts:
        return
    now = timezone.now()
    values: list[Any] = []
    for draft in drafts:
        started_ms = max(draft.started_ms, 0)
        values += [draft.session_pk, draft.number, draft.speaker, draft.text.replace("\0", ""), started_ms, started_ms, now]
    rows = ", ".join(["(%s, %s, %s, %s, '', false, %s, %s, %s)"] * len(drafts))
    with connection.cursor() as cursor:
        cursor.execute(_UPSERT.format(rows=rows), values)


def drop_draft(*, session: Session, number: int, speaker: str) -> None:
    """The words were taken back, or became part of another turn."""
    Turn.objects.filter(session=session, number=number, speaker=speaker, ended_ms__lte=F("started_ms")).delete()
