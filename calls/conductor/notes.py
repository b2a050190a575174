"""Turns what happens in a conversation into rows to write and updates to show. Called on the audio's loop: it only sorts and queues."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.utils import timezone

from calls import commands
from calls.commands import Draft, FinishedTurn, Happened
from calls.conductor.drafts import Drafts
from calls.conductor.line import Line
from calls.conductor.live import LiveFeed
from calls.conductor.resuming import Before
from calls.conductor.rows import Writer
from calls.conductor.till import Tab
from calls.kinds import Kind
from calls.models import Session, Turn
from engine.events import (
    AgentTurnEnded,
    AgentTurnInterrupted,
    AgentTurnStarted,
    AgentTurnUpdated,
    DtmfReceived,
    EndReason,
    ProviderFailed,
    SessionEnded,
    SessionEvent,
    ToolCalled,
    UsageRecorded,
    UserTurnEnded,
    UserTurnUpdated,
)
from engine.usage import UsageRecord


class Notebook:
    """One conversation's events, in order. `reason` is why it ended, once it has.

    The engine counts turns and milliseconds from its own start; rows count from the session's, which may have had a stream `before`.
    """

    def __init__(self, session: Session, writer: Writer, live: LiveFeed, drafts: Drafts, before: Before, tab: Tab, line: Line) -> None:
        self._session = session
        self._line = line
        self._writer = writer
        self._live = live
        self._drafts = drafts
        self._before = before
        self._tab = tab
        self._last_turn = 0
        self._caller_draft: Draft | None = None
        self._silences: dict[int, int] = {}
        self._written_turns: set[int] = set()
        self._noted = 0
        self._used: dict[int, UsageRecord] = {}  # what waits to be written, together with what is used until then
        self._noted_uses = 0
        self.reason: EndReason | None = None

    def take(self, event: SessionEvent) -> None:
        """Never blocks and never raises for what is in the event."""
        match event:
            case UserTurnUpdated(text=text, at_ms=at_ms):
                self._caller_words(text, at_ms)
            case AgentTurnStarted(turn=number):
                self._last_turn = max(self._last_turn, number)
            case AgentTurnUpdated(turn=number, text=text, at_ms=at_ms):
                self._live.show(Turn.Speaker.AGENT, text, self._before.last_turn + number)
                self._drafts.note(self._draft(number, Turn.Speaker.AGENT, text, at_ms))
            case UserTurnEnded():
                self._live.forget(Turn.Speaker.CALLER)
                self._end_caller_draft(event.turn)
                self._caller_turn(event)
            case AgentTurnEnded():
                self._live.forget(Turn.Speaker.AGENT)
                self._drafts.forget(self._session.pk, Turn.Speaker.AGENT)
                self._agent_turn(event)
                if marks := self._line.marks():
                    self._event("turn-played", {"turn": self._before.last_turn + event.turn, "marks": marks, "at_ms": event.ended_ms})
            case AgentTurnInterrupted(turn=number, at_ms=at_ms, silence_after_ms=silence_ms):
                self._interrupted(number, silence_ms)
                self._event("interrupted", {"turn": self._before.last_turn + number, "at_ms": at_ms})
            case UsageRecorded(record=record):
                self._use(record)
            case ToolCalled(name=name, ok=ok, at_ms=at_ms, duration_ms=duration_ms):
                self._event("tool-called", {"tool": name, "ok": ok, "at_ms": at_ms, "duration_ms": duration_ms})
            case ProviderFailed(provider=provider, category=category, message=message, at_ms=at_ms):
                self._event("provider-failed", {"provider": provider, "category": category, "reason": message[:300], "at_ms": at_ms})
            case DtmfReceived(at_ms=at_ms):
                self._event("key-pressed", {"at_ms": at_ms})
            case SessionEnded(reason=reason):
                self.reason = reason
                self._end_caller_draft(0)

    def _use(self, record: UsageRecord) -> None:
        self._tab.put(record)
        self._noted_uses += 1
        self._used[self._noted_uses] = record
        # A row that was lost takes nothing with it: what it would have written is asked for again.
        if len(self._used) == 1 or self._noted_uses % 20 == 0:
            self._writer.add_to("usage", _write_usage, self)

    def used(self) -> tuple[str, dict[int, UsageRecord]]:
        """What was used and is not written yet. Read in a thread, perhaps in two: what was read is taken away only once it is written."""
        return self._session.session_id, dict(self._used)

    def forget_used(self, places: Iterable[int]) -> None:
        for place in places:
            self._used.pop(place, None)

    def failed(self, error: Exception) -> None:
        """The conversation could not be held at all: the reason goes on the timeline, if it is one of ours."""
        message = getattr(error, "message", "") or (str(error) if type(error).__name__ == "NotReady" else "")
        self._event("conversation-failed", {"error": type(error).__name__, "reason": message[:300]})

    def line_began(self) -> None:
        """The carrier's socket was opened some time ago, before anybody knew which call it was."""
        if self._line.connected_at is not None:
            self._happened(
                "stream-connected", f"stream:connected:{self._before.part}", "stream", self._line.opening(), self._line.connected_at
            )

    def line_ended(self) -> None:
        """The audio is over; how it ended and what went over it, if the line can tell."""
        if self._used:
            self._writer.add_to("usage", _write_usage, self)
        self._happened("stream-ended", f"stream:ended:{self._before.part}", "stream", self._line.closing())

    def _caller_words(self, text: str, at_ms: int) -> None:
        """What the caller is saying stands where their turn will: behind the last turn that has begun."""
        known = self._caller_draft
        draft = self._draft(self._last_turn + 1, Turn.Speaker.CALLER, text, at_ms)
        if known is not None and known.number != draft.number:
            self._end_caller_draft(0)
        self._caller_draft = draft
        self._live.show(Turn.Speaker.CALLER, text, draft.number)
        self._drafts.note(draft)

    def _end_caller_draft(self, turn: int) -> None:
        """The words have become `turn`, or have come to nothing (0): a draft that no turn replaces goes."""
        draft, self._caller_draft = self._caller_draft, None
        self._drafts.forget(self._session.pk, Turn.Speaker.CALLER)
        if draft is not None and draft.number != self._before.last_turn + turn:
            dropped = partial(commands.drop_draft, session=self._session, number=draft.number, speaker=draft.speaker)
            self._writer.add("draft", dropped)

    def _draft(self, number: int, speaker: str, text: str, at_ms: int) -> Draft:
        return Draft(self._session.pk, self._before.last_turn + number, speaker, text, self._before.elapsed_ms + at_ms)

    def _caller_turn(self, turn: UserTurnEnded) -> None:
        self._turn(turn.turn, Turn.Speaker.CALLER, text=turn.text, started_ms=turn.started_ms, ended_ms=turn.ended_ms)

    def _agent_turn(self, turn: AgentTurnEnded) -> None:
        self._written_turns.add(turn.turn)
        self._turn(
            turn.turn,
            Turn.Speaker.AGENT,
            text=turn.heard,
            generated_text=turn.generated,
            interrupted=turn.interrupted,
            started_ms=turn.started_ms,
            ended_ms=turn.ended_ms,
            latency=turn.latency,
            silence_after_ms=self._silences.pop(turn.turn, None),
        )

    def _turn(self, number: int, speaker: str, *, started_ms: int, ended_ms: int, **facts: Any) -> None:
        self._last_turn = max(self._last_turn, number)
        since_ms = self._before.elapsed_ms
        told = FinishedTurn(
            self._session,
            self._before.last_turn + number,
            speaker,
            started_ms=since_ms + started_ms,
            ended_ms=since_ms + ended_ms,
            **facts,
        )
        self._writer.add_to("turn", commands.add_turns, told)

    def _interrupted(self, number: int, silence_ms: int) -> None:
        if number not in self._written_turns:
            self._silences[number] = silence_ms
            return
        row = self._before.last_turn + number
        measured = partial(commands.interruption_measured, session=self._session, number=row, silence_after_ms=silence_ms)
        self._writer.add("interruption", measured)

    def _event(self, kind: Kind, facts: dict[str, Any]) -> None:
        self._noted += 1
        if "at_ms" in facts:
            facts["at_ms"] += self._before.elapsed_ms
        key = f"engine:{self._before.part}:{self._noted}" if self._before.part else f"engine:{self._noted}"
        self._happened(kind, key, "engine", facts)

    def _happened(self, kind: Kind, key: str, source: str, facts: dict[str, Any], at: datetime | None = None) -> None:
        self._writer.add_to("event", commands.record_talk, Happened(self._session.pk, key, source, kind, at or timezone.now(), facts))


def _write_usage(notebooks: Sequence[Notebook]) -> None:
    """Writes all that these conversations used until now."""
    while waiting := [(notebook, *notebook.used()) for notebook in notebooks]:
        commands.add_usages([(session_id, list(records.values())) for _, session_id, records in waiting])
        for notebook, _, records in waiting:
            notebook.forget_used(records)
        notebooks = [notebook for notebook, *_ in waiting if notebook.used()[1]]
