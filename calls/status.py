"""The life of a call's status as a table, and what a call is named by. Pure: no Django, no clock."""

from enum import StrEnum
from typing import Final

# What an address may name; whether there is such a call is another question.
SESSION_ID: Final = "sess_[0-9A-Za-z]{1,35}"


class CallStatus(StrEnum):
    QUEUED = "queued"
    INITIATED = "initiated"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


TERMINAL = frozenset({CallStatus.COMPLETED, CallStatus.BUSY, CallStatus.FAILED, CallStatus.NO_ANSWER, CallStatus.CANCELED})
_AFTER_INITIATED = frozenset({CallStatus.RINGING, CallStatus.IN_PROGRESS}) | TERMINAL

# Which status may follow which. A call may skip steps (a lost callback), never go back, and never leave an end.
FOLLOWS: dict[CallStatus, frozenset[CallStatus]] = {
    CallStatus.QUEUED: frozenset({CallStatus.INITIATED, CallStatus.FAILED, CallStatus.CANCELED}),
    CallStatus.INITIATED: _AFTER_INITIATED,
    CallStatus.RINGING: _AFTER_INITIATED - {CallStatus.RINGING},
    CallStatus.IN_PROGRESS: frozenset({CallStatus.COMPLETED, CallStatus.FAILED, CallStatus.CANCELED}),
    **{end: frozenset() for end in TERMINAL},
}


def may_follow(old: CallStatus, new: CallStatus) -> bool:
    return new in FOLLOWS[old]


def predecessors(new: CallStatus) -> frozenset[CallStatus]:
    """Every status from which `new` may be reached: the condition of a compare-and-swap."""
    return frozenset(old for old, nexts in FOLLOWS.items() if new in nexts)
