"""The query parameters that Exotel's applets send: all of them, the constant and the useless ones included. Pure."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

from simulator.exotel.calls import Call, Leg, StreamOutcome, recording_url
from simulator.exotel.numbers import NEVER_ENDED, last_ten, long_stamp, spelt, stamp
from simulator.exotel.settings import ExotelSettings

Params = list[tuple[str, str]]
_CAUSES = {"completed": ("NORMAL_CLEARING", "16"), "busy": ("USER_BUSY", "17"), "no-answer": ("RING_TIMEOUT", "1003")}


def with_query(url: str, params: Params) -> str:
    """`url` with `params` behind its own query, which stays as it is."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(params)}"


def applet_params(call: Call, settings: ExotelSettings, now: datetime) -> Params:
    """What every applet of a flow sends. In a flow the human is `CallFrom`, whichever side began the call."""
    human, exophone = spelt(call.human, settings.numbers_format), spelt(call.exophone, settings.numbers_format)
    is_incoming = call.direction == "inbound"
    params: Params = [
        ("CallSid", call.sid),
        ("CallFrom", human),
        ("CallTo", exophone if is_incoming or settings.numbers_format != "0" else last_ten(exophone)),
        ("Direction", "incoming" if is_incoming else "outbound-dial"),
        ("ForwardedFrom", "null"),
        ("Created", long_stamp(call.created_at)),
        ("DialCallDuration", "0"),
        ("StartTime", stamp(call.created_at)),
        ("EndTime", NEVER_ENDED),
        ("CallStatus", "completed" if call.has_ended else "in-progress"),
        ("CallType", "call-attempt"),
        ("DialWhomNumber", ""),
        ("ProcessStatus", "null"),
        ("flow_id", call.flow_id),
        ("tenant_id", "67291"),
        ("From", human),
        ("To", exophone),
        ("CurrentTime", stamp(now)),
    ]
    if call.digits:
        params.append(("digits", f'"{call.digits}"'))
    if call.custom_field:
        params.append(("CustomField", call.custom_field))
    return params


def with_stream(params: Params, outcome: StreamOutcome, call: Call, settings: ExotelSettings) -> Params:
    """Adds what a Passthru behind a Voicebot applet learns of the stream."""
    fields = {
        "StreamSID": outcome.stream_sid,
        "Status": outcome.status,
        "Duration": str(outcome.duration_s),
        "StreamUrl": outcome.url,
        "RecordingUrl": recording_url(call, settings) or "",
        "DisconnectedBy": outcome.disconnected_by,
    }
    if outcome.error:
        fields["Error"] = outcome.error
    if outcome.detailed_status:
        fields["DetailedStatus"] = outcome.detailed_status
    if settings.stream_as_json:
        return [*params, ("Stream", json.dumps(fields))]
    return [*params, *((f"Stream[{name}]", value) for name, value in fields.items())]


def with_dial(params: Params, legs: Sequence[Leg], call: Call, settings: ExotelSettings, now: datetime) -> Params:
    """Adds what a Passthru behind a Connect applet learns of the people who were dialled."""
    last = legs[-1]
    status = "completed" if last.answered_at else last.status
    kept = dict(params)
    kept["DialCallDuration"] = str(last.on_call_s(now))
    kept["CallType"] = "completed" if last.answered_at else "incomplete"
    kept["DialWhomNumber"] = spelt(last.number, settings.numbers_format)
    dialled: Params = [*kept.items(), ("DialCallStatus", status), ("OutgoingPhoneNumber", spelt(call.exophone, settings.numbers_format))]
    if last.answered_at:
        dialled.append(("RecordingUrl", recording_url(call, settings) or ""))
        dialled.append(("RecordingAvailableBy", long_stamp(now + timedelta(minutes=5))))
    for place, leg in enumerate(legs):
        cause, code = _CAUSES.get("completed" if leg.answered_at else leg.status, ("CALL_REJECTED", "21"))
        dialled += [
            (f"Legs[{place}][Number]", spelt(leg.number, settings.numbers_format)),
            (f"Legs[{place}][Type]", "single"),
            (f"Legs[{place}][OnCallDuration]", str(leg.on_call_s(now))),
            (f"Legs[{place}][CallerId]", spelt(call.exophone, settings.numbers_format)),
            (f"Legs[{place}][CauseCode]", cause),
            (f"Legs[{place}][Cause]", code),
        ]
    return dialled
