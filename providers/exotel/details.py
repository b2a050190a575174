"""The Call object of Exotel's REST API as a frozen value: figures as numbers, stamps in UTC, words in ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from providers.exotel.errors import xml_root
from providers.exotel.statuses import call_status, direction
from providers.exotel.times import from_stamp
from providers.exotel.webhooks import e164_or_empty, seconds

_LONGEST_WORD: Final = 40
CURRENCY: Final = "INR"  # Exotel bills Indian accounts in rupees and leaves the currency out of every answer


@dataclass(frozen=True, slots=True)
class CallDetails:
    """A call as Exotel knows it now. Duration, price, end and recording are None or empty until some minutes after the end.

    `leg_statuses` are Exotel's own words for legs, the person rung first coming first; `leg_seconds` is how long each was on the call:
    Exotel bills legs. `told_at` is Exotel's own clock when it told this, if it did.
    """

    call_sid: str
    status: str | None
    direction: str | None
    person: str
    exophone: str
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    duration_s: int | None
    price: Decimal | None
    recording_url: str
    leg_statuses: tuple[str, ...] = ()
    leg_seconds: tuple[int, ...] = ()
    told_at: datetime | None = None

    @property
    def currency(self) -> str:
        return CURRENCY if self.price is not None else ""


def read_call(call: Mapping[str, Any]) -> CallDetails:
    """Reads one `Call`. What is missing or unreadable is None or empty."""
    extra = call.get("Details")
    legs = (_text(extra, name).lower() for name in ("Leg1Status", "Leg2Status")) if isinstance(extra, dict) else ()
    recording_url = _text(call, "PreSignedRecordingUrl") or _text(call, "RecordingUrl")
    return CallDetails(
        call_sid=_text(call, "Sid"),
        status=call_status(call.get("Status")),
        direction=direction(call.get("Direction")),
        person=e164_or_empty(call.get("From")),
        exophone=e164_or_empty(call.get("PhoneNumberSid") or call.get("To")),
        created_at=from_stamp(call.get("DateCreated")),
        started_at=from_stamp(call.get("StartTime")),
        ended_at=from_stamp(call.get("EndTime")),
        duration_s=seconds(call.get("Duration")),
        price=price(call.get("Price")),
        recording_url=recording_url if recording_url.startswith(("http://", "https://")) and len(recording_url) <= 600 else "",
        leg_statuses=tuple(word for word in legs if word and len(word) <= _LONGEST_WORD),
        leg_seconds=_leg_seconds(extra.get("Legs")) if isinstance(extra, dict) else (),
    )


def _leg_seconds(told: object) -> tuple[int, ...]:
    """`[{"Leg": {"Id": 1, "OnCallDuration": 61}}, …]` as (61, …), in the order of their ids; empty if one of them makes no sense."""
    legs = [leg.get("Leg") for leg in told if isinstance(leg, dict)] if isinstance(told, list) else []
    lengths = [(str(leg.get("Id")), seconds(leg.get("OnCallDuration"))) for leg in legs if isinstance(leg, dict)]
    if len(lengths) > 8 or any(length is None for _place, length in lengths):
        return ()
    return tuple(length for _place, length in sorted(lengths, key=lambda leg: leg[0]) if length is not None)


def price(told: object) -> Decimal | None:
    """What Exotel charged, as text or number (`"1.500"`, `1.5`, sometimes negative like a booking); None if it does not say yet."""
    if isinstance(told, bool) or told is None:
        return None
    try:
        amount = abs(Decimal(str(told).strip()))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount < 10**7 else None


def call_from_xml(body: bytes) -> dict[str, Any] | None:
    """The fields of the `Call` in an XML answer; None if there is none."""
    root = xml_root(body)
    call = root.find("Call") if root is not None else None
    if call is None:
        return None
    fields: dict[str, Any] = {child.tag: child.text for child in call if len(child) == 0}
    extra = call.find("Details")
    if extra is not None:
        fields["Details"] = {child.tag: child.text for child in extra if len(child) == 0}
    return fields


def next_page(metadata: object) -> dict[str, str] | None:
    """The query of the next page, or None. Only the query is taken over: where to ask is ours to know."""
    uri = metadata.get("NextPageUri") if isinstance(metadata, dict) else None
    return dict(parse_qsl(urlsplit(str(uri)).query)) or None if uri else None


def _text(call: Mapping[str, Any], name: str) -> str:
    """What is no text (a NUL, half a character) was not told: no row could keep it."""
    value = call.get(name)
    told = value.strip() if isinstance(value, str) else ""
    return told if told.isprintable() and told.lower() != "null" else ""
