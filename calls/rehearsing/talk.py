"""What was said and done in a conversation in writing, as it is collected from the engine's events. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.events import AgentTurnEnded, EndReason, ProviderFailed, SessionEnded, SessionEvent, UsageRecorded, UserTurnEnded
from engine.ports import Message
from engine.usage import UsageRecord

CALLER, AGENT = "caller", "agent"
_KEYS = re.compile(r"[0-9*#]{1,32}")


def keys_of(text: str) -> str:
    """The keys that `text` is, if it is nothing else."""
    keys = text.replace(" ", "")
    return keys if _KEYS.fullmatch(keys) else ""


@dataclass(frozen=True, slots=True)
class Line:
    """One turn. `number` counts both speakers from 1."""

    number: int
    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """The agent used a tool; `turn` is the agent's turn in which it did (0 while that is not over)."""

    name: str
    arguments: dict[str, Any]
    result: str
    ok: bool
    turn: int = 0


@dataclass(slots=True)
class Talk:
    """A conversation, growing. `lasted_ms` is how long it would have taken on the telephone; `history` is what the model knows of it.

    `is_left`: nobody ended it, it was put aside. By voice (`is_spoken`) that is how long it took; `answers` are the agent's turns and how
    many ms the caller waited for their first sound, `unanswered_ms` is how long they did in the end, in vain; `flaws` keep it from passing
    whatever was asked for.
    """

    lines: list[Line] = field(default_factory=list)
    tools: list[ToolUse] = field(default_factory=list)
    usage: list[UsageRecord] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    reason: EndReason | None = None
    lasted_ms: int = 0
    is_left: bool = False
    history: tuple[Message, ...] = ()
    is_spoken: bool = False
    answers: list[tuple[int, int]] = field(default_factory=list)
    unanswered_ms: int = 0
    flaws: list[str] = field(default_factory=list)

    def take(self, event: SessionEvent) -> None:
        match event:
            case UserTurnEnded(turn=number, text=text):
                self._add(Line(number, CALLER, text))
            case AgentTurnEnded(turn=number, heard=heard):
                self._add(Line(number, AGENT, heard))
                self._place_tools(number)
            case UsageRecorded(record=record):
                self.usage.append(record)
            case ProviderFailed(provider=provider, message=message):
                self.failures.append(f"{provider}: {message}")
            case SessionEnded(reason=reason, at_ms=at_ms):
                self.reason, self.lasted_ms = reason, at_ms
                self._place_tools(self.lines[-1].number if self.lines else 0)

    def used(self, tool: ToolUse) -> None:
        self.tools.append(tool)

    def by(self, speaker: str) -> Sequence[Line]:
        return [line for line in self.lines if line.speaker == speaker]

    def _add(self, line: Line) -> None:
        """A caller's turn that goes on is told again and replaces itself; caller and agent are told in the order of their ends."""
        self.lines = sorted(
            [*(each for each in self.lines if (each.number, each.speaker) != (line.number, line.speaker)), line],
            key=lambda each: each.number,
        )

    def _place_tools(self, turn: int) -> None:
        self.tools = [replace(tool, turn=turn) if not tool.turn else tool for tool in self.tools]
