"""What happened in a conversation, in the past tense. The session emits these; whoever runs it stores and shows them.

All `*_ms` offsets count from the session's start on the engine's own clock.
"""

from dataclasses import dataclass
from enum import StrEnum

from engine.usage import UsageRecord


class EndReason(StrEnum):
    """Why a session ended: one field, one vocabulary."""

    CALLER_HANGUP = "caller-hangup"
    AGENT_GOODBYE = "agent-goodbye"
    OPERATOR_HANGUP = "operator-hangup"
    SILENCE = "silence"
    MAX_DURATION = "max-duration"
    BUDGET = "budget"
    VOICEMAIL_DONE = "voicemail-done"
    VOICEMAIL_DETECTED = "voicemail-detected"
    TRANSFERRED = "transferred"
    PROVIDER_FAILED = "provider-failed"
    LINK_LOST = "link-lost"
    SHUTDOWN = "shutdown"
    CRASH = "crash"


@dataclass(frozen=True, slots=True)
class TurnLatency:
    """From the caller's last word to the agent's first audio on the link, in ms, with its parts.

    `endpointing_ms`: last word -> end of turn decided. `llm_ms`: decided -> first token. `tts_ms`: first sentence handed
    over -> first audio. `total_ms` is measured on its own; it is not the sum (work overlaps, and sentences take time to form).
    """

    endpointing_ms: int
    llm_ms: int
    tts_ms: int
    total_ms: int


@dataclass(frozen=True, slots=True)
class SessionStarted:
    at_ms: int


@dataclass(frozen=True, slots=True)
class UserTurnUpdated:
    """What the caller seems to be saying right now (for live display only)."""

    text: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class UserTurnEnded:
    turn: int
    text: str
    started_ms: int
    ended_ms: int


@dataclass(frozen=True, slots=True)
class AgentTurnStarted:
    """The first audio of an agent turn went out. `latency` is None for the first message and for prompts of our own."""

    turn: int
    at_ms: int
    latency: TurnLatency | None


@dataclass(frozen=True, slots=True)
class AgentTurnUpdated:
    """A further sentence of the turn is being spoken; `text` is the whole turn so far (for live display only)."""

    turn: int
    text: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class AgentTurnEnded:
    """`heard` is what the caller heard; `generated` what the agent meant to say. They differ if `interrupted`."""

    turn: int
    heard: str
    generated: str
    interrupted: bool
    started_ms: int
    ended_ms: int
    latency: TurnLatency | None


@dataclass(frozen=True, slots=True)
class AgentTurnInterrupted:
    """The caller began to speak over the agent; `silence_after_ms`: from the speech being known to `clear` being sent."""

    turn: int
    at_ms: int
    silence_after_ms: int


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A tool ran. Arguments and results stay out: they may hold personal data."""

    name: str
    ok: bool
    at_ms: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class DtmfReceived:
    """A key was pressed. Which one is left out on purpose."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class ProviderFailed:
    provider: str
    category: str
    message: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class UsageRecorded:
    record: UsageRecord
    at_ms: int


@dataclass(frozen=True, slots=True)
class SessionEnded:
    reason: EndReason
    at_ms: int


SessionEvent = (
    SessionStarted
    | UserTurnUpdated
    | UserTurnEnded
    | AgentTurnStarted
    | AgentTurnUpdated
    | AgentTurnEnded
    | AgentTurnInterrupted
    | ToolCalled
    | DtmfReceived
    | ProviderFailed
    | UsageRecorded
    | SessionEnded
)
