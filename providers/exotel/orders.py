"""What we ask Exotel to dial, and how that is written on the wire. Pure: an order in, form fields out.

Three modes share one resource and exclude each other: two people, a person and a flow, a person and our media socket. `TimeLimit` is always
sent: it is the one end of a call that does not depend on us.
"""

from dataclasses import dataclass
from typing import Final

from providers.exotel.address import ExotelConfig
from providers.exotel.numbers import to_national

LONGEST_CALL_S: Final = 14_400
MAX_CUSTOM_FIELD: Final = 128
MAX_STREAM_URL: Final = 599


@dataclass(frozen=True, slots=True)
class ToPerson:
    """Mode A: `number` (E.164) is rung once the first person has answered."""

    number: str


@dataclass(frozen=True, slots=True)
class ToFlow:
    """Mode B: whoever answers enters the flow of that id; our socket is named in its Voicebot applet."""

    app_id: str


@dataclass(frozen=True, slots=True)
class ToStream:
    """Mode C, Connect Voice AI: whoever answers is put through to our socket. The call ends when we close it."""

    url: str


@dataclass(frozen=True, slots=True)
class CallOrder:
    """One call. `person` is rung first and sees `exophone` (both E.164). `custom_field` comes back in callbacks and applets."""

    person: str
    exophone: str
    target: ToPerson | ToFlow | ToStream
    time_limit_s: int
    status_callback: str
    custom_field: str = ""
    ring_timeout_s: int = 45
    record: bool = True


class BadOrder(ValueError):
    """The order breaks a rule that Exotel would refuse it for. The message says which."""


def fields(order: CallOrder, config: ExotelConfig) -> dict[str, str]:
    """The form of `POST Calls/connect`. Raises `BadOrder`."""
    if not 1 <= order.time_limit_s <= LONGEST_CALL_S:
        raise BadOrder(f"A call may last from 1 to {LONGEST_CALL_S} seconds, not {order.time_limit_s}.")
    if len(order.custom_field) > MAX_CUSTOM_FIELD:
        raise BadOrder(f"CustomField has {len(order.custom_field)} characters; Exotel takes {MAX_CUSTOM_FIELD}.")
    form = {
        "From": order.person,
        "CallerId": to_national(order.exophone),
        "TimeLimit": str(order.time_limit_s),
        "Record": "true" if order.record else "false",
    }
    # Ring time and the extended events are not among mode C's parameters; its own event `ringing` is nobody else's.
    events = ["terminal", "answered"]
    match order.target:
        case ToPerson(number):
            form |= {"To": number, "TimeOut": str(order.ring_timeout_s), "CallType": "trans"}
        case ToFlow(app_id):
            form |= {
                "Url": f"http://{config.flow_host}/{config.sid}/exoml/start_voice/{app_id}",
                "TimeOut": str(order.ring_timeout_s),
                "CallType": "trans",
            }
        case ToStream(url):
            if not url.startswith(("ws://", "wss://")) or len(url) > MAX_STREAM_URL:
                raise BadOrder(f"StreamUrl must start with wss:// and have at most {MAX_STREAM_URL} characters. Check MEDIA_BASE_URL.")
            form |= {"StreamUrl": url, "StreamType": "bidirectional"}
            events.append("ringing")
    if order.record:
        form["RecordingChannels"] = "dual"
    if order.custom_field:
        form["CustomField"] = order.custom_field
    if order.status_callback:
        form["StatusCallback"] = order.status_callback
        form |= {f"StatusCallbackEvents[{index}]": event for index, event in enumerate(events)}
    return form
