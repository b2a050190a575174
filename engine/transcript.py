"""What was said, as it was *heard*: an interrupted agent turn ends at the word the caller last heard.

The model must be told what the caller heard, not what the agent meant to say, or it believes it has answered what was cut off.
Pure data: who speaks when is decided elsewhere.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce

from engine.ports import Message, ToolCall

_ASSUMED_MS_PER_CHARACTER = 70
_ROUNDING = 1e-6  # a fraction that was made from a count of characters gives that count back


@dataclass(slots=True)
class Piece:
    """A sentence of an agent turn and where its audio lies in the turn's audio, in ms. `heard` is None until the turn is over.

    `spoken` is the text that the voice was given, and `ends` how many of its characters have ended by which ms of the piece's own audio,
    where the voice tells. `whole_ms` is set if the audio broke off: the time that the whole sentence would have taken. A `filler`
    bridges a wait: it is said and heard like the rest, but answers nothing.
    """

    text: str
    start_ms: float | None = None
    end_ms: float | None = None
    heard: str | None = None
    filler: bool = False
    spoken: str = ""
    ends: list[tuple[int, float]] = field(default_factory=list)
    whole_ms: float | None = None

    def align(self, characters: Iterable[tuple[str, int]], base_ms: float = 0) -> None:
        """Further characters of `spoken` and the ms, from `base_ms` of the piece's audio on, at which each ends."""
        count = self.ends[-1][0] if self.ends else 0
        for character, end_ms in characters:
            count += len(character)
            self.ends.append((count, base_ms + end_ms))

    def break_off(self) -> None:
        """The audio ended too early: `end_ms` is where, and nothing after it can have been heard."""
        if self.start_ms is not None and self.end_ms is not None:
            self.whole_ms = max(self.end_ms - self.start_ms + 1, len(self.text) * _ASSUMED_MS_PER_CHARACTER)

    def settle(self, heard_ms: float) -> None:
        """Cuts the text at `heard_ms` of the turn's audio: by the voice's own times if it told any, else in proportion.

        Audio that never came to its end is judged by the text's length.
        """
        if self.start_ms is None:
            self.heard = ""
            return
        played_ms = heard_ms - self.start_ms
        if self.end_ms is not None:
            if self.whole_ms is None and heard_ms >= self.end_ms:
                self.heard = self.text
                return
            played_ms = min(played_ms, self.end_ms - self.start_ms)
        self.heard = cut_at_word(self.text, self._fraction(played_ms))

    def ended_characters(self, played_ms: float) -> int:
        """How many characters of `spoken` had ended after `played_ms` of the piece's audio. 0 where the voice does not tell."""
        place = bisect_right(self.ends, played_ms, key=lambda each: each[1])
        return self.ends[place - 1][0] if place else 0

    def _fraction(self, played_ms: float) -> float:
        if self.ends and self.spoken:
            return self.ended_characters(played_ms) / len(self.spoken)
        if self.whole_ms is not None:
            whole_ms = self.whole_ms
        elif self.start_ms is not None and self.end_ms is not None:
            whole_ms = self.end_ms - self.start_ms
        else:
            whole_ms = max(1.0, len(self.text) * _ASSUMED_MS_PER_CHARACTER)
        return played_ms / whole_ms if whole_ms > 0 else float(played_ms >= 0)


def cut_at_word(text: str, fraction: float) -> str:
    """The words of `text` that lie wholly within its first `fraction` (0..1)."""
    if fraction >= 1:
        return text
    end = int(len(text) * max(0.0, fraction) + _ROUNDING)
    if end >= len(text):
        return text
    while end and not text[end].isspace():
        end -= 1
    return text[:end].rstrip()


@dataclass(slots=True)
class AgentTurn:
    """One turn of the agent while it is made and spoken. `number` and `started_ms` are set when its first audio goes out.

    `supposes` makes it a draft: an answer to words that the caller may not have finished. A draft is no part of the conversation.
    """

    pieces: list[Piece] = field(default_factory=list)
    number: int = 0
    started_ms: int | None = None
    supposes: str | None = None

    @property
    def generated(self) -> str:
        return _text(piece.text for piece in self.pieces)

    @property
    def heard(self) -> str:
        return _text(piece.text if piece.heard is None else piece.heard for piece in self.pieces)

    @property
    def has_answer(self) -> bool:
        """Whether anything but fillers was written."""
        return any(not piece.filler for piece in self.pieces)

    @property
    def is_broken(self) -> bool:
        return any(piece.whole_ms is not None for piece in self.pieces)

    def said_until(self, piece: Piece) -> str:
        """The text up to the end of `piece`."""
        return _text(each.text for each in self.pieces[: _place(self.pieces, piece) + 1])

    def settle(self, heard_ms: float) -> None:
        for piece in self.pieces:
            piece.settle(heard_ms)


@dataclass(slots=True)
class _UserWords:
    text: str


@dataclass(frozen=True, slots=True)
class _Note:
    text: str


@dataclass(frozen=True, slots=True)
class _ToolsUsed:
    calls: tuple[ToolCall, ...]
    results: tuple[str, ...]


class Transcript:
    """The conversation so far, and the messages a model is given to continue it."""

    def __init__(self, instructions: str, history: Sequence[Message] = ()) -> None:
        self._opening = (Message("system", instructions), *history) if instructions else tuple(history)
        self._entries: list[_UserWords | Piece | _ToolsUsed | _Note] = []
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
        if turn.supposes is None:
            self._entries.append(piece)
        return piece

    def add_filler(self, turn: AgentTurn, text: str, before: Piece | None) -> Piece:
        """The agent bridges a wait with `text`, before it says the piece `before` (None: before anything that is not written yet)."""
        piece = Piece(text, filler=True)
        if before is None:
            turn.pieces.append(piece)
            self._entries.append(piece)
        else:
            turn.pieces.insert(_place(turn.pieces, before), piece)
            self._entries.insert(_place(self._entries, before), piece)
        return piece

    def adopt(self, turn: AgentTurn) -> None:
        """A draft becomes part of the conversation, behind the words that it answers (`hear_user` has told them)."""
        if turn.supposes is not None:
            turn.supposes = None
            self._entries.extend(turn.pieces)

    def add_tools(self, calls: Sequence[ToolCall], results: Sequence[str]) -> None:
        """`results` answer `calls` in the same order."""
        self._entries.append(_ToolsUsed(tuple(calls), tuple(results)))

    def note(self, text: str) -> None:
        """The model is told `text`, and the caller does not hear it."""
        self._entries.append(_Note(text))

    def messages(self, draft: AgentTurn | None = None) -> list[Message]:
        """What the model is to continue. For a `draft` as if the caller had said what it supposes, and nothing else since."""
        entries: Iterable[_UserWords | Piece | _ToolsUsed | _Note] = self._entries
        if draft is not None and draft.supposes is not None:
            spoken = [entry for entry in self._entries if entry is not self._open_user]
            entries = [*spoken, _UserWords(draft.supposes), *draft.pieces]
        messages = list(self._opening)
        said = ""
        for entry in entries:
            if isinstance(entry, Piece):
                said = _joined(said, entry.text if entry.heard is None else entry.heard)
                continue
            if isinstance(entry, _ToolsUsed):
                messages.append(Message("assistant", said.strip(), tool_calls=entry.calls))
                messages.extend(_tool_answers(entry))
            else:
                if said.strip():
                    messages.append(Message("assistant", said.strip()))
                messages.append(Message("system" if isinstance(entry, _Note) else "user", entry.text))
            said = ""
        if said.strip():
            messages.append(Message("assistant", said.strip()))
        return messages


def _place(pieces: Sequence[object], piece: Piece) -> int:
    return next(index for index, each in enumerate(pieces) if each is piece)


def _text(parts: Iterable[str]) -> str:
    return reduce(_joined, parts, "").strip()


def _joined(said: str, more: str) -> str:
    if said and more and not said[-1].isspace() and not more[0].isspace():
        return f"{said} {more}"
    return said + more


def _tool_answers(used: _ToolsUsed) -> Iterable[Message]:
    for call, result in zip(used.calls, used.results, strict=True):
        yield Message("tool", result, tool_call_id=call.call_id)
