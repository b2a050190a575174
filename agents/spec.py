"""What an agent is at one moment: a frozen value that a session keeps, whatever happens to the agent afterwards."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec


class Mode(StrEnum):
    LIVE = "live"
    VOICEMAIL = "voicemail"


@dataclass(frozen=True, slots=True)
class VoiceSpec:
    provider: str
    voice_id: str
    model: str
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class LanguageModelSpec:
    provider: str
    model: str
    temperature: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class SpeechToTextSpec:
    provider: str
    model: str
    endpointing_ms: int


@dataclass(frozen=True, slots=True)
class StandIn:
    """Who takes over when a provider fails. `voice_id` is for voices only."""

    provider: str
    model: str
    voice_id: str = ""


@dataclass(frozen=True, slots=True)
class Fallbacks:
    """The stand-ins of each port, in the order in which they are tried."""

    stt: tuple[StandIn, ...] = ()
    llm: tuple[StandIn, ...] = ()
    tts: tuple[StandIn, ...] = ()


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """A whole word or name as it is written, and as the voice should say it."""

    written: str
    spoken: str


@dataclass(frozen=True, slots=True)
class DestinationSpec:
    """A person or team a caller can be handed over to. The model sees `id` and `description`, never a number.

    `is_fallback`: gets the caller when no provider can be reached.
    """

    id: int
    name: str
    description: str
    numbers: tuple[str, ...]
    ring_s: int = 30
    handover: str = ""
    is_fallback: bool = False


@dataclass(frozen=True, slots=True)
class HttpToolSpec:
    """A tool that asks an operator's own service. Its secret headers are not here: they are read, decrypted, when it is called.

    `acts`: it changes something in the world, so it runs once for the same arguments in one call. `fixed` are arguments that the model
    neither sees nor writes. `meanwhile` is said while it runs.
    """

    id: int
    name: str
    description: str
    parameters: dict[str, Any]
    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)
    timeout_ms: int = 8000
    meanwhile: str = ""
    acts: bool = True


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """Everything a conversation and what follows it need to know about the agent. `language` is a BCP 47 tag such as `en-IN`."""

    name: str
    prompt: str
    first_message: str
    language: str
    voice: VoiceSpec
    llm: LanguageModelSpec
    stt: SpeechToTextSpec
    mode: Mode = Mode.LIVE
    max_duration_s: int = 600
    silence_timeout_s: int = 10
    record_calls: bool = True
    voicemail_message: str = ""
    manners: dict[str, Any] = field(default_factory=dict)
    fallbacks: Fallbacks = Fallbacks()
    pronunciations: tuple[Pronunciation, ...] = ()
    destinations: tuple[DestinationSpec, ...] = ()
    tools: tuple[HttpToolSpec, ...] = ()
    collects_digits: bool = False
    recording_retention_days: int | None = None
    analyse_calls: bool = True
    extraction_schema: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The form that `AgentVersion.spec` stores, exactly as it comes back from there."""
        stored: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return stored

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "AgentSpec":
        """Reads what `to_json` wrote, by this release or an older one. Raises `msgspec.ValidationError`."""
        return msgspec.convert(stored, cls)
