"""Turns what happens in a conversation into rows to write and updates to show. Called on the audio's loop: it only sorts and queues."""

from functools import partial
from typing import Any

from calls import commands
from calls.conductor.live import LiveFeed
from calls.conductor.rows import Writer
from calls.models import Session, Turn
from engine.events import (
    AgentTurnEnded,
    AgentTurnInterrupted,
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


class Notebook:
    """One conversation's events, in order. `reason` is why it ended, once it has."""

    def __init__(self, session: Session, writer: Writer, live: LiveFeed) -> None:
        self._session = session
        self._writer = writer
        self._live = live
        self._silences: dict[int, int] = {}
        self._written_turns: set[int] = set()
        self._noted = 0
        self.reason: EndReason | None = None

    def take(self, event: SessionEvent) -> None:
        """Never blocks and never raises for what is in the event."""
        match event:
            case UserTurnUpdated(text=text):
                self._live.show(Turn.Speaker.CALLER, text)
            case AgentTurnUpdated(turn=number, text=text):
                self._live.show(Turn.Speaker.AGENT, text, number)
            case UserTurnEnded():
                self._live.forget(Turn.Speaker.CALLER)
                self._caller_turn(event)
            case AgentTurnEnded():
                self._live.forget(Turn.Speaker.AGENT)
                self._agent_turn(event)
            case AgentTurnInterrupted(turn=number, silence_after_ms=silence_ms):
                self._interrupted(number, silence_ms)
            case UsageRecorded(record=record):
                self._writer.add("usage", partial(commands.add_usage, self._session.session_id, [record]))
            case ToolCalled(name=name, ok=ok, at_ms=at_ms, duration_ms=duration_ms):
                self._event("tool-called", {"tool": name, "ok": ok, "at_ms": at_ms, "duration_ms": duration_ms})
            case ProviderFailed(provider=provider, category=category, message=message, at_ms=at_ms):
                self._event("provider-failed", {"provider": provider, "category": category, "reason": message[:300], "at_ms": at_ms})
            case DtmfReceived(at_ms=at_ms):
                self._event("key-pressed", {"at_ms": at_ms})
            case SessionEnded(reason=reason):
                self.reason = reason

    def failed(self, error: Exception) -> None:
        """The conversation could not be held at all: the reason goes on the timeline, if it is one of ours."""
        message = getattr(error, "message", "") or (str(error) if type(error).__name__ == "NotReady" else "")
        self._event("conversation-failed", {"error": type(error).__name__, "reason": message[:300]})

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

    def _turn(self, number: int, speaker: str, **facts: Any) -> None:
        self._writer.add("turn", partial(commands.add_turn, session=self._session, number=number, speaker=speaker, **facts))

    def _interrupted(self, number: int, silence_ms: int) -> None:
        if number not in self._written_turns:
            self._silences[number] = silence_ms
            return
        measured = partial(commands.interruption_measured, session=self._session, number=number, silence_after_ms=silence_ms)
        self._writer.add("interruption", measured)

    def _event(self, kind: str, facts: dict[str, Any]) -> None:
        self._noted += 1
        key = f"engine:{self._noted}"
        self._writer.add("event", partial(commands.record_event, session=self._session, key=key, source="engine", kind=kind, facts=facts))
