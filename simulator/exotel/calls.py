"""One phone call as Exotel knows it, with what it does at each moment kept in a journal that can be watched live."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from simulator.exotel.numbers import new_sid, spelt, stamp
from simulator.exotel.settings import ExotelSettings
from simulator.report import Report

WATCHER_EVENTS = 10_000


def now_utc() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Leg:
    """One person's line in the call. `status` is Exotel's word for it, empty before it was dialled."""

    number: str
    status: str = ""
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    call_id: str = field(default_factory=lambda: new_sid(now_utc()))

    def on_call_s(self, now: datetime) -> int:
        if self.answered_at is None:
            return 0
        return max(0, math.ceil(((self.ended_at or now) - self.answered_at).total_seconds()))


@dataclass(frozen=True, slots=True)
class StreamOutcome:
    """How a Voicebot stream went, in the words of the `Stream[...]` parameters."""

    stream_sid: str
    status: str
    disconnected_by: str
    duration_s: int
    url: str
    error: str = ""
    detailed_status: str = ""


@dataclass(frozen=True, slots=True)
class Callback:
    """Where and how an API call's status is to be reported."""

    url: str
    events: frozenset[str] = frozenset()
    as_json: bool = False


@dataclass
class Call:
    """`direction`: inbound or outbound-api. `mode`: incoming, two-numbers, flow or connect-ai. Numbers as they were given."""

    sid: str
    direction: str
    mode: str
    from_number: str
    to_number: str
    exophone: str
    created_at: datetime
    status: str = "in-progress"
    flow_id: str = "1"
    record: bool = True
    dual_channels: bool = True
    time_limit_s: int = 14_400
    ring_limit_s: float = 60.0
    custom_field: str = ""
    stream_url: str = ""
    callback: Callback | None = None
    legs: list[Leg] = field(default_factory=list)
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    stream: StreamOutcome | None = None
    digits: str = ""
    recording: Path | None = None
    report: Report | None = None
    opened: float = 0.0
    _journal: list[dict[str, Any]] = field(default_factory=list)
    _watchers: list["asyncio.Queue[dict[str, Any]]"] = field(default_factory=list)

    @property
    def human(self) -> str:
        """The person on the line: the caller of an incoming call, the one rung first of an outgoing one."""
        return self.from_number

    @property
    def has_ended(self) -> bool:
        return self.ended_at is not None

    def elapsed_ms(self) -> int:
        """Since the call was placed, by the event loop's clock."""
        return round((asyncio.get_running_loop().time() - self.opened) * 1_000)

    @property
    def journal(self) -> tuple[dict[str, Any], ...]:
        """Everything told so far."""
        return tuple(self._journal)

    def tell(self, event: str, at_ms: float | None = None, **facts: Any) -> None:
        """Notes an event and shows it to everybody who watches."""
        entry = {"event": event, "at_ms": round(self.elapsed_ms() if at_ms is None else at_ms), "call_sid": self.sid, **facts}
        self._journal.append(entry)
        for watcher in self._watchers:
            if watcher.full():
                watcher.get_nowait()  # who does not look loses the oldest, never the report
            watcher.put_nowait(entry)

    async def watch(self) -> AsyncIterator[dict[str, Any]]:
        """The journal from its beginning, ending with the event `report`."""
        watcher: asyncio.Queue[dict[str, Any]] = asyncio.Queue(WATCHER_EVENTS)
        for entry in self._journal[-WATCHER_EVENTS:]:
            watcher.put_nowait(entry)
        self._watchers.append(watcher)
        try:
            while True:
                entry = await watcher.get()
                yield entry
                if entry["event"] == "report":
                    return
        finally:
            self._watchers.remove(watcher)

    def conversation_s(self, now: datetime) -> int:
        """Seconds in which both sides were connected, rounded up."""
        return min((leg.on_call_s(now) for leg in self.legs if leg.status), default=0)

    def price(self, settings: ExotelSettings) -> Decimal:
        """INR: each started minute of each leg that was answered."""
        minutes = sum(math.ceil(leg.on_call_s(self.ended_at or self.created_at) / 60) for leg in self.legs)
        return settings.rate * minutes


def recording_url(call: Call, settings: ExotelSettings) -> str | None:
    """Where the recording will be, whether or not it is there already; None if the call leaves none."""
    if not call.record or call.answered_at is None:
        return None
    return f"{settings.public_url}/exotel/exotelrecordings/{settings.sid}/{call.sid}.{settings.recording_format}"


def call_object(call: Call, settings: ExotelSettings, now: datetime, *, details: bool = False) -> dict[str, Any]:
    """The `Call` object of the REST API; what Exotel fills in late is null until `details_delay_s` after the end."""
    settled = call.ended_at is not None and now >= call.ended_at + timedelta(seconds=settings.details_delay_s)
    duration: Any = None
    price: Any = None
    if settled and call.ended_at is not None:
        duration = str(math.ceil((call.ended_at - call.created_at).total_seconds()))
        price = f"{call.price(settings):.3f}"
        if not settings.ints_as_strings:
            duration, price = int(duration), float(price)
    shape: dict[str, Any] = {
        "Sid": call.sid,
        "ParentCallSid": None,
        "DateCreated": stamp(call.created_at),
        "DateUpdated": stamp(call.ended_at or call.answered_at or call.created_at),
        "AccountSid": settings.sid,
        "To": None if call.mode == "flow" and settings.flow_to_is_null else spelt(call.to_number, settings.numbers_format),
        "From": spelt(call.from_number, settings.numbers_format),
        "PhoneNumberSid": spelt(call.exophone, settings.numbers_format),
        "Status": call.status,
        "StartTime": stamp(call.created_at),
        "EndTime": stamp(call.ended_at) if settled and call.ended_at else None,
        "Duration": duration,
        "Price": price,
        "Direction": call.direction,
        "AnsweredBy": "human" if settled and call.answered_at else None,
        "ForwardedFrom": None,
        "CallerName": None,
        "Uri": f"/v1/Accounts/{settings.sid}/Calls.json/{call.sid}",
        "RecordingUrl": recording_url(call, settings) if settled else None,
    }
    if details:
        shape["Details"] = {
            "ConversationDuration": call.conversation_s(now) if settled else None,
            "Leg1Status": call.legs[0].status or None if call.legs else None,
            "Leg2Status": call.legs[1].status or None if len(call.legs) > 1 else None,
            "Legs": [{"Leg": {"Id": place, "OnCallDuration": leg.on_call_s(now)}} for place, leg in enumerate(call.legs, start=1)],
        }
    return shape
