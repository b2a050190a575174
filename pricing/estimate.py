"""What a minute of conversation will probably use, before anybody has called. Pure: models and habits in, quantities out.

An estimate, and named so wherever it is shown. It errs upwards: nothing is taken for read from the provider's cache, which is cheaper.
Answers that are begun ahead and thrown away are not in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.usage import Unit, UsageKind, UsageRecord

MINUTE_MS: Final = 60_000
_EVIDENCE: Final = "estimate"


@dataclass(frozen=True, slots=True)
class Habits:
    """How people and agents talk on the telephone: five times a minute somebody answers somebody, each speaks half of the time.

    `call_minutes` matters because each reply reads all that was said before it.
    """

    replies: int = 5
    spoken_characters: int = 450
    spoken_tokens: int = 110
    heard_tokens: int = 100
    call_minutes: int = 3


@dataclass(frozen=True, slots=True)
class Model:
    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Staff:
    """Who works for one agent. None: nobody is asked for that."""

    listens: Model | None
    thinks: Model | None
    speaks: Model
    transcribes: Model | None = None
    reads: Model | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the estimate: what `model` does in a minute, in each of its units."""

    name: str
    model: Model
    uses: tuple[UsageRecord, ...]


# What the analysis of a finished call is told beside the transcript, and what it answers.
_READER_INPUT, _READER_OUTPUT = 700, 300


def minute(staff: Staff, instruction_tokens: int, habits: Habits | None = None) -> Iterator[Part]:
    """The parts of one minute of a call of ordinary length. `instruction_tokens`: what every reply reads before the talk itself."""
    habits = habits or Habits()
    said = habits.spoken_tokens + habits.heard_tokens
    if staff.listens:
        yield _part("listening", staff.listens, (UsageKind.STT, Unit.AUDIO_MS, MINUTE_MS))
    if staff.thinks:
        history = said * habits.call_minutes // 2
        read, written = habits.replies * (instruction_tokens + history), habits.spoken_tokens
        yield _part("thinking", staff.thinks, (UsageKind.LLM, Unit.INPUT_TOKENS, read), (UsageKind.LLM, Unit.OUTPUT_TOKENS, written))
    yield _part("speaking", staff.speaks, (UsageKind.TTS, Unit.CHARACTERS, habits.spoken_characters))
    if staff.transcribes:  # both sides of the recording, each for its whole length
        yield _part("transcription", staff.transcribes, (UsageKind.TRANSCRIPTION, Unit.AUDIO_MS, 2 * MINUTE_MS))
    if staff.reads:
        read = said + _READER_INPUT // habits.call_minutes
        written = _READER_OUTPUT // habits.call_minutes
        yield _part("analysis", staff.reads, (UsageKind.LLM, Unit.INPUT_TOKENS, read), (UsageKind.LLM, Unit.OUTPUT_TOKENS, written))


def _part(name: str, model: Model, *uses: tuple[UsageKind, Unit, int]) -> Part:
    made = tuple(UsageRecord(kind, model.provider, model.model, unit, quantity, _EVIDENCE) for kind, unit, quantity in uses)
    return Part(name, model, made)
