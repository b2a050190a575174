"""What a transcriber of finished recordings gives back, whoever it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from engine.usage import UsageRecord


class SpokenWord(NamedTuple):
    """A word and when it was said, in ms of the recording."""

    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Utterance:
    """One stretch of speech on one channel, `confidence` between 0 and 1. `speaker`: whose voice, where one channel holds several.

    `words` are empty where the transcriber does not tell when each was said.
    """

    channel: int
    start_ms: int
    end_ms: int
    text: str
    confidence: float
    speaker: int | None = None
    words: tuple[SpokenWord, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcription:
    """A whole recording in words; `utterances` in the order in which they began. `text` is empty if nobody spoke."""

    request_id: str
    duration_ms: int
    channels: int
    utterances: tuple[Utterance, ...]
    text: str
    usage: tuple[UsageRecord, ...]


class Transcriber(Protocol):
    provider: str
    model: str

    def transcribe(self, path: Path, *, multichannel: bool = False) -> Transcription:
        """Transcribes a recording on disk in constant memory. Blocks; raises `ProviderError`.

        `multichannel`: each channel apart. Otherwise the voices of the one channel are told apart.
        """
