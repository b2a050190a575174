"""What Exotel tells our doors, whatever the applet and however it is written: parameters in, one frozen value out.

Every parameter is optional here: which one a door cannot do without is the door's business. Junk that Exotel is known to send (`null` as
text, quoted digits, 1970 for "not yet") is "nothing" behind this module. Roles: in a flow the human is `CallFrom`, whichever side
started the call; in callbacks of API calls it is `From`. On our side several names compete, so all of them are kept, the best first.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from providers.exotel.numbers import InvalidNumber, to_e164
from providers.exotel.statuses import call_status, direction
from providers.exotel.times import from_stamp

_KEY: Final = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
_PART: Final = re.compile(r"\[([^\[\]]*)\]")
_NOTHING: Final = frozenset({"", "null", "none", "undefined", "nil"})
_CALL_SID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_MAX_LEGS: Final = 20


@dataclass(frozen=True, slots=True)
class Leg:
    """One party's leg. `status` is Exotel's own word for legs; `on_call_s` is None if not told."""

    status: str
    on_call_s: int | None
    cause: str


@dataclass(frozen=True, slots=True)
class StreamReport:
    """How a Voicebot stream went, as the applet behind it is told. `disconnected_by`: user, bot, NA or what Exotel writes."""

    stream_sid: str
    status: str
    duration_s: int | None
    disconnected_by: str
    error: str
    recording_url: str


@dataclass(frozen=True, slots=True)
class CallReport:
    """One delivery about one call. Texts are empty and values None where Exotel told nothing; times are UTC, numbers E.164.

    `exophones`: the numbers that may be ours, best first. `human`: the other party, empty if withheld. `dial_status`: how the people that
    a Connect applet rang answered (completed, busy, no-answer, failed, canceled).
    """

    call_sid: str
    custom_field: str
    direction: str | None
    human: str
    exophones: tuple[str, ...]
    status: str | None
    event_type: str
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    updated_at: datetime | None
    duration_s: int | None
    recording_url: str
    cause: str
    legs: tuple[Leg, ...] = field(default=())
    stream: StreamReport | None = None
    dial_status: str = ""


def is_call_sid(text: str) -> bool:
    """Whether `text` may be an id of Exotel's: opaque, but of a modest length and without surprises."""
    return _CALL_SID.fullmatch(text) is not None


def read(params: Mapping[str, Any]) -> CallReport:
    """What the merged parameters of one delivery say. Never raises: what cannot be read is "not told"."""
    told = nested(params)
    call = told.get("Call")
    if isinstance(call, dict):
        told = {**call, "CallSid": call.get("Sid"), **told}
    way = direction(_first(told, "Direction"))
    human, exophones = _parties(told, way)
    legs = _legs(told.get("Legs"))
    stream = _stream(told.get("Stream"))
    return CallReport(
        call_sid=_first(told, "CallSid", "CallUUID", "Sid"),
        custom_field=_first(told, "CustomField"),
        direction=way,
        human=human,
        exophones=exophones,
        status=call_status(_first(told, "CallStatus", "Status")),
        event_type=_first(told, "EventType").lower(),
        created_at=from_stamp(_first(told, "DateCreated", "Created")),
        started_at=from_stamp(_first(told, "StartTime")),
        ended_at=from_stamp(_first(told, "EndTime")),
        updated_at=from_stamp(_first(told, "DateUpdated", "CurrentTime")),
        duration_s=_duration_s(told, legs),
        recording_url=_url(_first(told, "RecordingUrl")) or (stream.recording_url if stream else ""),
        cause=_cause(told, legs, stream),
        legs=legs,
        stream=stream,
        dial_status=_first(told, "DialCallStatus").lower()[:24],
    )


def nested(params: Mapping[str, Any]) -> dict[str, Any]:
    """`Legs[0][Status]=x` as `{"Legs": {"0": {"Status": "x"}}}`; what is not written in brackets stays as it is."""
    result: dict[str, Any] = {}
    for key, value in params.items():
        match = _KEY.fullmatch(key)
        path = [match[1], *_PART.findall(match[2])] if match else [key]
        place = result
        for step in path[:-1]:
            inner = place.get(step)
            if not isinstance(inner, dict):
                inner = place[step] = {}
            place = inner
        place[path[-1]] = value
    return result


def _first(told: Mapping[str, Any], *names: str) -> str:
    """The first of `names` that says something, as text."""
    for name in names:
        value = told.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        text = str(value).strip()
        if text.strip('"').lower() not in _NOTHING:
            return text
    return ""


def _parties(told: Mapping[str, Any], way: str | None) -> tuple[str, tuple[str, ...]]:
    in_flow = "CallFrom" in told or "CallTo" in told
    human = _first(told, "CallFrom") if in_flow else _first(told, "From")
    human = human or _first(told, "From")
    ours = [_first(told, name) for name in ("CallTo", "PhoneNumberSid", "To", "OutgoingPhoneNumber", "CallerId")]
    if way != "inbound":
        # Which side `From` is on is documented for incoming calls only; elsewhere the caller of this may find us there.
        ours.append(human)
    known = tuple(dict.fromkeys(number for number in map(e164_or_empty, ours) if number))
    return e164_or_empty(human), known


def e164_or_empty(text: object) -> str:
    """A number in E.164; empty if it is withheld, a SIP address or nonsense."""
    try:
        return to_e164(str(text or ""))
    except InvalidNumber:
        return ""


def _legs(told: object) -> tuple[Leg, ...]:
    if isinstance(told, dict):
        rows = [told[index] for index in sorted(told, key=lambda index: (len(str(index)), str(index)))]
    elif isinstance(told, list):
        rows = told
    else:
        return ()
    return tuple(
        Leg(status=_first(row, "Status").lower(), on_call_s=seconds(_first(row, "OnCallDuration")), cause=_first(row, "CauseCode", "Cause"))
        for row in rows[:_MAX_LEGS]
        if isinstance(row, dict)
    )


def _stream(told: object) -> StreamReport | None:
    if isinstance(told, str):
        try:
            told = json.loads(told)
        except (ValueError, RecursionError):
            return None
    if not isinstance(told, dict):
        return None
    return StreamReport(
        stream_sid=_first(told, "StreamSID", "StreamSid", "stream_sid"),
        status=_first(told, "Status", "status").lower(),
        duration_s=seconds(_first(told, "Duration", "duration")),
        disconnected_by=_first(told, "DisconnectedBy", "disconnected_by").lower(),
        error=(_first(told, "Error", "error") or _first(told, "DetailedStatus", "detailed_status"))[:200],
        recording_url=_url(_first(told, "RecordingUrl", "recording_url")),
    )


def _duration_s(told: Mapping[str, Any], legs: tuple[Leg, ...]) -> int | None:
    for name in ("ConversationDuration", "CallDuration", "Duration"):
        if (found := seconds(_first(told, name))) is not None:
            return found
    return legs[0].on_call_s if legs else None


def _cause(told: Mapping[str, Any], legs: tuple[Leg, ...], stream: StreamReport | None) -> str:
    if stream and stream.error:
        return stream.error
    spoken = [leg.cause for leg in legs if leg.cause and leg.cause not in {"NORMAL_CLEARING", "16"}]
    return (spoken[0] if spoken else _first(told, "Cause"))[:200]


def seconds(text: object) -> int | None:
    """Whole seconds from Exotel's text or number (`"17"`, `17`, `"17.0"`); None if it is none or negative."""
    try:
        value = int(float(str(text)))
    except (ValueError, OverflowError):
        return None
    return value if 0 <= value <= 10_000_000 else None


def _url(text: str) -> str:
    """An address that fits our rows, else nothing. Whether it may be fetched is `hosts`' decision."""
    return text if text.startswith(("https://", "http://")) and len(text) <= 600 else ""
