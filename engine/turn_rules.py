"""What a session's plan says about turns, and the phases that a conversation goes through. Words only; nothing here decides."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from engine.plan import SessionPlan


class Phase(Enum):
    LISTENING = "listening"
    THINKING = "thinking"  # a reply is in work, nothing of it is audible yet
    SPEAKING = "speaking"  # or pausing for a moment, until it is clear whether the caller interrupts
    MACHINE = "machine"  # a machine answered our call: waits for the moment to leave the message
    CLOSING = "closing"  # the last words are in work or being heard: nothing interrupts them
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class TurnRules:
    """`has_…`: the plan has words for it."""

    mode: Literal["live", "voicemail"]
    has_first_message: bool
    silence_timeout_ms: int
    max_duration_ms: int
    has_time_warning: bool = False
    outbound: bool = False
    has_voicemail_message: bool = False
    has_not_caught: bool = False
    has_handover: bool = False

    @classmethod
    def of(cls, plan: SessionPlan) -> "TurnRules":
        return cls(
            mode=plan.mode,
            has_first_message=bool(plan.first_message),
            silence_timeout_ms=plan.silence_timeout_ms,
            max_duration_ms=plan.max_duration_ms,
            has_time_warning=bool(plan.time_warning),
            outbound=plan.outbound,
            has_voicemail_message=bool(plan.voicemail_message),
            has_not_caught=bool(plan.not_caught),
            has_handover=bool(plan.handover),
        )
