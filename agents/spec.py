"""What an agent is at one moment: a frozen value that a session keeps, whatever happens to the agent afterwards."""

from dataclasses import asdict, dataclass, field
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
class AgentSpec:
    """Everything a conversation needs to know about its agent. `language` is a BCP 47 tag such as `en-IN`."""

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
    extra: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The form that `AgentVersion.spec` stores."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "AgentSpec":
        """Reads what `to_json` wrote, by this release or an older one. Raises `msgspec.ValidationError`."""
        return msgspec.convert(stored, cls)
