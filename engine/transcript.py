"""What was said, as it was *heard*: an interrupted agent turn ends at the word the caller last heard.

The model must be told what the caller heard, not what the agent meant to say, or it believes it has answered what was cut off.
Pure data: who speaks when is decided elsewhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce

from engine.ports import Message, ToolCall

_ASSUMED_MS_PER_CHARACTER = 70


@dataclass(slots=True)
class Piece:
    """A sentence of an agent turn and where its audio lies in the turn's audio, in ms. `heard` is None until the turn is over."""

    text: str
    start_ms: float | None = None
    end_ms: float | None = None
    heard: str | None = None

    def settle(self, heard_ms: float) -> None:
        """Cuts the text at `heard_ms` of the turn's audio. Audio that never came to its end is judged by the text's length."""
        if self.start_ms is None:
            self.heard = ""
            return
        if self.end_ms is None:
            whole_ms = max(1.0, len(self.text) * _ASSUMED_MS_PER_CHARACTER)
        else:
            whole_ms = self.end_ms - self.start_ms
        self.heard = cut_at_word(self.text, (heard_ms - self.start_ms) / whole_ms if whole_ms > 0 else float(heard_ms >= self.start_ms))


def cut_at_word(text: str, fraction: float) -> str:
    """The words of `text` that lie wholly within its first `fraction` (0..1)."""
    if fraction >= 1:
        return text
    end = int(len(text) * max(0.0, fraction))
    while end and not text[end].isspace():
        end -= 1
    return text[:end].rstrip()


@dataclass(slots=True)
class AgentTurn:
    """One turn of the agent while it is made and spoken. `number` and `started_ms` are set when its first audio goes out."""

    pieces: list[Piece] = field(default_factory=list)
    number: int = 0
    started_ms: int | None = None

    @property
    def generated(self) -> str:
        return _text(piece.text for piece in self.pieces)

    @property
    def heard(self) -> str:
        return _text(piece.text if piece.heard is None else piece.heard for piece in self.pieces)

    def said_until(self, piece: Piece) -> str:
        """The text up to the end of `piece`."""
        count = next(index for index, each in enumerate(self.pieces, start=1) if each is piece)
        return _text(each.text for each in self.pieces[:count])

    def settle(self, heard_ms: float) -> None:
        for piece in self.pieces:
            piece.settle(heard_ms)


@dataclass(slots=True)
class _UserWords:
    text: str


@dataclass(frozen=True, slots=True)
class _ToolsUsed:
    calls: tuple[ToolCall, ...]
    results: tuple[str, ...]


class Transcript:
    """The conversation so far, and the messages a model is given to continue it."""

    def __init__(self, instructions: str, history: Sequence[Message] = ()) -> None:
        self._opening = (Message("system", instructions), *history) if instructions else tuple(history)
        self._entries: list[_UserWords | Piece | _ToolsUsed] = []
        self._open_user: _UserWords | None = None
        self._turns = 0

    def next_turn(self) -> int:
        """Turns of both speakers share one count, from 1, in the order in which they were heard."""
        self._turns += 1
        return self._turns

    def hear_user(self, text: str) -> None:
        """The user's current turn is `text`, until `commit_user`: a turn that goes on replaces its own beginning."""
        if self._open_user is None:
            self._open_user = _UserWords(text)
            self._entries.append(self._open_user)
        else:
            self._open_user.text = text

    def commit_user(self) -> None:
        self._open_user = None

    def add_piece(self, turn: AgentTurn, text: str) -> Piece:
        """The agent is about to say `text`. Until the turn is settled it counts as heard."""
        piece = Piece(text)
        turn.pieces.append(piece)
        self._entries.append(piece)
        return piece

    def add_tools(self, calls: Sequence[ToolCall], results: Sequence[str]) -> None:
        """`results` answer `calls` in the same order."""
        self._entries.append(_ToolsUsed(tuple(calls), tuple(results)))

    def messages(self) -> list[Message]:
        messages = list(self._opening)
        said = ""
        for entry in self._entries:
            if isinstance(entry, Piece):
                said = _joined(said, entry.text if entry.heard is None else entry.heard)
                continue
            if isinstance(entry, _ToolsUsed):
                messages.append(Message("assistant", said.strip(), tool_calls=entry.calls))
                messages.extend(_tool_answers(entry))
            else:
                if said.strip():
                    messages.append(Message("assistant", said.strip()))
                messages.append(Message("user", entry.text))
            said = ""
        if said.strip():
            messages.append(Message("assistant", said.strip()))
        return messages


def _text(parts: Iterable[str]) -> str:
    return reduce(_joined, parts, "").strip()


def _joined(said: str, more: str) -> str:
    if said and more and not said[-1].isspace() and not more[0].isspace():
        return f"{said} {more}"
    return said + more


def _tool_answers(used: _ToolsUsed) -> Iterable[Message]:
    for call, result in zip(used.calls, used.results, strict=True):
        yield Message("tool", result, tool_call_id=call.call_id)
