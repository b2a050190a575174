"""One call as the carrier tells it in six pieces, to be told in any order, any number of times, with any of them missing.

The last piece, Exotel's Call Details, always comes in the end: it is asked for, not sent.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from calls import commands
from calls.models import CallLog, Charge, Session, UsageLine
from telephony import applying, inbox
from telephony.spool import Spooled
from torture import made
from torture.ground import NUMBER

BEGAN = datetime(2026, 11, 22, 4, 30, tzinfo=UTC)
ENDED = BEGAN + timedelta(seconds=95)
RECORDING = "https://recordings.exotel.com/exotelrecordings/simulated1/call.mp3"
Piece = Callable[[str], None]


def stamp(at: datetime) -> str:
    """As Exotel writes it: IST without saying so."""
    return (at + timedelta(hours=5, minutes=30)).strftime("%Y-%m-%d %H:%M:%S")


def _webhook(door: str, fields: dict[str, Any]) -> Piece:
    def come(sid: str) -> None:
        params = {"CallSid": sid, **fields}
        applying.apply(inbox.keep(Spooled(time.time_ns(), door, "POST", "", params, sid)))

    return come


def _details(status: str, **facts: Any) -> Piece:
    def come(sid: str) -> None:
        session = Session.objects.get(call_log__call_sid=sid)
        report = commands.CarrierReport(status=status, started_at=BEGAN, **facts)
        commands.apply_carrier_report(session=session, report=report, source="carrier", key=f"details:{status}:{facts}"[:120])

    return come


_CALL = {"CallFrom": "09812345678", "CallTo": NUMBER, "Direction": "incoming", "Created": stamp(BEGAN), "CurrentTime": stamp(ENDED)}
_STREAM = {"Stream[StreamSID]": "s" * 32, "Stream[Status]": "completed", "Stream[Duration]": "90", "Stream[DisconnectedBy]": "user"}
PIECES: Sequence[Piece] = (
    _webhook("status", {"EventType": "initiated", "Status": "ringing", "DateUpdated": stamp(BEGAN)}),
    _webhook(
        "status",
        {
            "EventType": "answered",
            "Status": "in-progress",
            "DateUpdated": stamp(BEGAN + timedelta(seconds=5)),
            "Legs[0][Status]": "in-progress",
        },
    ),
    _webhook("passthru", {**_CALL, **_STREAM}),
    _details("in-progress"),
    _webhook(
        "status",
        {
            "EventType": "terminal",
            "Status": "completed",
            "DateUpdated": stamp(ENDED),
            "StartTime": stamp(BEGAN),
            "EndTime": stamp(ENDED),
            "ConversationDuration": "90",
            "RecordingUrl": RECORDING,
        },
    ),
    _webhook("status", {"EventType": "terminal", "Status": "completed", "DateUpdated": stamp(ENDED), "EndTime": "1970-01-01 05:30:00"}),
)
LAST: Piece = _details("completed", ended_at=ENDED, duration_s=90, recording_url=RECORDING, price=Decimal("1.20"), currency="INR")


@dataclass(frozen=True)
class End:
    """What remains of a call. Our own moments are not the carrier's and are left out."""

    call: tuple[Any, ...]
    usage: tuple[tuple[Any, ...], ...]
    charges: tuple[tuple[Any, ...], ...]


def tell(order: Sequence[int]) -> End:
    """Tells a fresh call the pieces in this order (numbers may repeat or be missing), then the last one, and accounts it."""
    agent = made.agent()
    sid = uuid4().hex
    session = commands.open_call(
        agent_version=agent.current_version, direction="inbound", user_phone="+919812345678", agent_phone=NUMBER, call_sid=sid
    )
    for number in order:
        PIECES[number](sid)
    LAST(sid)
    commands.account(session)
    log = CallLog.objects.get(session=session)
    columns = (log.status, log.ended_at, log.duration_s, log.recording_url, log.carrier_price, log.carrier_currency, log.failure)
    usage = UsageLine.objects.filter(session=session).order_by("kind", "unit").values_list("kind", "provider", "model", "unit", "quantity")
    charges = (
        Charge.objects.filter(session=session).order_by("usage_line__kind", "amount").values_list("usage_line__kind", "amount", "currency")
    )
    return End(columns, tuple(usage), tuple(charges))
