"""How a call ended, told by the set of its events: who ended it, and whether the carrier says that the leg is down. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from calls.status import TERMINAL, CallStatus
from calls.told import Authority, Event, Said, count, moment


class EndedBy(StrEnum):
    CALLER = "caller"
    AGENT = "agent"
    CARRIER = "carrier"
    OPERATOR = "operator"
    WATCHDOG = "watchdog"
    CRASH = "crash"
    UNKNOWN = "unknown"


class Confirmation(StrEnum):
    """Whether the carrier says that the leg is down."""

    CONFIRMED = "confirmed"
    NOT_CONFIRMED = "not-confirmed"


# The engine's end reasons, and who that was.
_ENDS: Final = {
    "caller-hangup": EndedBy.CALLER,
    "agent-goodbye": EndedBy.AGENT,
    "silence": EndedBy.AGENT,
    "voicemail-done": EndedBy.AGENT,
    "voicemail-detected": EndedBy.AGENT,
    "transferred": EndedBy.AGENT,
    "provider-failed": EndedBy.AGENT,
    "operator-hangup": EndedBy.OPERATOR,
    "shutdown": EndedBy.OPERATOR,
    "max-duration": EndedBy.WATCHDOG,
    "budget": EndedBy.WATCHDOG,
    "link-lost": EndedBy.CARRIER,
    "crash": EndedBy.CRASH,
}
# Talks that failed, whatever the carrier says of the call; and what is a failure if the carrier broke off. Docs: analytics.md.
FAILED_TALKS: Final = ("provider-failed", "crash")
LINK_LOST: Final = "link-lost"
# Exotel's words for who closed a stream.
_CLOSERS: Final = {"user": EndedBy.CALLER, "caller": EndedBy.CALLER, "bot": EndedBy.AGENT}

# Ends that need no word of the carrier: it never had the call.
_CERTAIN: Final = frozenset({"dial-refused", "test-over"})


def ender_of(reason: str) -> EndedBy:
    """Who that is, for one of the engine's end reasons."""
    return _ENDS.get(reason, EndedBy.UNKNOWN)


@dataclass(frozen=True, slots=True, order=True)
class TalkEnd:
    """How the talk ended. `part` counts the streams before its last one."""

    part: int
    at: datetime
    reason: str


def talk_end(known: Sequence[Event]) -> TalkEnd | None:
    """The end of the talk's last stream; None while it runs, or goes on in another stream."""
    ends = [
        TalkEnd(count(event.facts.get("part")) or 0, moment(event.facts.get("at")) or event.at, str(event.facts.get("reason") or ""))
        for event in known
        if event.kind == "session-ended"
    ]
    resumed = max((count(event.facts.get("part")) or 0 for event in known if event.kind == "stream-resumed"), default=0)
    last = max((end.part for end in ends), default=-1)
    return min(end for end in ends if end.part == last) if last >= resumed else None


def ended_by(said: Sequence[Said], status: CallStatus, over: TalkEnd | None) -> EndedBy | None:
    known = [one.event for one in said]
    askers = {event.source for event in known if event.kind == "hangup-requested"}
    asked = EndedBy.OPERATOR if "operator" in askers else EndedBy.WATCHDOG if askers else None
    closers = {_CLOSERS.get(str(event.facts.get("disconnected_by"))) for event in known if event.kind == "stream-reported"}
    closer = next((who for who in (EndedBy.CALLER, EndedBy.AGENT) if who in closers), None)
    if over is not None:
        who = ender_of(over.reason)
        if over.reason == "operator-hangup":
            return asked or who
        return EndedBy.CALLER if over.reason == "link-lost" and closer is EndedBy.CALLER else who
    if status not in TERMINAL:
        return None
    if closer is not None:
        return closer
    if status == CallStatus.COMPLETED:
        return EndedBy.UNKNOWN
    enders = {one.event.source for one in said if one.status == status}
    if status == CallStatus.CANCELED:
        ours = EndedBy.OPERATOR if "operator" in enders else EndedBy.WATCHDOG if enders - {"carrier"} else None
        return ours or asked or EndedBy.CALLER
    return EndedBy.CARRIER if "carrier" in enders else EndedBy.WATCHDOG


def confirmation(said: Sequence[Said], status: CallStatus, over: TalkEnd | None) -> Confirmation | None:
    """None while the call runs, and for one that never came to the carrier."""
    if status not in TERMINAL and over is None:
        return None
    for one in said:
        if one.ends and (one.event.authority >= Authority.CALLBACK or one.event.kind in _CERTAIN):
            return Confirmation.CONFIRMED
    at_carrier = any(one.event.source in ("carrier", "stream") or one.status == CallStatus.INITIATED for one in said)
    return Confirmation.NOT_CONFIRMED if at_carrier else None
