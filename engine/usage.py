"""What a conversation consumed, in whole numbers. Prices are somebody else's business."""

from dataclasses import dataclass
from enum import StrEnum


class UsageKind(StrEnum):
    """STT listens during the call; TRANSCRIPTION reads the finished recording, at another price of the same model."""

    STT = "stt"
    TRANSCRIPTION = "transcription"
    LLM = "llm"
    TTS = "tts"
    TELEPHONY = "telephony"
    STORAGE = "storage"


class Unit(StrEnum):
    AUDIO_MS = "audio_ms"
    INPUT_TOKENS = "input_tokens"
    CACHED_INPUT_TOKENS = "cached_input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    CHARACTERS = "characters"
    CALL_SECONDS = "call_seconds"
    BYTE_MONTHS = "byte_months"


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One quantity of one unit, used once.

    `evidence` names the provider's request id (or another stable key) so that the same use is never stored twice.
    INPUT_TOKENS excludes cached ones: the two add up to what the provider calls prompt tokens.
    `purpose` is "" for what served the caller, "speculative" for an answer prepared and thrown away unheard, "interrupted" for an
    answer stopped while it was written, "failed" for one that broke off: their provider never told the quantity, so that is an
    estimate. "lost" is an estimate too: the process that used it died before it could tell. "unseen" is a paid request whose end
    nobody saw, because the process died: estimated by the one that was repeated. "analysis" is for reading the finished call.
    """

    kind: UsageKind
    provider: str
    model: str
    unit: Unit
    quantity: int
    evidence: str
    purpose: str = ""
