"""What the engine asks of the outside world. Providers and the telephone line implement these Protocols.

Every implementation keeps its own deadlines (connect 2 s, first useful byte 2 s, between chunks 3 s, send 2 s, close 1 s)
and raises only `ProviderError` (providers) or `LinkClosed` (the link). `CancelledError` always passes through.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeGuard, runtime_checkable

from engine.audio import AudioChunk
from engine.usage import UsageRecord

# --- speech to text ---------------------------------------------------------------------------------------------------


class Word(NamedTuple):
    """One word as it is written, and where it lies, in ms from the first audio sent."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The provider hears speech. `at_ms` counts from the first audio sent."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class InterimTranscript:
    """A guess at the segment being spoken. Each replaces the one before; it may be taken back. `words`: see `FinalTranscript`."""

    text: str
    words: tuple[Word, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FinalTranscript:
    """A segment that will not change. `end_of_turn`: the provider also thinks the speaker has finished.

    `end_ms` is where the last word ended, in ms from the first audio sent. An empty text with `end_of_turn` is possible.
    `words` are those of `text`, where the provider places them: they tell what a stream opened anew says for the second time.
    """

    text: str
    end_of_turn: bool
    end_ms: int
    words: tuple[Word, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class UtteranceEnded:
    """The provider heard no word for its utterance gap: the turn is over even if no segment said so."""

    last_word_end_ms: int


@dataclass(frozen=True, slots=True)
class EagerEndOfTurn:
    """The provider thinks that the speaker has probably finished: `text` is the whole turn. A final or `TurnResumed` follows."""

    text: str
    words: tuple[Word, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TurnResumed:
    """The eager guess was wrong: the speaker goes on with the same turn."""


TranscriptEvent = SpeechStarted | InterimTranscript | FinalTranscript | UtteranceEnded | EagerEndOfTurn | TurnResumed


class TranscriptStream(Protocol):
    """One open recognition. Iterate it for events while another task sends; iteration ends after `finish`."""

    async def send(self, chunk: AudioChunk) -> None: ...

    async def finish(self) -> None:
        """Says that no more audio comes; what is still unrecognised arrives before iteration ends."""

    def __aiter__(self) -> AsyncIterator[TranscriptEvent]: ...

    @property
    def usage(self) -> Sequence[UsageRecord]:
        """What was used so far; complete once iteration has ended or the context was left."""


@runtime_checkable
class QuickTranscriptStream(TranscriptStream, Protocol):
    """A stream that can take a frame without an await. 50 frames a second make a task's wake-up for each worth saving."""

    def send_now(self, chunk: AudioChunk) -> bool:
        """Sends `chunk` as `send` would; False, and nothing sent, if that needs waiting or fails: `send` then waits, or raises."""


class SpeechToText(Protocol):
    provider: str
    model: str

    def stream(self, sample_rate_hz: int) -> AbstractAsyncContextManager[TranscriptStream]: ...


# --- language model ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A complete request of the model. `arguments` is the JSON text exactly as the model wrote it."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the conversation as the model sees it."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as declared to the model; `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: dict[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ReplyFinished:
    """The last event of every complete reply. A stream that ends without it was truncated and raised."""

    reason: str
    usage: tuple[UsageRecord, ...]


LanguageModelEvent = TextDelta | ToolCall | ReplyFinished


class LanguageModel(Protocol):
    provider: str
    model: str

    def reply(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AbstractAsyncContextManager[AsyncIterator[LanguageModelEvent]]:
        """Streams one reply. Leaving the context early closes the provider's stream at once (barge-in)."""


# --- text to speech ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpokenAudio(AudioChunk):
    """Audio whose words are known: a provider that aligns yields these instead of plain chunks.

    `characters` are pairs of a piece of the text, in its order and without gaps, and where its sound ends, in ms from the first audio of
    this `speak`. They may run ahead of `pcm`, never behind it.
    """

    characters: tuple[tuple[str, int], ...] = ()


class TextToSpeech(Protocol):
    provider: str
    model: str
    sample_rate_hz: int

    def speak(self, text: str) -> AbstractAsyncContextManager[AsyncIterator[AudioChunk]]:
        """Streams the audio of one piece of text at `sample_rate_hz`. Leaving the context early stops it at once."""

    def usage(self, text: str) -> Sequence[UsageRecord]:
        """What speaking `text` once costs in units; `evidence` is unique for each call of this method."""


class PreparedAudio(Protocol):
    """Audio of sentences that are known beforehand. In memory: asking never waits."""

    def get(self, text: str) -> bytes | None:
        """PCM of `text` (as it stands in the plan) in this agent's voice at the line's rate, or None if it has to be spoken anew."""


@runtime_checkable
class Switching(Protocol):
    """A port made of several, for one session. `switches` counts how often it had to turn to another provider."""

    @property
    def switches(self) -> int: ...

    @property
    def working(self) -> tuple[str, str]:
        """Provider and model of the one that was asked last."""


def is_switching(port: object) -> TypeGuard[Switching]:
    """As `isinstance`, which takes twenty times as long for a protocol and is asked several times a turn."""
    return hasattr(port, "switches") and hasattr(port, "working")


def working(port: SpeechToText | LanguageModel | TextToSpeech) -> tuple[str, str]:
    """Provider and model of whoever does the work: what is used, and what fails, is theirs."""
    return port.working if is_switching(port) else (port.provider, port.model)


# --- the caller's line ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallerAudio:
    chunk: AudioChunk


@dataclass(frozen=True, slots=True)
class DtmfPressed:
    digit: str


@dataclass(frozen=True, slots=True)
class MarkReached:
    """Everything sent before the mark `name` has been played to the caller."""

    name: str


@dataclass(frozen=True, slots=True)
class LinkEnded:
    """The far side is gone. `reason`: `caller-hangup`, `stopped` or `lost` (closed without a word)."""

    reason: str


LinkEvent = CallerAudio | DtmfPressed | MarkReached | LinkEnded


class AudioLink(Protocol):
    """The call's audio in both directions. Iteration ends after `LinkEnded`.

    `chunk_bytes` is the size in which audio must be sent (the carrier's rule); only whole chunks are accepted.
    """

    sample_rate_hz: int
    chunk_bytes: int

    def __aiter__(self) -> AsyncIterator[LinkEvent]: ...

    async def send_audio(self, pcm: bytes) -> None:
        """Sends one chunk of exactly `chunk_bytes`. Raises `LinkClosed`."""

    async def send_mark(self, name: str) -> None: ...

    async def clear(self) -> None:
        """Drops what the carrier has queued; the message being played still plays to its end."""

    async def close(self) -> None:
        """Ends the call from our side. Idempotent, returns within 1 s, never raises."""


@runtime_checkable
class QuickAudioLink(AudioLink, Protocol):
    """A link that can hand the caller's audio over inside the call that brought it: 50 frames a second make a task's wake-up for each
    worth saving."""

    def give_audio_to(self, take: Callable[[AudioChunk], None]) -> None:
        """From now on the caller's audio goes to `take`, which must not wait; what came before and all other events are iterated.

        What `take` raises is raised by the iteration, and no more audio is given.
        """
