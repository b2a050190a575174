"""What one event says of a call, read so that nothing in it can do harm, and how much its word counts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import IntEnum, StrEnum
from typing import Any, Final

from calls.status import TERMINAL, CallStatus


class Authority(IntEnum):
    """Whose word counts more."""

    OURS = 0
    DIAL_ANSWER = 1
    FLOW = 2
    CALLBACK = 3
    DETAILS = 4


# Kinds that mean something for how the call stands by themselves. Any other one does if it says something of the call (`claims`).
SHAPING: Final = frozenset(
    {
        "stream-started",
        "stream-resumed",
        "stream-reported",
        "session-ended",
        "hangup-requested",
        "dial-accepted",
        "dial-refused",
        "dial-unknown",
    }
)
REPORT: Final = "carrier-report"
CARRIED_OVER: Final = "carried-over"  # what was known of a call when its columns became a fold
DIAL_ANSWERS: Final = {"dial-accepted": "accepted", "dial-refused": "refused", "dial-unknown": "unknown"}
_STATUSES: Final[dict[str, CallStatus]] = {str(status): status for status in CallStatus}
_NOT_OF_A_FLOW: Final = frozenset({"", "status", "recording"})
_EARLIEST: Final = datetime(2008, 1, 1, tzinfo=UTC)  # 1970-01-01 05:30:00 is how the carrier writes "not yet"
_MOST_SECONDS: Final = 10_000_000
_MOST_MONEY: Final = Decimal(10) ** 8
_PAISE: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `at` is our time of hearing of it; what counts stands in its facts."""

    key: str
    source: str
    kind: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def matters(self) -> bool:
        """Whether it can change how the call stands."""
        return self.kind in SHAPING or "call" in self.facts

    @property
    def authority(self) -> Authority:
        if self.source != "carrier":
            return Authority.OURS
        if self.kind in DIAL_ANSWERS:
            return Authority.DIAL_ANSWER
        if self.kind not in (REPORT, CARRIED_OVER):
            return Authority.OURS
        if self.facts.get("asked"):
            return Authority.DETAILS
        return Authority.CALLBACK if str(self.facts.get("door") or "") in _NOT_OF_A_FLOW else Authority.FLOW


def claims(**told: Any) -> dict[str, Any]:
    """What an event says about the call, as a fact of it: status, started_at, answered_at, ended_at, duration_s, recording_url, price,
    currency, cause. What is None or empty is not said.
    """
    return {"call": {name: _plain(value) for name, value in told.items() if value is not None and value != ""}}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal | StrEnum) else value


class Said:
    """One event's claims, read so that nothing in them can do harm: what makes no sense was not said."""

    __slots__ = ("answered_at", "cause", "currency", "duration_s", "ended_at", "event", "hint", "price", "started_at", "status", "url")

    def __init__(self, event: Event) -> None:
        told = event.facts.get("call")
        facts = told if isinstance(told, dict) else {}
        self.event = event
        self.status = _STATUSES.get(_text(facts.get("status"), 16))
        self.started_at = moment(facts.get("started_at"))
        self.answered_at = moment(facts.get("answered_at"))
        self.ended_at = moment(facts.get("ended_at"))
        self.duration_s = count(facts.get("duration_s"))
        self.price, self.currency = _price(facts.get("price")), _text(facts.get("currency"), 3)
        self.url = _text(facts.get("recording_url"), 600)
        self.cause = _text(facts.get("cause"), 300)
        hints = event.facts.get("causes")
        self.hint = _text(hints[0], 300) if isinstance(hints, list) and hints else ""

    @property
    def ends(self) -> bool:
        return self.status in TERMINAL


def moment(told: object) -> datetime | None:
    """An aware time in UTC; None for what stands for "no time" or is none."""
    try:
        moment = datetime.fromisoformat(told) if isinstance(told, str) else None
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None and moment >= _EARLIEST else None
    except (ValueError, OverflowError):
        return None


def count(told: object) -> int | None:
    """A whole number that is not negative and fits a row, or None."""
    return told if isinstance(told, int) and not isinstance(told, bool) and 0 <= told <= _MOST_SECONDS else None


def _price(told: object) -> Decimal | None:
    try:
        amount = Decimal(told) if isinstance(told, str) else None
    except InvalidOperation:
        return None
    return amount.quantize(_PAISE) if amount is not None and amount.is_finite() and 0 <= amount < _MOST_MONEY else None


def _text(told: object, most: int) -> str:
    return told[:most] if isinstance(told, str) else ""
